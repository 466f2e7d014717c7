/** GET /v1/journal-entries: what was posted, newest first. */
import { Router } from 'express'
import { z } from 'zod'
import { minorOrText } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { findEntry, listEntries, type PostedEntry } from '../../ledger/reading/entries.ts'
import { allow, principalOf } from '../auth.ts'
import { idOf, isoDate, limit, numberedId, queryOf } from '../input.ts'
import { listOf } from '../list.ts'

const query = z.strictObject({
  limit,
  starting_after: numberedId('je').optional(),
  from: isoDate.optional(),
  to: isoDate.optional(),
  kind: z.string().max(40).optional(),
})

export function journalEntryRoutes(parts: Parts): Router {
  const routes = Router()
  const readers = allow('finance', 'auditor', 'admin')

  routes.get('/journal-entries', readers, async (request, response) => {
    const asked = queryOf(request, query)
    const entries = await parts.db.read(
      principalOf(request).orgId,
      async (trx) =>
        await listEntries(trx, {
          before: asked.starting_after,
          from: asked.from,
          to: asked.to,
          kind: asked.kind,
          limit: asked.limit + 1,
        }),
    )
    response.json(listOf(entries, asked.limit, entryView))
  })

  routes.get('/journal-entries/:id', readers, async (request, response) => {
    const entryNo = idOf(request.params['id'], 'je')
    const entry = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await findEntry(trx, entryNo),
    )
    if (entry === undefined) {
      throw new Problem('not_found', { detail: 'There is no such journal entry.' })
    }
    response.json(entryView(entry))
  })

  return routes
}

/** A posted entry as callers see it. */
export function entryView(entry: PostedEntry): object {
  return {
    id: entryId(entry.entry_no),
    kind: entry.kind,
    effective_on: entry.effective_on,
    posted_at: entry.posted_at,
    description: entry.description,
    idempotency_key: entry.idempotency_key,
    source: entry.source,
    actor: entry.actor,
    reverses: entry.reverses === null ? null : entryId(entry.reverses),
    reversed_by: entry.reversed_by === null ? null : entryId(entry.reversed_by),
    adjusts: entry.adjusts === null ? null : entryId(entry.adjusts),
    adjusted_by: entry.adjusted_by.map(entryId),
    metadata: entry.metadata,
    hash: entry.hash.toString('hex'),
    postings: entry.postings.map((posting) => ({
      account: `acc_${posting.account_id}`,
      code: posting.account,
      direction: posting.direction,
      amount: minorOrText(posting.amount),
      currency: posting.currency,
      balance_after: minorOrText(posting.balance_after),
    })),
  }
}

export function entryId(entryNo: bigint): string {
  return `je_${entryNo}`
}
