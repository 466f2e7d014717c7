/** What the first pass left, looked at line by line with whatever our books know of it. */
import type { Trx } from '../../base/db.ts'
import type { Group, Line, OpenRecord } from '../match/decide.ts'
import { windowOf, type Wanting } from '../match/fallback.ts'
import type { Rules } from '../match/rules.ts'

/** Open lines in hand at a time; more are parted by what they name. */
export const LINES_TOGETHER = 40_000
/** As many candidates as are looked at; from two on it is ambiguous. */
const CANDIDATES_MAX = 5

const KIND_OF_RECORD = `case l.kind when 'refund_reversal' then 'refund'
  when 'transfer_reversal' then 'transfer' when 'dispute_reversal' then 'dispute' else l.kind end`
const IS_REVERSAL = `(l.kind in ('refund_reversal', 'transfer_reversal', 'dispute_reversal'))`

// A row-level policy keeps what it does not know to be harmless out of index conditions: COALESCE.
const KNOWN_ID = `case when l.kind = 'payment' then p.payment_id else f.refund_id end`

export const LINE = `l.file_no, l.row_no, l.repeated, l.gateway, l.account, l.kind, l.external_id,
  l.order_ref, l.settlement_ref, l.utr, l.amount, l.fee, l.tax, l.net, l.currency, l.occurred_on`

export interface LineRow {
  file_no: number
  row_no: number
  repeated: number
  gateway: string
  account: string
  kind: Line['kind']
  external_id: string | null
  order_ref: string | null
  settlement_ref: string | null
  utr: string | null
  amount: bigint
  fee: bigint | null
  tax: bigint | null
  net: bigint
  currency: string
  occurred_on: string | null
}

interface RecordRow {
  record_id: string
  reversal: boolean
  external_id: string
  order_ref: string | null
  amount: string
  fee: string | null
  tax: string | null
  currency: string
  occurred_on: string
}

/** The record that a line names, where a person took the line from it. */
const APART_FROM = `(select u.record_id from recon_matches u
  where u.file_no = l.file_no and u.row_no = l.row_no and u.org_id = $1
    and u.undone_at is not null and u.record_id = r.record ->> 'record_id' limit 1)`

type How = 'order' | 'bank' | 'payment' | 'amount'

interface NamedRow extends LineRow {
  record: RecordRow | null
  apart_from: string | null
  told_before: string | null
  state: string | null
  given_up_by: string | null
}

/** How many parts the open lines make. */
export async function countParts(trx: Trx): Promise<number> {
  const [row] = await trx.query<{ open: number }>(
    `select count(*)::integer as open from recon_open_lines where org_id = $1`,
    [trx.scope],
  )
  return Math.max(1, Math.ceil((row?.open ?? 0) / LINES_TOGETHER))
}

/** The open lines of a part in groups that name one thing, in the order in which they came. */
export async function loadGroups(trx: Trx, part: number, parts: number): Promise<Group[]> {
  const rows = await trx.query<NamedRow>(
    `select ${LINE}, r.record, ${APART_FROM} as apart_from, m.told_before, s.state, c.given_up_by
       from recon_open_lines o
      cross join lateral (
        select * from settlement_lines
         where file_no = o.file_no and row_no = o.row_no and org_id = $1 limit 1
      ) l
       left join lateral (
         select to_jsonb(r) || jsonb_build_object('amount', r.amount::text, 'fee', r.fee::text,
                  'tax', r.tax::text) as record
           from recon_open_records r
          where r.external_id = l.external_id and r.org_id = $1 and r.gateway = l.gateway
            and r.account = l.account and r.kind = ${KIND_OF_RECORD}
            and r.reversal = ${IS_REVERSAL}
          limit 1
       ) r on true
       left join lateral (
         select p.payment_id, p.state from payments p
          where l.kind = 'payment' and p.org_id = $1 and p.gateway = l.gateway
            and p.account = l.account and p.gateway_payment_id = l.external_id
          limit 1
       ) p on true
       left join lateral (
         select f.refund_id, f.state from refunds f
          where l.kind in ('refund', 'refund_reversal') and f.gateway_refund_id = l.external_id
            and f.account = l.account and f.gateway = l.gateway and f.org_id = $1
          limit 1
       ) f on true
       left join lateral (
         select record_id as told_before from recon_matches m
          where m.record_id = ${KNOWN_ID} and m.org_id = $1
            and m.reversal = ${IS_REVERSAL} and m.whole and m.undone_at is null
          union all
         select record_id from recon_matches m
          where m.record_id = ${KNOWN_ID} and m.org_id = $1
            and m.reversal = ${IS_REVERSAL} and not m.whole and m.undone_at is null
          limit 1
       ) m on true
      cross join lateral (select coalesce(p.state, f.state) as state) s
       left join lateral (
         select resolution_id as given_up_by from recon_closed_records c
          where c.external_id = l.external_id and c.org_id = $1 and c.gateway = l.gateway
            and c.account = l.account and c.kind = ${KIND_OF_RECORD}
            and c.reversal = ${IS_REVERSAL}
          limit 1
       ) c on true
      where o.org_id = $1 and mod(abs(hashtext(coalesce(l.external_id, ''))), $3::integer) = $2
      order by l.file_no, l.row_no`,
    [trx.scope, part, parts],
  )
  return groupsOf(rows)
}

