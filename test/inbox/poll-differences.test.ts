/** What comparisons find and nobody guesses about; silence; gateways that are away or paused. */
import { expect } from 'chai'
import { processInbox } from '../../jobs/process-inbox.ts'
import { sweep } from '../../jobs/sweep.ts'
import { registry } from '../../src/base/metrics.ts'
import { idsFrom } from '../../src/base/ids.ts'
import { rowsOf, textIn } from '../http/seeded.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { startPolling, type Polling } from '../support/polling.ts'
import { listedPayment, listedRefund, minutesAgo } from '../support/razorpay-lists.ts'
import type { JsonObject } from '../support/service.ts'

let polling: Polling

async function differences(query = 'state=open'): Promise<JsonObject[]> {
  const list = await polling.service.call('GET', `/v1/gateway-differences?${query}`)
  expect(list.status, list.text).to.equal(200)
  return rowsOf(list.json)
}

async function eventCount(): Promise<number> {
  return (await polling.service.rows('select 1 from inbox_events')).length
}

async function gauge(name: string, labels: Record<string, string>): Promise<number | undefined> {
  const metric = await registry.getSingleMetric(name)?.get()
  return metric?.values.find((one) =>
    Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  )?.value
}

/** Captured an hour ago, by a webhook. */
async function captured(id: string, amount = 50_000): Promise<void> {
  const createdAt = minutesAgo(60)
  const event = razorpayEvent('payment.captured', { id, orderId: null, amount, createdAt })
  await polling.service.deliver('razorpay', event)
  await polling.poll('all')
}

describe('a difference from a gateway’s list', () => {
  beforeEach(async () => {
    polling = await startPolling()
    await polling.poll()
  })

  afterEach(async () => {
    await polling.stop()
  })

  it('of money is shown and never booked, until the list says what our books say', async () => {
    await captured('pay_D1')
    polling.razorpay.rows.payments = [listedPayment('pay_D1', { amount: 40_000 })]
    await polling.poll('all')
    await polling.poll('all')
    const [one, ...others] = await differences()
    expect(others).to.deep.equal([])
    expect(one).to.include({ kind: 'money', list: 'payments', gateway_id: 'pay_D1' })
    expect(textIn(one, 'detail')).to.match(/pay_D1:captured .*amount 50000, listed 40000/)
    expect(await eventCount()).to.equal(1)
    polling.razorpay.rows.payments = [listedPayment('pay_D1')]
    await polling.poll('all')
    expect(await differences()).to.deep.equal([])
    expect(await differences('state=resolved&kind=money&gateway=razorpay')).to.have.length(1)
    // It comes back as the same one.
    polling.razorpay.rows.payments = [listedPayment('pay_D1', { amount: 40_000 })]
    await polling.poll('all')
    expect((await differences())[0]?.['id']).to.equal(one?.['id'])
  })

  it('of state is one where a captured payment is listed as failed or authorised', async () => {
    for (const [id, status] of [
      ['pay_D2', 'failed'],
      ['pay_D3', 'authorized'],
    ] as const) {
      await captured(id)
      polling.razorpay.rows.payments = [listedPayment(id, { status, captured: false })]
      await polling.poll('all')
    }
    const found = await differences('state=open&kind=state')
    expect(found.map((row) => row['gateway_id'])).to.deep.equal(['pay_D3', 'pay_D2'])
    expect(await eventCount()).to.equal(2)
  })

  it('is a row that cannot be read, and the rows beside it are taken in', async () => {
    polling.razorpay.rows.payments = [
      null,
      'odd',
      { entity: 'payment' },
      listedPayment('pay_D4', { amount: -5 }),
      listedPayment('pay_D5', { currency: 'rupees\u0000' }),
      listedPayment('pay_D6', { status: 'unheard' }),
      listedPayment('pay_D7', { created_at: minutesAgo(30), amount: 1e15 }),
      listedPayment('x'.repeat(4000)),
      listedPayment('pay_D8'),
    ]
    await polling.poll('all')
    const unreadable = await differences('kind=unreadable')
    const ids = unreadable.map((row) => row['gateway_id'])
    expect(ids).to.include.members([null, 'pay_D4', 'pay_D5', 'pay_D7'])
    const booked = await polling.service.rows('select gateway_payment_id from payments')
    expect(booked).to.deep.equal([{ gateway_payment_id: 'pay_D8' }])
    expect(await polling.row('payments')).to.include({ failures: 0, missing: 1 })
    // Once they can be read they are no difference any more.
    polling.razorpay.rows.payments = [listedPayment('pay_D4')]
    await polling.service.rows('update gateway_polls set deep_due_at = now()')
    await polling.poll('all')
    const left = (await differences()).map((row) => row['gateway_id'])
    expect(left).to.not.include('pay_D4').and.not.include(null)
  })

  it('is counted and its lag measured for operators', async () => {
    await captured('pay_D9')
    polling.razorpay.rows.payments = [listedPayment('pay_D9', { amount: 1 })]
    await polling.poll('all')
    await polling.service.rows(
      `update gateway_polls set compared_until = now() - interval '2 hours' where list = 'refunds'`,
    )
    await sweep(polling.service.parts)
    const of = { gateway: 'razorpay', kind: 'money' }
    expect(await gauge('bahi_gateway_differences', of)).to.equal(1)
    const lag = { gateway: 'razorpay', list: 'refunds' }
    expect(await gauge('bahi_gateway_poll_lag_seconds', lag)).to.be.within(7200, 7300)
  })

  it('is not made of a payment that is captured while the list is on its way', async () => {
    const createdAt = minutesAgo(3)
    polling.razorpay.rows.payments = [
      listedPayment('pay_D10', { status: 'authorized', captured: false, created_at: createdAt }),
    ]
    const event = { id: 'pay_D10', orderId: null, amount: 50_000, createdAt }
    await polling.service.deliver('razorpay', razorpayEvent('payment.captured', event))
    await processInbox.run(polling.service.jobParts)
    await polling.poll('all')
    expect(await differences()).to.deep.equal([])
    expect(await eventCount()).to.equal(1)
  })
})

