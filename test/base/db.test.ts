/** Transactions on a real Postgres: run again, undone, walled off, queued, and recovered. */
import { expect } from 'chai'
import pg from 'pg'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import { readKeyring } from '../../src/base/crypto.ts'
import { isConnectionError, sqlStateOf } from '../../src/base/database-error.ts'
import { build, openDatabase, type Database, type Trx } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { Problem } from '../../src/base/problem.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { GATEWAYS_URL } from '../support/service.ts'
import { testOrganisation } from '../support/organisation.ts'
import { until } from '../support/until.ts'
import { rejection } from './thrown.ts'

const keyring = readKeyring(`k1:${Buffer.alloc(32, 1).toString('base64')}`)

const INSERT = `insert into outbox (org_id, outbox_id, topic, subject)
                values ($1, $2, 'issue_receipt', $2)`

describe('the database', () => {
  let database: TestDatabase
  let db: Database

  before(async () => {
    database = await createTestDatabase()
    await asOwner(database.ownerUrl, async (client) => {
      for (const [orgId, slug] of [
        [1, 'one'],
        [2, 'two'],
      ] as const) {
        await createOrganisation(client, keyring, testOrganisation(GATEWAYS_URL, { orgId, slug }))
      }
    })
    db = openDatabase({ url: database.url, poolSize: 6, log: openLog('silent', 'test') })
  })

  after(async () => {
    await db.close()
    await database.drop()
  })

  async function subjects(scope: number): Promise<string[]> {
    const rows = await db.read(
      scope,
      async (trx) => await trx.query<{ subject: string }>('select subject from outbox order by 1'),
    )
    return rows.map((row) => row.subject)
  }

  /** A gate: `open` lets those through who wait for it. */
  function gate(): { opened: Promise<void>; open: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    return { opened: promise, open: resolve }
  }

  describe('a transaction that plans once', () => {
    const LOOK_UP = 'select outbox_id from outbox where org_id = $1 and outbox_id = $2'

    async function keptPlans(): Promise<{ calls: number; settings: string[] }> {
      return await db.transact(
        1,
        async (trx) => {
          await trx.query(LOOK_UP, [1, 'none'])
          const [kept] = await trx.query<{ calls: number }>(
            `select (generic_plans + custom_plans)::integer as calls
               from pg_prepared_statements where statement = $1`,
            [LOOK_UP],
          )
          const settings = await trx.query<{ setting: string }>(
            `select setting from pg_settings
              where name in ('enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin',
                             'enable_mergejoin')`,
          )
          return { calls: kept?.calls ?? 0, settings: settings.map(({ setting }) => setting) }
        },
        { planOnce: true },
      )
    }

    it('keeps each statement under a name, planned to look rows up by keys', async () => {
      const first = await keptPlans()
      const second = await keptPlans()
      expect(first.calls).to.be.greaterThan(0)
      expect(second.calls).to.equal(first.calls + 1)
      expect(second.settings).to.deep.equal(['off', 'off', 'off', 'off'])
    })

    it('leaves the connection as it was for those after it', async () => {
      await keptPlans()
      const [row] = await db.transact(
        1,
        async (trx) =>
          await trx.query<{ on: string }>(`select current_setting('enable_seqscan') as on`),
      )
      expect(row?.on).to.equal('on')
    })
  })

  describe('a statement that is prepared', () => {
    const SELECT = 'select note from plans where org_id = $1'

    async function changeType(type: string): Promise<void> {
      await asOwner(database.ownerUrl, async (client) => {
        await client.query(`alter table plans alter column note type ${type}`)
      })
    }

    before(async () => {
      await asOwner(database.ownerUrl, async (client) => {
        await client.query(
          `create table plans (org_id integer, note text);
           insert into plans values (1, 'kept');
           grant select on plans to bahi_app`,
        )
      })
    })

    after(async () => {
      await asOwner(database.ownerUrl, async (client) => {
        await client.query('drop table plans')
      })
    })

    /** On all connections at once, so that none is left that does not have the plan. */
    async function everywhere(read: () => Promise<object[]>): Promise<object[]> {
      return (await Promise.all(Array.from({ length: 6 }, read))).flat()
    }

    it('is prepared anew where a migration changed what it gives', async () => {
      const read = async () =>
        await db.transact(1, async (trx) => await trx.query(SELECT, [1]), { planOnce: true })
      await everywhere(read)
      await changeType('varchar(200)')
      const kept = await everywhere(read)
      expect(kept).to.deep.equal(kept.map(() => ({ note: 'kept' })))
      expect(kept).to.have.length(6)
    })

    it('is so in a transaction of one statement as well', async () => {
      const read = async () =>
        await db.transactOnce<object>(1, { name: 'plans', sql: SELECT, params: [1] }, 'recon')
      await read()
      await changeType('varchar(300)')
      expect(await read()).to.deep.equal([{ note: 'kept' }])
    })
  })

  describe('a transaction', () => {
    it('is run again where two of them cannot have happened one after the other', async () => {
      const both = gate()
      let arrived = 0
      let runs = 0
      const add = async (own: string): Promise<number> =>
        await db.transact(1, async (trx) => {
          runs += 1
          const rows = await trx.query<{ n: bigint }>(
            "select count(*) as n from outbox where subject like 'skew%'",
          )
          arrived += 1
          if (arrived === 2) {
            both.open()
          }
          // Both have read before either writes: whoever commits second contradicts the first.
          await both.opened
          await trx.query(INSERT, [1, own])
          return Number(rows[0]?.n)
        })
      const seen = await Promise.all([add('skew a'), add('skew b')])
      expect(runs).to.be.greaterThan(2)
      expect(seen).to.have.members([0, 1])
      expect(await subjects(1)).to.include.members(['skew a', 'skew b'])
    })

    it('gives up after a number of tries, and says that no money moved', async () => {
      let runs = 0
      const problem = await rejection(
        db.transact(1, async (trx) => {
          runs += 1
          await trx.query(INSERT, [1, 'never'])
          await trx.query(`do $$ begin raise exception 'again' using errcode = '40001'; end $$`)
        }),
      )
      expect(problem).to.be.instanceOf(Problem)
      expect(problem).to.deep.include({ code: 'unavailable', status: 503 })
      expect((problem as Problem).extras).to.include({ moved: 'no', retryAfter: 1 })
      expect(runs).to.equal(12)
      expect(await subjects(1)).to.not.include('never')
    })

    it('is run again after a deadlock', async () => {
      let runs = 0
      await db.transact(1, async (trx) => {
        runs += 1
        if (runs === 1) {
          await trx.query(`do $$ begin raise exception 'cycle' using errcode = '40P01'; end $$`)
        }
      })
      expect(runs).to.equal(2)
    })

    it('is undone whole by any error, which comes out as it was thrown', async () => {
      const own = new Error('our own')
      const thrown = await rejection(
        db.transact(1, async (trx) => {
          await trx.query(INSERT, [1, 'undone'])
          throw own
        }),
      )
      expect(thrown).to.equal(own)
      const refused = await rejection(
        db.transact(1, async (trx) => {
          await trx.query(INSERT, [1, 'undone'])
          await trx.query('select 1 / 0')
        }),
      )
      expect(sqlStateOf(refused)).to.equal('22012')
      expect(await subjects(1)).to.not.include('undone')
    })

    it('runs once where nothing is wrong, and gives what the work gives', async () => {
      let runs = 0
      const given = await db.transact(2, async (trx) => {
        runs += 1
        const [row] = await trx.query<{ level: string }>('show transaction_isolation')
        return [trx.scope, Object.values(row ?? {})]
      })
      expect([runs, given]).to.deep.equal([1, [2, ['serializable']]])
    })

    it('for reading refuses to write', async () => {
      const refused = await rejection(
        db.read(1, async (trx) => await trx.query(INSERT, [1, 'by a reader'])),
      )
      expect(sqlStateOf(refused)).to.equal('25006')
    })
  })

  describe('the wall between organisations', () => {
    it('hides the rows of others from every statement', async () => {
      await db.transact(1, async (trx) => await trx.query(INSERT, [1, 'of one']))
      const tables = await db.read(2, async (trx) => {
        const rows = await trx.query<{ name: string }>(
          `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = 'public' and c.relkind = 'r' and c.relrowsecurity`,
        )
        const seen: [string, bigint][] = []
        for (const { name } of rows) {
          const [row] = await trx.query<{ n: bigint }>(
            `select count(*) as n from ${name} where org_id <> 2`,
          )
          seen.push([name, row?.n ?? -1n])
        }
        return seen
      })
      expect(tables.length).to.be.greaterThan(15)
      expect(tables.filter(([, n]) => n !== 0n)).to.deep.equal([])
      expect(await subjects(1)).to.include('of one')
      expect(await subjects(2)).to.not.include('of one')
    })

    it('stands around every table that has an organisation', async () => {
      const open = await db.statement<{ name: string }>(
        `select c.relname as name from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
        where n.nspname = 'public' and c.relkind in ('r', 'p')
          and not (c.relrowsecurity and c.relforcerowsecurity)`,
      )
      expect(open).to.deep.equal([])
    })

    it('refuses rows for another organisation', async () => {
      const refused = await rejection(
        db.transact(2, async (trx) => await trx.query(INSERT, [1, 'planted'])),
      )
      expect(sqlStateOf(refused)).to.equal('42501')
    })

    it('holds for updates and for the next user of the connection', async () => {
      const touched = await db.transact(
        2,
        async (trx) =>
          await trx.query(`update outbox set state = 'dead' where subject = 'of one' returning 1`),
      )
      expect(touched).to.deep.equal([])
      const { rows } = await db.pool.query<{ n: bigint }>('select count(*) as n from outbox')
      expect(rows[0]?.n).to.equal(0n)
    })

    it('is open to the intake and the sweep, where the table says so', async () => {
      const all = await db.statement<{ org_id: number }>('select distinct org_id from outbox')
      expect(all).to.deep.equal([{ org_id: 1 }])
      expect(await db.statement('select * from funds')).to.deep.equal([])
    })
  })

  describe('a lost connection', () => {
    it('fails its transaction, writes nothing, and is replaced', async () => {
      const failure = await rejection(
        db.transact(1, async (trx) => {
          await trx.query(INSERT, [1, 'cut off'])
          const [own] = await trx.query<{ pid: number }>('select pg_backend_pid() as pid')
          await terminate(own?.pid ?? 0)
          await trx.query('select 1')
        }),
      )
      expect(isConnectionError(failure), failure.message).to.equal(true)
      expect(await subjects(1)).to.not.include('cut off')
      const answers = await Promise.all(
        Array.from({ length: 12 }, async () => await db.read(1, async (trx) => await one(trx))),
      )
      expect(answers).to.deep.equal(Array.from({ length: 12 }, () => 1))
    })

    it('that nobody is using goes unnoticed', async () => {
      await asOwner(database.ownerUrl, async (client) => {
        await client.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`,
        )
      })
      await until(() => db.pool.totalCount === 0)
      expect(await db.read(1, one)).to.equal(1)
    })

    it('is told from an answer that says no', () => {
      expect(isConnectionError(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).to.equal(
        true,
      )
      expect(isConnectionError(new Error('Connection terminated unexpectedly'))).to.equal(true)
      const nested = new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })])
      expect(isConnectionError(nested)).to.equal(true)
      expect(isConnectionError(new Error('syntax error'))).to.equal(false)
      expect(isConnectionError('ECONNREFUSED')).to.equal(false)
    })

    it('is found by a ping within its time', async () => {
      await db.ping(5000)
      const away = openDatabase({
        url: 'postgres://nobody:x@127.0.0.1:1/none',
        poolSize: 4,
        log: openLog('silent', 'test'),
      })
      expect(isConnectionError(await rejection(away.ping(2000)))).to.equal(true)
      await away.close()
    })

    async function terminate(pid: number): Promise<void> {
      await asOwner(database.ownerUrl, async (client) => {
        await client.query('select pg_terminate_backend($1)', [pid])
        await until(async () => {
          const { rowCount } = await client.query('select 1 from pg_stat_activity where pid = $1', [
            pid,
          ])
          return rowCount === 0
        })
      })
    }
  })

  async function one(trx: Trx): Promise<number> {
    const [row] = await trx.query<{ one: number }>('select 1 as one')
    return row?.one ?? 0
  }

  describe('the queue of writers', () => {
    const queued = async (scope: number, work: (trx: Trx) => Promise<void>): Promise<void> => {
      await db.transact(scope, work, { queue: 'journal' })
    }

    const waitingForLocks = async (): Promise<number> =>
      await asOwner(database.ownerUrl, async (client) => {
        const { rowCount } = await client.query(
          `select 1 from pg_locks l join pg_database d on d.oid = l.database
          where d.datname = current_database() and l.locktype = 'advisory' and not l.granted`,
        )
        return rowCount ?? 0
      })

    it('lets one writer of an organisation in at a time, others’ beside it', async () => {
      const done: string[] = []
      const hold = gate()
      const inside = gate()
      const first = queued(1, async () => {
        inside.open()
        await hold.opened
        done.push('first')
      })
      await inside.opened
      const second = queued(1, async () => {
        done.push('second')
        await Promise.resolve()
      })
      await until(async () => (await waitingForLocks()) === 1)
      await queued(2, async () => {
        done.push('neighbour')
        await Promise.resolve()
      })
      expect(done).to.deep.equal(['neighbour'])
      hold.open()
      await Promise.all([first, second])
      expect(done).to.deep.equal(['neighbour', 'first', 'second'])
    })

    it('spares those who wait from running twice', async () => {
      let runs = 0
      await Promise.all(
        Array.from({ length: 8 }, async (_none, index) => {
          await queued(2, async (trx) => {
            runs += 1
            await trx.query('select count(*) from outbox')
            await trx.query(INSERT, [2, `queued ${index}`])
          })
        }),
      )
      expect(runs).to.equal(8)
    })

    it('is left by a writer that fails, and by one whose connection dies', async () => {
      await rejection(queued(1, async () => await Promise.reject(new Error('failed inside'))))
      await rejection(queued(1, async (trx) => void (await trx.query('select 1 / 0'))))
      await rejection(
        queued(
          1,
          async (trx) => void (await trx.query('select pg_terminate_backend(pg_backend_pid())')),
        ),
      )
      let ran = false
      await queued(1, async () => {
        ran = true
        await Promise.resolve()
      })
      expect(ran).to.equal(true)
      expect(await waitingForLocks()).to.equal(0)
    })
  })

  describe('values', () => {
    it('come as bigint for bigint, as text for a day, as Date for an instant', async () => {
      const [row] = await db.read(
        1,
        async (trx) =>
          await trx.query<Record<string, unknown>>(
            `select 9223372036854775807 as big, 5::integer as small, date '2026-03-31' as day,
                  timestamptz '2026-03-31 18:30:00Z' as instant, $1::bigint as given,
                  null::bigint as nothing`,
            [-7n],
          ),
      )
      expect(row).to.deep.equal({
        big: 9_223_372_036_854_775_807n,
        small: 5,
        day: '2026-03-31',
        instant: new Date('2026-03-31T18:30:00Z'),
        given: -7n,
        nothing: null,
      })
    })

    it('reach the query builder as parameters, never as SQL', async () => {
      const name = `'; drop table funds; --`
      const rows = await db.read(
        1,
        async (trx) => await trx.run<{ fund: string }>(build('funds').where({ name })),
      )
      expect(rows).to.deep.equal([])
      const { rows: there } = await asOwner(
        database.ownerUrl,
        async (client) => await client.query('select 1 from funds limit 1'),
      )
      expect(there).to.have.length(1)
    })

    it('are written by a login that owns nothing and is no superuser', async () => {
      const client = new pg.Client({ connectionString: database.url })
      await client.connect()
      const refused = await rejection(client.query('select * from outbox'))
      await client.end()
      expect(sqlStateOf(refused)).to.equal('42501')
      const [role] = await db.statement<{ name: string; rolsuper: boolean }>(
        'select rolname as name, rolsuper from pg_roles where rolname = current_user',
      )
      expect(role).to.deep.equal({ name: 'bahi_app', rolsuper: false })
    })
  })
})
