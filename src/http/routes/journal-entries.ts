/** GET /v1/journal-entries: what was posted, newest first. */
import { z } from 'zod'
import { Problem } from '../../base/problem.ts'
import { findEntries, findEntry, listEntries } from '../../ledger/reading/entries.ts'
import { pageOf } from '../answers.ts'
import { entryId, entryView, journalEntry } from '../entry-view.ts'
import { expandable, expandableOperation, type Expansion } from '../expand.ts'
import { isoDate, limit, numberedId } from '../input.ts'
import { anyText } from '../line.ts'
import { listOf } from '../list.ts'
import type { Operation } from '../operation.ts'

const entryExpansion: Expansion = {
  permission: 'books.read',
  view: journalEntry,
  async load(trx, ids) {
    const entries = await findEntries(
      trx,
      ids.map((id) => numberedId('je').parse(id)),
    )
    return new Map(entries.map((entry) => [entryId(entry.entry_no), entryView(entry)]))
  },
}

const expand = expandable(journalEntry, { reverses: entryExpansion, reversed_by: entryExpansion })

export function journalEntryOperations(): Operation[] {
  return [
    expandableOperation(
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
          kind: anyText(40).optional(),
        }),
        expand,
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
    expandableOperation(
      {
        id: 'getJournalEntry',
        method: 'get',
        path: '/journal-entries/{id}',
        tag: 'Journal',
        summary: 'One entry with its postings',
        permission: 'books.read',
        params: z.object({ id: numberedId('je') }),
        expand,
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
