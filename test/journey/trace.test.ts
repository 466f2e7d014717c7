/** One trace from a webhook to the email that comes of it, as a collector would see it. */
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace'
import { expect } from 'chai'
import nock from 'nock'
import { confirmPayments } from '../../jobs/confirm-payments.ts'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import { runJob } from '../../jobs/job.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { sendReceipts } from '../../jobs/send-receipts.ts'
import { Problem } from '../../src/base/problem.ts'
import {
  inSpan,
  startTracing,
  traceContext,
  traceId,
  type Tracing,
} from '../../src/base/tracing.ts'
import { postEntry } from '../http/posting.ts'
import { donationRequest, razorpayEvent } from '../support/bodies.ts'
import { startNock, stopNock } from '../support/nock.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const TRACEPARENT = `00-${CALLER.traceId}-${CALLER.spanId}-01`
const ROUTE = 'POST /webhooks/:gateway/:endpoint'

describe('the trace of a donation', () => {
  const exporter = new InMemorySpanExporter()
  let service: TestService
  let tracing: Tracing

  before(async () => {
    startNock()
    service = await startTestService()
    tracing = startTracing(new SimpleSpanProcessor({ exporter }), 'bahi test')
  })

  after(async () => {
    await tracing.close()
    stopNock()
    await service.stop()
  })

  const named = (name: string): ReadableSpan[] =>
    exporter.getFinishedSpans().filter((span) => span.name === name)

  const only = async (name: string, least = 1): Promise<ReadableSpan> => {
    await until(() => named(name).length >= least)
    const [span] = named(name)
    if (span === undefined) {
      throw new Error(`no span ${name}`)
    }
    return span
  }

  const runJobs = async () => {
    for (const job of [confirmPayments, processInbox, issueReceiptsJob, sendReceipts]) {
      await runJob(job, service.jobParts)
    }
  }

  const openDonation = async (order: string, email: string) => {
    nock(GATEWAYS_URL)
      .post('/v1/orders')
      .reply(200, { id: order, entity: 'order', amount: 250_050, currency: 'INR' })
    const donor = { ...(donationRequest()['donor'] as object), email }
    const body = donationRequest({ donor })
    expect(
      (await service.call('POST', '/v1/donations', { role: 'service', body })).status,
    ).to.equal(201)
  }

  it('goes from the call of the gateway to the email, each step from the one before', async () => {
    await openDonation('order_TESTtrace0001', 'trace@example.org')
    exporter.reset()
    const webhook = razorpayEvent('payment.captured', {
      id: 'pay_TESTtrace0001',
      orderId: 'order_TESTtrace0001',
      amount: 250_050,
    })
    const headers = { ...webhook.headers, traceparent: TRACEPARENT }
    expect((await service.deliver('razorpay', { ...webhook, headers })).status).to.equal(200)
    await runJobs()

    const chain = [ROUTE, 'process event', 'issue receipt', 'send receipt', 'send email']
    let parent = CALLER.spanId
    for (const name of chain) {
      const span = await only(name)
      expect(span.spanContext().traceId, name).to.equal(CALLER.traceId)
      expect(span.parentSpanContext?.spanId, name).to.equal(parent)
      parent = span.spanContext().spanId
    }
    const http = await only(ROUTE)
    expect(http.kind).to.equal(SpanKind.SERVER)
    expect(http.attributes).to.include({
      'http.request.method': 'POST',
      'http.route': '/webhooks/:gateway/:endpoint',
      'http.response.status_code': 200,
    })
    expect(http.attributes['bahi.request_id']).to.match(/^req_/)
    expect((await only('send email')).attributes['bahi.outcome']).to.equal('sent')
    // What many share stands in a trace of its own and names them.
    const store = await only('store webhooks')
    expect(store.spanContext().traceId).to.not.equal(CALLER.traceId)
    expect(store.links.map(({ context }) => context.spanId)).to.include(http.spanContext().spanId)
    const job = await only('job process-inbox')
    const event = await only('process event')
    const batch = event.links.map(({ context }) => context.traceId)
    expect(batch).to.deep.equal([job.spanContext().traceId])
  })

  it('keeps its place where nobody traced the call, and where workers die between', async () => {
    await openDonation('order_TESTtrace0002', 'trace2@example.org')
    exporter.reset()
    const webhook = razorpayEvent('payment.captured', {
      id: 'pay_TESTtrace0002',
      orderId: 'order_TESTtrace0002',
      amount: 250_050,
    })
    await service.deliver('razorpay', webhook)
    const http = await only(ROUTE)
    const kept = await service.rows<{ trace: string }>(
      'select trace_context as trace from inbox_events order by received_at desc limit 1',
    )
    const { traceId: id, spanId } = http.spanContext()
    expect(kept).to.deep.equal([{ trace: `00-${id}-${spanId}-01` }])
    await runJobs()
    expect((await only('send email')).spanContext().traceId).to.equal(id)
  })

  it('takes no traceparent of another form', async () => {
    const wrong = [
      'x',
      `00-${'0'.repeat(32)}-${CALLER.spanId}-01`,
      `00-${CALLER.traceId}-${'0'.repeat(16)}-01`,
      `ff-${CALLER.traceId}-${CALLER.spanId}-01`,
      `00-${CALLER.traceId.toUpperCase()}-${CALLER.spanId}-01`,
      `${TRACEPARENT}; drop table`,
      `00-${CALLER.traceId}`,
    ]
    for (const traceparent of wrong) {
      exporter.reset()
      await service.call('GET', '/v1/accounts', { headers: { traceparent } })
      const span = await only('GET /v1/accounts')
      expect(span.spanContext().traceId, traceparent).to.not.equal(CALLER.traceId)
      expect(span.parentSpanContext, traceparent).to.equal(undefined)
    }
  })

  it('links a batch of entries to those who posted them', async () => {
    exporter.reset()
    await Promise.all(
      ['one', 'two', 'three'].map(async (key) => await postEntry(service, `trace-${key}`)),
    )
    await until(() => named('POST /v1/journal-entries').length === 3)
    await until(() => named('post batch').length > 0)
    const callers = named('POST /v1/journal-entries').map((span) => span.spanContext().spanId)
    const linked = named('post batch').flatMap(({ links }) =>
      links.map(({ context }) => context.spanId),
    )
    expect(linked).to.have.members(callers)
    const [batch] = named('post batch')
    const own = exporter
      .getFinishedSpans()
      .filter(({ parentSpanContext }) => parentSpanContext?.spanId === batch?.spanContext().spanId)
    expect(own.map(({ name }) => name)).to.include('transaction')
  })

  it('shows a transaction that was run again, and one that failed, by their SQLSTATE', async () => {
    exporter.reset()
    let attempts = 0
    const { db } = service.parts
    await db.transact(1, async (trx) => {
      attempts += 1
      if (attempts < 3) {
        await trx.query(`do $$ begin raise exception 'x' using errcode = '40001'; end $$`)
      }
    })
    const again = await only('transaction')
    expect(again.kind).to.equal(SpanKind.CLIENT)
    expect(again.attributes).to.include({
      'db.system.name': 'postgresql',
      'bahi.isolation': 'serializable',
      'bahi.organisation': '1',
    })
    expect(again.status.code).to.equal(SpanStatusCode.UNSET)
    expect(
      again.events.map(({ name, attributes }) => [name, attributes?.['attempt']]),
    ).to.deep.equal([
      ['retry', 1],
      ['retry', 2],
    ])
    expect(again.events[0]?.attributes).to.include({ 'db.response.status_code': '40001' })
    exporter.reset()
    await db
      .read(1, async (trx) => await trx.query("select 'secret'::integer"))
      .catch(() => undefined)
    const failed = await only('transaction')
    expect(failed.status).to.deep.equal({ code: SpanStatusCode.ERROR })
    expect(failed.attributes).to.include({
      'db.response.status_code': '22P02',
      'error.type': '22P02',
    })
    // What Postgres says may hold what was asked; it is not told to a collector.
    expect(JSON.stringify([failed.attributes, failed.events, failed.status])).to.not.contain(
      'secret',
    )
  })

  it('shows calls to gateways, and a problem by its code', async () => {
    exporter.reset()
    nock(GATEWAYS_URL).post('/v1/orders').reply(500)
    await service.call('POST', '/v1/donations', { role: 'service', body: donationRequest() })
    const call = await only('call Razorpay')
    expect(call.attributes).to.include({
      'server.address': 'gateways.test',
      'http.response.status_code': 500,
      'error.type': 'gateway_unavailable',
    })
    const http = await only('POST /v1/donations')
    expect(call.spanContext().traceId).to.equal(http.spanContext().traceId)
    expect(http.status.code).to.equal(SpanStatusCode.ERROR)
    const thrown = inSpan('x', {}, async () => await Promise.reject(new Problem('not_found')))
    await thrown.catch(() => undefined)
    expect((await only('x')).attributes['error.type']).to.equal('not_found')
  })

  it('is nowhere where no collector is configured', async () => {
    await tracing.close()
    exporter.reset()
    await inSpan('unseen', {}, async () => {
      expect([traceContext(), traceId()]).to.deep.equal([null, undefined])
      await Promise.resolve()
    })
    await postEntry(service, 'untraced')
    expect(exporter.getFinishedSpans()).to.deep.equal([])
  })
})
