/** A worker that is frozen, not dead, gives the organisation's journal back after a while. */
import { expect } from 'chai'
import pg from 'pg'
import { processInbox } from '../../jobs/process-inbox.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { startScript, type TestProcess } from '../support/process.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('a worker that is frozen while it waits for the journal', () => {
  let service: TestService
  let frozen: TestProcess | undefined

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    frozen?.child.kill('SIGCONT')
    await frozen?.end('SIGKILL')
    await service.stop()
  })

  it('holds it inside a transaction only, which Postgres ends', async () => {
    const payment = { id: 'pay_TESTfrozen001', orderId: null, amount: 700 }
    await service.deliver('razorpay', razorpayEvent('payment.captured', payment))
    const holder = new pg.Client({ connectionString: service.database.ownerUrl })
    await holder.connect()
    await holder.query('select pg_advisory_lock($1, 1)', [0x62616869])
    frozen = startScript('jobs/worker.ts', service.env)
    await until(async () => {
      const waiting = await service.rows(
        `select 1 from pg_stat_activity
          where application_name = 'bahi worker' and wait_event = 'advisory'`,
      )
      return waiting.length > 0
    })
    frozen.child.kill('SIGSTOP')
    await holder.end()
    await until(async () => {
      const [row] = await service.rows<{ state: string }>(
        `select state from pg_stat_activity
          where application_name = 'bahi worker' and state = 'idle in transaction'`,
      )
      return row !== undefined
    })
    // Its limit is 30 seconds: after it the frozen one's session is gone and the lock is free.
    await until(async () => {
      const locks = await service.rows(`select 1 from pg_locks where locktype = 'advisory'`)
      return locks.length === 0
    }, 45_000)
    await processInbox.run(service.jobParts)
    const posted = await service.rows('select 1 from journal_entries')
    expect(posted).to.have.length(1)
  })
})
