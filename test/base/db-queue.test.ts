/** Tests of who waits for an organisation's writers: he is refused in time and holds nothing. */
import { expect } from 'chai'
import type pg from 'pg'
import { Problem } from '../../src/base/problem.ts'
import { openBooks, ORG, OTHER_ORG, typingClient, type Books } from '../ledger/books.ts'
import { until } from '../support/until.ts'

/** The journal's half of the lock's key, as in `base/transaction.ts`, and the organisation. */
const LOCK = `${String(0x62616869)}, ${ORG}`

describe('who waits for the journal', () => {
  let books: Books
  let holder: pg.Client

  beforeEach(async () => {
    books = await openBooks(4)
    holder = await typingClient(books, ORG)
    await holder.query(`select pg_advisory_lock(${LOCK})`)
  })

  afterEach(async () => {
    await holder.end()
    await books.close()
  })

  /** The backends that wait for the lock. */
  async function waiting(): Promise<number[]> {
    const { rows } = await holder.query<{ pid: number }>(
      `select pid from pg_locks where locktype = 'advisory' and not granted`,
    )
    return rows.map(({ pid }) => pid)
  }

  const write = async (orgId = ORG): Promise<unknown> =>
    await books.db
      .transact(orgId, async (trx) => await trx.query('select 1 as done'), { queue: 'journal' })
      .catch((error: unknown) => error)

  it('and is given up hears that nothing moved, and leaves his connection behind', async () => {
    const answer = write()
    await until(async () => (await waiting()).length === 1)
    const [pid] = await waiting()
    await books.own(`select pg_cancel_backend(${pid})`)
    const problem = await answer
    expect(problem).to.be.instanceOf(Problem).with.property('code', 'unavailable')
    expect((problem as Problem).extras.moved).to.equal('no')
    await until(async () => {
      const { rows } = await holder.query('select 1 from pg_stat_activity where pid = $1', [pid])
      return rows.length === 0
    })
    await holder.query(`select pg_advisory_unlock(${LOCK})`)
    expect(await write()).to.deep.equal([{ done: 1 }])
  })

  it('leaves connections to the other organisations, however many wait with him', async () => {
    const answers = Array.from({ length: 20 }, async () => await write())
    await until(async () => (await waiting()).length === 2)
    expect(await write(OTHER_ORG)).to.deep.equal([{ done: 1 }])
    expect(await waiting()).to.have.length(2)
    await holder.query(`select pg_advisory_unlock(${LOCK})`)
    for (const answer of await Promise.all(answers)) {
      expect(answer).to.deep.equal([{ done: 1 }])
    }
  })
})
