/** Refunds by the API: once, never above what is left, whatever happens on the way. */
import { expect } from 'chai'
import { sendInstructions } from '../../jobs/send-instructions.ts'
import type { CallsOut } from '../../src/base/calls-out.ts'
import { textIn } from '../http/seeded.ts'
import type { JsonObject } from '../support/service.ts'
import { idIn, openShop, type Shop } from './shop.ts'

describe('a refund that is asked for', () => {
  let shop: Shop

  before(async () => {
    shop = await openShop()
  })

  after(async () => {
    await shop.close()
  })

  beforeEach(async () => {
    await shop.work()
    shop.razorpay.moved.length = 0
    shop.razorpay.calls.length = 0
    shop.razorpay.mishaps.length = 0
  })

  const refund = async (payment: string, body: object = {}, more: object = {}) =>
    await shop.post(`/v1/payments/${payment}/refunds`, { reason: 'Paid twice', ...body }, more)

  const whatOf = ({ json }: { json: JsonObject }) =>
    (json['steps'] as { what: string }[]).map(({ what }) => what)

  it('is written down, told to the gateway, and booked as the gateway says', async () => {
    const payment = await shop.paid(50_000)
    const asked = await refund(payment, { amount: 20_000 })
    const id = idIn(asked)
    expect(asked.json).to.include({ kind: 'refund', state: 'intended', amount: 20_000, payment })
    expect(shop.razorpay.calls).to.deep.equal([])
    await shop.work()
    const done = await shop.get(id)
    expect(done.json).to.include({ state: 'done', calls: 1, last_problem: null })
    expect(whatOf(done)).to.deep.equal(['intended', 'sending', 'accepted', 'done'])
    expect(shop.razorpay.moved).to.have.length(1)
    const [refunded] = await shop.service.rows<{ state: string; reference: string }>(
      'select state, reference from refunds where reference = $1',
      [done.json['reference']],
    )
    expect(refunded?.state).to.equal('processed')
    expect(await shop.balances()).to.include({
      'liabilities:unidentified-receipts': 30_000n,
      'assets:clearing:razorpay': 30_000n,
    })
    // Its event went the way of the webhooks, marked as asked.
    const events = await shop.service.call('GET', '/v1/inbox-events?type=refund.processed')
    expect((events.json['data'] as JsonObject[])[0]).to.include({ told: 'asked', endpoint: null })
  })

  it('is never above what is left, with those that are on their way', async () => {
    const payment = await shop.paid(10_000)
    expect((await refund(payment, { amount: 10_001 })).json).to.include({
      code: 'amount_above_left',
      moved: 'no',
    })
    idIn(await refund(payment, { amount: 6000 }))
    expect((await refund(payment, { amount: 4001 })).json['code']).to.equal('amount_above_left')
    const rest = await refund(payment)
    expect(rest.json['amount']).to.equal(4000)
    expect((await refund(payment)).json['code']).to.equal('amount_above_left')
    await shop.work()
    expect(shop.razorpay.moved.map(({ amount }) => amount)).to.have.members([6000, 4000])
    expect((await refund(payment, { amount: 1 })).json['code']).to.equal('amount_above_left')
    // Typed straight into the database, it is refused as well.
    const [typed] = await Promise.allSettled([
      shop.service.rows(`
        insert into instructions (org_id, instruction_id, kind, gateway, account, reference,
          payment_id, gateway_payment_id, amount, currency, speed, state, reason, asked_by,
          asked_as, asked_person, idempotency_key, fingerprint)
        select org_id, 'ins_typed', kind, gateway, account, 'typedtypedtyped', payment_id,
               gateway_payment_id, 1, currency, speed, 'intended', reason, asked_by, asked_as,
               asked_person, 'typed', fingerprint
          from instructions where payment_id = '${payment}' limit 1`),
    ])
    expect(String(typed?.status === 'rejected' && typed.reason)).to.contain('has less than 1 left')
  })

  it('is one, however many ask for all of it at the same time', async () => {
    const payment = await shop.paid(7000)
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => await refund(payment, { amount: 4000 })),
    )
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 202)).to.have.length(1)
    expect(statuses.filter((status) => status === 422)).to.have.length(7)
    await Promise.all([shop.work(), shop.work(), shop.work()])
    expect(shop.razorpay.moved).to.have.length(1)
  })

  it('is the same one under the same key, for longer than answers are kept', async () => {
    const payment = await shop.paid(9000)
    const first = await refund(payment, {}, { key: 'the-same' })
    await shop.work()
    await shop.forgetAnswers()
    const again = await refund(payment, {}, { key: 'the-same' })
    expect([again.status, again.json['id']]).to.deep.equal([202, first.json['id']])
    await shop.forgetAnswers()
    const other = await refund(payment, { amount: 1 }, { key: 'the-same' })
    expect(other.json).to.include({ code: 'idempotency_conflict', moved: 'no' })
    await shop.work()
    expect(shop.razorpay.moved).to.have.length(1)
  })

  for (const mishap of ['answer_lost', 'bad_gateway'] as const) {
    it(`is asked about, not repeated, where its answer is lost: ${mishap}`, async () => {
      const payment = await shop.paid(8000)
      const id = idIn(await refund(payment))
      shop.razorpay.mishaps.push(mishap)
      await shop.work()
      expect((await shop.get(id)).json).to.include({ state: 'sending' })
      await shop.later()
      await shop.work()
      const done = await shop.get(id)
      expect(done.json).to.include({ state: 'done', calls: 1 })
      expect(shop.razorpay.moved).to.have.length(1)
    })
  }

  it('is told again under its reference where the gateway knows of none', async () => {
    const payment = await shop.paid(8000)
    const id = idIn(await refund(payment))
    shop.razorpay.mishaps.push('request_lost')
    await shop.work()
    await shop.later()
    await shop.work()
    const done = await shop.get(id)
    expect(done.json).to.include({ state: 'done', calls: 2 })
    expect(shop.razorpay.moved).to.have.length(1)
    const reads = shop.razorpay.calls.filter((one) => one.startsWith('GET'))
    expect(reads).to.have.length(1)
  })

  it('waits for a person where the gateway knows of none, a day later', async () => {
    const payment = await shop.paid(8000)
    const id = idIn(await refund(payment))
    shop.razorpay.mishaps.push('request_lost')
    await shop.work()
    await shop.sentBefore(id, 21)
    await shop.later()
    await shop.work()
    expect((await shop.get(id)).json).to.include({ state: 'unknown' })
    await shop.later()
    await shop.work()
    expect(shop.razorpay.moved).to.have.length(0)
    const reason = { reason: 'The dashboard shows none' }
    const path = `/v1/instructions/${id}/resolve`
    const ended = await shop.post(path, { as: 'not_moved', ...reason })
    expect(ended.json).to.include({ state: 'failed' })
    expect((await shop.post(path, { as: 'ask', ...reason })).json['code']).to.equal(
      'instruction_state',
    )
    // What it held is free again.
    expect((await refund(payment)).status).to.equal(202)
    await shop.work()
    expect(shop.razorpay.moved).to.have.length(1)
  })

  it('goes on where a worker died, before or after the call', async () => {
    const payment = await shop.paid(8000)
    const before = idIn(await refund(payment, { amount: 3000 }))
    const never = () => new Promise<never>(() => undefined)
    void sendInstructions.run({ ...shop.service.jobParts, out: never })
    await stateOf(before, 'sending')
    // The claim has not run out: nobody else takes it.
    await shop.work()
    expect(shop.razorpay.calls).to.deep.equal([])
    await shop.later()
    await shop.work()
    expect((await shop.get(before)).json).to.include({ state: 'done', calls: 2 })
    const after = idIn(await refund(payment, { amount: 5000 }))
    const deaf: CallsOut = async (_errand, call) => {
      await call({ signal: AbortSignal.timeout(5000) })
      return await never()
    }
    void sendInstructions.run({ ...shop.service.jobParts, out: deaf })
    await stateOf(after, 'sending')
    while (shop.razorpay.moved.length < 2) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    await shop.later()
    await shop.work()
    expect((await shop.get(after)).json).to.include({ state: 'done', calls: 1 })
    expect(shop.razorpay.moved.map(({ amount }) => amount)).to.deep.equal([3000, 5000])
  })

  async function stateOf(id: string, state: string): Promise<void> {
    while ((await shop.get(id)).json['state'] !== state) {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  it('ends where the gateway refuses it, and frees what it held', async () => {
    const payment = await shop.paid(8000)
    const id = idIn(await refund(payment))
    shop.razorpay.mishaps.push('refused')
    await shop.work()
    expect((await shop.get(id)).json).to.include({ state: 'refused', calls: 1 })
    expect((await refund(payment)).status).to.equal(202)
  })

  it('is not refused by a second call while the first is in doubt', async () => {
    const payment = await shop.paid(8000)
    const id = idIn(await refund(payment))
    shop.razorpay.mishaps.push('request_lost', 'refused')
    await shop.work()
    await shop.later()
    await shop.work()
    // Asked again after the refusal: there is none, so the refusal is true.
    expect((await shop.get(id)).json).to.include({ state: 'refused', calls: 2 })
    expect(shop.razorpay.moved).to.have.length(0)
  })

  it('is done by a webhook that overtakes the answer, and fails when it comes back', async () => {
    shop.razorpay.status.refund = 'pending'
    const payment = await shop.paid(8000)
    const id = idIn(await refund(payment))
    shop.razorpay.mishaps.push('answer_lost')
    await shop.work()
    const reference = textIn((await shop.get(id)).json, 'reference')
    const entity = shop.razorpay.entity('refund', reference)
    await shop.webhook('refund.processed', {
      refund: { entity: { ...entity, status: 'processed' } },
    })
    expect((await shop.get(id)).json).to.include({ state: 'done', gateway_ref: entity['id'] })
    await shop.later()
    await shop.work()
    expect(shop.razorpay.moved).to.have.length(1)
    await shop.webhook('refund.failed', { refund: { entity: { ...entity, status: 'failed' } } })
    expect((await shop.get(id)).json).to.include({ state: 'failed' })
    shop.razorpay.status.refund = 'processed'
    // The money is there again, to be given back once more.
    expect((await refund(payment)).status).to.equal(202)
  })

  it('can be cancelled until the gateway hears of it, and not after', async () => {
    const payment = await shop.paid(8000)
    const id = idIn(await refund(payment))
    const reason = { reason: 'A misunderstanding' }
    const cancelled = await shop.post(`/v1/instructions/${id}/cancel`, reason)
    expect(cancelled.json).to.include({ state: 'cancelled' })
    await shop.work()
    expect(shop.razorpay.calls).to.deep.equal([])
    const sent = idIn(await refund(payment))
    await shop.work()
    const late = await shop.post(`/v1/instructions/${sent}/cancel`, reason)
    expect(late.json).to.include({ code: 'instruction_state', moved: 'no' })
  })

  it('is for captured money only, of a payment that is there', async () => {
    const payment = await shop.authorized(5000)
    expect((await refund(payment)).json).to.include({ code: 'not_payable', moved: 'no' })
    expect((await refund('pmt_01jd3vzzzzzzzzzzzzzzzzzzzz')).status).to.equal(404)
    const paid = await shop.paid(5000)
    for (const body of [{ amount: 0 }, { amount: -1 }, { amount: 1.5 }, { reason: '' }]) {
      expect((await refund(paid, body)).status, JSON.stringify(body)).to.equal(400)
    }
    const unkeyed = await shop.service.call('POST', `/v1/payments/${paid}/refunds`, {
      body: { reason: 'x' },
    })
    expect(unkeyed.json['code']).to.equal('idempotency_key_missing')
  })
})
