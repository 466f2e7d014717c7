/** Tests of the bells: none is missed by a job that runs already, and none piles up behind it. */
import { expect } from 'chai'
import { openBells, type Listener } from '../../src/base/queue.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('a bell', () => {
  let service: TestService
  let listener: Listener | undefined

  beforeEach(async () => {
    service = await startTestService()
  })

  afterEach(async () => {
    await listener?.close()
    await service.stop()
  })

  it('rung while a job runs is answered once after it, however often it was rung', async () => {
    const { queues, log } = service.parts
    let runs = 0
    let letGo = (): void => undefined
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    listener = queues.listen('seal-days', async () => {
      runs += 1
      if (runs === 1) {
        await held
      }
    })
    // Each of them has joined no other ring when it is closed.
    const ringOnce = async (): Promise<void> => {
      const bells = openBells(queues, log)
      bells.ring('seal-days')
      await bells.close()
    }
    await ringOnce()
    await until(() => runs === 1)
    for (let n = 0; n < 5; n += 1) {
      await ringOnce()
    }
    letGo()
    await until(() => runs >= 2)
    // What was rung last is answered last: a third run would have come before it.
    await ringOnce()
    await until(() => runs >= 3)
    expect(runs).to.equal(3)
  })
})
