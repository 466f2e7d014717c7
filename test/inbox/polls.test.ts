/** Gateways' own lists compared with our books: what webhooks did not tell is found, once. */
import { expect } from 'chai'
import { pollGateways } from '../../jobs/poll-gateways.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { takePoll } from '../../src/inbox/polls/polls.ts'
import { openFor } from '../donations/facts.ts'
import { rowsOf, textIn } from '../http/seeded.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { startPolling, type Polling } from '../support/polling.ts'
import { listedPayment, listedRefund, minutesAgo } from '../support/razorpay-lists.ts'
import type { JsonObject, TestService } from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'

/** Every entry of the journal with its lines, by what it is about and not by its number. */
async function entriesOf(service: TestService): Promise<string[]> {
  const rows = await service.rows<{ entry: string }>(
    `select e.idempotency_key || ' ' || e.kind || ' ' || e.effective_on || ': ' ||
            string_agg(a.code || ' ' || l.direction || ' ' || l.amount, ', '
                       order by a.code, l.direction, l.amount) as entry
       from journal_entries e
       join postings l using (org_id, entry_no)
       join accounts a using (org_id, account_id)
      group by e.org_id, e.entry_no, e.idempotency_key, e.kind, e.effective_on order by 1`,
  )
  return rows.map(({ entry }) => entry)
}

async function countOf(service: TestService, sql: string): Promise<number> {
  const [row] = await service.rows<{ count: number }>(`select count(*)::integer from ${sql}`)
  return row?.count ?? 0
}

/** A webhook about entities that happened when the entity says. */
function webhook(event: string, entities: Record<string, JsonObject>) {
  const [first] = Object.values(entities)
  const payload = Object.fromEntries(
    Object.entries(entities).map(([name, entity]) => [name, { entity }]),
  )
  return razorpayWebhook(
    {
      entity: 'event',
      account_id: RAZORPAY.account,
      event,
      payload,
      created_at: first?.['created_at'],
    },
    RAZORPAY.webhookSecret,
    `evt_${event}${textIn(first, 'id')}`,
  )
}

/** A day of an organisation: what Razorpay lists of it, and the webhooks that tell the same. */
function lives() {
  const paid = listedPayment('pay_L1', { order_id: 'order_L1', fee: 1180, tax: 180 })
  const unasked = listedPayment('pay_L2', { amount: 7000 })
  const failed = listedPayment('pay_L3', { status: 'failed', captured: false })
  const authorized = listedPayment('pay_L4', { status: 'authorized', captured: false })
  const never = listedPayment('pay_L5', { status: 'refunded', captured: false })
  const refund = listedRefund('rfnd_L1', 'pay_L1', { acquirer_data: { arn: 'ARN1' } })
  const bounced = listedRefund('rfnd_L2', 'pay_L1', { status: 'failed', amount: 300 })
  const begun = listedRefund('rfnd_L3', 'pay_L2', { status: 'pending', amount: 400 })
  const given = listedRefund('rfnd_L5', 'pay_L5', { amount: 50_000 })
  const dispute = {
    id: 'disp_L1',
    entity: 'dispute',
    payment_id: 'pay_L2',
    amount: 7000,
    amount_deducted: 7000,
    currency: 'INR',
    status: 'lost',
    phase: 'chargeback',
    reason_code: 'fraud',
    created_at: minutesAgo(15),
  }
  const settlement = {
    id: 'setl_L1',
    entity: 'settlement',
    amount: 38_820,
    status: 'processed',
    utr: 'UTR1',
    created_at: minutesAgo(10),
  }
  return {
    rows: {
      payments: [paid, unasked, failed, authorized, never],
      refunds: [refund, bounced, begun, given],
      disputes: [dispute],
      settlements: [settlement],
    },
    webhooks: [
      webhook('payment.captured', { payment: paid }),
      webhook('payment.captured', { payment: unasked }),
      webhook('payment.failed', { payment: failed }),
      webhook('payment.authorized', { payment: authorized }),
      webhook('payment.authorized', { payment: never }),
      webhook('refund.processed', { refund }),
      webhook('refund.failed', { refund: bounced }),
      webhook('refund.created', { refund: begun }),
      webhook('refund.processed', { refund: given, payment: never }),
      webhook('payment.dispute.lost', { dispute }),
      webhook('settlement.processed', { settlement }),
    ],
  }
}

