/** Exceptions of the reconciliation: how long each was open, whose it is, what resolved it. */
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
  gateway: string | null
  severity: number
  due_at: Date
  overdue: boolean
  owner: string | null
  owner_name: string | null
  acknowledged_by: string | null
  /** The one that stands. */
  resolution_id: string | null
  resolution_entry: bigint | null
  found_by: string | null
}

/** From the worst, as recon_cases counts them. */
const SEVERITIES = ['critical', 'high', 'medium', 'low']
const SEVERITY = `(array['${SEVERITIES.join(`', '`)}'])[c.severity + 1]`
const IS_OVERDUE = `(e.state = 'open' and c.due_at <= now())`

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
    'gateway',
    'severity',
    'due_at',
    'overdue',
    'owner',
    'owner_name',
    'acknowledged_by',
    'resolution',
    'resolution_entry',
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

/** By what is worked on only what is open is asked for, as in the list. */
function stateOf({ state, owner, unowned, severity, overdue }: Parameters): string | null {
  const isWork = [owner, unowned, severity, overdue].some((one) => (one ?? null) !== null)
  return state ?? (isWork ? 'open' : null)
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
                r.run_id as found_by, c.gateway, c.severity, c.due_at, c.owner, c.acknowledged_by,
                ${IS_OVERDUE} as overdue, u.name as owner_name, s.resolution_id,
                s.entry_no as resolution_entry
           from recon_exceptions e
           join recon_cases c on c.org_id = e.org_id and c.exception_id = e.exception_id
           left join recon_runs r on r.org_id = e.org_id and r.run_no = e.found_by
           left join users u on u.org_id = e.org_id and u.user_id = c.owner
           left join recon_resolutions s
             on s.org_id = e.org_id and s.exception_id = e.exception_id and s.state = 'done'
          where e.org_id = $1 and e.exception_id > $2
            and ($3::text[] is null or e.kind = any($3)) and ($4::text is null or e.state = $4)
            and ($5::date is null or e.since >= $5) and ($6::date is null or e.since <= $6)
            and ($8::text is null or c.gateway = $8) and ($9::text is null or e.currency = $9)
            and ($10::text is null or c.owner = $10) and ($11::text is null or c.owner is null)
            and ($12::text[] is null or ${SEVERITY} = any($12))
            and ($13::text is null or case $13 when 'true' then c.due_at <= now()
                                                else c.due_at > now() end)
            and ($14::bigint is null or e.amount >= $14)
            and ($15::bigint is null or e.amount <= $15)
          order by e.exception_id limit $7`,
        [
          books.orgId,
          after,
          asked.kind?.split(',') ?? null,
          stateOf(asked),
          asked.from,
          asked.to,
          TOGETHER,
          asked.gateway,
          asked.currency,
          asked.owner ?? null,
          asked.unowned ?? null,
          asked.severity?.split(',') ?? null,
          asked.overdue ?? null,
          asked.amount_from ?? null,
          asked.amount_to ?? null,
        ],
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
    row.gateway,
    SEVERITIES[row.severity] ?? null,
    row.due_at.toISOString(),
    row.overdue ? 'yes' : 'no',
    row.owner,
    row.owner_name,
    row.acknowledged_by,
    row.resolution_id,
    row.resolution_entry === null ? null : `je_${row.resolution_entry}`,
  ]
}
