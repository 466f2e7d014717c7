/** Posts drafts that come together in one transaction: a batch forms while another is in flight. */
import { setImmediate } from 'node:timers/promises'
import {
  isConnectionError,
  isRefusedByDatabase,
  wasNeverConnected,
} from '../../base/database-error.ts'
import type { Database } from '../../base/db.ts'
import { postingSeconds } from '../../base/metrics.ts'
import { Problem } from '../../base/problem.ts'
import { inSpan, traceContext, type TraceContext } from '../../base/tracing.ts'
import { accountIds } from '../accounts/accounts.ts'
import type { Draft } from '../core/entry.ts'
import { inJournal } from './in-journal.ts'
import { DRAFTS_MAX, post, soundOf, type PostResult } from './post.ts'
import { countPosted, writeStatement, type Sound, type Written } from './write.ts'

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
  sound: Sound
  trace: TraceContext | null
  resolve(result: PostResult): void
  reject(error: unknown): void
}

/** One organisation's journal. */
interface Journal {
  orgId: number
  waiting: Waiting[]
  inFlight: Set<Promise<void>>
  /** Ids of accounts by code and currency, learnt from what is committed; they never change. */
  ids: Map<string, number>
}

/** More drafts than this of one organisation do not wait: their callers come again. */
const WAITING_MAX = 20_000
/** One batch is being written while the next one is on its way or being made. */
const FLIGHTS_MAX = 2
/** A second batch that is smaller than this waits: its commit would cost more than it saves. */
const SECOND_FLIGHT_MIN = 64
/** A batch has no more lines than this, so that one of long entries is no longer than another. */
const LINES_MAX = 5000
const IDS_MAX = 100_000

export function openBatcher(db: Database): Batcher {
  const journals = new Map<number, Journal>()
  let isClosing = false

  const start = (journal: Journal): void => {
    while (mayStart(journal)) {
      const flight = postTraced(db, journal, nextBatch(journal.waiting))
        // Whoever has just heard his result may post again: he comes along in the next batch.
        .then(async () => await setImmediate())
        .finally(() => {
          journal.inFlight.delete(flight)
          start(journal)
        })
      journal.inFlight.add(flight)
    }
  }

  return {
    async post(orgId, draft) {
      const journal = journals.get(orgId) ?? newJournal(orgId)
      journals.set(orgId, journal)
      if (isClosing || journal.waiting.length >= WAITING_MAX) {
        const detail = isClosing ? 'The service is ending.' : 'Too many entries wait to be posted.'
        throw new Problem('unavailable', { detail, moved: 'no', retryAfter: 1 })
      }
      const sound = soundOrRefused(draft)
      if ('status' in sound) {
        return sound
      }
      return await new Promise<PostResult>((resolve, reject) => {
        journal.waiting.push({ sound, trace: traceContext(), resolve, reject })
        start(journal)
      })
    },
    async close() {
      isClosing = true
      const journalsInFlight = () => [...journals.values()].flatMap(({ inFlight }) => [...inFlight])
      while (journalsInFlight().length > 0) {
        await Promise.all(journalsInFlight())
      }
    },
  }
}

function newJournal(orgId: number): Journal {
  return { orgId, waiting: [], inFlight: new Set(), ids: new Map() }
}

function mayStart({ waiting, inFlight }: Journal): boolean {
  const least = inFlight.size === 0 ? 1 : SECOND_FLIGHT_MIN
  return waiting.length >= least && inFlight.size < FLIGHTS_MAX
}

function nextBatch(waiting: Waiting[]): Waiting[] {
  let size = 0
  let lines = 0
  for (const { sound } of waiting) {
    lines += sound.draft.lines.length
    if (size === DRAFTS_MAX || (size > 0 && lines > LINES_MAX)) {
      break
    }
    size += 1
  }
  return waiting.splice(0, size)
}

function soundOrRefused(draft: Draft): Sound | PostResult {
  try {
    return soundOf(draft)
  } catch (error) {
    if (error instanceof Problem) {
      return { status: 'refused', problem: error }
    }
    throw error
  }
}

/** The batch belongs to the traces of all its callers, and so to none of them alone. */
async function postTraced(db: Database, journal: Journal, batch: Waiting[]): Promise<void> {
  const links = batch.map(({ trace }) => trace)
  const attributes = { 'bahi.organisation': String(journal.orgId), 'bahi.entries': batch.length }
  await inSpan('post batch', { parent: null, links, attributes }, async () => {
    await postBatch(db, journal, batch)
  })
}

/** Never throws: every caller of the batch hears how it went for him. */
async function postBatch(db: Database, journal: Journal, batch: readonly Waiting[]): Promise<void> {
  try {
    const results = (await postAtOnce(db, journal, batch)) ?? (await postEach(db, journal, batch))
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
    if (others.length > 0 && first !== undefined && !isLost(error)) {
      // Something that no check foresaw: each for itself, so that one does not fail the others.
      for (const one of batch) {
        await postBatch(db, journal, [one])
      }
      return
    }
    const problem = asProblem(error)
    for (const { reject } of batch) {
      reject(problem)
    }
  }
}

/**
 * Nearly every batch is in order, so that it is sent without a look at the books: the database
 * checks all of it again anyway. Null where that cannot be, or where it refused.
 */
async function postAtOnce(
  db: Database,
  journal: Journal,
  batch: readonly Waiting[],
): Promise<PostResult[] | null> {
  const sound = batch.map((one) => one.sound)
  const statementOf = () => writeStatement(journal.orgId, sound, (key) => journal.ids.get(key))
  let statement = statementOf()
  if (statement === null) {
    await learnIds(db, journal, sound)
    statement = statementOf()
  }
  if (statement === null) {
    return null
  }
  const stopClock = postingSeconds.startTimer()
  try {
    const [written] = await db.transactOnce<Written>(journal.orgId, statement, 'journal')
    if (written === undefined) {
      throw new Error('post_entries() said nothing')
    }
    stopClock()
    countPosted(sound)
    return batch.map((_one, index) => ({
      status: 'posted',
      entryNo: written.first_no + BigInt(index),
    }))
  } catch (error) {
    if (isRefusedByDatabase(error)) {
      return null
    }
    throw error
  }
}

/** Looks up the accounts that this process has not posted to yet. */
async function learnIds(db: Database, journal: Journal, sound: readonly Sound[]): Promise<void> {
  const drafts = sound.map(({ draft }) => draft)
  const ids = await db.read(journal.orgId, async (trx) => await accountIds(trx, drafts))
  if (journal.ids.size + ids.size > IDS_MAX) {
    journal.ids.clear()
  }
  for (const [key, id] of ids) {
    journal.ids.set(key, id)
  }
}

/** Looks at the books, so that each draft that may not be posted is refused alone and hears why. */
async function postEach(
  db: Database,
  journal: Journal,
  batch: readonly Waiting[],
): Promise<PostResult[]> {
  const drafts = batch.map(({ sound }) => sound.draft)
  return await inJournal(db, journal.orgId, async (trx) => await post(trx, drafts))
}

/** The database is away: the others of the batch would fare no better alone. */
function isLost(error: unknown): boolean {
  return isConnectionError(error) || (error instanceof Problem && error.code === 'unavailable')
}

function asProblem(error: unknown): unknown {
  return isConnectionError(error)
    ? new Problem('unavailable', {
        detail: 'The database was lost. Send the same again: it is posted once.',
        moved: wasNeverConnected(error) ? 'no' : 'unknown',
        retryAfter: 1,
        cause: error,
      })
    : error
}
