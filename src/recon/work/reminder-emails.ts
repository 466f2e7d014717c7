/** Emails about what is overdue: one digest a person, never the data itself. */
import type { Trx } from '../../base/db.ts'
import {
  sendMails,
  type ClaimedMail,
  type MailParts,
  type MailQueue,
} from '../../base/mail-queue.ts'
import { reconEmails } from '../../base/metrics-gateways.ts'
import { formatDecimal, isCurrency } from '../../base/money.ts'
import { SEVERITIES } from './policy.ts'

interface Told {
  count: number
  severities: { severity: number; count: number }[]
  sums: { currency: string; amount: string }[]
  worst: { id: string; kind: string; amount: string; currency: string; due_on: string }[]
}

interface Claimed extends ClaimedMail {
  to_name: string | null
  to_address: string
  told: Told
  legal_name: string
  mail_from: string
  mail_from_name: string
}

/** So many are named, those first that are due for longest. */
const SHOWN_MAX = 20

/** What an email is about: what its user has, or, to an address, what went past its owner. */
const TOLD = `c.org_id = $1 and c.state = 'open' and c.due_at <= now()
  and c.acknowledged_at is null and c.reminders > 0
  and case when m.user_id is null then c.owner is null or c.reminders > 1
           else c.owner = m.user_id end`

const READ = `select m.email_id, m.attempts, m.unknown_attempts, m.trace_context,
    u.name as to_name, coalesce(u.email, m.address) as to_address,
    o.legal_name, o.mail_from, o.mail_from_name,
    jsonb_build_object(
      'count', (select count(*) from recon_cases c where ${TOLD}),
      'severities', (select coalesce(jsonb_agg(s order by s.severity), '[]') from (
         select c.severity, count(*) as count from recon_cases c where ${TOLD}
          group by c.severity) s),
      'sums', (select coalesce(jsonb_agg(s order by s.currency), '[]') from (
         select c.currency, sum(abs(c.amount))::text as amount from recon_cases c where ${TOLD}
          group by c.currency) s),
      'worst', (select coalesce(jsonb_agg(w order by w.due_on, w.id), '[]') from (
         select c.exception_id as id, c.kind, abs(c.amount)::text as amount, c.currency,
                to_char(c.due_at at time zone 'Asia/Kolkata', 'YYYY-MM-DD HH24:MI') as due_on
           from recon_cases c where ${TOLD}
          order by c.due_at, c.exception_id limit ${SHOWN_MAX}) w)) as told
   from mine m
   join organisations o on o.org_id = m.org_id
   left join users u on u.org_id = m.org_id and u.user_id = m.user_id`

/** Ends what has nobody to go to, or nothing to say any more. */
async function withdraw(trx: Trx): Promise<void> {
  await trx.query(
    `update recon_emails m
        set state = 'withdrawn', last_error = 'nobody to tell, or nothing to tell of any more'
      where m.org_id = $1 and m.state in ('waiting', 'claimed', 'sending')
        and m.next_try_at <= now()
        and (not exists (select from recon_cases c where ${TOLD})
             or m.user_id is not null and not exists (
               select from users u
                where u.org_id = $1 and u.user_id = m.user_id and u.state = 'active'))`,
    [trx.scope],
  )
}

function queueOf(site: string | null): MailQueue<Claimed> {
  return {
    table: 'recon_emails',
    read: READ,
    withdraw,
    compose: (email) => ({
      mail: {
        from: { name: email.mail_from_name, address: email.mail_from },
        to: { name: email.to_name ?? email.to_address, address: email.to_address },
        subject: `${countOf(email.told.count)} overdue at ${email.legal_name}`,
        text: textOf(email, site),
        reference: email.email_id,
        attachments: [],
      },
    }),
    count: (state) => reconEmails.inc({ state }),
    span: () => ({ name: 'send reminder', attributes: {} }),
  }
}

/** Sends what is due for one organisation; gives how many emails it took in hand. */
export async function sendReconEmails(
  parts: MailParts,
  orgId: number,
  site: string | null,
): Promise<number> {
  return await sendMails(parts, orgId, queueOf(site))
}

function countOf(count: number): string {
  return count === 1 ? '1 exception' : `${count} exceptions`
}

function textOf(email: Claimed, site: string | null): string {
  const { count, severities, sums, worst } = email.told
  const by = severities.map((one) => `${one.count} ${SEVERITIES[one.severity] ?? ''}`).join(', ')
  const rest = count > worst.length ? [`and ${count - worst.length} more.`] : []
  return [
    ...(email.to_name === null ? [] : [`Dear ${email.to_name},`, '']),
    `${countOf(count)} of the reconciliation of ${email.legal_name} ${count === 1 ? 'is' : 'are'}`,
    `overdue, and nobody has acknowledged ${count === 1 ? 'it' : 'them'}: ${by}.`,
    `At stake: ${sums.map(({ amount, currency }) => moneyOf(amount, currency)).join(', ')}.`,
    '',
    ...worst.map(
      (one) => `${one.due_on}  ${moneyOf(one.amount, one.currency)}  ${one.kind}  ${one.id}`,
    ),
    ...rest,
    '',
    `${site ?? ''}/v1/recon/exceptions?overdue=true&sort=due`,
    '',
    'This comes again until somebody acknowledges them (POST /v1/recon/exceptions/acknowledge).',
    '',
    email.mail_from_name,
  ].join('\n')
}

function moneyOf(amount: string, currency: string): string {
  return isCurrency(currency)
    ? `${currency} ${formatDecimal(BigInt(amount), currency)}`
    : `${currency} ${amount} (minor units)`
}