describe('books without webhooks', () => {
  const told = lives()
  let told_by: { webhooks: Polling; polls: Polling }

  before(async () => {
    told_by = { webhooks: await startPolling(), polls: await startPolling() }
    for (const { service, razorpay } of Object.values(told_by)) {
      await openFor(service.parts, { order: 'order_L1' })
      Object.assign(razorpay.rows, told.rows)
    }
    const { service } = told_by.webhooks
    for (const one of told.webhooks) {
      expect((await service.deliver('razorpay', one)).status).to.equal(200)
    }
    await processInbox.run(service.jobParts)
    await told_by.polls.poll()
  })

  after(async () => {
    await told_by.webhooks.stop()
    await told_by.polls.stop()
  })

  it('are those that webhooks make, entry for entry', async () => {
    const entries = await entriesOf(told_by.webhooks.service)
    expect(entries).to.have.length(10)
    expect(await entriesOf(told_by.polls.service)).to.deep.equal(entries)
    const states = `select gateway_payment_id || ' ' || state as state from payments
      union all select gateway_refund_id || ' ' || state || ' ' || coalesce(bank_reference, '')
                  from refunds
      union all select gateway_dispute_id || ' ' || state from disputes
      union all select gateway_settlement_id || ' ' || state || ' ' || utr from settlements
      union all select order_ref || ' ' || state from donations
      union all select 'parked ' || fact_key from parked_facts order by 1`
    const expected = await told_by.webhooks.service.rows(states)
    expect(await told_by.polls.service.rows(states)).to.deep.equal(expected)
    expect(expected).to.have.length(12)
  })

  it('verify, and name what no webhook told as found in a list', async () => {
    const { service } = told_by.polls
    expect((await verifyBooks(service.parts.db, () => undefined)).findings).to.deep.equal([])
    const list = await service.call('GET', '/v1/inbox-events?told=polled&limit=100')
    expect(rowsOf(list.json)).to.have.length(11)
    for (const row of rowsOf(list.json)) {
      expect(row).to.include({ told: 'polled', endpoint: null, lane: 'money', state: 'processed' })
    }
    const one = await service.call('GET', `/v1/inbox-events/${textIn(rowsOf(list.json)[0], 'id')}`)
    const [received] = one.json['timeline'] as { what: string; detail: string }[]
    expect(received).to.include({ what: 'received', detail: 'found in the gateway’s own list' })
    const asked = await service.call('GET', '/v1/inbox-events?told=asked')
    expect(rowsOf(asked.json)).to.deep.equal([])
  })

  it('stay as they are when the same is compared again', async () => {
    for (const polling of Object.values(told_by)) {
      const before = await entriesOf(polling.service)
      const events = await countOf(polling.service, 'inbox_events')
      await polling.poll('all')
      await polling.service.rows('update gateway_polls set deep_due_at = now()')
      await polling.poll('all')
      expect(await entriesOf(polling.service)).to.deep.equal(before)
      expect(await countOf(polling.service, 'inbox_events')).to.equal(events)
      expect(await countOf(polling.service, 'gateway_differences')).to.equal(0)
    }
    const { missing, fed } = await told_by.webhooks.row('payments')
    expect([missing, fed]).to.deep.equal([0, 0])
  })

  it('take a webhook that comes later for a duplicate', async () => {
    const { service } = told_by.polls
    const before = await entriesOf(service)
    for (const one of [...told.webhooks].reverse()) {
      expect((await service.deliver('razorpay', one)).status).to.equal(200)
    }
    await processInbox.run(service.jobParts)
    expect(await entriesOf(service)).to.deep.equal(before)
    expect(await countOf(service, `inbox_events where state in ('dead', 'waiting')`)).to.equal(0)
    expect((await verifyBooks(service.parts.db, () => undefined)).findings).to.deep.equal([])
  })

  it('get an ARN that is listed only later', async () => {
    const { service, razorpay } = told_by.polls
    const [, bounced] = razorpay.rows.refunds
    await service.rows(`update refunds set bank_reference = null`)
    await told_by.polls.poll('all')
    razorpay.rows.refunds = [
      listedRefund('rfnd_L1', 'pay_L1', { acquirer_data: { arn: 'ARN2' } }),
      bounced ?? null,
    ]
    await told_by.polls.poll('all')
    const [refund] = await service.rows<{ bank_reference: string }>(
      `select bank_reference from refunds where gateway_refund_id = 'rfnd_L1'`,
    )
    expect(refund?.bank_reference).to.equal('ARN2')
  })
})

