/** A random history of several callers at once, through several processes' connections. */
import fc from 'fast-check'
import { openDatabase } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { openBatcher } from '../../src/ledger/posting/batcher.ts'
import { live, takeNotes, type Call, type Notes } from './callers.ts'
import type { Side } from './engine.ts'
import { anyWish, PRELUDE } from './wishes.ts'

const SIDES = 3
const POOL_SIZE = 4

export interface AtOnce {
  orgId: number
  /** The way to the database of each process. */
  url: string
  seed: number
  callers: number
  steps: number
  /** Hears of every call that ended. */
  onCall(heard: Call['heard']): void
}

/** Gives what everybody heard, once all have ended. */
export async function liveAtOnce(options: AtOnce): Promise<Notes> {
  const { orgId, url, seed, callers, steps, onCall } = options
  const sides = Array.from({ length: SIDES }, (): Side => {
    const db = openDatabase({ url, poolSize: POOL_SIZE, log: openLog('silent', 'model') })
    return { db, orgId, batcher: openBatcher(db) }
  })
  const notes = takeNotes()
  const lives = fc.sample(fc.array(anyWish, { minLength: steps, maxLength: steps }), {
    seed,
    numRuns: callers,
  })
  try {
    await live(sides, PRELUDE, notes, { name: 'p', onCall: () => undefined })
    await Promise.all(
      lives.map(async (wishes, n) => await live(sides, wishes, notes, { name: `c${n}-`, onCall })),
    )
  } finally {
    await Promise.all(sides.map(async ({ batcher }) => await batcher.close()))
    await Promise.all(sides.map(async ({ db }) => await db.close()))
  }
  return notes
}