describe('a gateway that does not give its list', () => {
  beforeEach(async () => {
    polling = await startPolling()
  })

  afterEach(async () => {
    await polling.stop()
  })

  it('is asked again later and later, and loses nothing by it', async () => {
    const { razorpay, service } = polling
    razorpay.rows.payments = [listedPayment('pay_A1')]
    razorpay.before = () => 503
    const waits: number[] = []
    for (let tries = 0; tries < 8; tries += 1) {
      await polling.poll('all')
      const row = await polling.row('payments')
      waits.push(row.next_due_at.getTime() - Date.now())
      expect(row).to.include({ failures: tries + 1, lease: null })
      expect(row.last_problem).to.contain('503')
    }
    // It may have been too much at once.
    expect((await polling.row('payments')).window_seconds).to.equal(21_600)
    expect(Math.max(...waits)).to.be.above(60_000)
    expect(Math.max(...waits)).to.be.at.most(3_600_000)
    const asked = razorpay.asked.length
    await polling.poll('due')
    expect(razorpay.asked).to.have.length(asked)
    razorpay.before = () => 200
    await polling.poll('all')
    expect(await polling.row('payments')).to.include({ failures: 0, last_problem: null })
    expect(await service.rows('select 1 from payments')).to.have.length(1)
  })

  it('is not asked while it is paused, and is when the pause ends', async () => {
    const { razorpay, service } = polling
    const asked = { gateway: 'razorpay', reason: 'It is down.' }
    const pause = await service.call('POST', '/v1/inbox-pauses', { body: asked })
    await polling.poll('all')
    expect(razorpay.asked).to.deep.equal([])
    await service.call('POST', `/v1/inbox-pauses/${textIn(pause.json, 'id')}/resume`)
    await polling.poll('all')
    expect(razorpay.asked).to.have.length.above(3)
  })

  it('is not asked while our own inbox is behind, which would tell it all twice', async () => {
    const { razorpay, service } = polling
    const event = { id: 'pay_A2', orderId: null, amount: 50_000, createdAt: minutesAgo(30) }
    await service.deliver('razorpay', razorpayEvent('payment.captured', event))
    await service.rows(`update inbox_events set received_at = now() - interval '2 minutes'`)
    razorpay.rows.payments = [listedPayment('pay_A2')]
    await polling.poll('due')
    expect(razorpay.asked).to.deep.equal([])
    expect((await polling.row('payments')).next_due_at).to.be.above(new Date())
    await polling.poll('all')
    expect(await polling.row('payments')).to.include({ seen: 1, missing: 0 })
  })

  it('ends a list that never goes on, and one refusal stops no other list', async () => {
    const { razorpay } = polling
    razorpay.rows.settlements = [
      { id: 'setl_A1', amount: 5, status: 'processed', utr: 'U', created_at: minutesAgo(30) },
    ]
    razorpay.before = (path) => (path.startsWith('/v1/refunds') ? 403 : 200)
    await polling.poll()
    expect((await polling.row('refunds')).last_problem).to.contain('refused')
    expect(await polling.service.rows('select 1 from settlements')).to.have.length(1)
  })
})

