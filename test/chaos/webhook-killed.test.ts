/** A worker that is killed while receivers have its webhooks: another one sends them again. */
import { expect } from 'chai'
import {
  deliveriesTo,
  emailed,
  makeDue,
  startOutbound,
  subscribe,
  tell,
} from '../notifications/outbound.ts'
import { ok, receiver, type Receiver } from '../notifications/receivers.ts'
import { startScript, type TestProcess } from '../support/process.ts'
import type { TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('a worker killed with kill -9 while it delivers webhooks', () => {
  let service: TestService
  let one: Receiver
  let isSilent = true
  const workers: TestProcess[] = []

  before(async () => {
    service = await startOutbound()
    one = await receiver((response) => {
      if (!isSilent) {
        ok(response)
      }
    })
  })

  after(async () => {
    await Promise.all(workers.map(async (worker) => await worker.end('SIGKILL')))
    await one.close()
    await service.stop()
  })

  it('leaves them to the next, which sends them again under the same ids', async () => {
    const { id } = await subscribe(service, one.url)
    await tell(
      service,
      Array.from({ length: 5 }, () => emailed()),
    )
    const first = startScript('jobs/worker.ts', service.env)
    workers.push(first)
    await until(() => one.got.length === 2)
    expect(await first.end('SIGKILL')).to.equal('SIGKILL')
    const before = one.got.map((got) => got.headers['webhook-id'])
    isSilent = false
    // The claims of the dead one hold for a minute; here that minute is over.
    await makeDue(service, id)
    workers.push(startScript('jobs/worker.ts', service.env))
    await until(async () =>
      (await deliveriesTo(service, id)).every((row) => row.state === 'delivered'),
    )
    const all = one.got.map((got) => got.headers['webhook-id'])
    expect(all).to.have.length(7)
    expect(new Set(all).size).to.equal(5)
    for (const twice of before) {
      expect(all.filter((name) => name === twice)).to.have.length(2)
    }
    const lost = await service.rows(`select 1 from webhook_attempts where outcome = 'lost'`)
    expect(lost).to.have.length(2)
  })
})
