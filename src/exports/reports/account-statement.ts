/** An account's statement: each line with the balance after it, between opening and closing. */
import type { Cell } from '../../../reports/csv.ts'
import { Problem } from '../../base/problem.ts'
import { findAccount, type AccountView } from '../../ledger/accounts/accounts.ts'
import { statementThrough, type StatementLine } from '../../ledger/reading/statements.ts'
import type { Books } from '../books.ts'
import { openSums, type Outcome } from '../report.ts'
import { decimalOf, type Table } from '../tables.ts'

const TOGETHER = 2000
const FIRST_DAY = '0001-01-01'
const LAST_DAY = '9999-12-31'

export const accountStatement: Table = {
  columns: [
    'effective_on',
    'entry',
    'line',
    'posted_at',
    'kind',
    'description',
    'account',
    'currency',
    'debit_minor',
    'credit_minor',
    'balance_minor',
    'debit',
    'credit',
    'balance',
  ],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const account = await accountOf(books, asked.account ?? 0)
    const { account_id: accountId, currency, normal } = account
    const from = asked.from ?? FIRST_DAY
    const to = asked.to ?? LAST_DAY
    const sums = openSums()
    let balance: bigint | null = null
    let closing = 0n
    for (let last: StatementLine | undefined, isMore = true; isMore;) {
      const after: { effectiveOn: string; entryNo: bigint; lineNo: number } | null =
        last === undefined
          ? null
          : { effectiveOn: last.effective_on, entryNo: last.entry_no, lineNo: last.line_no }
      const query = { accountId, from, to, limit: TOGETHER, after }
      const page = await books.db.read(
        books.orgId,
        async (trx) => await statementThrough(trx, query, books.through),
      )
      if (balance === null) {
        balance = page.opening
        yield [balanceRow(books, account, asked.from, 'opening balance', page.opening)]
      }
      closing = page.closing
      yield page.lines.map((line) => rowOf(books, account, line))
      for (const { direction, amount } of page.lines) {
        sums.add({ accountId, currency, direction, amount })
        balance += direction === normal ? amount : -amount
      }
      last = page.lines.at(-1)
      isMore = page.lines.length === TOGETHER
    }
    yield [balanceRow(books, account, asked.to, 'closing balance', closing)]
    // What the lines add up to, and what the days of the account add up to.
    const check = { what: account.code, currency, export: balance ?? 0n, books: closing }
    return { rows: sums.lines, totals: sums.totals(), checks: [check] }
  },
}

async function accountOf(books: Books, accountId: number): Promise<AccountView> {
  const found = await books.db.read(books.orgId, async (trx) => await findAccount(trx, accountId))
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such account.' })
  }
  return found
}

function balanceRow(
  books: Books,
  { code, currency }: AccountView,
  day: string | null,
  what: string,
  balance: bigint,
): Cell[] {
  const blank = [null, null, null, null]
  const decimal = decimalOf(books, balance, currency)
  return [day, ...blank, what, code, currency, null, null, balance, null, null, decimal]
}

function rowOf(books: Books, { code, currency }: AccountView, line: StatementLine): Cell[] {
  const { amount } = line
  const isDebit = line.direction === 'debit'
  const decimal = decimalOf(books, amount, currency)
  return [
    line.effective_on,
    `je_${line.entry_no}`,
    line.line_no,
    line.posted_at.toISOString(),
    line.kind,
    line.description,
    code,
    currency,
    isDebit ? amount : null,
    isDebit ? null : amount,
    line.balance,
    isDebit ? decimal : null,
    isDebit ? null : decimal,
    decimalOf(books, line.balance, currency),
  ]
}
