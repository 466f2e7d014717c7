/** Stripe's own SDK, as others use it, against the Stripe of the test gateways. */
import { expect } from 'chai'
import Stripe from 'stripe'
import { onTestGateways } from './clients.ts'

const KEY = 'sk_test_000000000001'

describe('the SDK of Stripe at the test gateways', () => {
  const ground = onTestGateways()

  afterEach(() => ground.gateways.faults.clear())

  /** With the SDK's own version of the API, connections and retries. */
  function client(options: { maxNetworkRetries?: number; timeout?: number } = {}): Stripe {
    const { hostname: host, port } = new URL(ground.gateways.url)
    const there = { host, port, protocol: 'http', telemetry: false } as const
    return new Stripe(KEY, { ...there, maxNetworkRetries: 0, ...options })
  }

  const paid = (amount = 90_000) => ground.gateways.stripe.pay({ amount }).id

  async function errorOf(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
    return await call.then(
      () => expect.fail('it went well'),
      (error: unknown) =>
        error instanceof Stripe.errors.StripeError ? error : expect.fail(String(error)),
    )
  }

  /** Begun at the gateway, by the webhooks that tell of it. */
  const refundsBegun = () =>
    ground.gateways.webhooks.sent.filter(({ type }) => type === 'refund.created').length

  it('gives money back once for one idempotency key', async () => {
    const stripe = client()
    const charge = paid()
    const begun = refundsBegun()
    const wanted = { charge, amount: 40_000, metadata: { reference: 'rfd_sdk_01' } }
    const key = { idempotencyKey: 'bahi-refund-sdk-1' }
    const first = await stripe.refunds.create(wanted, key)
    const again = await stripe.refunds.create(wanted, key)
    expect(again.id).to.equal(first.id)
    expect(first.lastResponse.headers['idempotent-replayed']).to.equal(undefined)
    expect(again.lastResponse.headers['idempotent-replayed']).to.equal('true')
    expect(refundsBegun() - begun).to.equal(1)
    const { amount_refunded: refunded } = await stripe.charges.retrieve(charge)
    expect(refunded).to.equal(40_000)
    const other = await errorOf(stripe.refunds.create({ ...wanted, amount: 41_000 }, key))
    expect(other).to.be.instanceOf(Stripe.errors.StripeIdempotencyError)
  })

  it('pays once where the answer is cut off and the SDK calls again by itself', async () => {
    const stripe = client({ maxNetworkRetries: 2 })
    const charge = paid()
    const begun = refundsBegun()
    ground.gateways.faults.add({ operation: 'stripe.refunds.create', kind: 'lose' })
    const refund = await stripe.refunds.create({ charge })
    expect(refund).to.include({ object: 'refund', amount: 90_000, charge })
    expect(refundsBegun() - begun).to.equal(1)
  })

  it('pays once where nobody answers in time and the caller tries again', async () => {
    const charge = paid()
    const begun = refundsBegun()
    const key = { idempotencyKey: 'bahi-refund-sdk-2' }
    ground.gateways.faults.add({ operation: 'stripe.refunds.create', kind: 'slow', ms: 2000 })
    const late = await errorOf(client({ timeout: 100 }).refunds.create({ charge }, key))
    expect(late).to.be.instanceOf(Stripe.errors.StripeConnectionError)
    await client().refunds.create({ charge }, key)
    expect(refundsBegun() - begun).to.equal(1)
  })

  it('lists all refunds of a charge, page by page, and finds one by its id', async () => {
    const stripe = client()
    const charge = paid(100_000)
    const made = new Set<string>()
    for (let amount = 101; amount <= 125; amount += 1) {
      ground.later(1)
      made.add((await stripe.refunds.create({ charge, amount })).id)
    }
    const listed: string[] = []
    for await (const { id } of stripe.refunds.list({ charge, limit: 10 })) {
      listed.push(id)
    }
    expect(listed)
      .to.have.length(made.size)
      .and.to.have.members([...made])
    const [newest = ''] = listed
    const expand = ['balance_transaction', 'charge']
    const found = await stripe.refunds.retrieve(newest, { expand })
    expect(found).to.include({ id: newest, amount: 125, status: 'succeeded' })
    expect(found.balance_transaction).to.include({ object: 'balance_transaction', amount: -125 })
    expect(found.charge).to.include({ id: charge, object: 'charge' })
  })

  it('refuses as Stripe does what is not there, too much, or without a key', async () => {
    const stripe = client()
    const missing = await errorOf(stripe.refunds.retrieve('re_0'))
    expect(missing).to.include({ statusCode: 404, param: 'id' })
    const more = await errorOf(stripe.refunds.create({ charge: paid(), amount: 90_001 }))
    expect(more).to.be.instanceOf(Stripe.errors.StripeInvalidRequestError)
    ground.gateways.faults.add({ operation: 'stripe.*', kind: 'refuse', status: 429 })
    const often = await errorOf(stripe.charges.list())
    expect(often).to.be.instanceOf(Stripe.errors.StripeRateLimitError)
    const { hostname: host, port } = new URL(ground.gateways.url)
    const nobody = new Stripe('nobody', { host, port, protocol: 'http', maxNetworkRetries: 0 })
    const stranger = await errorOf(nobody.charges.list())
    expect(stranger.statusCode).to.equal(401)
  })
})
