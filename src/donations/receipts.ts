/** Issues receipts for paid donations: numbered without a gap, complete, never changed. */
import { delayAfter, type Backoff } from '../base/backoff.ts'
import { receiptText } from '../../reports/receipt-text.ts'
import { isAboveCashLimit } from '../../reports/tax-law.ts'
import { financialYear, indianDate, type IsoDate } from '../base/clock.ts'
import { seal, type Keyring } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { messageOf } from '../base/problem.ts'
import { inSpans, type TraceContext } from '../base/tracing.ts'
import { prefixOf } from '../organisations/receipt-numbering.ts'
import { insertReceipts } from './receipt-rows.ts'
import { receiptDocument, type ReceiptSource } from './receipt-source.ts'
import { encodeDocument } from './receipt-file.ts'
import { tellOfReceipts } from './tell.ts'

const BATCH_MAX = 200
/** A receipt that cannot be issued is tried for about a day. */
const BACKOFF: Backoff = { firstMs: 5000, mostMs: 7_200_000, attemptsMax: 20 }

interface Promised {
  outbox_id: string
  subject: string
  attempts: number
  trace_context: TraceContext | null
}

/** Issues what is promised for one organisation; gives how many rows it took in hand. */
export async function issueReceipts(
  db: Database,
  orgId: number,
  keyring: Keyring,
  now: Date,
): Promise<number> {
  return await db.transact(
    orgId,
    async (trx) => {
      const promised = await trx.query<Promised>(
        `select outbox_id, subject, attempts, trace_context from outbox
          where org_id = $1 and topic = 'issue_receipt' and state = 'waiting'
            and next_try_at <= now()
          order by outbox_id limit $2`,
        [trx.scope, BATCH_MAX],
      )
      if (promised.length > 0) {
        // Each receipt goes on in the trace of what promised it.
        const parts = promised.map((one) => ({ key: one.subject, parent: one.trace_context }))
        await inSpans('issue receipt', parts, async (traceOf) => {
          await issue(trx, promised, { keyring, now, traceOf })
        })
      }
      return promised.length
    },
    { queue: 'receipts' },
  )
}

async function issue(
  trx: Trx,
  promised: readonly Promised[],
  how: { keyring: Keyring; now: Date; traceOf: (donationId: string) => TraceContext | null },
): Promise<void> {
  const { keyring, now, traceOf } = how
  const sources = await loadSources(
    trx,
    promised.map((one) => one.subject),
  )
  const ready: { promise: Promised; source: ReceiptSource }[] = []
  const failed: { promise: Promised; reason: string }[] = []
  const givenBack: Promised[] = []
  for (const promise of promised) {
    const source = sources.get(promise.subject)
    if (source !== undefined && source.gone >= source.amount) {
      // It is promised anew where the money comes back.
      givenBack.push(promise)
      continue
    }
    const reason = reasonAgainst(source, keyring, now)
    if (source === undefined || reason !== null) {
      failed.push({ promise, reason: reason ?? '' })
    } else {
      ready.push({ promise, source })
    }
  }
  const numbered = await number(
    trx,
    ready.map(({ source }) => source),
  )
  const rows = numbered.map(({ source, ...numbering }) => {
    const receiptId = newId('rcp', now.getTime())
    const document = receiptDocument(source, { ...numbering, issuedAt: now }, keyring)
    const sealed = seal(keyring, encodeDocument(document), receiptId)
    const trace = traceOf(source.donation_id)
    return { receiptId, source, ...numbering, document, sealed, trace }
  })
  await insertReceipts(trx, rows, now)
  await tellOfReceipts(
    trx,
    rows.map(({ receiptId, source, document }) => ({
      receiptId,
      number: document.number,
      donationId: source.donation_id,
      paymentId: source.payment_id,
      amount: source.amount,
      currency: source.currency,
      donatedOn: document.donatedOn,
    })),
    now,
  )
  await settle(trx, [...ready.map(({ promise }) => promise), ...givenBack], failed, now)
}

/** Why no receipt can be made; found out before a number is taken, so that none is wasted. */
function reasonAgainst(
  source: ReceiptSource | undefined,
  keyring: Keyring,
  now: Date,
): string | null {
  if (source === undefined) {
    return 'the donation is not paid, or has a receipt already'
  }
  try {
    const series = seriesOf(source)
    const numbering = { series, prefix: series, year: yearOf(source), serial: 1, issuedAt: now }
    receiptText(receiptDocument(source, numbering, keyring))
    return null
  } catch (error) {
    return messageOf(error)
  }
}

