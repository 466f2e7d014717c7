/** The caches: what a write changed is never read again as it was, whoever reads meanwhile. */
import { expect } from 'chai'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { openNearCache, type TextCache } from '../../src/base/cache.ts'
import { openRedisCache } from '../../src/base/cache-redis.ts'
import { freePort } from '../../src/base/embedded-postgres.ts'
import { openLog } from '../../src/base/log.ts'
import { Problem } from '../../src/base/problem.ts'
import { until } from '../support/until.ts'

const log = openLog('silent', 'cache test')

const hasRedis = spawnSync('redis-server', ['--version']).status === 0

/** Something that is written, and read late: its loads take turns of the loop. */
function openStore() {
  let value = 0
  let loads = 0
  return {
    load: async () => {
      loads += 1
      const seen = value
      for (let n = 0; n < 3; n += 1) {
        await turn()
      }
      return String(seen)
    },
    write: async (to: number) => {
      await turn()
      value = to
      await turn()
    },
    get loads() {
      return loads
    },
  }
}

/** What `name` says, without loading. */
async function keptIn(cache: TextCache, name: string): Promise<string> {
  return await cache.get(name, async () => 'nothing')
}

let server: ChildProcess | undefined
let url: string
let one: TextCache
let other: TextCache

const open = (prefix: string) => openRedisCache({ url, prefix, ttlMs: 60_000, log })

async function startRedis(): Promise<void> {
  const port = await freePort()
  server = spawn('redis-server', ['--port', String(port), '--save', ''], { stdio: 'ignore' })
  url = `redis://127.0.0.1:${port}`
  await until(async () => {
    const probe = connect(port, '127.0.0.1')
    const up = await once(probe, 'connect').then(
      () => true,
      () => false,
    )
    probe.destroy()
    return up
  })
  one = open('test')
  other = open('test')
  for (const cache of [one, other]) {
    await until(async () => {
      await cache.get('up', async () => 'up')
      return (await keptIn(cache, 'up')) === 'up'
    })
  }
}

async function stopRedis(): Promise<void> {
  one?.close()
  other?.close()
  if (server !== undefined && server.exitCode === null && server.signalCode === null) {
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
  }
}

/** Skips where the machine has no Redis, and says so. */
function needsRedis(suite: Mocha.Context): void {
  if (!hasRedis) {
    process.stdout.write('    skipped: this machine has no redis-server\n')
    suite.skip()
  }
}

const near = openNearCache({ ttlMs: 60_000, entriesMax: 1000 })
let calls = 0

/** Of Redis every call by another connection, as if each came from another process. */
const CACHES: readonly [where: string, cacheOf: () => TextCache][] = [
  ['a process', () => near],
  [
    'Redis',
    () => {
      calls += 1
      return calls % 2 === 0 ? one : other
    },
  ],
]

