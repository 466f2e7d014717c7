/** Posts drafts that come together in one transaction: a batch forms while another is in flight. */
import { setImmediate } from 'node:timers/promises'
import { isConnectionError, type Database } from '../base/db.ts'
import { messageOf, Problem } from '../base/problem.ts'
import type { Draft } from './core/entry.ts'
import { DRAFTS_MAX, post, type PostResult } from './post.ts'

export interface Batcher {
  /**
   * Posts one draft of an organisation, together with whatever else waits for its journal. Rejects
   * with `unavailable`: moved `no` where too many wait, `unknown` where the connection was lost in
   * the middle; the same draft may be posted again in both cases, and is posted once.
   */
  post(orgId: number, draft: Draft): Promise<PostResult>
  /** Takes no more drafts and waits for those in hand. */
  close(): Promise<void>
}

interface Waiting {
  draft: Draft
  resolve(result: PostResult): void
  reject(error: unknown): void
}

/** More drafts than this of one organisation do not wait: their callers come again. */
const WAITING_MAX = 20_000

export function openBatcher(db: Database): Batcher {
  const journals = new Map<number, { waiting: Waiting[]; running: Promise<void> | null }>()
  let isClosing = false

  const drain = async (orgId: number, waiting: Waiting[]): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, DRAFTS_MAX)
      await postBatch(db, orgId, batch)
      // Whoever has just heard his result may post again: he comes along in the next batch.
      await setImmediate()
    }
  }

  return {
    async post(orgId, draft) {
      const journal = journals.get(orgId) ?? { waiting: [], running: null }
      journals.set(orgId, journal)
      if (isClosing || journal.waiting.length >= WAITING_MAX) {
        const detail = isClosing ? 'The service is ending.' : 'Too many entries wait to be posted.'
        throw new Problem('unavailable', { detail, moved: 'no', retryAfter: 1 })
      }
      return await new Promise<PostResult>((resolve, reject) => {
        journal.waiting.push({ draft, resolve, reject })
        journal.running ??= drain(orgId, journal.waiting).finally(() => {
          journal.running = null
        })
      })
    },
    async close() {
      isClosing = true
      await Promise.all([...journals.values()].map(async ({ running }) => await running))
    },
  }
}

/** Never throws: every caller of the batch hears how it went for him. */
async function postBatch(db: Database, orgId: number, batch: readonly Waiting[]): Promise<void> {
  try {
    const results = await db.transact(
      orgId,
      async (trx) =>
        await post(
          trx,
          batch.map(({ draft }) => draft),
        ),
      { queue: 'journal' },
    )
    batch.forEach(({ resolve, reject }, index) => {
      const result = results[index]
      if (result === undefined) {
        reject(new Problem('internal'))
      } else {
        resolve(result)
      }
    })
  } catch (error) {
    const [first, ...others] = batch
    if (others.length > 0 && first !== undefined && !isConnectionError(error)) {
      // Something that no check foresaw: each for itself, so that one does not fail the others.
      for (const one of batch) {
        await postBatch(db, orgId, [one])
      }
      return
    }
    const problem = asProblem(error)
    for (const { reject } of batch) {
      reject(problem)
    }
  }
}

function asProblem(error: unknown): unknown {
  return isConnectionError(error)
    ? new Problem('unavailable', {
        detail: `The database was lost: ${messageOf(error)}. Post the same again.`,
        moved: 'unknown',
        retryAfter: 1,
        cause: error,
      })
    : error
}