describe('a silence of webhooks', () => {
  beforeEach(async () => {
    polling = await startPolling()
  })

  afterEach(async () => {
    await polling.stop()
  })

  /** Webhooks every so many minutes of the last days, the newest so many minutes ago. */
  async function heard(everyMinutes: number, newestMinutes: number, count = 200): Promise<void> {
    const times = Array.from({ length: count }, (_, n) => {
      return (minutesAgo(newestMinutes) - n * everyMinutes * 60) * 1000
    })
    await polling.service.rows(
      `insert into inbox_events (org_id, event_id, endpoint_id, gateway, account, dedupe_key,
         secret_id, content_type, body, state, processed_at, received_at)
       select 1, n.id, 'whe_0', 'razorpay', $1, sha256(n.id::bytea), 'whs_0', 'application/json',
              '{"event":"token.odd","payload":{}}', 'ignored', now(), n.at
         from unnest($2::text[], $3::timestamptz[]) as n (id, at)`,
      [
        RAZORPAY.account,
        times.map((at, n) => `${idsFrom('evt', at)}${String(n).padStart(16, '0')}`),
        times.map((at) => new Date(at).toISOString()),
      ],
    )
  }

  it('that is longer than usual lets all lists be compared at once, and only once', async () => {
    await polling.poll()
    await heard(2, 1)
    await polling.poll('all')
    const usual = await polling.row('payments')
    expect(usual).to.include({ usual_silence_seconds: 300, silent_since: null })
    const [{ requests }] = [{ requests: polling.razorpay.asked.length }]
    await polling.poll('due')
    expect(polling.razorpay.asked).to.have.length(requests)
    // Nine minutes later nothing was heard.
    await polling.service.rows(
      `update inbox_events set received_at = received_at - interval '9 minutes'`,
    )
    await polling.service.rows(`update gateway_polls set silence_due_at = now()
      where silence_due_at is not null`)
    polling.razorpay.rows.disputes = []
    await polling.poll('due')
    const silent = await polling.row('payments')
    expect(silent.silent_since).to.be.an.instanceOf(Date)
    const asked = polling.razorpay.asked.slice(requests).join(' ')
    for (const list of ['payments', 'refunds', 'disputes', 'settlements']) {
      expect(asked, list).to.contain(`/v1/${list}`)
    }
    expect(silent.silence_due_at).to.equal(null)
    const list = await polling.service.call('GET', '/v1/gateway-polls?gateway=razorpay')
    const payments = rowsOf(list.json).find((row) => row['list'] === 'payments')
    expect(payments?.['silence']).to.include({ usual_seconds: 300 })
    expect(payments?.['silence']).to.not.include({ since: null })
    // What is heard again ends it.
    const event = { id: 'pay_S1', orderId: null, amount: 100 }
    await polling.service.deliver('razorpay', razorpayEvent('payment.captured', event))
    await polling.poll('all')
    expect((await polling.row('payments')).silent_since).to.equal(null)
    expect((await polling.row('payments')).silence_due_at).to.be.above(new Date())
  })

  it('of hours is usual for who hears little, and unknown of who was never heard', async () => {
    await polling.poll()
    expect(await polling.row('payments')).to.include({ silence_due_at: null, silent_since: null })
    await heard(200, 100, 10)
    await polling.poll('all')
    const { usual_silence_seconds: seconds } = await polling.row('payments')
    expect(seconds).to.equal(6 * 60 * 60)
  })

  it('is not broken by what a comparison found', async () => {
    await polling.poll()
    await heard(2, 30)
    polling.razorpay.rows.payments = [listedPayment('pay_S2'), listedPayment('pay_S3')]
    polling.razorpay.rows.refunds = [listedRefund('rfnd_S1', 'pay_S2')]
    await polling.poll('all')
    await polling.poll('due')
    expect((await polling.row('payments')).silent_since).to.be.an.instanceOf(Date)
  })
})
