/** Matches of the reconciliation: which line tells of which record, by which rule, and why. */
import type { Cell } from '../../../reports/csv.ts'
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import type { Books } from '../books.ts'
import { entrySums, openEntryChecks } from '../entry-sums.ts'
import type { Outcome, Parameters } from '../report.ts'
import { knownDecimal, type Table } from '../tables.ts'

const TOGETHER = 2000

/** What agreed, a bit each, as recon_matches has it. */
const AGREES = ['id', 'order', 'reference', 'amount', 'currency', 'fee', 'tax', 'day', 'net']

interface Row {
  file_no: number
  row_no: number
  part: number
  file_id: string | null
  gateway: string
  account: string
  kind: string
  external_id: string | null
  settlement_ref: string | null
  day: IsoDate | null
  record_id: string
  reversal: boolean
  whole: boolean
  amount: bigint
  currency: string
  recorded: bigint | null
  /** The entry of a payment's capture, where the match is with all of it. */
  entry_no: bigint | null
  rule: string
  rules_version: number
  agrees: number
  candidates: number
  run_id: string
}

export const matchesTable: Table = {
  columns: [
    'line',
    'file',
    'gateway',
    'gateway_account',
    'line_kind',
    'gateway_id',
    'settlement',
    'day',
    'record',
    'came_back',
    'whole',
    'currency',
    'amount_minor',
    'amount',
    'recorded_minor',
    'rule',
    'rules_version',
    'agrees',
    'candidates',
    'run',
    'entry',
  ],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const checks = openEntryChecks('captures that were matched')
    let after = { fileNo: 0, rowNo: 0, part: 0 }
    for (let isMore = true; isMore;) {
      const [rows, sums] = await books.db.read(books.orgId, async (trx) => {
        const found = await select(trx, books, asked, after)
        return [
          found,
          await entrySums(
            trx,
            found.map((row) => row.entry_no),
          ),
        ] as const
      })
      yield rows.map((row) => rowOf(books, row))
      for (const { entry_no: entryNo, recorded, currency } of rows) {
        if (entryNo !== null) {
          checks.add(currency, recorded ?? 0n, sums.get(entryNo))
        }
      }
      checks.count(rows.length)
      const last = rows.at(-1)
      after =
        last === undefined ? after : { fileNo: last.file_no, rowNo: last.row_no, part: last.part }
      isMore = rows.length === TOGETHER
    }
    return checks.outcome()
  },
}

async function select(
  trx: Trx,
  books: Books,
  asked: Parameters,
  after: { fileNo: number; rowNo: number; part: number },
): Promise<Row[]> {
  return await trx.query<Row>(
    `select m.file_no, m.row_no, m.part, f.file_id, l.gateway, l.account, l.kind, l.external_id,
            l.settlement_ref, l.day, m.record_id, m.reversal, m.whole, m.amount, l.currency,
            r.amount as recorded,
            case when m.whole and not m.reversal and r.entry_no <= $8 then r.entry_no end
              as entry_no,
            m.rule, n.rules_version, m.agrees, m.candidates, n.run_id
       from recon_matches m
      cross join lateral (
        select gateway, account, kind, external_id, settlement_ref, currency,
               coalesce(settled_on, occurred_on) as day
          from settlement_lines
         where org_id = $1 and file_no = m.file_no and row_no = m.row_no limit 1
      ) l
       join recon_runs n on n.org_id = m.org_id and n.run_no = m.run_no
       left join recon_files f on f.org_id = m.org_id and f.file_no = m.file_no
       left join lateral (
         (select amount, entry_no from payments
           where org_id = $1 and payment_id = m.record_id limit 1)
          union all
         (select amount, null from refunds where org_id = $1 and refund_id = m.record_id limit 1)
          union all
         (select amount, null from gateway_transfers
           where org_id = $1 and transfer_id = m.record_id limit 1)
          union all
         (select amount, null from disputes where org_id = $1 and dispute_id = m.record_id limit 1)
       ) r on true
      where m.org_id = $1 and m.undone_at is null and (m.file_no, m.row_no, m.part) > ($2, $3, $4)
        and ($5::text is null or l.gateway = $5) and ($6::date is null or l.day >= $6)
        and ($7::date is null or l.day <= $7) and ($9::text is null or m.rule = $9)
      order by m.file_no, m.row_no, m.part limit ${TOGETHER}`,
    [
      books.orgId,
      after.fileNo,
      after.rowNo,
      after.part,
      asked.gateway,
      asked.from,
      asked.to,
      books.through,
      asked.kind,
    ],
  )
}

function rowOf(books: Books, row: Row): Cell[] {
  return [
    `${row.file_no}-${row.row_no}`,
    row.file_id,
    row.gateway,
    row.account,
    row.kind,
    row.external_id,
    row.settlement_ref,
    row.day,
    row.record_id,
    row.reversal ? 'yes' : 'no',
    row.whole ? 'yes' : 'no',
    row.currency,
    row.amount,
    knownDecimal(books, row.amount, row.currency),
    row.recorded,
    row.rule,
    row.rules_version,
    AGREES.filter((_name, bit) => (row.agrees & (1 << bit)) !== 0).join(' '),
    row.candidates,
    row.run_id,
    row.entry_no === null ? null : `je_${row.entry_no}`,
  ]
}
