/** GET /v1/journal-entries: what was posted, newest first. */
import { z } from 'zod'
import { Problem } from '../../base/problem.ts'
import { findEntry, listEntries } from '../../ledger/reading/entries.ts'
import { pageOf } from '../answers.ts'
import { entryView, journalEntry } from '../entry-view.ts'
import { isoDate, limit, numberedId } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

export function journalEntryOperations(): Operation[] {
  return [
    operation(
      {
        id: 'listJournalEntries',
        method: 'get',
        path: '/journal-entries',
        tag: 'Journal',
        summary: 'What was posted, newest first',
        permission: 'books.read',
        query: z.strictObject({
          limit,
          starting_after: numberedId('je').optional(),
          from: isoDate.optional(),
          to: isoDate.optional(),
          kind: z.string().max(40).optional(),
        }),
        answers: { 200: { what: 'By number, downwards.', body: pageOf(journalEntry) } },
      },
      {
        async read(trx, { query }) {
          const { limit: most, starting_after: before, ...where } = query
          const entries = await listEntries(trx, { ...where, before, limit: most + 1 })
          return { status: 200, body: listOf(entries, most, entryView) }
        },
      },
    ),
    operation(
      {
        id: 'getJournalEntry',
        method: 'get',
        path: '/journal-entries/{id}',
        tag: 'Journal',
        summary: 'One entry with its postings',
        permission: 'books.read',
        params: z.object({ id: numberedId('je') }),
        answers: { 200: { what: 'The entry.', body: journalEntry } },
      },
      {
        async read(trx, { params }) {
          const entry = await findEntry(trx, params.id)
          if (entry === undefined) {
            throw new Problem('not_found', { detail: 'There is no such journal entry.' })
          }
          return { status: 200, body: entryView(entry) }
        },
      },
    ),
  ]
}
