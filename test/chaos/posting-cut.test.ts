/** Whatever message a connection is lost at, an entry is posted once; nobody ever sees 40001. */
import { expect } from 'chai'
import pg from 'pg'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { serializationRetries } from '../../src/base/metrics.ts'
import { Problem } from '../../src/base/problem.ts'
import { openBatcher } from '../../src/ledger/posting/batcher.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { inJournal } from '../../src/ledger/posting/in-journal.ts'
import { post, type PostResult } from '../../src/ledger/posting/post.ts'
import { selfCheck } from '../../src/ledger/checks/self-check.ts'
import { asOwner } from '../../scripts/stack.ts'
import { draftOf, openBooks, ORG, outcomes, type Books } from '../ledger/books.ts'
import { until } from '../support/until.ts'
import { startWireCutter, type CutTime, type WireCutter } from '../support/wire-cutter.ts'

/** A way to post, on a database of its own. */
interface Way {
  name: string
  /** Has a connection before the cut. */
  isWarm: boolean
  drafts: number
  /** Gives the post function and what to close afterwards; may have posted `warm` already. */
  open(
    db: Database,
    warm: Draft,
  ): Promise<{
    post(drafts: readonly Draft[]): Promise<PostResult>[]
    close(): Promise<void>
  }>
}

const WAYS: readonly Way[] = [
  {
    name: 'the batcher on a new connection',
    isWarm: false,
    drafts: 1,
    open: async (db) => await Promise.resolve(batcherOn(db)),
  },
  {
    name: 'the batcher that knows its accounts',
    isWarm: true,
    drafts: 3,
    async open(db, warm) {
      const opened = batcherOn(db)
      await Promise.all(opened.post([warm]))
      return opened
    },
  },
  {
    name: 'a transaction of the caller’s own',
    isWarm: false,
    drafts: 2,
    open: async (db) =>
      await Promise.resolve({
        post(drafts) {
          const all = inJournal(db, ORG, async (trx) => await post(trx, drafts))
          return drafts.map(async (_draft, n) => {
            const result = (await all)[n]
            if (result === undefined) {
              throw new Error('a draft without a result')
            }
            return result
          })
        },
        close: async () => await Promise.resolve(),
      }),
  },
]

function batcherOn(db: Database) {
  const batcher = openBatcher(db)
  return {
    post: (drafts: readonly Draft[]) => drafts.map(async (draft) => await batcher.post(ORG, draft)),
    close: async () => await batcher.close(),
  }
}

describe('a posting whose connection is cut', () => {
  let books: Books
  let wire: WireCutter

  before(async () => {
    books = await openBooks()
    await books.post([draftOf('first')])
    const { hostname, port } = new URL(books.database.url)
    wire = await startWireCutter({ host: hostname, port: Number(port) })
  })

  after(async () => {
    const run = await selfCheck(books.db, ORG)
    expect(run?.isRoundDone).to.equal(true)
    expect(run?.news).to.deep.equal([])
    await wire.close()
    await books.close()
  })

  /** Posts drafts with a cut at that message, then the same again; says where it was cut. */
  async function postWithCut(way: Way, n: number, when: CutTime): Promise<string | null> {
    const url = new URL(books.database.url)
    url.port = String(wire.port)
    const db = openDatabase({ url: url.href, poolSize: 2, log: openLog('silent', 'cut') })
    const key = `${way.name} ${when} ${n}`
    const opened = await way.open(db, draftOf(`${key} warm`))
    const drafts = Array.from({ length: way.drafts }, (_none, k) => draftOf(`${key} draft ${k}`))
    wire.cutAt(n, when)
    const heard = await Promise.allSettled(opened.post(drafts))
    const cut = wire.disarm()
    const again = await Promise.all(opened.post(drafts))
    await opened.close()
    await db.close()
    heard.forEach((one, index) => {
      const second = again[index]
      expect(second?.status, `${key}: ${cut}`).to.be.oneOf(['posted', 'existing'])
      if (one.status === 'fulfilled') {
        expect(one.value.status).to.equal('posted')
        const entryNo = one.value.status === 'posted' ? one.value.entryNo : 0n
        expect(second).to.deep.equal({ status: 'existing', entryNo })
      } else {
        const problem: unknown = one.reason
        if (!(problem instanceof Problem)) {
          throw problem
        }
        const what = `${problem.code} ${problem.extras.moved}, then ${second?.status}`
        // Where it says that nothing moved, nothing has.
        expect(what, `${key}: ${cut}`).to.match(/^unavailable (?:unknown, |no, then posted)/)
      }
    })
    const stored = await books.read('select 1 from journal_entries where idempotency_key like $1', [
      `${key} draft _`,
    ])
    expect(stored, `${key}: ${cut}`).to.have.length(way.drafts)
    return cut
  }

  for (const way of WAYS) {
    for (const when of ['before', 'after'] as const) {
      it(`posts once by ${way.name}, cut ${when} each of its messages`, async () => {
        const cuts: string[] = []
        for (let n = 1; ; n += 1) {
          const cut = await postWithCut(way, n, when)
          if (cut === null) {
            break
          }
          cuts.push(cut)
        }
        // The start of a connection, unless there was one; begin, statement and commit.
        const steps = [/^Q .*begin isolation level/, /^Q .*commit; select pg_advisory_unlock/]
        if (when === 'before') {
          steps.push(/^B /, /^D /, /^E$/, /^S$/)
        }
        if (when === 'before' && !way.isWarm) {
          // A connection that posted before has it prepared.
          steps.push(/^P .*post_entries/)
        }
        for (const step of steps) {
          expect(
            cuts.filter((text) => step.test(text)),
            String(step),
          ).to.not.have.length(0)
        }
        expect(cuts.some((text) => text.includes('bahi_test'))).to.equal(!way.isWarm)
      })
    }
  }
})

