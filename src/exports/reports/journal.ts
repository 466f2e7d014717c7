/** The journal and the day book: a row for each posting, with what its entry says. */
import type { Cell } from '../../../reports/csv.ts'
import type { PostedEntry, PostedLine } from '../../ledger/reading/entries.ts'
import type { Books } from '../books.ts'
import { againstTrialBalance, inBalance } from '../checks.ts'
import { entriesByDay, entriesOf, type Filter } from '../entries.ts'
import { openSums, type Check, type Outcome, type Parameters, type Sums } from '../report.ts'
import { decimalOf, type Table } from '../tables.ts'

/** The cells of an entry before and after those of its line (journal-csv.ts has them as SQL). */
export const JOURNAL_COLUMNS = [
  'entry',
  'effective_on',
  'posted_at',
  'kind',
  'line',
  'account',
  'direction',
  'amount_minor',
  'currency',
  'debit',
  'credit',
  'description',
  'reverses',
  'adjusts',
  'source',
  'idempotency_key',
  'actor',
] as const

/** In the order of posting. */
export const journal: Table = tableOf(entriesOf)

/** By effective day. */
export const dayBook: Table = tableOf(entriesByDay)

function tableOf(read: (books: Books, filter: Filter) => AsyncGenerator<PostedEntry[]>): Table {
  return {
    columns: JOURNAL_COLUMNS,
    async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
      const sums = openSums()
      for await (const entries of read(books, asked)) {
        yield entries.flatMap((entry) => entry.postings.map((line) => rowOf(books, entry, line)))
        addEntries(sums, entries)
      }
      return await outcomeOf(books, asked, sums)
    },
  }
}

export function addEntries(sums: Sums, entries: readonly PostedEntry[]): void {
  for (const { postings } of entries) {
    for (const { account_id: accountId, currency, direction, amount } of postings) {
      sums.add({ accountId, currency, direction, amount })
    }
  }
}

/** What a file of postings came to, and whether the trial balance moved by as much. */
export async function outcomeOf(
  books: Books,
  asked: Parameters,
  sums: Pick<Sums, 'nets' | 'lines' | 'totals'>,
): Promise<Outcome> {
  const totals = sums.totals()
  const checks: Check[] = [
    ...inBalance(totals),
    // Some kinds of entries alone are no trial balance.
    ...(asked.kind === null ? await againstTrialBalance(books, sums.nets, asked) : []),
  ]
  return { rows: sums.lines, totals, checks }
}

function rowOf(books: Books, entry: PostedEntry, line: PostedLine): Cell[] {
  const decimal = decimalOf(books, line.amount, line.currency)
  return [
    `je_${entry.entry_no}`,
    entry.effective_on,
    entry.posted_at.toISOString(),
    entry.kind,
    line.line_no,
    line.account,
    line.direction,
    line.amount,
    line.currency,
    line.direction === 'debit' ? decimal : null,
    line.direction === 'credit' ? decimal : null,
    entry.description,
    entry.reverses === null ? null : `je_${entry.reverses}`,
    entry.adjusts === null ? null : `je_${entry.adjusts}`,
    entry.source,
    entry.idempotency_key,
    entry.actor,
  ]
}
