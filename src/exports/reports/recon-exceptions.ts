/** Exceptions of the reconciliation, with how long each was open. */
import type { Cell } from '../../../reports/csv.ts'
import type { IsoDate } from '../../base/clock.ts'
import type { Books } from '../books.ts'
import { byCurrency, type Outcome, type Parameters, type Total } from '../report.ts'
import { knownDecimal, type Table } from '../tables.ts'

const TOGETHER = 2000

interface Row {
  exception_id: string
  kind: string
  state: string
  subject: string
  amount: bigint
  currency: string
  detail: Record<string, unknown>
  since: IsoDate
  ended_on: IsoDate | null
  /** Days from `since` to its end, or to today. */
  age: number
  found_by: string | null
}

/** Days up to which each bucket goes. */
const BUCKETS: readonly (readonly [days: number, name: string])[] = [
  [3, '0-3 days'],
  [7, '4-7 days'],
  [30, '8-30 days'],
  [60, '31-60 days'],
  [90, '61-90 days'],
]

export const exceptionsTable: Table = {
  columns: [
    'exception',
    'kind',
    'state',
    'subject',
    'open_since',
    'age_days',
    'ageing',
    'currency',
    'amount_minor',
    'amount',
    'detail',
    'found_by',
    'ended_on',
  ],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const totals = new Map<string, Total>()
    let count = 0
    for (let after = '', isMore = true; isMore;) {
      const rows: Row[] = await select(books, asked, after)
      yield rows.map((row) => rowOf(books, row))
      for (const { currency, amount } of rows) {
        const total = totals.get(currency) ?? { currency, debit: 0n, credit: 0n }
        total.debit += amount
        total.credit += amount
        totals.set(currency, total)
      }
      count += rows.length
      after = rows.at(-1)?.exception_id ?? after
      isMore = rows.length === TOGETHER
    }
    // What does not agree is no balance of the books: there is nothing to hold it against.
    return { rows: count, totals: [...totals.values()].sort(byCurrency), checks: [] }
  },
}

async function select(books: Books, asked: Parameters, after: string): Promise<Row[]> {
  return await books.db.read(
    books.orgId,
    async (trx) =>
      await trx.query<Row>(
        `select e.exception_id, e.kind, e.state, e.subject, e.amount, e.currency, e.detail, e.since,
                (e.ended_at at time zone 'Asia/Kolkata')::date as ended_on,
                greatest(0, (coalesce(e.ended_at, now()) at time zone 'Asia/Kolkata')::date
                            - e.since) as age,
                r.run_id as found_by
           from recon_exceptions e
           left join recon_runs r on r.org_id = e.org_id and r.run_no = e.found_by
          where e.org_id = $1 and e.exception_id > $2
            and ($3::text is null or e.kind = $3) and ($4::text is null or e.state = $4)
            and ($5::date is null or e.since >= $5) and ($6::date is null or e.since <= $6)
          order by e.exception_id limit $7`,
        [books.orgId, after, asked.kind, asked.state, asked.from, asked.to, TOGETHER],
      ),
  )
}

function rowOf(books: Books, row: Row): Cell[] {
  return [
    row.exception_id,
    row.kind,
    row.state,
    row.subject,
    row.since,
    row.age,
    BUCKETS.find(([days]) => row.age <= days)?.[1] ?? 'over 90 days',
    row.currency,
    row.amount,
    knownDecimal(books, row.amount, row.currency),
    JSON.stringify(row.detail),
    row.found_by,
    row.ended_on,
  ]
}
