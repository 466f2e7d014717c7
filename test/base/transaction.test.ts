/** Transactions whose statements fail: what is told of it, and that nothing is told as done. */
import { expect } from 'chai'
import { sqlStateOf } from '../../src/base/database-error.ts'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { together } from '../../src/base/together.ts'
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

  it('is run again also where what was sent behind the failure is heard of first', async () => {
    const fail = `do $$ begin raise exception 'again' using errcode = '40001'; end $$`
    let runs = 0
    const done = await db.transact(1, async (trx) => {
      runs += 1
      const failing = trx.query(runs === 1 ? fail : 'select 1')
      return (await together([trx.query('select 2 as n'), failing]))[0]
    })
    expect([done, runs]).to.deep.equal([[{ n: 2 }], 2])
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
