/** What only the reports tell: fees that no webhook told, settlements that nobody told. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { recordFacts } from '../donations/record.ts'
import type { FeeFact, GatewayName } from '../gateways/fact.ts'
import { resolveBreaks } from './passes/breaks.ts'
import { noonOf, provenSettlements, type Telling } from './proven-settlements.ts'

/** Facts of one transaction, for which the other writers of the journal wait. */
const TOGETHER = 500

/**
 * Tells what the books lack and two sides prove, as facts on the ordinary path, from the break
 * after `after`: first settlements, then fees. The breaks that they end are resolved. A payment's
 * fee and a settlement are booked once, whoever tells them again (`payments/once.ts`).
 */
export async function tellCharges(
  trx: Trx,
  asOf: IsoDate,
  after: string,
): Promise<{ posted: number; last: string | null }> {
  const settlements = after === '' ? await provenSettlements(trx, asOf, TOGETHER) : []
  let posted = await tell(trx, settlements)
  const fees = await missingFees(trx, asOf, after)
  posted += await tell(
    trx,
    fees.flatMap(({ telling }) => telling ?? []),
  )
  const last = fees.at(-1)?.exceptionId ?? null
  return { posted, last: fees.length < TOGETHER ? null : last }
}

async function tell(trx: Trx, tellings: readonly Telling[]): Promise<number> {
  if (tellings.length === 0) {
    return 0
  }
  const told = tellings.map(({ line, fact }) => ({ eventId: `line ${line}`, fact }))
  const outcomes = await recordFacts(trx, told, new Date())
  const done = tellings.filter(({ line }) => outcomes.get(`line ${line}`) === null)
  const entries = await entriesOf(
    trx,
    done.map(({ fact }) => fact.key),
  )
  const ended = done.flatMap(({ exceptionId, fact: { key } }) => {
    const entryNo = entries.get(key)
    return entryNo === undefined ? [] : [{ exceptionId, entryNo }]
  })
  await resolveBreaks(trx, ended)
  return ended.length
}

async function entriesOf(trx: Trx, keys: readonly string[]): Promise<Map<string, bigint>> {
  const rows = await trx.query<{ key: string; entry_no: bigint }>(
    `select k.key, e.entry_no
       from unnest($2::text[]) as k (key)
      cross join lateral (
        select entry_no from journal_entries
         where org_id = $1 and idempotency_key = k.key limit 1
      ) e`,
    [trx.scope, keys],
  )
  return new Map(rows.map(({ key, entry_no: entryNo }) => [key, entryNo]))
}

interface FeeRow {
  exception_id: string
  file_no: number
  row_no: number
  kind: 'payment' | 'refund'
  gateway: GatewayName
  account: string
  external_id: string
  fee: bigint
  tax: bigint
  currency: string
  day: IsoDate | null
  is_sound: boolean
}

/**
 * Fees of lines whose record has none: the line names the record itself, its own numbers come to
 * its net, and all lines of its settlement to what was sent.
 */
async function missingFees(
  trx: Trx,
  asOf: IsoDate,
  after: string,
): Promise<{ exceptionId: string; telling: Telling | null }[]> {
  const rows = await trx.query<FeeRow>(
    `select e.exception_id, l.file_no, l.row_no, l.kind, l.gateway, l.account, l.external_id,
            l.fee, coalesce(l.tax, 0) as tax, l.currency,
            coalesce(l.occurred_on, l.settled_on) as day,
            coalesce(
              l.kind in ('payment', 'refund') and l.repeated = 0 and l.fee > 0
              and coalesce(l.tax, 0) between 0 and l.fee
              and l.net = case l.kind when 'payment' then l.amount else -l.amount end - l.fee
              and b.net = s.amount and r.fee is null and r.gateway_id = l.external_id, false
            ) as is_sound
       from (
         select exception_id, detail, split_part(subject, ' ', 2)::integer as file_no,
                split_part(subject, ' ', 3)::integer as row_no
           from recon_exceptions
          where org_id = $1 and state = 'open' and kind = 'fee_missing' and subject like 'line %'
            and exception_id > $2
          order by exception_id limit ${TOGETHER}
       ) e
      cross join lateral (
        select * from settlement_lines
         where file_no = e.file_no and row_no = e.row_no and org_id = $1 limit 1
      ) l
       left join lateral (
         select record_id from recon_matches
          where file_no = l.file_no and row_no = l.row_no and org_id = $1
            and undone_at is null and whole and not reversal
          limit 1
       ) m on true
       left join lateral (
         select p.fee, p.gateway_payment_id as gateway_id from payments p
          where l.kind = 'payment' and p.org_id = $1 and p.payment_id = m.record_id
          union all
         select f.fee, f.gateway_refund_id from refunds f
          where l.kind = 'refund' and f.org_id = $1 and f.refund_id = m.record_id
          limit 1
       ) r on true
       left join lateral (
         select net from recon_batches
          where settlement_ref = l.settlement_ref and currency = l.currency
            and account = l.account and gateway = l.gateway and org_id = $1
          limit 1
       ) b on true
       left join lateral (
         select amount from settlements
          where gateway_settlement_id = l.settlement_ref and account = l.account
            and gateway = l.gateway and org_id = $1 and currency = l.currency
            and state = 'processed' and settled_entry is not null
          limit 1
       ) s on true
      order by e.exception_id`,
    [trx.scope, after],
  )
  return rows.map((row) => ({
    exceptionId: row.exception_id,
    telling: row.is_sound
      ? {
          exceptionId: row.exception_id,
          line: `${row.file_no}-${row.row_no}`,
          fact: feeOf(row, row.day ?? asOf),
        }
      : null,
  }))
}

function feeOf(row: FeeRow, day: IsoDate): FeeFact {
  const { gateway, account, external_id: id, fee, tax, currency } = row
  const key = `line:${gateway}:${account}:${id}:fee`
  const base = { key, gateway, account, occurredAt: noonOf(day), fee, tax, currency }
  return row.kind === 'payment'
    ? { ...base, kind: 'payment_fee', gatewayPaymentId: id }
    : { ...base, kind: 'refund_fee', gatewayRefundId: id }
}
