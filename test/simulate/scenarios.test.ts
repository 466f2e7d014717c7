/** Each scenario against a whole service: server, worker, Postgres, and the test gateways. */
import { expect } from 'chai'
import { startWorker, type RunningWorker } from '../../jobs/worker.ts'
import { describeRunning } from '../../scripts/demo-organisation.ts'
import { startTestGateways, type TestGateways } from '../../scripts/simulate/gateway-server.ts'
import type { Running } from '../../scripts/simulate/running.ts'
import { playScenario, SCENARIOS } from '../../scripts/simulate/scenarios/scenarios.ts'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { startTestService, type TestService } from '../support/service.ts'

describe('the scenarios of the simulator', function () {
  this.timeout(90_000)
  let gateways: TestGateways
  let service: TestService
  let worker: RunningWorker
  let running: Running

  before(async () => {
    gateways = await startTestGateways({ port: 0, webhooks: { firstDelayMs: 20 } })
    service = await startTestService({
      gatewaysUrl: gateways.url,
      env: { GATEWAY_TIMEOUT_MS: '300' },
    })
    worker = startWorker(service.parts)
    running = await describeRunning(service.config, service.url, gateways.url)
  })

  after(async () => {
    await worker.close()
    await service.stop()
    await gateways.close()
  })

  async function played(name: string): Promise<string> {
    const lines: string[] = []
    const isGood = await playScenario(name, { running, say: (line) => lines.push(line) })
    const text = lines.join('\n')
    expect(isGood, text).to.equal(true)
    return text
  }

  for (const name of Object.keys(SCENARIOS)) {
    it(`shows ${name} as it should be`, async () => {
      expect(await played(name)).to.include(`${name}: as expected`)
    })
  }

  it('leaves books that verify', async () => {
    const { findings } = await verifyBooks(service.parts.db, () => undefined)
    expect(findings).to.deep.equal([])
  })
})
