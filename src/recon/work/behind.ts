/** What stands behind an exception: the record of ours, the line of theirs, and what each says. */
import type { Trx } from '../../base/db.ts'
import type { ExceptionKind } from '../match/kinds.ts'
import { netOf, NOTHING_SAID, type Side } from '../match/sides.ts'

export interface Broken {
  exception_id: string
  kind: ExceptionKind
  subject: string
  amount: bigint
  currency: string
  detail: Record<string, unknown>
}

/** A payment, refund, transfer, dispute or settlement of ours. Minor units. */
export interface RecordRow {
  record_id: string
  kind: 'payment' | 'refund' | 'transfer' | 'dispute' | 'settlement'
  gateway: string | null
  account: string | null
  external_id: string | null
  reference: string | null
  amount: bigint | null
  fee: bigint | null
  tax: bigint | null
  currency: string
  occurred_on: string | null
  state: string
}

interface LineRow {
  line_id: string
  side: 'gateway' | 'bank'
  kind: string
  external_id: string | null
  amount: bigint
  fee: bigint | null
  tax: bigint | null
  net: bigint | null
  currency: string
  day: string | null
}

export interface Behind {
  /** Ids; null where that side has nothing. */
  record: string | null
  line: string | null
  bankLine: string | null
  /** What else could have been meant. */
  candidates: string[]
  ours: Side | null
  theirs: Side | null
}

const DAY = (column: string) => `(${column} at time zone 'Asia/Kolkata')::date`

/** How each kind of record is read by its id, `n.id`. */
const RECORDS: Readonly<Record<string, string>> = {
  pmt: `select 'payment' as kind, gateway, account, gateway_payment_id as external_id,
          coalesce(gateway_payment_id, bank_reference) as reference, amount, fee, tax, currency,
          ${DAY('coalesce(captured_at, failed_at, authorized_at)')} as occurred_on, state
     from payments where org_id = $1 and payment_id = n.id`,
  rfd: `select 'refund', gateway, account, gateway_refund_id, gateway_refund_id, amount, fee, tax,
          currency, ${DAY('coalesce(processed_at, failed_at, began_at)')}, state
     from refunds where org_id = $1 and refund_id = n.id`,
  trf: `select 'transfer', gateway, account, gateway_transfer_id, gateway_transfer_id, amount, fee,
          tax, currency, ${DAY('coalesce(processed_at, began_at)')}, state
     from gateway_transfers where org_id = $1 and transfer_id = n.id`,
  dsp: `select 'dispute', gateway, account, gateway_dispute_id, gateway_dispute_id, amount,
          null::bigint, null::bigint, currency, ${DAY('began_at')}, state
     from disputes where org_id = $1 and dispute_id = n.id`,
  stl: `select 'settlement', gateway, account, gateway_settlement_id, utr, amount, null::bigint,
          null::bigint, currency, ${DAY('coalesce(settled_at, began_at)')}, state
     from settlements where org_id = $1 and settlement_id = n.id`,
}

/** Records by their ids, each looked up by its key; what is not there is left out. */
export async function recordsById(
  trx: Trx,
  ids: readonly string[],
): Promise<Map<string, RecordRow>> {
  const found = new Map<string, RecordRow>()
  for (const [prefix, one] of Object.entries(RECORDS)) {
    const some = [...new Set(ids)].filter((id) => id.startsWith(`${prefix}_`))
    const names = `record_id, kind, gateway, account, external_id, reference, amount, fee, tax,
      currency, occurred_on, state`
    const rows =
      some.length === 0
        ? []
        : await trx.query<RecordRow>(
            `select n.id as record_id, r.* from unnest($2::text[]) as n (id)
              cross join lateral (${one} limit 1)
                as r (${names.replace('record_id, ', '')})`,
            [trx.scope, some],
          )
    for (const row of rows) {
      found.set(row.record_id, row)
    }
  }
  return found
}

/** `12-345` of a subject `line 12 345` or `bank 12 345`. */
function lineOf({ subject }: Broken, side: 'line' | 'bank'): string | null {
  const [, file, row] = new RegExp(`^${side} (\\d{1,9}) (\\d{1,9})$`).exec(subject) ?? []
  return file === undefined || row === undefined ? null : `${file}-${row}`
}

/** The record that an exception is about; where several could be meant, none. */
function recordOf({ subject, detail }: Broken): string | null {
  const [of, first, second] = subject.split(' ')
  if (of === 'record') {
    return first ?? null
  }
  if (of === 'credit' && second !== undefined) {
    return subject.split(' ')[2] ?? null
  }
  const named = [textOf(detail['record']), ...candidatesOf(detail)].filter((one) => one !== null)
  return named.length === 1 ? (named[0] ?? null) : null
}

