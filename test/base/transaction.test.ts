/** Transactions whose statements fail: what is told of it, and that nothing is told as done. */
import { expect } from 'chai'
import { sqlStateOf } from '../../src/base/database-error.ts'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

describe('a transaction in which a statement fails', () => {
  let database: TestDatabase
  let db: Database

  before(async () => {
    database = await createTestDatabase()
    db = openDatabase({ url: database.url, poolSize: 2, log: openLog('silent', 'test') })
  })

  after(async () => {
    await db.close()
    await database.drop()
  })

  it('is not told as done where the work goes on as if nothing was', async () => {
    const thrown = await db
      .transact(1, async (trx) => {
        await trx.query('select 1 / 0').catch(() => undefined)
        return 'done'
      })
      .catch((error: unknown) => error)
    expect(sqlStateOf(thrown)).to.equal('22012')
    expect(await db.transact(1, async (trx) => await trx.query('select 1 as n'))).to.deep.equal([
      { n: 1 },
    ])
  })

  it('tells of no failure that a savepoint undid', async () => {
    const told = await db
      .bulk(1, async (trx) => {
        await trx.query('savepoint here')
        await trx.query('select 1 / 0').catch(() => undefined)
        await trx.query('rollback to savepoint here')
        await trx.copyIn('copy nothing_here from stdin', []).catch(() => undefined)
        await trx.query('select 1')
      })
      .catch((error: unknown) => error)
    expect(sqlStateOf(told)).to.equal('25P02')
  })
})
