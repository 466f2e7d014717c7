/** The receipts and payments account: what cash and banks took in and paid out, by head. */
import type { Cell } from '../../../reports/csv.ts'
import type { IsoDate } from '../../base/clock.ts'
import { findEntries, type PostedEntry, type PostedLine } from '../../ledger/reading/entries.ts'
import { movements, openingNets, type Books, type Net } from '../books.ts'
import { byCurrency, dayOf, openSums, type Check, type Outcome } from '../report.ts'
import { decimalOf, type Table } from '../tables.ts'

const TOGETHER = 200

/** Cash, accounts at banks, and what is between them. */
const CASH = /^assets:(cash$|cash:|bank:)/

export const receiptsAndPayments: Table = {
  columns: ['section', 'account', 'name', 'currency', 'amount_minor', 'amount'],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const from = dayOf(asked, 'from')
    const to = dayOf(asked, 'to')
    const moved = await movements(books, from, to)
    const opening = (await openingNets(books, from)).filter(({ code }) => CASH.test(code))
    const cash = moved.filter(({ code }) => CASH.test(code))
    const heads = await headsOf(books, cash, from, to)
    const before = new Map(opening.map((one) => [one.account_id, one.net]))
    const closing = cash.map((one) => ({
      ...one,
      net: one.net + (before.get(one.account_id) ?? 0n),
    }))
    const of = (section: string, lines: readonly Net[]): Cell[][] =>
      lines
        .filter(({ net }) => net !== 0n)
        .map(({ code, name, currency, net }) => {
          return [section, code, name, currency, net, decimalOf(books, net, currency)]
        })
    const named = (sums: ReadonlyMap<number, bigint>): Net[] =>
      moved.map((one) => ({ ...one, net: sums.get(one.account_id) ?? 0n }))
    const rows = [
      ...of('opening', opening),
      ...of('receipts', named(heads.receipts)),
      ...of('payments', named(heads.payments)),
      ...of('closing', closing),
    ]
    yield rows
    const checks = checksOf(cash, named(heads.receipts), named(heads.payments))
    return { rows: rows.length, totals: heads.totals, checks }
  },
}

/** Receipts less payments are what cash and banks gained. */
function checksOf(
  cash: readonly Net[],
  receipts: readonly Net[],
  payments: readonly Net[],
): Check[] {
  const checks = new Map<string, Check>()
  const add = (nets: readonly Net[], side: 'export' | 'books', sign: bigint): void => {
    for (const { currency, net } of nets) {
      const check = checks.get(currency) ?? {
        what: 'cash and banks',
        currency,
        export: 0n,
        books: 0n,
      }
      check[side] += sign * net
      checks.set(currency, check)
    }
  }
  add(receipts, 'export', 1n)
  add(payments, 'export', -1n)
  add(cash, 'books', 1n)
  return [...checks.values()].sort(byCurrency)
}

/** Minor units by account: where the cash came from and where it went. */
async function headsOf(books: Books, cash: readonly Net[], from: IsoDate, to: IsoDate) {
  const receipts = new Map<number, bigint>()
  const payments = new Map<number, bigint>()
  const sums = openSums()
  const ids = new Set(cash.map((one) => one.account_id))
  for (const account of ids) {
    for await (const entries of entriesOn(books, account, from, to)) {
      // An entry stands on each cash account that it moves, and counts on the first of them.
      for (const entry of entries.filter((one) => firstCash(one, ids) === account)) {
        for (const line of othersOf(entry, ids)) {
          const { account_id: accountId, currency, direction, amount } = line
          const side = direction === 'credit' ? receipts : payments
          side.set(accountId, (side.get(accountId) ?? 0n) + amount)
          sums.add({ accountId, currency, direction, amount })
        }
      }
    }
  }
  return { receipts, payments, totals: sums.totals() }
}

function firstCash(entry: PostedEntry, ids: ReadonlySet<number>): number {
  return Math.min(
    ...entry.postings.map((line) => line.account_id).filter((accountId) => ids.has(accountId)),
  )
}

/**
 * The lines of an entry beside cash. What only moves among assets, liabilities and equity within
 * the entry is no receipt and no payment: a cheque that is realised leaves the hand, is owed no
 * more, and is income.
 */
function othersOf(entry: PostedEntry, ids: ReadonlySet<number>): PostedLine[] {
  const others = entry.postings.filter((line) => !ids.has(line.account_id))
  const left = new Map<string, bigint>()
  for (const [currency, lines] of Map.groupBy(others.filter(isOfBalance), (one) => one.currency)) {
    const [debits, credits] = [sumOf(lines, 'debit'), sumOf(lines, 'credit')]
    const both = debits < credits ? debits : credits
    left.set(`debit ${currency}`, both)
    left.set(`credit ${currency}`, both)
  }
  return others.flatMap((line) => {
    const key = `${line.direction} ${line.currency}`
    const most = isOfBalance(line) ? (left.get(key) ?? 0n) : 0n
    const taken = most < line.amount ? most : line.amount
    left.set(key, most - taken)
    return taken === line.amount ? [] : [{ ...line, amount: line.amount - taken }]
  })
}

function isOfBalance({ account }: PostedLine): boolean {
  return /^(assets|liabilities|equity):/.test(account)
}

function sumOf(lines: readonly PostedLine[], direction: PostedLine['direction']): bigint {
  return lines.reduce((sum, one) => sum + (one.direction === direction ? one.amount : 0n), 0n)
}

/** The entries that move an account in a period, by day. */
async function* entriesOn(
  books: Books,
  accountId: number,
  from: IsoDate,
  to: IsoDate,
): AsyncGenerator<PostedEntry[]> {
  const { db, orgId, through } = books
  for (let after = { day: from, entryNo: 0n }; ;) {
    const entries = await db.read(orgId, async (trx) => {
      const found = await trx.query<{ entry_no: bigint }>(
        `select distinct effective_on, entry_no from postings
          where org_id = $1 and account_id = $2 and (effective_on, entry_no) > ($3::date, $4)
            and effective_on <= $5 and entry_no <= $6
          order by effective_on, entry_no limit $7`,
        [orgId, accountId, after.day, after.entryNo, to, through, TOGETHER],
      )
      return await findEntries(
        trx,
        found.map((one) => one.entry_no),
      )
    })
    const last = entries.at(-1)
    if (last === undefined) {
      return
    }
    yield entries
    after = { day: last.effective_on, entryNo: last.entry_no }
  }
}