describe('a posting that Postgres undoes because of others', () => {
  let books: Books

  before(async () => {
    books = await openBooks(12)
    await books.post([draftOf('first')])
  })

  after(async () => {
    const run = await selfCheck(books.db, ORG)
    expect([run?.isRoundDone, run?.news]).to.deep.equal([true, []])
    await books.close()
  })

  async function retries(code: string): Promise<number> {
    const { values } = await serializationRetries.get()
    return values.find(({ labels }) => labels.code === code)?.value ?? 0
  }

  it('is run again after 40001, and its callers hear nothing of it', async () => {
    const before = await retries('40001')
    const batcher = openBatcher(books.db)
    const others = [1, 2].map(async (who) => {
      const results: PostResult[] = []
      for (let n = 0; n < 60; n += 1) {
        // Not in the queue of writers: they meet at the head of the journal.
        const draft = draftOf(`rude-${who}-${n}`)
        results.push(...(await books.db.transact(ORG, async (trx) => await post(trx, [draft]))))
      }
      return results
    })
    const mine = [1, 2, 3, 4].map(async (who) => {
      const results: PostResult[] = []
      for (let n = 0; n < 60; n += 1) {
        results.push(await batcher.post(ORG, draftOf(`polite-${who}-${n}`)))
      }
      return results
    })
    const results = (await Promise.all([...others, ...mine])).flat()
    await batcher.close()
    expect(results.map(({ status }) => status).filter((one) => one !== 'posted')).to.deep.equal([])
    expect(new Set(outcomes(results)).size).to.equal(360)
    expect(await retries('40001')).to.be.greaterThan(before)
  })

  it('is run again after a deadlock, and its caller hears nothing of it', async () => {
    const before = await retries('40P01')
    const rude = new pg.Client({ connectionString: books.database.ownerUrl })
    await rude.connect()
    // The other one finds the deadlock, and so is the one that is undone.
    await rude.query(`set deadlock_timeout = '1min'; begin`)
    await rude.query('select from accounts where org_id = 1 and account_id = 1 for update')
    const batcher = openBatcher(books.db)
    const posted = batcher.post(ORG, draftOf('deadlocked'))
    try {
      await asOwner(books.database.ownerUrl, async (watcher) => {
        await until(async () => {
          const { rowCount } = await watcher.query(
            `select from pg_stat_activity where datname = current_database()
                and wait_event_type = 'Lock' and query like '%post_entries%'`,
          )
          return rowCount === 1
        })
      })
      await rude.query('select from journal_heads where org_id = 1 for update')
      await rude.query('rollback')
    } finally {
      await rude.end()
    }
    expect((await posted).status).to.equal('posted')
    expect(await retries('40P01')).to.be.greaterThan(before)
    await batcher.close()
  })
})
