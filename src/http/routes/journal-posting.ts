/** POST /v1/journal-entries and /v1/journal-entries/batch: entries from outside. */
import { Router, type Response } from 'express'
import type { Database } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { namesIds, withCodes } from '../../ledger/posting/asked.ts'
import type { Batcher } from '../../ledger/posting/batcher.ts'
import type { Draft } from '../../ledger/core/entry.ts'
import { findEntry } from '../../ledger/reading/entries.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { post, type PostResult } from '../../ledger/posting/post.ts'
import { allow, principalOf } from '../auth.ts'
import { batchBody, draftAsked, entryBody, idempotencyKeyOf } from '../entry-input.ts'
import { bodyOf } from '../input.ts'
import { problemView } from '../problem-json.ts'
import { entryId, entryView } from './journal-entries.ts'

/** Who may post, reverse and adjust. */
export const POSTERS = ['finance', 'admin', 'service'] as const

export function journalPostingRoutes(parts: Parts, batcher: Batcher): Router {
  const routes = Router()
  const posters = allow(...POSTERS)

  routes.post('/journal-entries', posters, async (request, response) => {
    const principal = principalOf(request)
    const key = idempotencyKeyOf(request)
    const draft = draftAsked(bodyOf(request, entryBody), key, principal)
    const result = await batcher.post(
      principal.orgId,
      await withCodesNow(parts.db, principal.orgId, draft),
    )
    await answerPosted(response, result, { db: parts.db, orgId: principal.orgId })
  })

  routes.post('/journal-entries/batch', posters, async (request, response) => {
    const principal = principalOf(request)
    const { mode, entries } = bodyOf(request, batchBody)
    const drafts = entries.map(({ idempotency_key: key, ...asked }) =>
      draftAsked(asked, key, principal),
    )
    const results = await inJournal(
      parts.db,
      principal.orgId,
      async (trx) => await post(trx, await withCodes(trx, drafts), { atomic: mode === 'atomic' }),
    )
    const body = {
      mode,
      results: results.map((result, index) => ({
        idempotency_key: entries[index]?.idempotency_key,
        ...resultView(result),
      })),
    }
    if (mode === 'atomic' && results.some(({ status }) => status === 'refused')) {
      const detail = 'Nothing was posted: see results for what was wrong with which entry.'
      const problem = new Problem('batch_refused', { detail, moved: 'no' })
      response
        .status(problem.status)
        .type('application/problem+json')
        .send(JSON.stringify({ ...problemView(problem), ...body }))
      return
    }
    response.json(body)
  })
  return routes
}

async function withCodesNow(db: Database, orgId: number, draft: Draft): Promise<Draft> {
  if (!namesIds([draft])) {
    return draft
  }
  const [named = draft] = await db.read(orgId, async (trx) => await withCodes(trx, [draft]))
  return named
}

function resultView(result: PostResult): object {
  return result.status === 'refused'
    ? { status: result.status, problem: problemView(result.problem) }
    : { status: result.status, journal_entry: entryId(result.entryNo) }
}

/**
 * Answers with the entry: 201 where it was posted now, 200 and `Idempotent-Replayed` where it was
 * before. Throws why it was refused, or `unavailable` (moved: yes) where it can only not be shown.
 */
export async function answerPosted(
  response: Response,
  result: PostResult,
  { db, orgId }: { db: Database; orgId: number },
): Promise<void> {
  if (result.status === 'refused') {
    throw result.problem
  }
  const { entryNo, status } = result
  const entry = await db
    .read(orgId, async (trx) => await findEntry(trx, entryNo))
    .catch((error: unknown) => {
      const detail = `${entryId(entryNo)} is posted; only showing it failed.`
      throw new Problem('unavailable', { detail, moved: 'yes', retryAfter: 1, cause: error })
    })
  if (entry === undefined) {
    throw new Error(`je_${entryNo} was there a moment ago`)
  }
  if (status === 'existing') {
    response.setHeader('Idempotent-Replayed', 'true')
  }
  response
    .status(status === 'posted' ? 201 : 200)
    .location(`/v1/journal-entries/${entryId(entryNo)}`)
    .json(entryView(entry))
}
