/** POST /v1/journal-entries and /v1/journal-entries/batch: entries from outside. */
import type { Response } from 'express'
import { z } from 'zod'
import type { Database } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import type { Draft } from '../../ledger/core/entry.ts'
import { namesIds, withCodes } from '../../ledger/posting/asked.ts'
import type { Batcher } from '../../ledger/posting/batcher.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { post, type PostResult } from '../../ledger/posting/post.ts'
import { findEntry } from '../../ledger/reading/entries.ts'
import { idText } from '../answers.ts'
import { proposed } from '../approval-view.ts'
import { batchBody, draftAsked, entryBody } from '../entry-input.ts'
import { entryId, entryView, journalEntry } from '../entry-view.ts'
import { operation, type Operation } from '../operation.ts'
import { assertBelowLimits, proposalReply } from '../proposal.ts'
import { problemSchema, problemView } from '../problem-json.ts'
import { requestIdOf } from '../request.ts'

/** A thousand lines fit. */
export const ENTRY_BYTES_MAX = 320 * 1024
/** A thousand entries fit. */
const BATCH_BYTES_MAX = 5 * 1024 * 1024

/** Why the books may refuse an entry. */
export const POSTING_PROBLEMS = [
  'unbalanced_entry',
  'invalid_entry',
  'unknown_account',
  'account_closed',
  'account_frozen',
  'period_closed',
  'not_reversible',
  'balance_below_floor',
] as const

/** Answers of what posts one entry. */
export const POSTED = {
  200: { what: 'It was posted before, with this key.', body: journalEntry },
  201: { what: 'Posted.', body: journalEntry },
  ...proposed,
} as const

const batchResults = z
  .strictObject({
    mode: z.enum(['atomic', 'each']),
    results: z.array(
      z.union([
        z.strictObject({
          idempotency_key: z.string(),
          status: z.enum(['posted', 'existing']),
          journal_entry: idText('je'),
        }),
        z.strictObject({
          idempotency_key: z.string(),
          status: z.literal('refused'),
          problem: problemSchema.omit({ request_id: true }),
        }),
      ]),
    ),
  })
  .meta({ id: 'BatchResults' })

export function journalPostingOperations({ db }: Parts, batcher: Batcher): Operation[] {
  return [
    operation(
      {
        id: 'postJournalEntry',
        method: 'post',
        path: '/journal-entries',
        tag: 'Journal',
        summary: 'Post an entry',
        permission: 'books.post',
        key: 'required',
        body: entryBody,
        bodyBytesMax: ENTRY_BYTES_MAX,
        answers: POSTED,
        problems: POSTING_PROBLEMS,
      },
      {
        async handle(call) {
          const { body, principal, key } = call
          const { orgId } = principal
          const proposal = await proposalReply(db, { verb: 'post', entryNo: null, call })
          if (proposal !== null) {
            return proposal
          }
          const draft = draftAsked(body, String(key), principal)
          const result = await batcher.post(orgId, await withCodesNow(db, orgId, draft))
          return await postedReply(result, { db, orgId })
        },
      },
    ),
    batchOperation(db),
  ]
}

function batchOperation(db: Database): Operation {
  return operation(
    {
      id: 'postJournalEntries',
      method: 'post',
      path: '/journal-entries/batch',
      tag: 'Journal',
      summary: 'Post up to 1,000 entries, all or none, or each for itself',
      permission: 'books.post',
      body: batchBody,
      bodyBytesMax: BATCH_BYTES_MAX,
      answers: { 200: { what: 'What became of each, in the order given.', body: batchResults } },
      problems: [...POSTING_PROBLEMS, 'batch_refused', 'approval_required'],
    },
    {
      async handle({ body: { mode, entries }, principal, response }) {
        const drafts = entries.map(({ idempotency_key: key, ...asked }) =>
          draftAsked(asked, key, principal),
        )
        const results = await inJournal(db, principal.orgId, async (trx) => {
          await assertBelowLimits(trx, drafts)
          return await post(trx, await withCodes(trx, drafts), { atomic: mode === 'atomic' })
        })
        const body = {
          mode,
          results: results.map((result, index) =>
            resultView(entries[index]?.idempotency_key ?? '', result),
          ),
        }
        if (mode === 'atomic' && results.some(({ status }) => status === 'refused')) {
          const detail = 'Nothing was posted: see results for what was wrong with which entry.'
          const refused = new Problem('batch_refused', { detail, moved: 'no' })
          sendRefused(response, refused, body)
          return null
        }
        return { status: 200, body }
      },
    },
  )
}

async function withCodesNow(db: Database, orgId: number, draft: Draft): Promise<Draft> {
  if (!namesIds([draft])) {
    return draft
  }
  const [named = draft] = await db.read(orgId, async (trx) => await withCodes(trx, [draft]))
  return named
}

function resultView(
  key: string,
  result: PostResult,
): z.input<typeof batchResults>['results'][number] {
  return result.status === 'refused'
    ? { idempotency_key: key, status: result.status, problem: problemView(result.problem) }
    : {
        idempotency_key: key,
        status: result.status,
        journal_entry: entryId(result.entryNo),
      }
}

/** The problem with what became of each entry beside it. */
function sendRefused(response: Response, refused: Problem, body: object): void {
  response
    .status(refused.status)
    .type('application/problem+json')
    .send(
      JSON.stringify({ ...problemView(refused), ...body, request_id: requestIdOf(response.req) }),
    )
}

/**
 * The entry: 201 where it was posted now, 200 and `Idempotent-Replayed` where it was before. Throws
 * why it was refused, or `unavailable` (moved: yes) where it can only not be shown.
 */
export async function postedReply(
  result: PostResult,
  { db, orgId }: { db: Database; orgId: number },
): Promise<{
  status: 200 | 201
  body: z.input<typeof journalEntry>
  headers: Record<string, string>
}> {
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
  return {
    status: status === 'posted' ? 201 : 200,
    body: entryView(entry),
    headers: {
      Location: `/v1/journal-entries/${entryId(entryNo)}`,
      ...(status === 'existing' ? { 'Idempotent-Replayed': 'true' } : {}),
    },
  }
}
