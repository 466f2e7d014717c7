/** Calls out: repeated only where that is safe, within one time, and in the room that there is. */
import { expect } from 'chai'
import { openBulkhead } from '../../src/base/bulkhead.ts'
import {
  openCallsOut,
  type Attempt,
  type CallOptions,
  type CallsOut,
} from '../../src/base/calls-out.ts'
import { Problem } from '../../src/base/problem.ts'
import { get, post, refused } from '../../src/gateways/call.ts'
import { rejectionOf } from '../gateways/thrown.ts'
import { startMoodyServer, type MoodyServer } from '../support/moody-server.ts'
import { until } from '../support/until.ts'

const ERRAND = { orgId: 1, service: 'kauri', operation: 'refund', repeatable: true }

describe('a call out', () => {
  let server: MoodyServer
  let waits: number[]
  let attempts: Attempt[]
  let out: CallsOut

  beforeEach(async () => {
    server = await startMoodyServer()
    waits = []
    attempts = []
    out = open({})
  })

  afterEach(async () => {
    await server.close()
  })

  /** Nobody waits here: how long he would have is noted. */
  function open(more: { timeoutMs?: number; random?: number }): CallsOut {
    return openCallsOut({
      timeoutMs: more.timeoutMs ?? 8000,
      random: () => more.random ?? 0.5,
      delay: async (milliseconds) => await Promise.resolve(waits.push(milliseconds)),
      record: (attempt) => attempts.push(attempt),
    })
  }

  /** Gives money back: 400 and its like are refusals. */
  async function giveBack(options: CallOptions): Promise<string> {
    const answer = await post({
      gateway: 'Kauri',
      url: `${server.url}/v1/refunds`,
      headers: {},
      body: '{}',
      options,
      movesMoney: true,
    })
    if (answer.status >= 400) {
      throw refused('Kauri', 'It was given back before.', [])
    }
    return answer.text
  }

  it('that is answered is made once, and what was said is told', async () => {
    server.become({ status: 200, body: { id: 'r1' }, headers: { 'request-id': 'req_1' } })
    expect(await out(ERRAND, giveBack)).to.equal('{"id":"r1"}')
    expect([server.requests, waits]).to.deep.equal([1, []])
    const [attempt] = attempts
    expect(attempt).to.deep.include({ errand: ERRAND, attempt: 1, error: null })
    const [exchange] = attempt?.exchanges ?? []
    expect(exchange).to.include({ method: 'POST', status: 200, requestId: 'req_1', failure: null })
    expect(exchange?.answer).to.equal('{"id":"r1"}')
    expect(exchange?.tookMs).to.be.within(0, 8000)
  })

  it('is repeated twice where the service is away, after full jitter', async () => {
    server.become({ status: 503 })
    const problem = await rejectionOf(out(ERRAND, giveBack))
    expect(problem.code).to.equal('gateway_unavailable')
    expect(server.requests).to.equal(3)
    expect(waits).to.deep.equal([150, 300])
    expect(attempts.map(({ attempt }) => attempt)).to.deep.equal([1, 2, 3])
    waits = []
    await rejectionOf(open({ random: 0 })(ERRAND, giveBack))
    expect(waits).to.deep.equal([0, 0])
  })

  it('comes to its end when a repetition is answered', async () => {
    server.become('hangs_up', { status: 500 }, { status: 200, body: { id: 'r2' } })
    expect(await out(ERRAND, giveBack)).to.equal('{"id":"r2"}')
    expect(server.requests).to.equal(3)
  })

  it('is never repeated where that might do it twice', async () => {
    for (const mood of [{ status: 500 }, 'hangs_up'] as const) {
      server.become(mood, { status: 200 })
      const before = server.requests
      const problem = await rejectionOf(out({ ...ERRAND, repeatable: false }, giveBack))
      expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
      expect(server.requests).to.equal(before + 1)
    }
  })

  it('is never repeated after a refusal or a failure on our side', async () => {
    server.become({ status: 400 })
    expect((await rejectionOf(out(ERRAND, giveBack))).extras.moved).to.equal('no')
    const bug = new TypeError('a bug')
    const thrown: unknown = await out(ERRAND, () => Promise.reject(bug)).catch(
      (error: unknown) => error,
    )
    expect(thrown).to.equal(bug)
    expect([server.requests, waits]).to.deep.equal([1, []])
  })

  it('waits as long as the service asks for, and gives up where that is too long', async () => {
    server.become({ status: 429, headers: { 'retry-after': '2' } }, { status: 200, body: 'x' })
    expect(await out(ERRAND, giveBack)).to.equal('x')
    expect(waits).to.deep.equal([2000])
    server.become({ status: 503, headers: { 'retry-after': '20' } }, { status: 200 })
    const problem = await rejectionOf(out(ERRAND, giveBack))
    expect([problem.extras.retryAfter, waits.length, server.requests]).to.deep.equal([20, 1, 3])
  })

  it('says that money may have moved where any attempt may have moved it', async () => {
    // The first arrived, perhaps; that the second is refused says only that it may have.
    server.become('hangs_up', { status: 400 })
    const refusal = await rejectionOf(out(ERRAND, giveBack))
    expect([refusal.code, refusal.extras.moved]).to.deep.equal(['gateway_refused', 'unknown'])
    server.become({ status: 500 }, { status: 429, headers: { 'retry-after': '60' } })
    const busy = await rejectionOf(out(ERRAND, giveBack))
    expect([busy.code, busy.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
    expect(busy.extras.retryAfter).to.equal(60)
    server.become({ status: 429 }, { status: 429 }, { status: 400 })
    expect((await rejectionOf(out(ERRAND, giveBack))).extras.moved).to.equal('no')
    let made = 0
    const bug = out(ERRAND, async (options) => {
      made += 1
      server.become({ status: 500 })
      return made === 1 ? await giveBack(options) : await Promise.reject(new TypeError('a bug'))
    })
    const failed = await rejectionOf(bug)
    expect([failed.code, failed.extras.moved]).to.deep.equal(['internal', 'unknown'])
  })

  it('keeps to one time for all attempts', async () => {
    server.become('silent')
    const begun = Date.now()
    const problem = await rejectionOf(open({ timeoutMs: 100 })(ERRAND, giveBack))
    expect(problem.extras.moved).to.equal('unknown')
    expect(Date.now() - begun).to.be.within(100, 1500)
    // Two of them fill it; a third would have no time left.
    expect(server.requests).to.be.within(1, 2)
  })

  it('is given up where it does not heed its limit', async () => {
    const patient = openCallsOut({ timeoutMs: 50 })
    const deaf = patient({ ...ERRAND, repeatable: false }, async () => {
      await new Promise(() => undefined)
    })
    const problem = await rejectionOf(deaf)
    expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
  })

  it('waits for room at its service, at most for its time, while others go on', async () => {
    const narrow = openCallsOut({ timeoutMs: 400, limits: { together: 2, waitingMax: 8 } })
    const fetchOne = (service: string, orgId = 1) =>
      narrow({ orgId, service, operation: 'fetch', repeatable: false }, async (options) => {
        return await get({ gateway: 'Kauri', url: server.url, headers: {}, options })
      })
    server.become('silent', 'silent', { status: 200 })
    const slow = [rejectionOf(fetchOne('kauri')), rejectionOf(fetchOne('kauri'))]
    await until(() => server.open === 2)
    const waiting = Array.from({ length: 4 }, () => fetchOne('kauri'))
    const ends = Promise.allSettled(waiting)
    // One organisation has half of the places, so that the others find some.
    const full = await rejectionOf(fetchOne('kauri'))
    expect(full.message).to.contain('under way')
    expect([full.code, full.extras.moved]).to.deep.equal(['gateway_unavailable', 'no'])
    expect((await fetchOne('other')).status).to.equal(200)
    expect(server.requests).to.equal(3)
    await Promise.all(slow)
    // The two that were slow left their places in time, and everybody had his turn.
    expect((await ends).map(({ status }) => status)).to.deep.equal(Array(4).fill('fulfilled'))
  })
})

describe('a bulkhead', () => {
  const full = () => new Problem('unavailable')

  it('lets organisations take turns, whoever came first with many', async () => {
    const bulkhead = openBulkhead({ together: 1, waitingMax: 100, full })
    const done: number[] = []
    const gate = Promise.withResolvers<boolean>()
    const holder = bulkhead.run(9, 1000, async () => await gate.promise)
    const work = (orgId: number) =>
      bulkhead.run(orgId, 5000, async () => await Promise.resolve(done.push(orgId)))
    const all = [1, 1, 1, 1, 2, 3, 3].map(work)
    gate.resolve(true)
    await Promise.all([holder, ...all])
    expect(done).to.deep.equal([1, 2, 3, 1, 3, 1, 1])
    await work(4)
    expect(done.at(-1)).to.equal(4)
  })

  it('loses no place to those who fail, and forgets those who waited too long', async () => {
    const bulkhead = openBulkhead({ together: 1, waitingMax: 4, full })
    const gate = Promise.withResolvers<boolean>()
    const holder = bulkhead.run(1, 1000, async () => await gate.promise)
    const late = [1, 1, 2, 2].map(async (orgId) => {
      return await rejectionOf(bulkhead.run(orgId, 10, async () => await Promise.resolve(0)))
    })
    await rejectionOf(bulkhead.run(3, 10, async () => await Promise.resolve(0)))
    expect((await Promise.all(late)).map(({ code }) => code)).to.include('unavailable')
    const next = bulkhead.run(2, 5000, () => Promise.reject(full()))
    const last = bulkhead.run(2, 5000, async () => await Promise.resolve('room'))
    gate.resolve(true)
    expect(await holder).to.equal(true)
    expect((await rejectionOf(next)).code).to.equal('unavailable')
    expect(await last).to.equal('room')
    expect(await bulkhead.run(5, 1, async () => await Promise.resolve('again'))).to.equal('again')
  })
})
