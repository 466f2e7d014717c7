/** What a worker tells of what ended without success, and where it tells it. */
import { expect } from 'chai'
import { startWorker } from '../../jobs/worker.ts'
import { runJob, type Job } from '../../jobs/job.ts'
import { serveMetrics } from '../../jobs/metrics-page.ts'
import { freePort } from '../../src/base/embedded-postgres.ts'
import { registry } from '../../src/base/metrics.ts'
import { noteDead } from '../../src/inbox/dead.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { rejection } from '../base/thrown.ts'

async function value(name: string, labels: Record<string, string>): Promise<number | undefined> {
  const metric = await registry.getSingleMetric(name)?.get()
  return metric?.values.find((one) =>
    Object.entries(labels).every(([label, is]) => one.labels[label] === is),
  )?.value
}

describe('the metrics of a worker', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('count what nothing tries any more, until somebody looked at it', async () => {
    await noteDead(service.parts.db)
    for (const kind of ['events', 'receipts', 'emails']) {
      expect(await value('bahi_dead_rows', { kind }), kind).to.equal(0)
    }
    await service.rows(
      `insert into inbox_events (org_id, event_id, endpoint_id, gateway, account, dedupe_key,
         secret_id, content_type, body, state)
       select 1, 'evt_' || n, 'x', 'razorpay', 'a', sha256(n::text::bytea), 's', 't', '',
              case when n < 4 then 'dead' else 'waiting' end
         from generate_series(1, 5) n`,
    )
    await service.rows(
      `insert into outbox (org_id, outbox_id, topic, subject, state)
       values (1, 'obx_1', 'issue_receipt', 'don_1', 'dead')`,
    )
    await noteDead(service.parts.db)
    expect(await value('bahi_dead_rows', { kind: 'events' })).to.equal(3)
    expect(await value('bahi_dead_rows', { kind: 'receipts' })).to.equal(1)
    await service.rows(`update inbox_events set state = 'ignored' where state = 'dead'`)
    await noteDead(service.parts.db)
    expect(await value('bahi_dead_rows', { kind: 'events' })).to.equal(0)
    expect(await value('bahi_receipt_email_rows', { state: 'refused' })).to.equal(0)
  })

  it('time each job, done or failed, and a failure is still one', async () => {
    const count = async (outcome: string) => {
      const metric = await registry.getSingleMetric('bahi_job_duration_seconds')?.get()
      const found = metric?.values.find(
        (one) =>
          'metricName' in one &&
          String(one.metricName).endsWith('_count') &&
          one.labels['job'] === 'seal-days' &&
          one.labels['outcome'] === outcome,
      )
      return found?.value ?? 0
    }
    const before = [await count('done'), await count('failed')]
    const job = (run: Job['run']): Job => ({ name: 'seal-days', run })
    await runJob(
      job(async () => await Promise.resolve()),
      service.jobParts,
    )
    const error = new Error('no')
    const failing = job(async () => await Promise.reject(error))
    expect(await rejection(runJob(failing, service.jobParts))).to.equal(error)
    expect([await count('done'), await count('failed')]).to.deep.equal(before.map((one) => one + 1))
  })

  it('are on a page of its own, and nothing else is', async () => {
    const port = await freePort()
    const page = await serveMetrics('127.0.0.1', port)
    const worker = startWorker(service.parts)
    const url = `http://127.0.0.1:${port}`
    const answer = await fetch(`${url}/metrics`)
    expect(answer.status).to.equal(200)
    expect(answer.headers.get('content-type')).to.match(/^text\/plain; version=/)
    expect(await answer.text()).to.contain('# HELP bahi_job_duration_seconds')
    expect((await fetch(`${url}/`)).status).to.equal(404)
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).to.equal(404)
    const second = await rejection(serveMetrics('127.0.0.1', port))
    expect(second.message).to.contain('EADDRINUSE')
    await worker.close()
    await page.close()
  })
})
