/** Rate limits across processes: counted together, quickly, and alone where the store is away. */
import { expect } from 'chai'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readConfig, type Config } from '../../src/base/config.ts'
import { freePort } from '../../src/base/embedded-postgres.ts'
import { openLog } from '../../src/base/log.ts'
import { registry } from '../../src/base/metrics.ts'
import { Problem } from '../../src/base/problem.ts'
import {
  openRateCounters,
  type CounterOptions,
  type RateCounters,
} from '../../src/base/rate-counter.ts'
import { openRateStore, type Quota, type RateStore } from '../../src/base/rate-store.ts'
import { asOwner } from '../../scripts/stack.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { rejection } from './thrown.ts'

const log = openLog('silent', 'test')
/** What is counted to the last one is counted by a store that is never taken for away. */
const PATIENCE_MS = 20_000
const ALONE: CounterOptions = { whenAway: 'count alone' }
const CLOSED: CounterOptions = { whenAway: 'refuse' }

function configFor(url: string, redisUrl = ''): Config {
  return readConfig({
    DATABASE_URL: url,
    REDIS_URL: redisUrl,
    SES_ENDPOINT: 'http://127.0.0.1:1',
    JWT_SECRET: 'a test secret of at least 32 characters',
    DATA_KEYS: `t1:${Buffer.alloc(32, 7).toString('base64')}`,
  })
}

/** How many of that many calls, all at once, are let through. */
async function letThrough(
  counters: RateCounters,
  quota: Quota,
  options: CounterOptions,
  calls: number,
): Promise<number> {
  const counter = counters.counter(quota, options)
  const taken = await Promise.all(
    Array.from({ length: calls }, async () => await counter.take('somebody')),
  )
  return taken.filter(({ isOver }) => !isOver).length
}

async function failures(): Promise<number> {
  const metric = await registry.getSingleMetric('bahi_rate_limiter_failures_total')?.get()
  return metric?.values[0]?.value ?? 0
}

let quotaCount = 0
const quotaOf = (limit: number, windowS = 60): Quota => {
  quotaCount += 1
  return { name: `test${quotaCount}`, limit, windowS }
}

/** What holds for either store. */
function holdsFor(name: string, open: () => Promise<RateStore>): void {
  describe(`a rate limit counted in ${name}`, () => {
    const opened: RateCounters[] = []
    const process = async () => {
      const counters = openRateCounters(await open(), log)
      opened.push(counters)
      return counters
    }

    after(async () => {
      for (const counters of opened) {
        await counters.close()
      }
    })

    holdsForOne(process)
    holdsForSeveral(process)
  })
}

function holdsForOne(process: () => Promise<RateCounters>): void {
  it('lets through as many as it says, of calls at once and one after another', async () => {
    const one = await process()
    const quota = quotaOf(100)
    expect(await letThrough(one, quota, ALONE, 150)).to.equal(100)
    expect(await letThrough(one, quota, ALONE, 10)).to.equal(0)
    const closed = quotaOf(5)
    let through = 0
    for (let call = 0; call < 8; call += 1) {
      through += await letThrough(one, closed, CLOSED, 1)
    }
    expect(through).to.equal(5)
  })

  it('keeps callers apart, whatever they are called', async () => {
    const one = await process()
    const quota = quotaOf(1)
    const counter = one.counter(quota, CLOSED)
    for (const key of ['a', 'A', '', "'; drop table rate_limits; --", '\0', 'x'.repeat(100_000)]) {
      expect((await counter.take(key)).isOver, key.slice(0, 40)).to.equal(false)
      expect((await counter.take(key)).isOver, key.slice(0, 40)).to.equal(true)
    }
  })

  it('begins anew when the window is over, and says when that is', async () => {
    const one = await process()
    const quota = quotaOf(2, 1)
    const counter = one.counter(quota, CLOSED)
    const first = await counter.take('somebody')
    expect(first).to.deep.equal({ isOver: false, remaining: 1, resetS: 1 })
    await counter.take('somebody')
    expect(await counter.take('somebody')).to.include({ isOver: true, remaining: 0 })
    await until(async () => !(await counter.take('somebody')).isOver)
  })
}

