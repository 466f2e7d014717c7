/** Stripe's SDK on our own way out: where it calls, what it tells, and that it calls once. */
import { expect } from 'chai'
import type { Exchange } from '../../src/base/calls-out.ts'
import type { CallOptions, GatewayAccount } from '../../src/gateways/gateway.ts'
import { ask, tell } from '../../src/gateways/stripe/api.ts'
import { startMoodyServer, type Mood, type MoodyServer } from '../support/moody-server.ts'
import { rejectionOf } from './thrown.ts'

const KEY = 'sk_test_TESTBahi0000000000000001'
const DOING = {
  path: 'refunds',
  fields: [
    ['amount', '100'],
    ['metadata[a b]', 'ü & =?'],
    ['expand[]', 'charge'],
    ['expand[]', 'balance_transaction'],
  ],
  idempotencyKey: 'refund-1',
  movesMoney: true,
} as const

describe('Stripe’s SDK', () => {
  let server: MoodyServer
  let heard: Exchange[]
  let account: GatewayAccount

  beforeEach(async () => {
    server = await startMoodyServer()
    heard = []
    account = {
      gateway: 'stripe',
      account: 'acct_1',
      keyId: 'acct_1',
      keySecret: KEY,
      apiUrl: `${server.url}/behind/a/path/`,
    }
  })

  afterEach(async () => {
    await server.close()
  })

  const options = (signal = AbortSignal.timeout(5000)): CallOptions => ({
    signal,
    heard: (exchange) => void heard.push(exchange),
  })

  it('calls the account’s own address, and tells nothing of this machine', async () => {
    server.become({ status: 200, body: { id: 're_1' } })
    expect(await tell(account, DOING, options())).to.include({ id: 're_1' })
    expect(server.last.path).to.equal('/behind/a/path/v1/refunds')
    expect(server.last.headers).to.include({
      authorization: `Bearer ${KEY}`,
      'stripe-version': '2024-06-20',
      'idempotency-key': 'refund-1',
      'content-type': 'application/x-www-form-urlencoded',
    })
    const told = Object.keys(server.last.headers).filter((name) => name.startsWith('x-stripe'))
    expect(told).to.deep.equal([])
    expect([...new URLSearchParams(heard[0]?.requestBody)]).to.deep.equal([
      ['amount', '100'],
      ['metadata[a b]', 'ü & =?'],
      ['expand[0]', 'charge'],
      ['expand[1]', 'balance_transaction'],
    ])
    await ask(account, 'charges/ch_1', [['expand[]', 'a b']], options())
    expect(server.last.path).to.equal('/behind/a/path/v1/charges/ch_1?expand%5B%5D=a+b')
    expect(Object.keys(server.last.headers)).to.not.include('idempotency-key')
  })

  it('never calls twice by itself, however it fails and whatever Stripe advises', async () => {
    const advice = { 'stripe-should-retry': 'true' }
    const moods: readonly Mood[] = ['hangs_up', { status: 500, headers: advice }, { status: 409 }]
    for (const [index, mood] of moods.entries()) {
      server.become(mood)
      const problem = await rejectionOf(tell(account, DOING, options()))
      expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
      expect([server.requests, heard.length]).to.deep.equal([index + 1, index + 1])
    }
  })

  it('ends with the limit of the call, and makes none after it', async () => {
    server.become('silent')
    const late = await rejectionOf(tell(account, DOING, options(AbortSignal.timeout(50))))
    expect([late.code, late.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
    expect(late.message).to.equal('Stripe did not answer in time.')
    await rejectionOf(ask(account, 'charges/ch_1', [], options(AbortSignal.abort())))
    expect(server.requests).to.equal(1)
  })

  it('makes of an odd answer what every gateway’s becomes', async () => {
    for (const [mood, code] of [
      [{ status: 204, body: '' }, 'gateway_unavailable'],
      [{ status: 302, headers: { location: 'https://other.test' } }, 'gateway_refused'],
      [{ status: 200, body: 'null' }, 'gateway_unavailable'],
      [{ status: 402, body: '<html>' }, 'gateway_refused'],
      [{ status: 400, body: { error: 'a word' } }, 'gateway_refused'],
    ] as const) {
      server.become(mood)
      expect(
        (await rejectionOf(tell(account, DOING, options()))).code,
        String(mood.status),
      ).to.equal(code)
    }
    server.become({ status: 200, body: { error: { message: 'only a member' }, id: 're_2' } })
    expect(await tell(account, DOING, options())).to.include({ id: 're_2' })
  })
})