function groupsOf(rows: readonly NamedRow[]): Group[] {
  const groups = new Map<string, Group & { lines: Line[] }>()
  for (const row of rows) {
    const line = lineOf(row)
    const alone = `${line.fileNo} ${line.rowNo}`
    const key =
      line.externalId === null || row.apart_from !== null
        ? alone
        : [row.gateway, row.account, row.kind, row.external_id].join(' ')
    const group = groups.get(key)
    if (group === undefined) {
      groups.set(key, {
        lines: [line],
        record: row.record === null ? null : recordOf(row.record),
        apartFrom: row.apart_from,
        toldBefore: row.told_before,
        state: row.state,
        givenUpBy: row.given_up_by,
      })
    } else {
      group.lines.push(line)
    }
  }
  return [...groups.values()]
}

/** What the line `l` could mean, in each way that there is. */
const CANDIDATES = `cross join lateral (
        (select 'order' as how, r.* from recon_open_records r
          where r.order_ref = l.order_ref and r.org_id = $1 and r.gateway = l.gateway
            and r.account = l.account and r.kind = ${KIND_OF_RECORD}
            and r.reversal = ${IS_REVERSAL} and r.amount = l.amount and r.currency = l.currency
          order by r.record_id limit ${CANDIDATES_MAX})
         union all
        (select 'bank', r.* from recon_open_records r
          where r.bank_reference in (w.reference, w.as_told) and r.org_id = $1
            and r.gateway = l.gateway and r.account = l.account and r.kind = ${KIND_OF_RECORD}
            and r.reversal = ${IS_REVERSAL}
          order by r.record_id limit ${CANDIDATES_MAX})
         union all
        (select 'payment', r.* from recon_open_records r
          where l.kind in ('dispute', 'dispute_reversal') and r.payment_ref = l.payment_ref
            and r.org_id = $1 and r.gateway = l.gateway and r.account = l.account
            and r.kind = 'dispute' and r.reversal = ${IS_REVERSAL} and r.amount = l.amount
            and r.currency = l.currency
          order by r.record_id limit ${CANDIDATES_MAX})
         union all
        (select 'amount', r.* from recon_open_records r
          where r.amount = l.amount and r.org_id = $1 and r.gateway = l.gateway
            and r.account = l.account and r.kind = ${KIND_OF_RECORD}
            and r.reversal = ${IS_REVERSAL} and r.currency = l.currency
            and (w.first is null or r.occurred_on between w.first and w.last)
          order by r.record_id limit ${CANDIDATES_MAX})
      ) c`

/** Lines that name nothing our books know, each with the open records that it could mean. */
export async function loadWanting(
  trx: Trx,
  lines: readonly Line[],
  rules: Rules,
): Promise<Wanting[]> {
  const windows = lines.map((line) => windowOf(line, rules))
  const references = lines.map((line) => bankReferenceOf(line))
  const rows = await trx.query<{ place: number; how: How; record: RecordRow; apart: boolean }>(
    `select w.place::integer - 1 as place, c.how,
            exists (
              select from recon_matches u
               where u.file_no = w.file_no and u.row_no = w.row_no and u.org_id = $1
                 and u.undone_at is not null and u.record_id = c.record_id) as apart,
            to_jsonb(c) || jsonb_build_object('amount', c.amount::text, 'fee', c.fee::text,
              'tax', c.tax::text) as record
       from unnest($2::integer[], $3::integer[], $4::date[], $5::date[], $6::text[], $7::text[])
              with ordinality as w (file_no, row_no, first, last, reference, as_told, place)
      cross join lateral (
        select * from settlement_lines
         where org_id = $1 and file_no = w.file_no and row_no = w.row_no limit 1
      ) l
      ${CANDIDATES}
      order by w.place, c.record_id`,
    [
      trx.scope,
      lines.map(({ fileNo }) => fileNo),
      lines.map(({ rowNo }) => rowNo),
      windows.map((window) => window?.from ?? null),
      windows.map((window) => window?.to ?? null),
      references,
      // Of a reference that is digits only we keep no leading zeros; gateways write twelve.
      references.map((reference) => reference?.padStart(12, '0') ?? null),
    ],
  )
  const found = lines.map((line) => ({
    line,
    byOrder: [] as OpenRecord[],
    byBank: [] as OpenRecord[],
    byPayment: [] as OpenRecord[],
    byAmount: [] as OpenRecord[],
    isApart: false,
  }))
  const listOf = {
    order: 'byOrder',
    bank: 'byBank',
    payment: 'byPayment',
    amount: 'byAmount',
  } as const
  for (const { place, how, record, apart } of rows) {
    const one = found[place]
    one?.[listOf[how]].push(recordOf(record))
    if (one !== undefined && apart) {
      one.isApart = true
    }
  }
  return found
}

/** What a line has that names nothing else. */
function bankReferenceOf({ externalId, orderRef, utr }: Line): string | null {
  return externalId === null && orderRef === null ? (utr ?? null) : null
}

export function lineOf(row: LineRow): Line {
  return {
    fileNo: row.file_no,
    rowNo: row.row_no,
    repeated: row.repeated,
    gateway: row.gateway,
    account: row.account,
    kind: row.kind,
    externalId: row.external_id,
    orderRef: row.order_ref,
    settlementRef: row.settlement_ref,
    utr: row.utr,
    amount: row.amount,
    fee: row.fee,
    tax: row.tax,
    net: row.net,
    currency: row.currency,
    occurredOn: row.occurred_on,
  }
}

function recordOf(row: RecordRow): OpenRecord {
  return {
    recordId: row.record_id,
    reversal: row.reversal,
    externalId: row.external_id,
    orderRef: row.order_ref,
    amount: BigInt(row.amount),
    fee: row.fee === null ? null : BigInt(row.fee),
    tax: row.tax === null ? null : BigInt(row.tax),
    currency: row.currency,
    occurredOn: row.occurred_on,
  }
}
