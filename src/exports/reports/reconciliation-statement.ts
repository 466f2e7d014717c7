/**
 * The bank reconciliation statement: from the balance of our books to that of the bank, item by
 * item; and how the open items of each gateway moved in a period.
 */
import type { Cell } from '../../../reports/csv.ts'
import type { IsoDate } from '../../base/clock.ts'
import { Problem } from '../../base/problem.ts'
import { findAccount, type AccountView } from '../../ledger/accounts/accounts.ts'
import { netsAt, type Books } from '../books.ts'
import { bankSums, outstanding, type Outstanding } from '../outstanding.ts'
import { dayOf, type Check, type Outcome } from '../report.ts'
import { rollForward, type Moved } from '../roll-forward.ts'
import { decimalOf, knownDecimal, type Table } from '../tables.ts'

/** What is done with each kind of item, as accountants in India write it. */
const SECTIONS = {
  books_out: 'add: paid in our books, not by the bank',
  books_in: 'less: received in our books, not at the bank',
  bank_in: 'add: received by the bank, not in our books',
  bank_out: 'less: paid by the bank, not in our books',
} as const

export const reconciliationStatement: Table = {
  columns: [
    'section',
    'item',
    'day',
    'reference',
    'entry',
    'line',
    'count',
    'currency',
    'amount_minor',
    'amount',
  ],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const to = dayOf(asked, 'to')
    const account = await accountOf(books, asked.account ?? 0)
    const net = (await netsAt(books, to)).find((one) => one.account_id === account.account_id)
    const inBooks = net?.net ?? 0n
    const line = lineOf(books, account)
    yield [line('balance as per our books', { day: to, amount: inBooks })]
    const seen = { books: 0n, bank: 0n, rows: 0 }
    for await (const page of outstanding(books, account, to)) {
      yield page.map((one) => line(sectionOf(one), { ...one, amount: signOf(one) }))
      for (const one of page) {
        seen[one.side] += one.amount
      }
      seen.rows += page.length
    }
    const sums = await bankSums(books, account, to)
    if (sums.brought !== null) {
      const item = { item: 'balance before the first line that we have', amount: sums.brought }
      yield [line(SECTIONS.bank_in, item)]
    }
    const computed = inBooks - seen.books + seen.bank + (sums.brought ?? 0n)
    yield [line('balance as per the bank, computed', { day: to, amount: computed })]
    if (sums.closing !== null) {
      const { closing, closing_on: day } = sums
      yield [
        line('balance as per the bank’s statement', { day, amount: closing }),
        line('difference', { amount: closing - computed }),
      ]
    }
    const moved = await rollForward(books, { from: asked.from, to })
    yield moved.flatMap((one) => rowsOf(books, one))
    const { currency, code } = account
    const checks: Check[] = [
      { what: code, currency, export: seen.books + sums.tied, books: inBooks },
      { what: 'bank lines', currency, export: seen.bank + sums.tied_lines, books: sums.lines },
      ...moved.map((one) => ({
        what: `open items of ${one.gateway}, ${one.kind}`,
        currency: one.currency,
        export: one.opening + one.fresh - one.cleared,
        books: one.closing,
      })),
    ]
    const total = inBooks < 0n ? [0n, -inBooks] : [inBooks, 0n]
    return {
      rows: seen.rows,
      totals: [{ currency, debit: total[0] ?? 0n, credit: total[1] ?? 0n }],
      checks,
    }
  },
}

/** Throws `not_found`, and `report_unfit` for an account that no bank keeps. */
async function accountOf(books: Books, accountId: number): Promise<AccountView> {
  const found = await books.db.read(books.orgId, async (trx) => await findAccount(trx, accountId))
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such account.' })
  }
  if (!found.code.startsWith('assets:')) {
    const detail = `${found.code} is no account at a bank: a statement is held against an asset.`
    throw new Problem('report_unfit', { detail, moved: 'no' })
  }
  return found
}

interface Item {
  amount: bigint
  item?: string
  day?: IsoDate | null
  reference?: string | null
  entry_no?: bigint | null
  place?: string | null
}

function lineOf(books: Books, { currency }: AccountView) {
  return (section: string, { amount, item, day, reference, entry_no: entry, place }: Item) => [
    section,
    item ?? null,
    day ?? null,
    reference ?? null,
    entry === undefined || entry === null ? null : `je_${entry}`,
    place ?? null,
    null,
    currency,
    amount,
    decimalOf(books, amount, currency),
  ]
}

function sectionOf({ side, amount }: Outstanding): string {
  return SECTIONS[`${side}_${amount < 0n ? 'out' : 'in'}`]
}

/** As it leads from our balance to the bank's. */
function signOf({ side, amount }: Outstanding): bigint {
  return side === 'books' ? -amount : amount
}

function rowsOf(books: Books, moved: Moved): Cell[][] {
  const { gateway, kind, currency } = moved
  const row = (item: string, count: number, amount: bigint): Cell[] => [
    `open items of ${gateway}, ${kind}`,
    item,
    null,
    null,
    null,
    null,
    count,
    currency,
    amount,
    knownDecimal(books, amount, currency),
  ]
  return [
    row('opening', moved.opening_count, moved.opening),
    row('new', moved.fresh_count, moved.fresh),
    row('cleared', moved.cleared_count, -moved.cleared),
    row('closing', moved.closing_count, moved.closing),
  ]
}
