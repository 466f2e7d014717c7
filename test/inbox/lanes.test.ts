/** Who goes first: money before everything else, and one event before another's thousands. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { asOwner } from '../../scripts/stack.ts'
import type { GatewayName } from '../../src/gateways/fact.ts'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { processTurn } from '../../src/inbox/process.ts'
import { openRounds } from '../../src/inbox/rounds.ts'
import { laneOf } from '../../src/inbox/stored-event.ts'
import { noteStanding } from '../../src/inbox/standing.ts'
import { registry } from '../../src/base/metrics.ts'
import { samples } from '../gateways/bodies.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY, testOrganisation } from '../support/organisation.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'

const RAZORPAY_LANES: Readonly<Record<string, 'money' | 'other'>> = {
  'payment.captured': 'money',
  'payment.authorized': 'money',
  'payment.failed': 'money',
  'payment.dispute.under_review': 'money',
  'payment.downtime.started': 'other',
  'order.paid': 'money',
  'order.notification.delivered': 'other',
  'refund.speed_changed': 'money',
  'settlement.processed': 'money',
  'invoice.partially_paid': 'money',
  'invoice.expired': 'other',
  'subscription.charged': 'money',
  'subscription.halted': 'other',
  'virtual_account.credited': 'money',
  'virtual_account.closed': 'other',
  'payout.reversed': 'money',
  'payout.downtime.resolved': 'other',
  'token.rejected': 'other',
  'account.activated': 'other',
  'something.new': 'other',
}

const STRIPE_LANES: Readonly<Record<string, 'money' | 'other'>> = {
  'charge.captured': 'money',
  'charge.dispute.funds_withdrawn': 'money',
  'payment_intent.created': 'other',
  'payment_intent.succeeded': 'money',
  'checkout.session.completed': 'money',
  'checkout.session.expired': 'other',
  'payout.paid': 'money',
  'customer.created': 'other',
}

const LANE_OF = { 'payment.failed': 'money', 'token.rejected': 'other' } as const

let service: TestService

const laneIn = (gateway: GatewayName, body: Buffer | string): string =>
  laneOf(gateway, Buffer.from(body))

/** Events that wait, put there without the intake: `from` on numbers their payments. */
async function wait(
  orgId: number,
  kind: 'payment.failed' | 'token.rejected',
  count: number,
  from = 1,
): Promise<void> {
  const id = '%ID%'
  const { body } = razorpayEvent('payment.failed', { id, orderId: null, amount: 100 })
  await service.rows(
    `insert into inbox_events (org_id, event_id, endpoint_id, gateway, account, dedupe_key,
       secret_id, content_type, body, lane)
     select $1, 'evt_' || lpad(to_hex(n), 26, '0'), endpoint_id, 'razorpay', $2,
            sha256(($3 || n)::bytea), 'whs_0', 'application/json',
            convert_to(replace(replace($4, '%ID%', 'pay_TEST' || n), 'payment.failed', $3), 'UTF8'),
            $7
       from generate_series($5::integer, $6::integer) n,
            (select endpoint_id from webhook_endpoints
              where org_id = $1 and gateway = 'razorpay' limit 1) e`,
    [orgId, RAZORPAY.account, kind, body.toString(), from, from + count - 1, LANE_OF[kind]],
  )
}

async function states(orgId: number): Promise<Record<string, number>> {
  const rows = await service.rows<{ lane: string; state: string; count: number }>(
    `select lane, state, count(*)::integer from inbox_events where org_id = $1 group by 1, 2`,
    [orgId],
  )
  return Object.fromEntries(rows.map((row) => [`${row.lane} ${row.state}`, row.count]))
}