for (const [where, cacheOf] of CACHES) {
  describe(`the cache in ${where}`, () => {
    before(async function () {
      if (where === 'Redis') {
        needsRedis(this)
        await startRedis()
      }
    })

    const fresh = () => randomBytes(6).toString('hex')

    it('loads once what is asked for again', async () => {
      const [name, store] = [fresh(), openStore()]
      expect(await cacheOf().get(name, store.load)).to.equal('0')
      expect(await cacheOf().get(name, store.load)).to.equal('0')
      expect(store.loads).to.equal(1)
    })

    it('does not keep a load that failed', async () => {
      const name = fresh()
      const failed = await cacheOf()
        .get(name, () => Promise.reject(new Error('away')))
        .catch((error: unknown) => error)
      expect(failed).to.be.instanceOf(Error)
      expect(await cacheOf().get(name, async () => 'there')).to.equal('there')
    })

    it('reads what a write has written as soon as that has returned', async () => {
      const [name, store] = [fresh(), openStore()]
      await cacheOf().get(name, store.load)
      await cacheOf().change([name], async () => await store.write(1))
      expect(await cacheOf().get(name, store.load)).to.equal('1')
      expect(await keptIn(cacheOf(), name)).to.equal('1')
    })

    it('lets no read that began before a write put the old value back', async () => {
      const [name, store] = [fresh(), openStore()]
      let goOn: () => void = () => undefined
      const held = new Promise<void>((resolve) => {
        goOn = resolve
      })
      const old = cacheOf().get(name, async () => {
        const seen = await store.load()
        await held
        return seen
      })
      await until(async () => store.loads === 1)
      await cacheOf().change([name], async () => await store.write(1))
      goOn()
      expect(await old).to.equal('0')
      expect(await cacheOf().get(name, store.load)).to.equal('1')
      expect(await cacheOf().get(name, store.load)).to.equal('1')
    })

    it('keeps nothing that is read while a write is under way', async () => {
      const [name, store] = [fresh(), openStore()]
      await cacheOf().change([name], async () => {
        expect(await cacheOf().get(name, store.load)).to.equal('0')
        // Another write of the same name begins and ends meanwhile.
        await cacheOf().change([name], () => Promise.resolve())
        expect(await cacheOf().get(name, store.load)).to.equal('0')
        await store.write(1)
      })
      expect(await cacheOf().get(name, store.load)).to.equal('1')
    })

    it('never reads backwards while eight readers race with a hundred writes', async () => {
      const [name, store] = [fresh(), openStore()]
      let written = 0
      const over = new AbortController()
      const readers = Array.from({ length: 8 }, async () => {
        while (!over.signal.aborted) {
          const least = written
          const seen = Number(await cacheOf().get(name, store.load))
          expect(seen).to.be.at.least(least)
          await turn()
        }
      })
      for (let n = 1; n <= 100; n += 1) {
        await cacheOf().change([name], async () => await store.write(n))
        written = n
        await turn()
      }
      over.abort()
      await Promise.all(readers)
      expect(await cacheOf().get(name, store.load)).to.equal('100')
    })

    it('keeps again after a write that a rule refused', async () => {
      const [name, store] = [fresh(), openStore()]
      const refused = await cacheOf()
        .change([name], () => Promise.reject(new Problem('fund_exists')))
        .catch((error: unknown) => error)
      expect(refused).to.be.instanceOf(Problem)
      await cacheOf().get(name, store.load)
      expect(await keptIn(cacheOf(), name)).to.equal('0')
    })

    it('keeps nothing for a while after a write whose answer is lost', async () => {
      const [name, store] = [fresh(), openStore()]
      await cacheOf().get(name, store.load)
      const lost = await cacheOf()
        .change([name], () => Promise.reject(new Error('Connection terminated')))
        .catch((error: unknown) => error)
      expect(lost).to.be.instanceOf(Error)
      expect(await cacheOf().get(name, store.load)).to.equal('0')
      // The COMMIT arrives only now.
      await store.write(1)
      expect(await cacheOf().get(name, store.load)).to.equal('1')
    })

    it('keeps names apart, and holds only those that a write names', async () => {
      const [one, other] = [fresh(), fresh()]
      await cacheOf().get(one, async () => 'one')
      await cacheOf().get(other, async () => 'other')
      await cacheOf().change([one], () => Promise.resolve())
      expect(await keptIn(cacheOf(), one)).to.equal('nothing')
      expect(await keptIn(cacheOf(), other)).to.equal('other')
    })
  })
}

describe('a process’s own cache', () => {
  it('lets callers that come together share one load', async () => {
    const store = openStore()
    await Promise.all(Array.from({ length: 20 }, () => near.get('together', store.load)))
    expect(store.loads).to.equal(1)
  })

  it('forgets after its time, counted from the load’s beginning', async () => {
    let now = 0
    const short = openNearCache({ ttlMs: 5000, entriesMax: 10, now: () => now })
    const store = openStore()
    await short.get('x', store.load)
    now = 4999
    await short.get('x', store.load)
    expect(store.loads).to.equal(1)
    now = 5000
    await short.get('x', store.load)
    expect(store.loads).to.equal(2)
  })

  it('keeps again a minute after a lost answer', async () => {
    let now = 0
    const own = openNearCache({ ttlMs: 5000, entriesMax: 10, now: () => now })
    await own.change(['x'], () => Promise.reject(new Error('lost'))).catch(() => undefined)
    const store = openStore()
    now = 59_999
    await own.get('x', store.load)
    await own.get('x', store.load)
    expect(store.loads).to.equal(2)
    now = 60_000
    await own.get('x', store.load)
    await own.get('x', store.load)
    expect(store.loads).to.equal(3)
  })

  it('holds so many entries and no more: the oldest goes', async () => {
    const small = openNearCache({ ttlMs: 60_000, entriesMax: 3 })
    for (const name of ['a', 'b', 'c', 'd']) {
      await small.get(name, async () => name)
    }
    expect(await keptIn(small, 'b')).to.equal('b')
    expect(await keptIn(small, 'd')).to.equal('d')
    expect(await keptIn(small, 'a')).to.equal('nothing')
  })
})

describe('a Redis of several processes', () => {
  before(function () {
    needsRedis(this)
  })

  after(async () => {
    await stopRedis()
  })

  it('keeps installations apart', async () => {
    const third = open('elsewhere')
    await one.get('mine', async () => 'mine')
    expect(await keptIn(other, 'mine')).to.equal('mine')
    expect(await keptIn(third, 'mine')).to.equal('nothing')
    third.close()
  })

  it('that is away costs nobody an answer, and nothing old is read from it after', async () => {
    const store = openStore()
    expect(await one.get('away', store.load)).to.equal('0')
    server?.kill('SIGSTOP')
    // Neither the beginning nor the end of this write is told to anybody.
    await one.change(['away'], async () => await store.write(1))
    expect(await one.get('away', store.load)).to.equal('1')
    server?.kill('SIGCONT')
    await until(async () => (await keptIn(one, 'back')) !== '')
    expect(await one.get('away', store.load)).to.equal('1')
  })
})
