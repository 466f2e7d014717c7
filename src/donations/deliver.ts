/** Sends issued receipts by email, each once; a failure is tried again or ends visibly. */
import type { Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import type { Files } from '../base/files.ts'
import {
  sendMails,
  type ClaimedMail,
  type Composed,
  type LeftMail,
  type MailParts,
} from '../base/mail-queue.ts'
import { emails } from '../base/metrics.ts'
import { receiptPdf, recordPdfHash, type IssuedReceipt, type ReceiptPdf } from './receipt-file.ts'
import { tellOfEmails, type ToldEmail } from './tell.ts'

export interface DeliveryParts extends MailParts {
  files: Files
  keyring: Keyring
}

interface Claimed extends IssuedReceipt, ClaimedMail {
  kind: 'issued' | 'cancelled'
  to_name: string
  to_address: string
  amount: bigint
  legal_name: string
  mail_from: string
  mail_from_name: string
}

const READ = `select m.email_id, m.kind, m.to_name, m.to_address, m.attempts,
       m.unknown_attempts, m.trace_context, r.receipt_id, r.number,
       r.document_sealed, r.pdf_sha256, r.amount, o.legal_name, o.mail_from,
       o.mail_from_name, l.bytes as logo
  from mine m
  join receipts r on r.org_id = m.org_id and r.receipt_id = m.receipt_id
  join organisations o on o.org_id = m.org_id
  left join organisation_logos l on l.org_id = r.org_id and l.sha256 = r.logo_sha256`

/** Sends what is due for one organisation; gives how many emails it took in hand. */
export async function deliverReceipts(parts: DeliveryParts, orgId: number): Promise<number> {
  return await sendMails<Claimed>(parts, orgId, {
    table: 'receipt_emails',
    read: READ,
    goesOut: `not exists (select from organisations o
                           where o.org_id = $1 and 'receipt_emails' = any(o.switched_off))`,
    compose: async (email) => await compose(parts, orgId, email),
    onLeft: tell,
    count: (state) => emails.inc({ state }),
    span: ({ receipt_id: id }) => ({ name: 'send receipt', attributes: { 'bahi.receipt': id } }),
  })
}

async function compose(
  { files, keyring }: DeliveryParts,
  orgId: number,
  email: Claimed,
): Promise<Composed> {
  const isIssued = email.kind === 'issued'
  const pdf = isIssued ? await receiptPdf(email, orgId, files, keyring) : null
  const mail = {
    from: { name: email.mail_from_name, address: email.mail_from },
    to: { name: email.to_name, address: email.to_address },
    subject: isIssued
      ? `Receipt ${email.number} for your donation to ${email.legal_name}`
      : `Receipt ${email.number} of ${email.legal_name} is cancelled`,
    text: textOf(email),
    reference: email.receipt_id,
    attachments: pdf === null ? [] : [attached(email, pdf)],
  }
  return pdf === null
    ? { mail }
    : { mail, keep: async (trx) => await recordPdfHash(trx, email.receipt_id, pdf.sha256) }
}

async function tell(trx: Trx, left: readonly LeftMail[]): Promise<void> {
  const told = await trx.query<ToldEmail>(
    `select e.receipt_id, r.donation_id, e.state
       from receipt_emails e join receipts r on r.org_id = $1 and r.receipt_id = e.receipt_id
      where e.org_id = $1 and e.email_id = any($2::text[])`,
    [trx.scope, left.map((one) => one.email_id)],
  )
  await tellOfEmails(trx, told)
}

function attached({ number }: Claimed, { bytes }: ReceiptPdf) {
  const filename = `receipt-${number.replaceAll('/', '-')}.pdf`
  return { filename, contentType: 'application/pdf', content: bytes }
}

function textOf(email: Claimed): string {
  if (email.kind === 'cancelled') {
    return [
      `Dear ${email.to_name},`,
      '',
      `your donation to ${email.legal_name} was given back, so that receipt ${email.number} does`,
      'not stand any more: please do not use it, for a tax deduction least of all.',
      '',
      email.mail_from_name,
    ].join('\n')
  }
  return [
    `Dear ${email.to_name},`,
    '',
    `thank you for your donation to ${email.legal_name}.`,
    `Your receipt ${email.number} is attached as a PDF.`,
    '',
    email.mail_from_name,
  ].join('\n')
}
