/** Emails about exports that were made by the calendar: a link for who signs in, never the data. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { sendMails, type ClaimedMail, type MailParts, type MailQueue } from '../base/mail-queue.ts'
import { exportEmails } from '../base/metrics.ts'
import { traceContext } from '../base/tracing.ts'
import type { Manifest } from './make.ts'
import { reportOf, type ReportName } from './registry.ts'

interface Claimed extends ClaimedMail {
  export_id: string
  report: ReportName
  state: 'done' | 'failed'
  failure: string | null
  manifest: Manifest | null
  site: string
  kept_until: string
  to_name: string
  to_address: string
  legal_name: string
  mail_from: string
  mail_from_name: string
}

/** In the transaction that ends an export: one to each recipient of its schedule, none without. */
export async function promiseEmails(trx: Trx, exportId: string): Promise<void> {
  const recipients = await trx.query<{ user_id: string; site: string }>(
    `select unnest(s.recipients) as user_id, s.site
       from export_jobs j
       join export_schedules s on s.org_id = j.org_id and s.schedule_id = j.schedule_id
      where j.org_id = $1 and j.export_id = $2 and j.state in ('done', 'failed')`,
    [trx.scope, exportId],
  )
  await trx.query(
    `insert into export_emails (org_id, export_id, email_id, user_id, site, trace_context)
     select $1, $2, n.email_id, n.user_id, n.site, $6
       from unnest($3::text[], $4::text[], $5::text[]) as n (email_id, user_id, site)
     on conflict do nothing`,
    [
      trx.scope,
      exportId,
      recipients.map(() => newId('eml')),
      recipients.map((one) => one.user_id),
      recipients.map((one) => one.site),
      traceContext(),
    ],
  )
}

const QUEUE: MailQueue<Claimed> = {
  table: 'export_emails',
  read: `select m.email_id, m.attempts, m.unknown_attempts, m.trace_context, m.export_id, m.site,
                j.report, j.state, j.failure, j.manifest,
                to_char((j.ended_at + interval '7 days') at time zone 'Asia/Kolkata',
                  'YYYY-MM-DD') as kept_until,
                u.name as to_name, u.email as to_address,
                o.legal_name, o.mail_from, o.mail_from_name
           from mine m
           join export_jobs j on j.org_id = m.org_id and j.export_id = m.export_id
           join users u on u.org_id = m.org_id and u.user_id = m.user_id
           join organisations o on o.org_id = m.org_id`,
  async withdraw(trx) {
    await trx.query(
      `update export_emails e
          set state = 'withdrawn', last_error = 'its user is not active any more'
        where e.org_id = $1 and e.state in ('waiting', 'claimed', 'sending')
          and e.next_try_at <= now()
          and not exists (
            select from users u
             where u.org_id = e.org_id and u.user_id = e.user_id and u.state = 'active')`,
      [trx.scope],
    )
  },
  compose: (email) => ({
    mail: {
      from: { name: email.mail_from_name, address: email.mail_from },
      to: { name: email.to_name, address: email.to_address },
      subject: subjectOf(email),
      text: textOf(email),
      reference: email.export_id,
      attachments: [],
    },
  }),
  count: (state) => exportEmails.inc({ state }),
  span: ({ export_id: exportId }) => ({
    name: 'send export',
    attributes: { 'bahi.export': exportId },
  }),
}

/** Sends what is due for one organisation; gives how many emails it took in hand. */
export async function sendExportEmails(parts: MailParts, orgId: number): Promise<number> {
  return await sendMails(parts, orgId, QUEUE)
}

function subjectOf({ report, state, legal_name: name }: Claimed): string {
  const { title } = reportOf(report)
  return state === 'done' ? `${title} of ${name}` : `${title} of ${name} could not be made`
}

function textOf(email: Claimed): string {
  const { title } = reportOf(email.report)
  const link = `${email.site}/v1/exports/${email.export_id}`
  const days = daysOf(email.manifest)
  const news =
    email.state === 'done'
      ? [
          `the ${title.toLowerCase()} of ${email.legal_name}${days} is ready:`,
          '',
          `${link}/file`,
          '',
          `Sign in to read it. It is kept until ${email.kept_until}; its SHA-256 is`,
          email.manifest?.sha256 ?? '',
        ]
      : [
          `the ${title.toLowerCase()} of ${email.legal_name} could not be made:`,
          '',
          email.failure ?? '',
          '',
          link,
        ]
  return [`Dear ${email.to_name},`, '', ...news, '', email.mail_from_name].join('\n')
}

function daysOf(manifest: Manifest | null): string {
  const { from, to } = manifest?.parameters ?? {}
  const until = to === undefined ? '' : ` to ${to}`
  return from === undefined ? until : ` from ${from}${until}`
}
