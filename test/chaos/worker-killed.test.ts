/** A worker that dies in the middle of a batch leaves nothing behind, and nothing undone. */
import { expect } from 'chai'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { holdBatch } from '../support/held-batch.ts'
import { startScript, type TestProcess } from '../support/process.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const PAYMENTS = 60

describe('a worker killed with kill -9 in the middle of a batch', () => {
  let service: TestService
  const workers: TestProcess[] = []

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await Promise.all(workers.map((worker) => worker.end('SIGKILL')))
    await service.stop()
  })

  it('loses no payment and posts none twice', async () => {
    for (let n = 0; n < PAYMENTS; n += 1) {
      const id = `pay_KILL${String(n).padStart(10, '0')}`
      const payment = { id, orderId: null, amount: 10_000 + n }
      for (const event of ['payment.captured', 'order.paid'] as const) {
        const answer = await service.deliver('razorpay', razorpayEvent(event, payment))
        expect(answer.status).to.equal(200)
      }
    }
    const { worker: first, release } = await holdBatch(service)
    workers.push(first)
    expect(await first.end('SIGKILL')).to.equal('SIGKILL')
    await release()
    const [afterKill] = await service.rows<{ n: number }>(
      'select count(*)::integer as n from journal_entries',
    )
    expect(afterKill?.n).to.equal(0)

    workers.push(startScript('jobs/worker.ts', service.env))
    await until(async () => {
      const [row] = await service.rows<{ n: number }>(
        `select count(*)::integer as n from inbox_events where state = 'waiting'`,
      )
      return row?.n === 0
    })
    const [booked] = await service.rows<{ entries: number; payments: number }>(
      `select (select count(*)::integer from journal_entries) as entries,
              (select count(*)::integer from payments where state = 'captured') as payments`,
    )
    expect(booked).to.deep.equal({ entries: PAYMENTS, payments: PAYMENTS })
    const verification = await verifyBooks(service.parts.db, () => undefined)
    expect(verification.findings).to.deep.equal([])
  })
})
