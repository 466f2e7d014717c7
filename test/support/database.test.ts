/** The owner's sessions of a test database: kept for the next one, and each as good as new. */
import { expect } from 'chai'
import type pg from 'pg'
import { asOwner } from '../../scripts/stack.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

describe('a session of the owner in a test database', () => {
  let database: TestDatabase

  beforeEach(async () => {
    database = await createTestDatabase()
  })

  afterEach(async () => {
    await database.drop()
  })

  const pidOf = async (client: pg.Client): Promise<number> => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    return rows[0]?.pid ?? 0
  }

  it('is the one of before, without what that one had set or locked', async () => {
    const first = await database.asOwner(async (client) => {
      await client.query(`set session_replication_role = replica; select pg_advisory_lock(1);
        create temp table accounts (n integer)`)
      return await pidOf(client)
    })
    await database.asOwner(async (client) => {
      expect(await pidOf(client)).to.equal(first)
      const { rows } = await client.query(
        `select current_setting('session_replication_role') as role,
                (select count(*)::integer from pg_locks where locktype = 'advisory') as locks,
                'accounts'::regclass = 'public.accounts'::regclass as is_real`,
      )
      expect(rows).to.deep.equal([{ role: 'origin', locks: 0, is_real: true }])
    })
  })

  it('is another one where the one of before failed, or stands in a transaction', async () => {
    let failed = 0
    const thrown = await database
      .asOwner(async (client) => {
        failed = await pidOf(client)
        await client.query('begin; select 1 / 0')
      })
      .catch(String)
    expect(thrown).to.contain('division by zero')
    expect(await database.asOwner(pidOf)).to.not.equal(failed)
    const open = await database.asOwner(async (client) => await client.query('begin')).catch(String)
    expect(open).to.contain('DISCARD ALL cannot run inside a transaction block')
    expect(await database.asOwner(pidOf)).to.be.greaterThan(0)
  })

  it('is another one where the server ended the one of before, at work or idle', async () => {
    const killed = await database
      .asOwner(
        async (client) => await client.query('select pg_terminate_backend(pg_backend_pid())'),
      )
      .catch(String)
    expect(killed).to.contain('terminating connection')
    const idle = await database.asOwner(pidOf)
    await asOwner(database.ownerUrl, async (client) => {
      await client.query('select pg_terminate_backend($1, 5000)', [idle])
    })
    const next = await database.asOwner(pidOf)
    expect(next).to.not.equal(idle)
    expect(await database.asOwner(pidOf)).to.equal(next)
  })

  it('is each caller’s own where several work at once', async () => {
    const pids = await Promise.all(
      [1, 2, 3].map(
        async () =>
          await database.asOwner(async (client) => {
            await client.query('select pg_sleep(0.1)')
            return await pidOf(client)
          }),
      ),
    )
    expect(new Set(pids).size).to.equal(3)
  })
})
