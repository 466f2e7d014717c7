/** The way of a gift through Stripe: session, signed events, questions, books, refunds. */
import { createHmac } from 'node:crypto'
import { expect } from 'chai'
import nock from 'nock'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { textIn } from '../http/seeded.ts'
import { donationRequest } from '../support/bodies.ts'
import { startNock, stopNock } from '../support/nock.ts'
import { startTestService, type TestService } from '../support/service.ts'
import {
  ACCOUNT,
  charge,
  CREATED,
  dispute,
  event,
  payout,
  refund,
  txn,
  type Json,
} from './stripe-objects.ts'

const STRIPE_URL = 'https://api.stripe.com'
const SECRET = 'whsec_TESTBahi00000000000000000001'
const NEW_ACCOUNT = {
  gateway: 'stripe',
  account: ACCOUNT,
  key_secret: 'sk_test_TESTBahi0000000000000001',
  environment: 'test',
}

describe('a gift through Stripe', () => {
  let service: TestService
  let endpoint: string
  let reference: string

  before(async () => {
    startNock()
    service = await startTestService()
  })

  after(async () => {
    stopNock()
    await service.stop()
  })

  const admin = async (path: string, body: unknown) =>
    await service.call('POST', `/v1/${path}`, { role: 'admin', body })

  let sent = 0
  /** Sends an event under an id of its own, signed `late` seconds ago; gives the status. */
  async function deliver(type: string, object: Json, late = 0): Promise<number> {
    sent += 1
    const body = JSON.stringify(event(type, object, { id: `evt_TEST${sent}` }))
    const time = Math.floor(Date.now() / 1000) - late
    const v1 = createHmac('sha256', SECRET).update(`${time}.${body}`).digest('hex')
    const answer = await fetch(`${service.url}/webhooks/stripe/${endpoint}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': `t=${time},v1=${v1}` },
      body,
    })
    return answer.status
  }

  /** What Stripe says of an object when it is asked, from now on. */
  function known(path: string, object: Json): void {
    nock(STRIPE_URL).get(`/v1/${path}`).query(true).reply(200, object).persist()
  }

  /** Nothing that was known is known any more. */
  function forget(): void {
    nock.cleanAll()
  }

  async function entries(): Promise<[string, string][]> {
    const rows = await service.rows<{ kind: string; idempotency_key: string }>(
      'select kind, idempotency_key from journal_entries where org_id = 1 order by entry_no',
    )
    return rows.map((row) => [row.kind, row.idempotency_key.replace(`stripe:${ACCOUNT}:`, '')])
  }

  async function balances(): Promise<Record<string, bigint>> {
    const rows = await service.rows<{ code: string; balance: bigint | string }>(
      `select code, debits - credits as balance from accounts
        where org_id = 1 and debits <> credits order by code`,
    )
    return Object.fromEntries(rows.map(({ code, balance }) => [code, BigInt(balance)]))
  }

  const eventStates = async () =>
    await service.rows<{ state: string; event_type: string; last_error: string | null }>(
      'select state, event_type, last_error from inbox_events order by event_id',
    )

  it('needs an account whose key is of its mode, and the secret that Stripe made', async () => {
    for (const change of [
      { account: 'acc_1' },
      { environment: 'live' },
      { key_secret: 'pk_test_TESTBahi00000001' },
      { key_id: 'sk_test_TESTBahi00000001' },
    ]) {
      const refused = await admin('gateway-accounts', { ...NEW_ACCOUNT, ...change })
      expect(refused.status, JSON.stringify(change)).to.equal(400)
    }
    const added = await admin('gateway-accounts', NEW_ACCOUNT)
    expect(added.status, added.text).to.equal(201)
    expect(added.json).to.include({ api_url: STRIPE_URL, key_id: ACCOUNT })
    const made = await admin('webhook-endpoints', { gateway: 'stripe' })
    expect(made.status, made.text).to.equal(201)
    endpoint = textIn(made.json, 'id')
    expect(await deliver('charge.succeeded', { id: 'ch_TESTBahi1' })).to.equal(401)
    const secret = { label: 'from Stripe', secret: SECRET }
    const label = await admin(`webhook-endpoints/${endpoint}/secrets`, secret)
    expect(label.status, label.text).to.equal(201)
  })

  it('opens with the address of Stripe’s page', async () => {
    nock(STRIPE_URL).post('/v1/checkout/sessions').reply(200, {
      id: 'cs_test_1',
      object: 'checkout.session',
      amount_total: 250_000,
      currency: 'inr',
      url: 'https://checkout.stripe.com/c/pay/cs_test_1',
    })
    const opened = await service.call('POST', '/v1/donations', {
      body: donationRequest({ gateway: 'stripe', amount: 250_000 }),
    })
    expect(opened.status, opened.text).to.equal(201)
    expect(opened.json['checkout']).to.deep.equal({
      gateway: 'stripe',
      url: 'https://checkout.stripe.com/c/pay/cs_test_1',
    })
    reference = textIn(opened.json, 'order_ref')
    expect(reference).to.match(/^[0-9a-z]{25}$/)
  })

  it('is booked once, with its fee, by however many events', async () => {
    const early = charge({ metadata: { bahi_reference: reference }, balance_transaction: null })
    known('charges/ch_TESTBahi1', early)
    const intent = { id: 'pi_TESTBahi1', latest_charge: 'ch_TESTBahi1' }
    expect(await deliver('charge.succeeded', { id: 'ch_TESTBahi1' })).to.equal(200)
    expect(await deliver('charge.succeeded', { id: 'ch_TESTBahi1' }, 301)).to.equal(401)
    expect(await deliver('customer.created', { id: 'cus_1' })).to.equal(200)
    await service.runJobs()
    // Stripe has no balance transaction yet: nothing is posted, and it is asked again.
    expect(await entries()).to.deep.equal([])
    forget()
    known('charges/ch_TESTBahi1', charge({ metadata: { bahi_reference: reference } }))
    expect(await deliver('charge.updated', { id: 'ch_TESTBahi1' })).to.equal(200)
    expect(await deliver('payment_intent.succeeded', intent)).to.equal(200)
    await service.rows('update inbox_events set next_try_at = now() where org_id = 1 returning 1')
    await service.runJobs()
    expect(await entries()).to.deep.equal([
      ['donation_captured', 'ch:ch_TESTBahi1:captured'],
      ['gateway_fee', 'ch:ch_TESTBahi1:fee'],
    ])
    expect(await balances()).to.deep.equal({
      'assets:clearing:stripe': 241_150n,
      'assets:input-gst': 1350n,
      'expenses:gateway-fees': 7500n,
      'income:donations:education': -250_000n,
    })
    const states = await eventStates()
    expect(states.map(({ state }) => state)).to.have.members([
      'processed',
      'ignored',
      'processed',
      'processed',
    ])
    const [kept] = await service.rows<{ text: string }>(
      `select string_agg(confirmation::text, '') as text from inbox_events`,
    )
    expect(kept?.text).to.contain('txn_TESTin').and.not.to.contain('Asha')
  })

  it('gives back in parts, and takes back what did not arrive, told late first', async () => {
    const of = { charge: charge({ metadata: { bahi_reference: reference } }) }
    const back = txn('txn_TESTback', 50_000, 0, { created: CREATED + 90_000 })
    const out = txn('txn_TEST2', -50_000, 0, { created: CREATED + 4000 })
    const returned = {
      id: 're_TESTBahi2',
      amount: 50_000,
      balance_transaction: out,
      status: 'failed',
      failure_balance_transaction: back,
    }
    known('refunds/re_TESTBahi1', refund(of))
    known('refunds/re_TESTBahi2', refund({ ...of, ...returned }))
    for (const [type, id] of [
      ['refund.failed', 're_TESTBahi2'],
      ['refund.created', 're_TESTBahi1'],
      ['charge.refund.updated', 're_TESTBahi1'],
      ['refund.created', 're_TESTBahi2'],
    ] as const) {
      expect(await deliver(type, { id })).to.equal(200)
    }
    await service.runJobs()
    const posted = (await entries()).slice(2)
    expect(posted).to.have.deep.members([
      ['refund_created', 're:re_TESTBahi2:created'],
      ['refund_processed', 're:re_TESTBahi2:processed'],
      ['refund_failed', 're:re_TESTBahi2:failed'],
      ['refund_returned', 're:re_TESTBahi2:returned'],
      ['refund_created', 're:re_TESTBahi1:created'],
      ['refund_processed', 're:re_TESTBahi1:processed'],
    ])
    expect(await balances()).to.include({
      'assets:clearing:stripe': 141_150n,
      'income:donations:education': -150_000n,
    })
  })

  it('follows a dispute and a payout by their balance transactions', async () => {
    const withdrawn = txn('txn_TESTw', -150_000, 150_000, { created: CREATED + 7300 })
    const lost = { status: 'lost', amount: 150_000, balance_transactions: [withdrawn] }
    known('disputes/du_TESTBahi1', dispute(lost))
    const sentOut = txn('txn_TESTpo', -10_000, 0, { created: CREATED + 100_000 })
    const returned = txn('txn_TESTpoBack', 10_000, 0, { created: CREATED + 400_000 })
    known(
      'payouts/po_TESTBahi1',
      payout({
        amount: 10_000,
        status: 'failed',
        balance_transaction: sentOut,
        failure_balance_transaction: returned,
      }),
    )
    for (const [type, id] of [
      ['charge.dispute.closed', 'du_TESTBahi1'],
      ['charge.dispute.funds_withdrawn', 'du_TESTBahi1'],
      ['payout.failed', 'po_TESTBahi1'],
      ['payout.paid', 'po_TESTBahi1'],
    ] as const) {
      expect(await deliver(type, { id })).to.equal(200)
    }
    await service.runJobs()
    expect((await entries()).slice(8)).to.have.deep.members([
      ['dispute_debited', 'txn:txn_TESTw'],
      ['dispute_lost', 'dp:du_TESTBahi1:lost'],
      ['settled', 'po:po_TESTBahi1:paid'],
      ['settlement_returned', 'po:po_TESTBahi1:failed'],
    ])
    expect(await balances()).to.deep.equal({
      'assets:clearing:stripe': -158_850n,
      'assets:input-gst': 1350n,
      'expenses:dispute-losses': 150_000n,
      'expenses:gateway-fees': 157_500n,
      'income:donations:education': -150_000n,
    })
  })

  it('leaves books that verify, and nothing that waits', async () => {
    const states = new Set(
      (await eventStates()).map(({ state, last_error: error }) => {
        return state === 'processed' || state === 'ignored' ? state : `${state}: ${error}`
      }),
    )
    expect([...states]).to.have.members(['processed', 'ignored'])
    const { findings } = await verifyBooks(service.parts.db, () => undefined)
    expect(findings).to.deep.equal([])
  })
})
