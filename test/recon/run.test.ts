/** Tests of runs: right on books with known faults, in whatever pieces, twice, and late. */
import { expect } from 'chai'
import { AS_OF } from '../../scripts/recon/lives.ts'
import { FILE_NO, loadFiles, writeBooks } from '../../scripts/recon/books.ts'
import { corpusOf, type Corpus } from '../../scripts/recon/corpus.ts'
import { judge } from '../../scripts/recon/judge.ts'
import { isWhole, totalsOf } from '../../scripts/recon/totals.ts'
import type { Database } from '../../src/base/db.ts'
import { Problem } from '../../src/base/problem.ts'
import { goOn } from '../../src/recon/run.ts'
import { askRun } from '../../src/recon/runs.ts'
import { openBooks, ORG, OTHER_ORG, type Books } from '../ledger/books.ts'

const ALL = Object.values(FILE_NO)

/** A database on which everything is done, and nothing committed. */
function cutBeforeCommit(db: Database): Database {
  return {
    ...db,
    transact: async (scope, work, options) =>
      await db.transact(
        scope,
        async (trx) => {
          await work(trx)
          throw new Error('cut')
        },
        options,
      ),
  }
}

describe('a run of the reconciliation', () => {
  let books: Books

  beforeEach(async () => {
    books = await openBooks()
  })

  afterEach(async () => {
    await books.close()
  })

  async function load(corpus: Corpus, orgId = ORG) {
    await books.database.asOwner(async (client) => {
      await client.query(`set bahi.org_id = '${orgId}'`)
      await writeBooks(client, orgId, corpus)
    })
    return await loadFiles(books.db, orgId, corpus)
  }

  async function ask(files: readonly number[], orgId = ORG): Promise<void> {
    await books.db.transact(orgId, async (trx) => {
      await askRun(trx, { files, asOf: AS_OF, actor: 'test' })
    })
  }

  async function run(files: readonly number[], orgId = ORG): Promise<void> {
    await ask(files, orgId)
    while (await goOn(books.db, orgId)) {
      // Part by part.
    }
  }

  async function matched(orgId = ORG): Promise<object[]> {
    return await books.read(
      `select file_no, row_no, record_id, reversal, whole, amount, rule, agrees, candidates
         from recon_matches order by file_no, row_no, record_id`,
      [],
      orgId,
    )
  }

  async function broken(orgId = ORG): Promise<object[]> {
    return await books.read(
      `select kind, subject, amount, detail from recon_exceptions where state = 'open'
        order by subject, kind`,
      [],
      orgId,
    )
  }

  it('matches nothing wrongly, all that can be decided, and accounts for every row', async () => {
    const corpus = corpusOf('test', 3000)
    const faults = await load(corpus)
    await run(ALL)
    const [judged, totals] = await books.database.asOwner(async (client) => {
      await client.query(`set bahi.org_id = '${ORG}'`)
      return [await judge(client, corpus, faults), await totalsOf(client, corpus, faults)] as const
    })
    expect(totals.filter((one) => !isWhole(one))).to.deep.equal([])
    expect(totals.some(({ refused }) => refused > 0n)).to.equal(true)
    expect(totals.map(({ source }) => source)).to.include('statement')
    expect(judged.wrong).to.equal(0)
    expect(judged.matched).to.equal(judged.decidable)
    expect(judged.accounted).to.equal(judged.rows)
    const confused = [...judged.confusion].flatMap(([expected, found]) => {
      const due = expected.split(': ')[1] ?? ''
      return [...found.keys()]
        .filter((what) => !allowed(due).includes(what))
        .map((what) => `${expected} → ${what}`)
    })
    expect(confused).to.deep.equal([])
  })

  /** What may be found of each class of the corpus. */
  function allowed(due: string): string[] {
    return due === 'held' ? ['none'] : due === 'both' ? ['match'] : [due]
  }

  it('finds the same for another organisation, and nothing of the first one', async () => {
    const corpus = corpusOf('same', 500)
    await load(corpus)
    await load(corpus, OTHER_ORG)
    await run(ALL)
    expect(await matched(OTHER_ORG)).to.deep.equal([])
    await run(ALL, OTHER_ORG)
    expect(await matched(OTHER_ORG)).to.deep.equal(await matched())
    expect(await broken(OTHER_ORG)).to.deep.equal(await broken())
  })

  it('changes nothing the second time', async () => {
    await load(corpusOf('twice', 500))
    await run(ALL)
    const before = [await matched(), await broken()]
    await run(ALL)
    expect([await matched(), await broken()]).to.deep.equal(before)
  })

  it('ends the breaks that a late file explains', async () => {
    await load(corpusOf('late', 500))
    await run([FILE_NO.payu, FILE_NO.stripe, FILE_NO.statement])
    const missing = await books.read<{ n: number }>(
      `select count(*)::integer as n from recon_exceptions
        where state = 'open' and kind = 'missing_external'`,
    )
    await run([FILE_NO.razorpay])
    const late = [await matched(), await broken()]
    const [gone] = await books.read<{ n: number }>(
      `select count(*)::integer as n from recon_exceptions where state = 'gone'`,
    )
    expect(gone?.n).to.be.greaterThan(100)
    expect(missing[0]?.n).to.be.greaterThan(100)
    // In two runs it comes to what it comes to in one.
    const others = corpusOf('late', 500)
    await load(others, OTHER_ORG)
    await run(ALL, OTHER_ORG)
    expect(late).to.deep.equal([await matched(OTHER_ORG), await broken(OTHER_ORG)])
  })

  it('goes on where it was cut off, at any part', async () => {
    const corpus = corpusOf('cut', 400)
    await load(corpus)
    await load(corpus, OTHER_ORG)
    await run(ALL, OTHER_ORG)
    await ask(ALL)
    for (let parts = 0, more = true; more; parts += 1) {
      // The part is done and undone, as where the process ends before its commit.
      const undone = await goOn(cutBeforeCommit(books.db), ORG).catch((error: unknown) => error)
      expect(undone).to.be.instanceOf(Error).with.property('message', 'cut')
      more = await goOn(books.db, ORG)
      expect(parts).to.be.lessThan(100)
    }
    expect([await matched(), await broken()]).to.deep.equal([
      await matched(OTHER_ORG),
      await broken(OTHER_ORG),
    ])
  })

  it('is one at a time, and two that do its parts at the same time do each once', async () => {
    const corpus = corpusOf('two', 400)
    await load(corpus)
    await load(corpus, OTHER_ORG)
    await run(ALL, OTHER_ORG)
    await ask(ALL)
    const second = await ask([]).catch((error: unknown) => error)
    expect(second).to.be.instanceOf(Problem).with.property('code', 'run_going')
    const worker = async (): Promise<void> => {
      while (await goOn(books.db, ORG)) {
        // Beside the other one.
      }
    }
    await Promise.all([worker(), worker()])
    expect([await matched(), await broken()]).to.deep.equal([
      await matched(OTHER_ORG),
      await broken(OTHER_ORG),
    ])
    const [progress] = await books.read<{ progress: { lines: number } }>(
      `select progress from recon_runs`,
    )
    expect(progress?.progress.lines).to.be.greaterThan(380)
  })

  it('takes no line for the whole of what other lines told in parts', async () => {
    const corpus = corpusOf('parts', 400)
    await load(corpus)
    await run(ALL)
    const [split] = await books.read<{ record_id: string }>(
      `select record_id from recon_matches where rule = 'split' limit 1`,
    )
    await books.database.asOwner(async (client) => {
      await client.query(`set bahi.org_id = '${ORG}'`)
      await client.query(
        `insert into settlement_lines (org_id, file_no, row_no, row_key, gateway, account, kind,
           external_id, amount, fee, tax, net, currency)
         select org_id, 9, 1, gen_random_uuid(), gateway, account, 'payment', gateway_payment_id,
                amount, fee, tax, amount - fee, 'INR'
           from payments where payment_id = $1`,
        [split?.record_id],
      )
    })
    const before = await matched()
    await run([9])
    expect(await matched()).to.deep.equal(before)
    const told = await books.read(
      `select kind from recon_exceptions where state = 'open' and subject = 'line 9 1'`,
    )
    expect(told).to.deep.equal([{ kind: 'duplicate_external' }])
  })

  it('has nothing to do where nothing was asked for, or nothing is there', async () => {
    expect(await goOn(books.db, ORG)).to.equal(false)
    await run([])
    await run([99])
    expect(await matched()).to.deep.equal([])
  })
})
