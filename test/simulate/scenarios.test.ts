/** Each scenario against a whole service: server, worker, Postgres, and the test gateways. */
import { expect } from 'chai'
import { startWorker, type RunningWorker } from '../../jobs/worker.ts'
import { describeRunning } from '../../scripts/demo-organisation.ts'
import { startTestGateways, type TestGateways } from '../../scripts/simulate/gateway-server.ts'
import type { Running } from '../../scripts/simulate/running.ts'
import { playScenario, SCENARIOS } from '../../scripts/simulate/scenarios/scenarios.ts'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { textIn } from '../http/seeded.ts'
import { startTestService, type TestService } from '../support/service.ts'

describe('the scenarios of the simulator', function () {
  this.timeout(90_000)
  let gateways: TestGateways
  let service: TestService
  let worker: RunningWorker
  let running: Running
  const texts = new Map<string, string>()

  before(async () => {
    gateways = await startTestGateways({ port: 0, webhooks: { firstDelayMs: 20 } })
    service = await startTestService({
      gatewaysUrl: gateways.url,
      env: { GATEWAY_TIMEOUT_MS: '300' },
    })
    await addStripe()
    worker = startWorker(service.parts)
    running = await describeRunning(service.config, service.url, gateways.url)
  })

  after(async () => {
    await worker.close()
    await service.stop()
    await gateways.close()
  })

  /** As the organisation does it, but that its Stripe is the test gateways'. */
  async function addStripe(): Promise<void> {
    const account = { gateway: 'stripe', account: 'acct_TESTBahi000001', environment: 'test' }
    const admin = { role: 'admin' } as const
    const key = { key_secret: 'sk_test_TESTBahi0000000000000001' }
    const body = { ...account, ...key }
    const added = await service.call('POST', '/v1/gateway-accounts', { ...admin, body })
    const made = await service.call('POST', '/v1/webhook-endpoints', {
      ...admin,
      body: { gateway: 'stripe' },
    })
    const secret = { label: 'from Stripe', secret: 'whsec_TESTBahi00000000000000000001' }
    const path = `/v1/webhook-endpoints/${textIn(made.json, 'id')}/secrets`
    const signed = await service.call('POST', path, { ...admin, body: secret })
    expect([added.status, made.status, signed.status]).to.deep.equal([201, 201, 201])
    await service.rows(`update gateway_accounts set api_url = $1 where gateway = 'stripe'`, [
      gateways.url,
    ])
  }

  async function played(name: string): Promise<string> {
    const lines: string[] = []
    const isGood = await playScenario(name, { running, say: (line) => lines.push(line) })
    const text = lines.join('\n')
    expect(isGood, text).to.equal(true)
    return text
  }

  for (const name of Object.keys(SCENARIOS)) {
    it(`shows ${name} as it should be`, async () => {
      texts.set(name, await played(name))
      expect(texts.get(name)).to.include(`${name}: as expected`)
    })
  }

  it('went through all three gateways where the story is theirs', () => {
    expect(texts.get('happy')).to.match(/opened at razorpay[^]*at payu[^]*at stripe/)
    expect(texts.get('dispute-lost-after-settlement')).to.include('stripe settles')
  })

  it('says what is not as expected, and is false', async () => {
    const lines: string[] = []
    const say = (line: string): void => {
      lines.push(line)
    }
    const wrong = { path: '/webhooks/razorpay/whe_nobody', account: 'acc_1', secret: 'x' }
    const endpoints = { ...running.endpoints, razorpay: wrong }
    const options = { running: { ...running, endpoints }, say, patienceMs: 200 }
    expect(await playScenario('double-order-paid', options)).to.equal(false)
    expect(lines.at(-1)).to.match(/^NOT AS EXPECTED: payment pay_.* is captured .*expected/)
    const alone = { ...options, running: { ...running, endpoints: {} } }
    expect(await playScenario('payu-auth', alone)).to.equal(false)
    expect(lines.at(-1)).to.include('no webhook endpoint for payu')
  })

  it('leaves books that verify', async () => {
    const { findings } = await verifyBooks(service.parts.db, () => undefined)
    expect(findings).to.deep.equal([])
  })
})
