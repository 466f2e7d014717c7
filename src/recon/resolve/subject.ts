/** What a break is about, read from the name that it has and from the tables behind it. */
import type { Trx } from '../../base/db.ts'
import type { AccountCode } from '../../ledger/core/chart.ts'
import type { LineKind } from '../sources/line.ts'
import type { ExceptionRow } from '../found.ts'
import type { ExceptionKind } from '../match/kinds.ts'
import { chargeNow } from '../passes/live-charges.ts'

/** A line of a settlement as a resolution looks at it. Minor units. */
export interface SubjectLine {
  file_no: number
  row_no: number
  repeated: number
  gateway: string
  account: string
  kind: LineKind
  external_id: string | null
  payment_ref: string | null
  order_ref: string | null
  settlement_ref: string | null
  amount: bigint
  fee: bigint | null
  tax: bigint | null
  net: bigint
  currency: string
  occurred_on: string | null
  settled_on: string | null
}

/** A record of ours that no line was matched with. */
export interface SubjectRecord {
  record_id: string
  reversal: boolean
  kind: 'payment' | 'refund' | 'transfer' | 'dispute'
  gateway: string
  account: string
  external_id: string
  amount: bigint
  fee: bigint | null
  currency: string
}

/** What a break is about. */
export type Subject =
  | { of: 'line'; line: SubjectLine; record: SubjectRecord | null }
  | { of: 'record'; record: SubjectRecord; lines: readonly SubjectLine[] }
  | { of: 'settlement'; gateway: string; account: string; ref: string }
  | { of: 'credit'; settlementId: string; amount: bigint; currency: string }
  | { of: 'bank'; fileNo: number; rowNo: number; account: AccountCode; settlements: string[] }

const LINE = `l.file_no, l.row_no, l.repeated, l.gateway, l.account, l.kind, l.external_id,
  l.payment_ref, l.order_ref, l.settlement_ref, l.amount, l.fee, l.tax, l.net, l.currency,
  l.occurred_on, l.settled_on`

const OF_MATCHES: ReadonlySet<ExceptionKind> = new Set([
  'fee_variance',
  'tax_variance',
  'fee_missing',
])

/** Null where what it is about is not open any more. */
export async function subjectOf(trx: Trx, exception: ExceptionRow): Promise<Subject | null> {
  const [word = '', first = '', second = ''] = exception.subject.split(' ')
  const { detail } = exception
  switch (word) {
    case 'line': {
      const line = await loadLine(trx, Number(first), Number(second))
      const named = detail['record']
      const reversal = line?.kind.endsWith('_reversal') ?? false
      const record = typeof named === 'string' ? await loadRecord(trx, named, reversal) : null
      // What belongs to a match is about a line that is open no more.
      const isOfMatch = OF_MATCHES.has(exception.kind)
      return line === null ||
        line.is_open === isOfMatch ||
        (isOfMatch && detail['back'] === undefined && !(await isAsTold(trx, detail)))
        ? null
        : { of: 'line', line, record }
    }
    case 'record': {
      const record = await loadRecord(trx, first, second === 'back')
      return record === null
        ? null
        : { of: 'record', record, lines: await linesNaming(trx, record) }
    }
    case 'settlement': {
      // A gateway's id may have spaces in it; the break says it by itself as well.
      const ref = String(detail['settlement'])
      const account = exception.subject.slice(`settlement ${first} `.length, -ref.length - 1)
      return { of: 'settlement', gateway: first, account, ref }
    }
    case 'credit':
      return await loadCredit(trx, second)
    case 'bank':
      return await loadBankLine(trx, exception, { fileNo: Number(first), rowNo: Number(second) })
    default:
      throw new Error(`${exception.subject} is no subject of a break`)
  }
}

async function loadLine(
  trx: Trx,
  fileNo: number,
  rowNo: number,
): Promise<(SubjectLine & { is_open: boolean }) | null> {
  const [line] = await trx.query<SubjectLine & { is_open: boolean }>(
    `select ${LINE}, exists (
              select from recon_open_lines o
               where o.org_id = $1 and o.file_no = $2 and o.row_no = $3) as is_open
       from settlement_lines l
      where l.org_id = $1 and l.file_no = $2 and l.row_no = $3`,
    [trx.scope, fileNo, rowNo],
  )
  return line ?? null
}