function holdsForSeveral(process: () => Promise<RateCounters>): void {
  it('lets no more through where two processes count', async () => {
    const [one, other] = [await process(), await process()]
    const quota = quotaOf(100)
    // Far from the limit each keeps what it counted to itself, for a moment.
    expect(await letThrough(one, quota, ALONE, 40)).to.equal(40)
    await one.settle()
    expect(await letThrough(other, quota, ALONE, 80)).to.be.within(58, 60)
    // The first has not heard of it, and keeps a tenth to itself.
    expect(await letThrough(one, quota, ALONE, 20)).to.be.at.most(10)
    await one.settle()
    expect(await letThrough(one, quota, ALONE, 20)).to.equal(0)
  })

  it('lets through at once no more than what processes may keep to themselves', async () => {
    const all = [await process(), await process(), await process()]
    const quota = quotaOf(200)
    const through = await Promise.all(
      all.map(async (counters) => await letThrough(counters, quota, ALONE, 200)),
    )
    const sum = through.reduce((total, one) => total + one, 0)
    expect(sum).to.be.within(200, 200 + 3 * 20)
  })

  it('lets exactly as many through where each call is told, however many count', async () => {
    const all = [await process(), await process(), await process()]
    const quota = quotaOf(20)
    const through = await Promise.all(
      all.map(async (counters) => await letThrough(counters, quota, CLOSED, 20)),
    )
    expect(through.reduce((total, one) => total + one, 0)).to.equal(20)
  })
}

const hasRedis = spawnSync('redis-server', ['--version']).status === 0

describe('rate limits', () => {
  let database: TestDatabase
  let redis: ChildProcess | undefined
  let redisUrl = ''

  before(async () => {
    database = await createTestDatabase()
    if (hasRedis) {
      const port = await freePort()
      redis = spawn('redis-server', ['--port', String(port), '--save', ''], { stdio: 'ignore' })
      redisUrl = `redis://127.0.0.1:${port}`
    }
  })

  after(async () => {
    await database.drop()
    if (redis !== undefined) {
      redis.kill('SIGKILL')
      await once(redis, 'exit')
    }
  })

  holdsFor('Postgres', async () => {
    await Promise.resolve()
    return openRateStore(configFor(database.url), log, PATIENCE_MS)
  })

  if (hasRedis) {
    holdsFor('Redis', async () => {
      const store = openRateStore(configFor(database.url, redisUrl), log, PATIENCE_MS)
      const probe: Quota = { name: 'probe', limit: 1, windowS: 1 }
      const answers = async () => {
        await store.add(probe, 'x', 1)
        return true
      }
      await until(async () => await answers().catch(() => false))
      return store
    })
  }
})

describe('a rate limit whose store is away', () => {
  let own: TestDatabase
  let counters: RateCounters

  beforeEach(async () => {
    own = await createTestDatabase()
    counters = openRateCounters(openRateStore(configFor(own.url), log), log)
  })

  afterEach(async () => {
    await counters.close()
    await own.drop()
  })

  it('is counted in the process alone, and sign-ins are refused', async () => {
    await asOwner(own.ownerUrl, async (client) => {
      await client.query('alter table rate_limits rename to gone')
    })
    const before = await failures()
    expect(await letThrough(counters, quotaOf(10), ALONE, 25)).to.equal(10)
    expect(await failures()).to.be.greaterThan(before)
    const thrown = await rejection(letThrough(counters, quotaOf(10), CLOSED, 1))
    expect(thrown).to.be.instanceOf(Problem)
    expect((thrown as Problem).code).to.equal('unavailable')
  })

  it('costs half a second once where it hangs, and is found again', async () => {
    const counter = counters.counter(quotaOf(10), CLOSED)
    await asOwner(own.ownerUrl, async (client) => {
      await client.query('begin; lock table rate_limits in access exclusive mode')
      const started = Date.now()
      await rejection(counter.take('somebody'))
      const once = Date.now() - started
      expect(once).to.be.within(300, 1500)
      for (let call = 0; call < 100; call += 1) {
        await rejection(counter.take('somebody'))
      }
      expect(Date.now() - started - once).to.be.lessThan(200)
      await client.query('rollback')
    })
    await until(
      async () =>
        await counter.take('somebody else').then(
          ({ isOver }) => !isOver,
          () => false,
        ),
    )
  })
})
