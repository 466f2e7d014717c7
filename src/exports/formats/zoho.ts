/** The books of one currency as manual journals for Zoho Books: CSV, a row for each posting. */
import type { Cell } from '../../../reports/csv.ts'
import { againstTrialBalance } from '../checks.ts'
import { entriesOf } from '../entries.ts'
import { addEntries } from '../reports/journal.ts'
import { openSums, type Outcome } from '../report.ts'
import { decimalOf, type Table } from '../tables.ts'

/** Zoho takes no longer notes. */
const NOTES_MAX = 500

/** In the order of Zoho's own sample; rows of one number are one journal. */
export const zohoJournals: Table = {
  columns: [
    'Journal Date',
    'Reference Number',
    'Journal Number Prefix',
    'Journal Number Suffix',
    'Notes',
    'Journal Type',
    'Currency',
    'Account',
    'Description',
    'Contact Name',
    'Debit',
    'Credit',
  ],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const currency = asked.currency ?? 'INR'
    const sums = openSums()
    for await (const entries of entriesOf(books, { ...asked, kind: null })) {
      const own = entries.map((entry) => ({
        ...entry,
        postings: entry.postings.filter((line) => line.currency === currency),
      }))
      yield own.flatMap((entry) =>
        entry.postings.map(({ account, direction, amount }) => [
          entry.effective_on,
          `je_${entry.entry_no}`,
          `${books.organisation}-`,
          entry.entry_no,
          entry.description.slice(0, NOTES_MAX).toWellFormed(),
          'both',
          currency,
          account,
          entry.kind,
          null,
          direction === 'debit' ? decimalOf(books, amount, currency) : null,
          direction === 'credit' ? decimalOf(books, amount, currency) : null,
        ]),
      )
      addEntries(sums, own)
    }
    const checks = await againstTrialBalance(books, sums.nets, { ...asked, currency })
    return { rows: sums.lines, totals: sums.totals(), checks }
  },
}
