/** What only the reports tell: fees that no webhook told, settlements that nobody told. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { recordFacts } from '../donations/record.ts'
import type { Fact, FeeFact, GatewayName, Settled } from '../gateways/fact.ts'
import { resolveBreaks } from './passes/breaks.ts'

/** Facts of one transaction, for which the other writers of the journal wait. */
const TOGETHER = 500
/** Settlements that nobody told, as far as one part looks for their credits. */
const MISSING_MAX = 20_000

/** A break, and the fact that ends it. */
interface Telling {
  exceptionId: string
  /** The first line that tells it: stands for the event in the store of facts. */
  line: string
  fact: Fact
}

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
  const settlements = after === '' ? await provenSettlements(trx, asOf) : []
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

interface SettlementRow {
  exception_id: string
  gateway: GatewayName
  account: string
  settlement_ref: string
  net: bigint
  currency: string
  utr: string
  day: IsoDate
  file_no: number
  row_no: number
}

/**
 * Settlements that nobody told, where the bank proves them: one of its lines names the UTR that all
 * lines of the settlement name, and no other, and is of what they come to.
 */
async function provenSettlements(trx: Trx, asOf: IsoDate): Promise<Telling[]> {
  const unknown = await trx.query(
    `select 1 from recon_exceptions
      where org_id = $1 and state = 'open' and kind = 'missing_internal'
        and subject like 'settlement %' limit 1`,
    [trx.scope],
  )
  if (unknown.length === 0) {
    return []
  }
  const rows = await trx.query<SettlementRow>(
    `with missing as materialized (
       select e.exception_id, b.gateway, b.account, b.settlement_ref, b.currency, b.net
         from recon_exceptions e
         join recon_batches b on b.org_id = e.org_id
          and b.settlement_ref = e.detail ->> 'settlement' and b.currency = e.currency
          and e.subject = 'settlement ' || b.gateway || ' ' || b.account || ' '
                          || b.settlement_ref
        where e.org_id = $1 and e.state = 'open' and e.kind = 'missing_internal' and b.net > 0
          and e.subject like 'settlement %'
        order by e.exception_id limit ${MISSING_MAX}
     ), told as materialized (
       select m.exception_id, m.gateway, m.account, m.settlement_ref, m.currency, m.net,
              max(l.utr) as utr, max(l.settled_on) as settled_on, min(l.file_no) as file_no,
              (array_agg(l.row_no order by l.file_no, l.row_no))[1] as row_no
         from missing m
         join settlement_lines l on l.org_id = $1 and l.settlement_ref = m.settlement_ref
          and l.account = m.account and l.gateway = m.gateway
        group by 1, 2, 3, 4, 5, 6
       having count(*) = count(l.utr) and min(l.utr) = max(l.utr)
          and bool_and(l.currency = m.currency)
     ), credits as materialized (
       -- All lines once, and not once for each settlement.
       select t.utr, min(b.booked_on) as booked_on, min(b.amount) as amount,
              min(b.currency) as currency, max(b.repeated) as repeated, min(b.file_no) as file_no,
              min(b.row_no) as row_no
         from (select distinct utr from told) t
         join (
           select unnest(tokens) as token, booked_on, amount, currency, repeated, file_no, row_no
             from bank_lines where org_id = $1 and amount > 0
         ) b on b.token = t.utr
        group by t.utr having count(*) = 1
     )
     select t.exception_id, t.gateway, t.account, t.settlement_ref, t.net, t.currency, t.utr,
            coalesce(t.settled_on, c.booked_on, $2::date) as day, t.file_no, t.row_no
       from told t
       join credits c
         on c.utr = t.utr and c.amount = t.net and c.currency = t.currency and c.repeated = 0
      where not exists (select from told o where o.utr = t.utr and o <> t)
        and not exists (
          select from settlements s where s.org_id = $1 and s.utr_plain = t.utr)
        -- A line that was booked as something else proves nothing any more.
        and not exists (
          select from recon_closed_lines d
           where d.file_no = c.file_no and d.row_no = c.row_no and d.org_id = $1
             and d.side = 'bank')
        and not exists (
          select from recon_bank_matches m
           where m.file_no = c.file_no and m.row_no = c.row_no and m.org_id = $1
             and m.undone_at is null)
      order by t.exception_id limit ${TOGETHER}`,
    [trx.scope, asOf],
  )
  return rows.map((row) => ({
    exceptionId: row.exception_id,
    line: `${row.file_no}-${row.row_no}`,
    fact: settledOf(row),
  }))
}

function settledOf(row: SettlementRow): Settled {
  const { gateway, account, settlement_ref: id, net: amount, currency, utr, day } = row
  return {
    kind: 'settled',
    key: `line:${gateway}:${account}:${id}:settled`,
    gateway,
    account,
    occurredAt: noonOf(day),
    gatewaySettlementId: id,
    amount,
    currency,
    utr,
  }
}

/** Reports name days only: at noon in India it is that day wherever it is counted from. */
function noonOf(day: IsoDate): Date {
  return new Date(`${day}T12:00:00+05:30`)
}
