/** What the demo shows and checks: counts, an entry, a receipt, the balance, the expected truth. */
import type { Database } from '../src/base/db.ts'
import { formatDecimal } from '../src/base/money.ts'
import type { Parts } from '../src/base/parts.ts'
import { findReceipt, receiptPdf } from '../src/donations/receipt-file.ts'
import { formatRupees } from '../reports/indian-number.ts'
import { organisationsWith, type Work } from '../src/inbox/waiting.ts'
import { NOW, trialBalance } from '../src/ledger/reading/balances.ts'
import { listEntries } from '../src/ledger/reading/entries.ts'
import type { SimulationSummary } from './simulate/play.ts'

export interface Counts {
  events: number
  duplicates: number
  entries: number
  receipts: number
  emails: number
}

const POLL_MS = 100
const WORK: readonly Work[] = ['confirmations', 'events', 'receipts', 'emails']

/** True as soon as nothing waits any more; false after `timeoutMs`. */
export async function drained(db: Database, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    const [row] = await db.statement<{ waiting: boolean }>(
      `select exists (select 1 from inbox_events where state = 'waiting')
           or exists (select 1 from outbox where state = 'waiting')
           or exists (select 1 from receipt_emails where state in ('waiting', 'claimed', 'sending'))
           as waiting`,
    )
    if (row?.waiting === false) {
      return true
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  for (const work of WORK) {
    await organisationsWith(db, work)
  }
  return false
}

export async function countRows(db: Database, orgId: number): Promise<Counts> {
  return await db.read(orgId, async (trx) => {
    const [counts] = await trx.query<Counts>(
      `select (select count(*)::integer from inbox_events where org_id = $1) as events,
              (select count(*)::integer from inbox_duplicates where org_id = $1) as duplicates,
              (select count(*)::integer from journal_entries where org_id = $1) as entries,
              (select count(*)::integer from receipts where org_id = $1) as receipts,
              (select count(*)::integer from receipt_emails
                where org_id = $1 and state = 'sent') as emails`,
      [orgId],
    )
    if (counts === undefined) {
      throw new Error('no counts')
    }
    return counts
  })
}

/** The newest entry, as a bookkeeper would write it. */
export async function entryText(db: Database, orgId: number): Promise<string> {
  const [entry] = await db.read(orgId, async (trx) => await listEntries(trx, { limit: 1 }))
  if (entry === undefined) {
    return '  (none)'
  }
  const lines = entry.postings.map(({ direction, account, amount, currency }) => {
    const side = direction === 'debit' ? 'Dr' : 'Cr'
    return `    ${side} ${account.padEnd(38)} ${rightAligned(amount, currency)}`
  })
  return [
    `  je_${entry.entry_no}  ${entry.effective_on}  ${entry.description}`,
    ...lines,
    `    key ${entry.idempotency_key}`,
    `    hash ${entry.hash.toString('hex')}`,
  ].join('\n')
}

/** The newest receipt's PDF. */
export async function someReceipt(
  parts: Parts,
  orgId: number,
): Promise<{ number: string; amount: bigint; bytes: Buffer } | null> {
  const found = await parts.db.read(orgId, async (trx) => {
    const [row] = await trx.query<{ receipt_id: string; amount: bigint }>(
      `select receipt_id, amount from receipts
        where org_id = $1 order by (series = '80G') desc, serial desc limit 1`,
      [orgId],
    )
    const receipt = row === undefined ? undefined : await findReceipt(trx, row.receipt_id)
    return row === undefined || receipt === undefined ? null : { receipt, amount: row.amount }
  })
  if (found === null) {
    return null
  }
  const { bytes } = await receiptPdf(found.receipt, orgId, parts.files, parts.keyring)
  return { number: found.receipt.number, amount: found.amount, bytes }
}

export async function trialBalanceText(
  db: Database,
  orgId: number,
): Promise<{ text: string; zero: boolean }> {
  const balance = await db.read(orgId, async (trx) => await trialBalance(trx, NOW))
  const row = (name: string, debit: string, credit: string) =>
    `  ${name.padEnd(40)} ${debit.padStart(16)} ${credit.padStart(16)}`
  const text = [
    row('', 'debit', 'credit'),
    ...balance.lines.map((line) =>
      row(line.code, decimals(line.debit, line.currency), decimals(line.credit, line.currency)),
    ),
    ...balance.totals.map((total) =>
      row(
        `total ${total.currency}`,
        figures(total.debit, total.currency),
        figures(total.credit, total.currency),
      ),
    ),
  ].join('\n')
  return { text, zero: balance.totals.every((total) => total.debit === total.credit) }
}

/** Holds what the simulator paid against what stands in the books; a line for each difference. */
export async function mismatches(
  db: Database,
  orgId: number,
  summary: SimulationSummary,
): Promise<string[]> {
  const rows = await db.read(
    orgId,
    async (trx) =>
      await trx.query<{
        gateway_payment_id: string
        donation_id: string | null
        amount: bigint
        entries: number
        receipts: number
        emails: number
      }>(
        `select p.gateway_payment_id, p.donation_id, p.amount,
                (select count(*)::integer from journal_entries e
                  where e.org_id = p.org_id
                    and e.metadata ->> 'gateway_payment_id' = p.gateway_payment_id) as entries,
                (select count(*)::integer from receipts r
                  where r.org_id = p.org_id and r.payment_id = p.payment_id
                    and not exists (select from receipt_cancellations c
                         where c.org_id = r.org_id and c.receipt_id = r.receipt_id)) as receipts,
                (select count(*)::integer from receipts r
                   join receipt_emails m using (org_id, receipt_id)
                  where r.org_id = p.org_id and r.payment_id = p.payment_id
                    and m.kind = 'issued' and m.state = 'sent') as emails
           from payments p where p.org_id = $1 and p.state = 'captured'`,
        [orgId],
      ),
  )
  const booked = new Map(rows.map((row) => [row.gateway_payment_id, row]))
  const problems: string[] = []
  for (const expected of summary.expected) {
    const row = booked.get(expected.gatewayPaymentId)
    booked.delete(expected.gatewayPaymentId)
    const isBooked =
      row?.amount === expected.amount &&
      row.donation_id === expected.donationId &&
      row.entries === 1
    // What was taken away had its receipt, which is cancelled then, or was too late for one.
    const isReceipted = expected.kept
      ? row?.receipts === 1 && row.emails === 1
      : row?.receipts === 0 && row.emails <= 1
    if (!isBooked || !isReceipted) {
      problems.push(
        `payment ${expected.gatewayPaymentId}: ${row?.entries ?? 0} entries, ` +
          `${row?.receipts ?? 0} receipts, ${row?.emails ?? 0} emails instead of ` +
          (expected.kept ? 'one each' : 'one entry and no receipt'),
      )
    }
  }
  for (const id of booked.keys()) {
    problems.push(`payment ${id} was booked, and nobody paid it`)
  }
  if (summary.unexpected > 0) {
    problems.push(`${summary.unexpected} webhooks were answered otherwise than they should be`)
  }
  if (summary.rejected !== summary.forged) {
    problems.push(`${summary.rejected} of ${summary.forged} forged webhooks were refused`)
  }
  return problems
}

function rightAligned(amount: bigint, currency: string): string {
  return figures(amount, currency).padStart(16)
}

/** Rupees with lakh grouping, other currencies plainly. */
function figures(amount: bigint, currency: string): string {
  return currency === 'INR'
    ? formatRupees(amount)
    : `${formatDecimal(amount, currency)} ${currency}`
}

function decimals(amount: bigint, currency: string): string {
  return amount === 0n ? '' : figures(amount, currency)
}
