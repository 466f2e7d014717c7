/** The trial balance: every account with its balance on the side where it stands. */
import type { Cell } from '../../../reports/csv.ts'
import { movements } from '../books.ts'
import { inBalance } from '../checks.ts'
import { openSums, type Outcome } from '../report.ts'
import { decimalOf, type Table } from '../tables.ts'

export const trialBalanceTable: Table = {
  columns: [
    'account',
    'name',
    'type',
    'currency',
    'debit_minor',
    'credit_minor',
    'debit',
    'credit',
  ],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const sums = openSums()
    const accounts = await movements(books, null, asked.to)
    yield accounts.map(({ account_id: accountId, code, name, type, currency, net }) => {
      const direction = net < 0n ? 'credit' : 'debit'
      const debit = net > 0n ? net : 0n
      const credit = net < 0n ? -net : 0n
      sums.add({ accountId, currency, direction, amount: debit + credit })
      return [
        code,
        name,
        type,
        currency,
        debit,
        credit,
        decimalOf(books, debit, currency),
        decimalOf(books, credit, currency),
      ]
    })
    const totals = sums.totals()
    return { rows: accounts.length, totals, checks: inBalance(totals) }
  },
}