function candidatesOf(detail: Broken['detail']): string[] {
  const { candidates, settlements } = detail
  const several = Array.isArray(settlements)
    ? settlements.map((one: unknown) => textOf(Object(one)['settlement']))
    : Array.isArray(candidates)
      ? candidates.map(textOf)
      : []
  return several.filter((one) => one !== null)
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function minorOf(value: unknown): bigint | null {
  return typeof value === 'string' && /^-?\d+$/.test(value)
    ? BigInt(value)
    : typeof value === 'number' && Number.isSafeInteger(value)
      ? BigInt(value)
      : null
}

/** What is behind each of them, by the id of the exception. */
export async function loadBehind(
  trx: Trx,
  rows: readonly Broken[],
): Promise<ReadonlyMap<string, Behind>> {
  const records = await recordsById(
    trx,
    rows.map(recordOf).filter((id) => id !== null),
  )
  const lines = await linesById(trx, rows)
  return new Map(
    rows.map((row) => {
      const record = recordOf(row)
      const line = lineOf(row, 'line')
      const bankLine = lineOf(row, 'bank')
      const theirs = lines.get(`${line === null ? 'bank' : 'gateway'} ${line ?? bankLine}`)
      const candidates = candidatesOf(row.detail)
      return [
        row.exception_id,
        {
          record: record !== null && records.has(record) ? record : null,
          line,
          bankLine,
          candidates: candidates.length > 1 || record === null ? candidates : [],
          ours: oursOf(row, record === null ? undefined : records.get(record), theirs),
          theirs: theirsOf(row, theirs),
        },
      ]
    }),
  )
}

/** The lines of these exceptions, under `<side> <id>`. */
async function linesById(trx: Trx, rows: readonly Broken[]): Promise<Map<string, LineRow>> {
  const places = (side: 'line' | 'bank') =>
    rows
      .map((row) => lineOf(row, side)?.split('-').map(Number))
      .filter((place) => place !== undefined)
  const ofGateways = places('line')
  const ofBanks = places('bank')
  const found = await trx.query<LineRow>(
    `select n.file_no || '-' || n.row_no as line_id, 'gateway' as side, l.kind, l.external_id,
            l.amount, l.fee, l.tax, l.net, l.currency, l.occurred_on as day
       from unnest($2::integer[], $3::integer[]) as n (file_no, row_no)
      cross join lateral (
        select * from settlement_lines
         where file_no = n.file_no and row_no = n.row_no and org_id = $1 limit 1) l
      union all
     select n.file_no || '-' || n.row_no, 'bank', '', l.reference, l.amount, null, null, null,
            l.currency, l.booked_on
       from unnest($4::integer[], $5::integer[]) as n (file_no, row_no)
      cross join lateral (
        select * from bank_lines
         where file_no = n.file_no and row_no = n.row_no and org_id = $1 limit 1) l`,
    [
      trx.scope,
      ofGateways.map(([file]) => file),
      ofGateways.map(([, row]) => row),
      ofBanks.map(([file]) => file),
      ofBanks.map(([, row]) => row),
    ],
  )
  return new Map(found.map((row) => [`${row.side} ${row.line_id}`, row]))
}

/** What our books say; of a settlement, or several in one credit, what was sent. */
function oursOf(row: Broken, record: RecordRow | undefined, line: LineRow | undefined) {
  const { subject, detail } = row
  if (subject.startsWith('settlement ')) {
    return sideOfTotal(row, 'recorded')
  }
  if (subject.startsWith('bank ')) {
    return sentOf(row, record)
  }
  if (record === undefined) {
    return null
  }
  const { amount, fee, tax, currency, state: status, reference, occurred_on: day } = record
  if (subject.startsWith('record ') && detail['told'] !== undefined) {
    // What parts come to says nothing of what each of them cost.
    return { ...NOTHING_SAID, amount, currency }
  }
  const isBack = subject.endsWith(' back') || line?.kind.endsWith('_reversal') === true
  const brings = (record.kind === 'payment') !== isBack
  const isOne = amount !== null && record.kind !== 'settlement'
  const net = isOne ? netOf(amount, fee, brings) : null
  return { amount, fee, tax, net, currency, status, reference, day }
}

/** The settlements that a credit names, as one sum. */
function sentOf({ detail, currency }: Broken, record: RecordRow | undefined): Side | null {
  if (record !== undefined) {
    const { amount, occurred_on: day } = record
    return { ...NOTHING_SAID, amount, currency: record.currency, day }
  }
  const { settlements } = detail
  const due = Array.isArray(settlements)
    ? settlements.map((one: unknown) => minorOf(Object(one)['recorded']))
    : []
  const sum = due.reduce<bigint>((total, one) => total + (one ?? 0n), 0n)
  return due.length === 0 ? null : { ...NOTHING_SAID, amount: sum, currency }
}

/** What the other side says: its line, or what its lines come to. */
function theirsOf(row: Broken, line: LineRow | undefined): Side | null {
  if (line !== undefined) {
    const { amount, fee, tax, net, currency, kind: status, external_id: reference, day } = line
    return { amount, fee, tax, net, currency, status, reference, day }
  }
  if (row.subject.startsWith('settlement ')) {
    return sideOfTotal(row, 'told')
  }
  const told = minorOf(row.detail['told'])
  return told === null ? null : { ...NOTHING_SAID, amount: told, currency: row.currency }
}

function sideOfTotal({ detail, currency }: Broken, whose: 'told' | 'recorded'): Side | null {
  const net = minorOf(detail[whose])
  return net === null ? null : { ...NOTHING_SAID, net, currency }
}