/** The paid donations without a receipt, with all that a receipt says. */
async function loadSources(
  trx: Trx,
  donationIds: readonly string[],
): Promise<Map<string, ReceiptSource>> {
  const rows = await trx.query<ReceiptSource>(
    `select d.donation_id, d.nature, d.purpose, f.name as fund_name,
            p.payment_id, p.gateway, p.gateway_payment_id, p.method, p.amount, p.currency,
            p.bank_reference, p.captured_at, p.entry_no,
            payment_gone(p.org_id, p.payment_id) as gone,
            x.channel, x.reference, x.cheque_date, x.ifsc, x.bank,
            n.donor_id, n.name, n.email, n.erased_at, n.address, n.tax_id_type, n.tax_id_sealed,
            o.legal_name, o.address as organisation_address, o.pan as organisation_pan,
            o.registration_12a, o.email as organisation_email, o.signatory_name,
            o.signatory_designation, o.colour, o.logo_sha256,
            a.urn, a.issued_on as approval_issued_on, a.valid_from, a.valid_to, a.deduction
       from donations d
       join payments p on p.org_id = d.org_id and p.payment_id = d.payment_id
       left join offline_payments x on x.org_id = p.org_id and x.payment_id = p.payment_id
       join donors n on n.org_id = d.org_id and n.donor_id = d.donor_id
       join funds f on f.org_id = d.org_id and f.fund = d.fund
       join organisations o on o.org_id = d.org_id
       left join lateral (
         select * from tax_approvals t
          where t.org_id = d.org_id
            and (p.captured_at at time zone 'Asia/Kolkata')::date
                between t.valid_from and t.valid_to
          order by t.valid_from desc limit 1
       ) a on true
      where d.org_id = $1 and d.donation_id = any($2) and d.state = 'paid'
        and not exists (
          select 1 from receipts r
           where r.org_id = d.org_id and r.donation_id = d.donation_id
             and not exists (select from receipt_cancellations c
                  where c.org_id = r.org_id and c.receipt_id = r.receipt_id))
      order by p.captured_at, d.donation_id`,
    [trx.scope, donationIds],
  )
  return new Map(rows.map((row) => [row.donation_id, row]))
}

interface Numbered {
  source: ReceiptSource
  series: string
  prefix: string
  year: string
  serial: number
}

/** Takes the next serials of each series and year, in this transaction: none is lost or skipped. */
async function number(trx: Trx, sources: readonly ReceiptSource[]): Promise<Numbered[]> {
  const bySeries = Map.groupBy(sources, (source) => `${seriesOf(source)} ${yearOf(source)}`)
  const numbered: Numbered[] = []
  for (const own of bySeries.values()) {
    const [first] = own
    if (first === undefined) {
      continue
    }
    const series = seriesOf(first)
    const year = yearOf(first)
    const [row] = await trx.query<{ last_serial: number }>(
      `insert into receipt_series as s (org_id, series, year, last_serial) values ($1, $2, $3, $4)
       on conflict (org_id, series, year) do update set last_serial = s.last_serial + $4
       returning last_serial`,
      [trx.scope, series, year, own.length],
    )
    const prefix = await prefixOf(trx, series, year)
    const last = row?.last_serial ?? 0
    own.forEach((source, index) => {
      numbered.push({ source, series, prefix, year, serial: last - own.length + 1 + index })
    })
  }
  return numbered
}

/**
 * `80G` only for who can claim: identified by id and address, under an approval of that day, and
 * not for more cash than the law lets count.
 */
function seriesOf(source: ReceiptSource): '80G' | 'GEN' {
  const isTooMuchCash =
    source.channel === 'cash' && isAboveCashLimit(source.amount, donatedOn(source))
  const claimable =
    source.tax_id_sealed !== null &&
    source.address !== null &&
    source.urn !== null &&
    !isTooMuchCash
  return claimable ? '80G' : 'GEN'
}

function yearOf(source: ReceiptSource): string {
  return financialYear(donatedOn(source))
}

/** The day the money was received decides the year (india.md §1.2), in India's calendar. */
function donatedOn(source: ReceiptSource): IsoDate {
  return indianDate(source.captured_at)
}

async function settle(
  trx: Trx,
  done: readonly Promised[],
  failed: readonly { promise: Promised; reason: string }[],
  now: Date,
): Promise<void> {
  await trx.query(
    `update outbox set state = 'done', attempts = attempts + 1, done_at = $3
      where org_id = $1 and outbox_id = any($2)`,
    [trx.scope, done.map((one) => one.outbox_id), now],
  )
  for (const { promise, reason } of failed) {
    const delay = delayAfter(BACKOFF, promise.attempts + 1)
    await trx.query(
      `update outbox
          set attempts = attempts + 1, last_error = $3,
              state = case when $4::integer is null then 'dead' else 'waiting' end,
              next_try_at = now() + coalesce($4, 0) * interval '1 millisecond'
        where org_id = $1 and outbox_id = $2`,
      [trx.scope, promise.outbox_id, reason, delay],
    )
  }
}
