/** Random histories of all verbs: the engine beside naive books, alone, together and cut off. */
import { expect } from 'chai'
import fc from 'fast-check'
import { serializationRetries } from '../../src/base/metrics.ts'
import { messageOf } from '../../src/base/problem.ts'
import { openBatcher } from '../../src/ledger/posting/batcher.ts'
import { asOwner } from '../../scripts/stack.ts'
import { openBooks, type Books } from '../ledger/books.ts'
import { liveAtOnce } from './at-once.ts'
import type { Notes } from './callers.ts'
import { expectSameBooks } from './compare.ts'
import { liveCutOff } from './cut-off.ts'
import { explain } from './explain.ts'
import { readHistory } from './history.ts'
import { count, runHistory, type Seen } from './one-after-another.ts'
import { commandOf, readSettings } from './settings.ts'
import { anyWish } from './wishes.ts'

const settings = readSettings(process.env)
const { seed, runs, steps, isNightly } = settings

/** Histories of several callers are larger than those of one, so that there are fewer. */
const TOGETHER_RUNS = Math.ceil(runs / 6)
const CALLERS = 8
const CALLER_STEPS = Math.ceil(steps / 12)
/** For how long a shorter history is looked for that fails too. */
const SHRINKING_MS = isNightly ? 120_000 : 20_000
/** How many instants each history is looked back from. */
const INSTANTS = 3

describe('the books of the model', () => {
  let books: Books
  let org = 1000

  before(async () => {
    books = await openBooks(8)
    await asOwner(books.database.ownerUrl, async (client) => {
      // Deadlocks are found soon, so that there can be many.
      await client.query(
        `do $$ begin execute format('alter database %I set deadlock_timeout = ''20ms''',
           current_database()); end $$`,
      )
    })
  })

  after(async () => {
    await books.close()
  })

  async function newOrganisation(): Promise<number> {
    org += 1
    await books.addOrganisation(org)
    return org
  }

  async function expectExplained(orgId: number, notes: Notes): Promise<void> {
    const history = await readHistory(books.db, orgId)
    await expectSameBooks(books.db, orgId, explain(history, notes.calls), INSTANTS)
  }

  async function reproducible<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw new Error(`To see it again: ${commandOf(settings)}`, { cause: error })
    }
  }

  function say(line: string): void {
    if (isNightly) {
      process.stdout.write(`    ${line}\n`)
    }
  }

  it('agree with the engine’s after every command', async () => {
    const seen: Seen = new Map()
    const wishes = fc.array(anyWish, { minLength: 1, maxLength: steps, size: 'max' })
    let done = 0
    let failedAt = Infinity
    const property = fc.asyncProperty(wishes, async (history) => {
      if (performance.now() - failedAt > SHRINKING_MS) {
        return
      }
      const orgId = await newOrganisation()
      const side = { db: books.db, batcher: openBatcher(books.db), orgId }
      try {
        const naive = await runHistory(side, history, seen)
        await expectSameBooks(books.db, orgId, naive, INSTANTS)
        done += 1
        say(`one after another: history ${done}, ${naive.entries.length} entries`)
      } catch (error) {
        say(`history ${done + 1} does not agree, looking for a shorter one: ${messageOf(error)}`)
        failedAt = Math.min(failedAt, performance.now())
        throw error
      }
    })
    await reproducible(async () => {
      const found = await fc.check(property, { seed, numRuns: runs, unbiased: true })
      if (found.failed) {
        throw found.errorInstance
      }
    })
    if (!isNightly) {
      // What never happened was not compared.
      expect(NEEDED.filter((word) => !seen.has(word))).to.deep.equal([])
    }
  })

  it('explain in one order what many callers heard at once', async () => {
    for (let run = 0; run < TOGETHER_RUNS; run += 1) {
      const orgId = await newOrganisation()
      await reproducible(async () => {
        const { url } = books.database
        const how = { orgId, seed: seed + run, callers: CALLERS, steps: CALLER_STEPS }
        const notes = await liveAtOnce({ ...how, url, onCall: () => undefined })
        expect(notes.calls.map(({ heard }) => heard)).to.not.include('unknown')
        await expectExplained(orgId, notes)
        say(`at once: history ${run + 1} of ${TOGETHER_RUNS}, ${notes.calls.length} calls`)
      })
    }
  })

  it('explain it too where wires are cut and others hold the rows', async () => {
    const before = await retries()
    const cut: string[] = []
    const heard: Seen = new Map()
    for (let run = 0; run < TOGETHER_RUNS; run += 1) {
      const orgId = await newOrganisation()
      await reproducible(async () => {
        const how = { orgId, seed: seed + run, callers: CALLERS, steps: CALLER_STEPS }
        const { notes, cuts } = await liveCutOff(books, how)
        await expectExplained(orgId, notes)
        cut.push(...cuts)
        for (const call of notes.calls) {
          count(heard, call.command, typeof call.heard === 'string' ? [call.heard] : ['answered'])
        }
        const size = `${notes.calls.length} calls, ${cuts.length} cuts`
        say(`cut off: history ${run + 1} of ${TOGETHER_RUNS}, ${size}`)
      })
    }
    if (!isNightly) {
      expect(cut.length).to.be.greaterThan(10)
      expect([...heard.keys()]).to.include.members(['post: answered', 'post: no', 'post: unknown'])
      expect(await retries()).to.be.greaterThan(before)
    }
  })

  /** How often Postgres undid a transaction of this process because of others. */
  async function retries(): Promise<number> {
    const { values } = await serializationRetries.get()
    return values.reduce((sum, { value }) => sum + value, 0)
  }
})

/** Among what the bounded run's commands end with. */
const NEEDED = [
  'post: posted',
  'post: existing',
  'post: unbalanced_entry',
  'post: invalid_entry',
  'post: idempotency_conflict',
  'post: unknown_account',
  'post: balance_below_floor',
  'post: batch_refused',
  'post: period_closed',
  'post: not_reversible',
  'post: account_frozen',
  'post: account_closed',
  'reverse: posted',
  'reverse: existing',
  'reverse: not_reversible',
  'adjust: posted',
  'adjust: existing',
  'adjust: not_reversible',
  'exchange: posted',
  'exchange: invalid_entry',
  'open account: opened',
  'open account: account_exists',
  'change account: changed',
  'change account: account_not_empty',
  'close month: changed',
  'close month: period_order',
  'reopen month: changed',
  'close year: posted',
  'close year: existing',
  'register currency: registered',
  'register currency: currency_exists',
]
