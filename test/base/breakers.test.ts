/** Circuit breakers against a real server that fails, falls silent and comes back. */
import { expect } from 'chai'
import { openBreakers, type Breakers } from '../../src/base/breakers.ts'
import { openCallsOut, type CallsOut } from '../../src/base/calls-out.ts'
import { registry } from '../../src/base/metrics.ts'
import { Problem } from '../../src/base/problem.ts'
import { get, refused } from '../../src/gateways/call.ts'
import { rejectionOf } from '../gateways/thrown.ts'
import { startMoodyServer, type MoodyServer } from '../support/moody-server.ts'
import { until } from '../support/until.ts'

const RESET_MS = 400
const CALLS_MIN = 5

describe('a circuit breaker', () => {
  let server: MoodyServer
  let breakers: Breakers
  let out: CallsOut
  let changes = 0

  beforeEach(async () => {
    server = await startMoodyServer()
    changes = 0
    const settings = { windowMs: 10_000, callsMin: CALLS_MIN, resetMs: RESET_MS }
    breakers = openBreakers(settings, () => {
      changes += 1
    })
    out = openCallsOut({ timeoutMs: 100, breakers })
  })

  afterEach(async () => {
    breakers.close()
    await server.close()
  })

  /** A question that is asked once; what says no to it is a refusal. */
  const ask = async (operation = 'fetch', service = 'kauri', by = out) =>
    await by({ orgId: 1, service, operation, repeatable: false }, async (options) => {
      const url = `${server.url}/v1/things`
      const answer = await get({ gateway: 'Kauri', url, headers: {}, options })
      if (answer.status !== 200) {
        throw refused('Kauri', 'no', [])
      }
      return answer.status
    })

  async function failTimes(times: number, operation?: string): Promise<Problem[]> {
    const problems: Problem[] = []
    for (let count = 0; count < times; count += 1) {
      problems.push(await rejectionOf(ask(operation)))
    }
    return problems
  }

  const stateOf = (operation = 'fetch') =>
    breakers.all().find((one) => one.operation === operation)?.state

  async function metric(name: string, labels: Record<string, string>): Promise<number> {
    const found = (await registry.getSingleMetric(name)?.get())?.values ?? []
    const wanted = Object.entries(labels)
    return found
      .filter((one) => wanted.every(([label, value]) => one.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0)
  }

  it('opens after enough failures, and then answers at once without a call', async () => {
    server.become({ status: 500 })
    const before = await metric('bahi_gateway_breaker_trips_total', { service: 'kauri' })
    await failTimes(CALLS_MIN)
    expect([server.requests, stateOf()]).to.deep.equal([CALLS_MIN, 'open'])
    const [problem] = await failTimes(20)
    expect(server.requests).to.equal(CALLS_MIN)
    expect(problem?.code).to.equal('gateway_unavailable')
    expect(problem?.extras).to.include({ moved: 'no', retryAfter: 1 })
    expect(problem?.message).to.contain('kauri').and.to.contain('let through in 1 s')
    expect(await metric('bahi_gateway_breaker_trips_total', { service: 'kauri' })).to.equal(
      before + 1,
    )
    const labels = { service: 'kauri', operation: 'fetch' }
    const name = 'bahi_gateway_breaker_state'
    expect(await metric(name, { ...labels, state: 'open' })).to.equal(1)
    expect(await metric(name, { ...labels, state: 'closed' })).to.equal(0)
    const rejected = { ...labels, reason: 'open' }
    expect(await metric('bahi_gateway_calls_rejected_total', rejected)).to.be.at.least(20)
  })

  it('stays closed while at most half of the calls fail, and while there are few', async () => {
    server.become({ status: 503 })
    await failTimes(CALLS_MIN - 1)
    expect(stateOf()).to.equal('closed')
    server.become({ status: 200 })
    for (let count = 0; count < CALLS_MIN; count += 1) {
      await ask()
    }
    server.become({ status: 503 })
    await failTimes(1)
    expect(stateOf()).to.equal('closed')
    await failTimes(1)
    expect(stateOf()).to.equal('open')
  })

  it('lets one call through after a while, and closes when that is answered', async () => {
    server.become({ status: 500 })
    await failTimes(CALLS_MIN)
    await until(() => stateOf() === 'half_open')
    expect(breakers.all()[0]?.probeAt).to.equal(null)
    server.become('silent')
    const probe = ask('fetch', 'kauri', openCallsOut({ timeoutMs: 10_000, breakers }))
    await until(() => server.open === 1)
    const others = await Promise.all(Array.from({ length: 10 }, () => rejectionOf(ask())))
    expect(others.map(({ extras }) => extras.moved)).to.deep.equal(Array(10).fill('no'))
    expect(server.requests).to.equal(CALLS_MIN + 1)
    server.letGo(200)
    expect(await probe).to.equal(200)
    expect(stateOf()).to.equal('closed')
    server.become({ status: 200 })
    expect(await Promise.all([ask(), ask(), ask()])).to.deep.equal([200, 200, 200])
  })

  it('opens again when the call that was let through fails', async () => {
    server.become('silent')
    await failTimes(CALLS_MIN)
    expect(stateOf()).to.equal('open')
    await until(() => stateOf() === 'half_open')
    server.become('hangs_up')
    await failTimes(1)
    expect([stateOf(), server.requests]).to.deep.equal(['open', CALLS_MIN + 1])
    await failTimes(3)
    expect(server.requests).to.equal(CALLS_MIN + 1)
    await until(() => stateOf() === 'half_open')
    // Whoever refuses is there.
    server.become({ status: 400 })
    expect((await failTimes(1))[0]?.code).to.equal('gateway_refused')
    expect(stateOf()).to.equal('closed')
    expect(changes).to.equal(6)
  })

  it('takes refusals, and too many calls of one account, for answers', async () => {
    for (const status of [400, 401, 404, 429]) {
      server.become({ status })
      await failTimes(CALLS_MIN * 2)
      expect(stateOf(), String(status)).to.equal('closed')
    }
    expect(server.requests).to.equal(CALLS_MIN * 8)
  })

  it('takes an answer that nobody understands for a failure', async () => {
    const garbled = async () =>
      await out({ orgId: 1, service: 'kauri', operation: 'x', repeatable: false }, () =>
        Promise.reject(new Problem('gateway_unavailable')),
      )
    for (let count = 0; count < CALLS_MIN; count += 1) {
      await rejectionOf(garbled())
    }
    expect(stateOf('x')).to.equal('open')
  })

  it('stands before one operation of one service, and not before the others', async () => {
    server.become({ status: 500 })
    await failTimes(CALLS_MIN, 'refund')
    expect(stateOf('refund')).to.equal('open')
    server.become({ status: 200 })
    expect(await ask('fetch')).to.equal(200)
    expect(await ask('refund', 'other')).to.equal(200)
    expect((await rejectionOf(ask('refund'))).message).to.contain('let through')
  })

  it('is opened by calls that fail at the same time, once', async () => {
    server.become({ status: 502 })
    const problems = await Promise.all(Array.from({ length: 15 }, () => rejectionOf(ask())))
    expect(problems.every(({ code }) => code === 'gateway_unavailable')).to.equal(true)
    expect([stateOf(), changes]).to.deep.equal(['open', 2])
    expect((await rejectionOf(ask())).message).to.contain('let through')
  })

  it('that is switched off never opens', async () => {
    const off = openBreakers({ windowMs: 10_000, callsMin: 1, resetMs: 0 }, () => undefined)
    const through = openCallsOut({ timeoutMs: 100, breakers: off })
    server.become({ status: 500 })
    for (let count = 0; count < 5; count += 1) {
      await rejectionOf(ask('fetch', 'kauri', through))
    }
    expect([server.requests, off.all()[0]?.state]).to.deep.equal([5, 'closed'])
    off.close()
  })

  it('does not count what fails on our side', async () => {
    for (let count = 0; count < CALLS_MIN * 2; count += 1) {
      const bug = new TypeError('a bug')
      const errand = { orgId: 1, service: 'kauri', operation: 'bug', repeatable: true }
      const thrown: unknown = await out(errand, () => Promise.reject(bug)).catch(
        (error: unknown) => error,
      )
      expect(thrown).to.equal(bug)
    }
    expect(stateOf('bug')).to.equal('closed')
  })
})