describe('a comparison of a long list', () => {
  let polling: Polling

  beforeEach(async () => {
    polling = await startPolling()
  })

  afterEach(async () => {
    await polling.stop()
  })

  function many(count: number): JsonObject[] {
    return Array.from({ length: count }, (_, n) => listedPayment(`pay_M${n}`, { amount: 100 + n }))
  }

  const skips = (asked: readonly string[]): string[] =>
    asked.flatMap((path) =>
      path.startsWith('/v1/payments?') ? [/skip=(\d+)/.exec(path)?.[1] ?? ''] : [],
    )

  it('goes on where it was when its worker ended between two pages', async () => {
    const { service, razorpay, row } = polling
    razorpay.rows.payments = many(250)
    let pages = 0
    razorpay.before = (path) => {
      pages += path.startsWith('/v1/payments?') ? 1 : 0
      return 200
    }
    await service.rows(`insert into gateway_polls (org_id, gateway, account, list, since,
      compared_until, deep_due_at) select org_id, gateway, account, 'payments', created_at,
      now() - interval '2 hours', now() + interval '1 day' from gateway_accounts
      where gateway = 'razorpay'`)
    const stopping = { ...service.jobParts, shouldStop: () => pages >= 1 }
    await pollGateways.run(stopping)
    expect(await row('payments')).to.include({ cursor: '100', lease: null, pass: 'usual' })
    expect(await countOf(service, 'inbox_events')).to.equal(100)
    await polling.poll()
    expect(skips(razorpay.asked)).to.deep.equal(['0', '100', '200'])
    expect(await countOf(service, 'journal_entries')).to.equal(250)
    const { cursor, pass, missing, fed } = await row('payments')
    expect([cursor, pass, missing, fed]).to.deep.equal([null, null, 250, 250])
  })

  it('keeps nothing of a page whose list another worker took meanwhile', async () => {
    const { service, razorpay, row } = polling
    razorpay.rows.payments = many(30)
    let isStolen = false
    razorpay.before = async (path) => {
      if (path.startsWith('/v1/payments?') && !isStolen) {
        isStolen = true
        await service.rows(`update gateway_polls set lease = 'another',
          leased_until = now() + interval '5 minutes' where list = 'payments'`)
      }
      return 200
    }
    await polling.poll()
    expect(await countOf(service, 'inbox_events')).to.equal(0)
    expect(await row('payments')).to.include({ lease: 'another', seen: 0, pass: null })
    // The other was killed: its lease ends, and all is compared.
    await service.rows(`update gateway_polls set leased_until = now() - interval '1 second'`)
    await polling.poll()
    expect(await countOf(service, 'journal_entries')).to.equal(30)
  })

  it('is one worker’s at a time, and feeds each row once', async () => {
    const { service, razorpay } = polling
    razorpay.rows.payments = many(150)
    await Promise.all(
      Array.from({ length: 4 }, async () => await pollGateways.run(service.jobParts)),
    )
    await processInbox.run(service.jobParts)
    // Yesterday is a window of its own.
    expect(skips(razorpay.asked)).to.deep.equal(['0', '0', '100'])
    expect(await countOf(service, 'inbox_events')).to.equal(150)
    expect(await countOf(service, 'journal_entries')).to.equal(150)
    expect(await takePoll(service.parts.db, 'razorpay')).to.equal(null)
  })

  it('takes ten thousand rows page by page, and no more memory than a few pages', async () => {
    const { service, razorpay, row } = polling
    razorpay.rows.payments = many(10_000)
    const before = process.memoryUsage().heapUsed
    let most = 0
    razorpay.before = () => {
      most = Math.max(most, process.memoryUsage().heapUsed - before)
      return 200
    }
    await pollGateways.run(service.jobParts)
    expect(await row('payments')).to.include({ missing: 10_000, fed: 10_000, cursor: null })
    expect(await countOf(service, 'inbox_events')).to.equal(10_000)
    expect(most).to.be.below(150_000_000)
  })

  it('reads the last hour again, and once a day far more, for what is listed late', async () => {
    const { service, razorpay, row } = polling
    await polling.poll()
    const { compared_until: until } = await row('payments')
    razorpay.rows.payments = [listedPayment('pay_LATE', { created_at: minutesAgo(50) })]
    expect(until.getTime()).to.be.above(minutesAgo(50) * 1000)
    await polling.poll('all')
    expect(await countOf(service, 'payments')).to.equal(1)
    // Older than that is found by the long comparison of the day.
    razorpay.rows.payments = [listedPayment('pay_OLD', { created_at: minutesAgo(300) })]
    await polling.poll('all')
    expect(await countOf(service, 'payments')).to.equal(1)
    await service.rows('update gateway_polls set deep_due_at = now()')
    await polling.poll('all')
    expect(await countOf(service, 'payments')).to.equal(2)
  })

  it('never reaches back by itself to before the account was ours', async () => {
    const { service, razorpay } = polling
    razorpay.rows.payments = [listedPayment('pay_B4', { created_at: minutesAgo(3 * 24 * 60) })]
    await polling.poll()
    await service.rows('update gateway_polls set deep_due_at = now()')
    await polling.poll('all')
    expect(await countOf(service, 'inbox_events')).to.equal(0)
  })

  it('takes its turn, a few pages each, so that nobody waits for a long list', async () => {
    const { service, razorpay } = polling
    razorpay.rows.payments = many(2000)
    razorpay.rows.refunds = [listedRefund('rfnd_T1', 'pay_M1')]
    await polling.poll()
    const lists = razorpay.asked.map((path) => /v1\/(\w+)\?/.exec(path)?.[1] ?? '')
    expect(lists.indexOf('refunds')).to.be.within(1, 10)
    expect(lists.lastIndexOf('payments')).to.be.above(15)
    expect(await countOf(service, 'journal_entries')).to.equal(2002)
  })
})