describe('the lanes of the inbox', () => {
  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
  })

  afterEach(async () => {
    await service.rows('delete from inbox_events')
  })

  after(async () => {
    await service.stop()
  })

  it('are told by the name of the event, whatever else stands in it', () => {
    for (const [event, lane] of Object.entries(RAZORPAY_LANES)) {
      const body = { entity: 'event', account_id: 'acc_1', event, contains: [], payload: {} }
      expect(laneIn('razorpay', JSON.stringify(body)), event).to.equal(lane)
      expect(laneIn('razorpay', JSON.stringify(body, null, 2)), event).to.equal(lane)
    }
    for (const [type, lane] of Object.entries(STRIPE_LANES)) {
      const object = { id: 'x', type: 'customer.created' }
      const body = { id: 'evt_1', object: 'event', data: { object }, livemode: false, type }
      expect(laneIn('stripe', JSON.stringify(body)), type).to.equal(lane)
      expect(laneIn('stripe', `${JSON.stringify(body, null, 2)}\n`), type).to.equal(lane)
    }
  })

  it('take for money what nobody can read, and all of a gateway without names', () => {
    for (const odd of ['', 'not json', '\0\xff', '{"event":1}', '"event":"', 'x'.repeat(5000)]) {
      expect(laneIn('razorpay', Buffer.from(odd, 'latin1')), odd.slice(0, 9)).to.equal('money')
      expect(laneIn('stripe', Buffer.from(odd, 'latin1'))).to.equal('money')
    }
    expect(laneIn('payu', 'status=success&unmappedstatus=captured')).to.equal('money')
  })

  it('have every printed webhook that tells money in the lane of money', async function () {
    const printed = samples('razorpay/webhooks')
    if (printed === undefined) {
      process.stdout.write('    skipped: ../shared/fixtures is not there\n')
      this.skip()
    }
    const wrong: string[] = []
    for (const { name, text } of printed ?? []) {
      const bytes = Buffer.from(text)
      const account = /"account_id":\s*"(acc_\w+)"/.exec(text)?.[1] ?? 'acc_none'
      const webhook = { body: bytes, contentType: '', receivedAt: new Date(), signedBy: 'x' }
      const { facts } = razorpay.read(webhook, account, null)
      const isMoney = facts.some((fact) => fact.kind !== 'downtime')
      if (isMoney && laneIn('razorpay', bytes) !== 'money') {
        wrong.push(name)
      }
    }
    expect(wrong).to.deep.equal([])
  })

  it('let money overtake what came before it, in one organisation and across all', async () => {
    await wait(1, 'token.rejected', 700)
    await wait(2, 'token.rejected', 3)
    await wait(1, 'payment.failed', 2, 1000)
    await wait(2, 'payment.failed', 600, 1000)
    let turns = 0
    const shouldStop = () => {
      turns += 1
      return turns === 3
    }
    await processInbox.run({ ...service.jobParts, shouldStop })
    expect(await states(1)).to.deep.equal({ 'money processed': 2, 'other waiting': 700 })
    expect(await states(2)).to.deep.equal({ 'money processed': 600, 'other waiting': 3 })
    await processInbox.run(service.jobParts)
    expect(await states(1)).to.deep.equal({ 'money processed': 2, 'other ignored': 700 })
  })

  it('let one event wait for a batch of another’s 20,000 at the most', async () => {
    await wait(1, 'payment.failed', 20_000)
    await wait(2, 'payment.failed', 1)
    const rounds = openRounds(service.parts.db)
    const taken: string[] = []
    const go = async () => {
      const turn = await rounds.next()
      expect(turn).to.not.equal(null)
      if (turn !== null) {
        const took = await processTurn(service.parts, turn)
        rounds.took(turn, took)
        taken.push(`${turn.orgId}: ${took.events}`)
      }
    }
    await go()
    await go()
    // One more comes in the middle of the flood.
    await wait(2, 'payment.failed', 1, 2)
    await go()
    await go()
    expect(taken).to.deep.equal(['2: 1', '1: 500', '2: 1', '1: 500'])
  })

  it('keep nobody from a turn by coming with few again and again', async () => {
    await wait(1, 'payment.failed', 1200)
    const rounds = openRounds(service.parts.db)
    const turns: string[] = []
    for (let n = 0; n < 5; n += 1) {
      await wait(2, 'payment.failed', 300, 1 + n * 300)
      const turn = await rounds.next()
      if (turn !== null) {
        rounds.took(turn, await processTurn(service.parts, turn))
        turns.push(`${turn.orgId}: ${turn.limit}`)
      }
    }
    // With its second turn the other has had its batch; then each has a new one, the older first.
    expect(turns).to.deep.equal(['2: 500', '2: 200', '1: 500', '1: 500', '2: 500'])
  })

  it('begin small again where a batch broke, and widen from there', async () => {
    await wait(1, 'payment.failed', 20)
    const rounds = openRounds(service.parts.db)
    const limits: number[] = []
    for (const [events, isWhole] of [
      [1, false],
      [2, true],
      [3, true],
      [2, false],
      [4, true],
      [0, true],
    ] as const) {
      const turn = await rounds.next()
      if (turn !== null) {
        limits.push(turn.limit)
        rounds.took(turn, { events, isWhole })
      }
    }
    expect(limits).to.deep.equal([500, 2, 4, 8, 4, 8])
  })

  it('are shown with the age of what waits longest in each', async () => {
    await wait(1, 'token.rejected', 1)
    await service.rows(`update inbox_events set received_at = now() - interval '1 hour'`)
    await noteStanding(service.parts.db)
    const metric = await registry.getSingleMetric('bahi_inbox_oldest_waiting_seconds')?.get()
    const lanes = Object.fromEntries(
      (metric?.values ?? []).map(({ labels, value }) => [String(labels['lane']), value]),
    )
    expect(lanes['money']).to.equal(0)
    expect(lanes['other']).to.be.at.least(3600)
  })
})