async function loadRecord(
  trx: Trx,
  recordId: string,
  reversal: boolean,
): Promise<SubjectRecord | null> {
  const [record] = await trx.query<SubjectRecord>(
    `select o.record_id, o.reversal, o.kind, o.gateway, o.account, o.external_id, o.amount,
            case when o.reversal then o.fee else r.fee end as fee, o.currency
       from recon_open_records o
       left join lateral (${chargeNow('o.record_id')} limit 1) r on true
      where o.org_id = $1 and o.record_id = $2 and o.reversal = $3`,
    [trx.scope, recordId, reversal],
  )
  return record ?? null
}

/** False where the gateway told another charge of the record since the run that found this one. */
async function isAsTold(trx: Trx, detail: ExceptionRow['detail']): Promise<boolean> {
  const same = await trx.query(
    `select 1 from (${chargeNow('$2')}) r
      where (r.fee, r.tax) is not distinct from ($3::bigint, $4::bigint)`,
    [
      trx.scope,
      detail['record'] ?? '',
      detail['recorded_fee'] ?? null,
      detail['recorded_tax'] ?? null,
    ],
  )
  return same.length > 0
}

const LINES_MAX = 1000

/** Open lines that name it. */
async function linesNaming(trx: Trx, record: SubjectRecord): Promise<SubjectLine[]> {
  return await trx.query<SubjectLine>(
    `select ${LINE}
       from recon_open_lines o
      cross join lateral (
        select * from settlement_lines
         where file_no = o.file_no and row_no = o.row_no and org_id = $1 limit 1
      ) l
      where o.org_id = $1 and l.external_id = $2 and l.gateway = $3 and l.account = $4
        and l.kind = $5 and l.currency = $6
      order by l.file_no, l.row_no limit ${LINES_MAX}`,
    [
      trx.scope,
      record.external_id,
      record.gateway,
      record.account,
      record.reversal ? `${record.kind}_reversal` : record.kind,
      record.currency,
    ],
  )
}

async function loadCredit(trx: Trx, settlementId: string): Promise<Subject | null> {
  const [row] = await trx.query<{ amount: bigint; currency: string }>(
    // Credited and sent back, what the transit lacks is what the line's entry took out of it.
    `select case when m.settlement_id is null then s.amount
                 when m.entry_no is null then 0 else -s.amount end as amount, s.currency
       from settlements s
       left join recon_bank_matches m
         on m.settlement_id = s.settlement_id and m.org_id = $1 and m.undone_at is null
      where s.org_id = $1 and s.settlement_id = $2
        and (s.state = 'processed') = (m.settlement_id is null)
        and not exists (
          select from recon_closed_records c
           where c.record_id = s.settlement_id and c.org_id = $1)`,
    [trx.scope, settlementId],
  )
  return row === undefined ? null : { of: 'credit', settlementId, ...row }
}

async function loadBankLine(
  trx: Trx,
  { kind, detail }: ExceptionRow,
  { fileNo, rowNo }: { fileNo: number; rowNo: number },
): Promise<Subject | null> {
  const [row] = await trx.query<{ ledger_account: AccountCode }>(
    `select l.ledger_account
       from recon_open_bank_lines o
       join bank_lines l
         on l.org_id = o.org_id and l.file_no = o.file_no and l.row_no = o.row_no
      where o.org_id = $1 and o.file_no = $2 and o.row_no = $3`,
    [trx.scope, fileNo, rowNo],
  )
  // Elsewhere they are only those that could be meant.
  const named = kind === 'batch_total_mismatch' ? detail['settlements'] : []
  const settlements = (Array.isArray(named) ? named : []).flatMap((one: unknown) => {
    const { settlement } = Object(one) as { settlement?: unknown }
    return typeof settlement === 'string' ? [settlement] : []
  })
  return row === undefined
    ? null
    : { of: 'bank', fileNo, rowNo, account: row.ledger_account, settlements }
}
