/** Income and expenditure of a period, and the balance sheet of a day. */
import type { Cell } from '../../../reports/csv.ts'
import type { IsoDate } from '../../base/clock.ts'
import { groupName, normalOf, parentOf, type AccountType } from '../../ledger/core/chart.ts'
import { movements, netsAt, type Books, type Net } from '../books.ts'
import { byCurrency, dayOf, type Check, type Outcome, type Total } from '../report.ts'
import { decimalOf, type Table } from '../tables.ts'

const COLUMNS = [
  'section',
  'group',
  'account',
  'name',
  'currency',
  'amount_minor',
  'amount',
] as const

const SECTIONS: Readonly<Record<AccountType, string>> = {
  asset: 'assets',
  liability: 'liabilities',
  equity: 'equity and funds',
  income: 'income',
  expense: 'expenditure',
}

/**
 * What income and expense accounts took up in a period, without the entries by which years are
 * closed: they bring these accounts to zero. Holds against what the other accounts gained.
 */
export const incomeAndExpenditure: Table = {
  columns: COLUMNS,
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const from = dayOf(asked, 'from')
    const to = dayOf(asked, 'to')
    const closed = await closings(books, from, to)
    const moved = (await movements(books, from, to)).map((one) => ({
      ...one,
      net: one.net - (closed.get(one.account_id) ?? 0n),
    }))
    const rows = sectionRows(books, moved, ['income', 'expense'])
    const surplus = sumsOf(moved, ['income', 'expense'])
    yield [...rows, ...sumRows(books, 'surplus', 'Surplus of the period', surplus)]
    const gained = sumsOf(moved, ['asset', 'liability', 'equity'])
    return {
      rows: rows.length + surplus.size,
      totals: totalsOf(moved, ['income', 'expense']),
      // Debits less credits: what one half of the chart lost, the other gained.
      checks: opposite('surplus', surplus, gained),
    }
  },
}

/** What there is and whose it is; income and expenses that no year-end has closed are a line. */
export const balanceSheet: Table = {
  columns: COLUMNS,
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const nets = await netsAt(books, asked.to)
    const rows = sectionRows(books, nets, ['asset', 'liability', 'equity'])
    const open = sumsOf(nets, ['income', 'expense'])
    yield [...rows, ...sumRows(books, 'equity and funds', 'Surplus not yet closed', open)]
    const claims = sumsOf(nets, ['liability', 'equity', 'income', 'expense'])
    return {
      rows: rows.length + open.size,
      totals: totalsOf(nets, ['asset', 'liability', 'equity']),
      checks: opposite('assets', sumsOf(nets, ['asset']), claims),
    }
  },
}

function sectionRows(books: Books, nets: readonly Net[], types: readonly AccountType[]): Cell[][] {
  return types.flatMap((type) =>
    nets
      .filter((one) => one.type === type && one.net !== 0n)
      .map(({ code, name, currency, net }) => {
        const amount = normalOf(type) === 'debit' ? net : -net
        const group = groupName(parentOf(code) ?? code)
        const decimal = decimalOf(books, amount, currency)
        return [SECTIONS[type], group, code, name, currency, amount, decimal]
      }),
  )
}

/** Sums are kept as debits less credits and shown as what is gained. */
function sumRows(
  books: Books,
  section: string,
  name: string,
  sums: ReadonlyMap<string, bigint>,
): Cell[][] {
  return [...sums].map(([currency, net]) => {
    return [section, null, null, name, currency, -net, decimalOf(books, -net, currency)]
  })
}

function sumsOf(nets: readonly Net[], types: readonly AccountType[]): Map<string, bigint> {
  const sums = new Map<string, bigint>()
  for (const { type, currency, net } of nets.toSorted(byCurrency)) {
    const sum = sums.get(currency) ?? 0n
    sums.set(currency, types.includes(type) ? sum + net : sum)
  }
  return sums
}

function totalsOf(nets: readonly Net[], types: readonly AccountType[]): Total[] {
  const totals = new Map<string, Total>()
  for (const { type, currency, net } of nets.toSorted(byCurrency)) {
    if (types.includes(type)) {
      const total = totals.get(currency) ?? { currency, debit: 0n, credit: 0n }
      total[net < 0n ? 'credit' : 'debit'] += net < 0n ? -net : net
      totals.set(currency, total)
    }
  }
  return [...totals.values()]
}

function opposite(
  what: string,
  one: ReadonlyMap<string, bigint>,
  other: ReadonlyMap<string, bigint>,
): Check[] {
  return [...one].map(([currency, sum]) => ({
    what,
    currency,
    export: sum,
    books: -(other.get(currency) ?? 0n),
  }))
}

/** What the closings of financial years within the period moved, reversals of them too. */
async function closings(books: Books, from: IsoDate, to: IsoDate): Promise<Map<number, bigint>> {
  const rows = await books.db.read(
    books.orgId,
    async (trx) =>
      await trx.query<{ account_id: number; net: bigint }>(
        // Every closing is on a 31 March and moves an account of income or expenses.
        `with closing as (
           select distinct p.entry_no
             from accounts a
            cross join generate_series(extract(year from $3::date)::integer,
                         extract(year from $4::date)::integer) year
             join postings p on p.org_id = $1 and p.account_id = a.account_id
              and p.effective_on = make_date(year, 3, 31) and p.entry_no <= $2
             join journal_entries e on e.org_id = $1 and e.entry_no = p.entry_no
             left join journal_entries r on r.org_id = $1 and r.entry_no = e.reverses
            where a.org_id = $1 and a.type in ('income', 'expense')
              and make_date(year, 3, 31) between $3::date and $4::date
              and 'year_closed' in (e.kind, r.kind)
         )
         select p.account_id,
                sum(case p.direction when 'debit' then p.amount else -p.amount end)::bigint as net
           from closing c
           join postings p on p.org_id = $1 and p.entry_no = c.entry_no
          group by p.account_id`,
        [books.orgId, books.through, from, to],
      ),
  )
  return new Map(rows.map(({ account_id: accountId, net }) => [accountId, net]))
}
