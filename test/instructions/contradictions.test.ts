/** What is in the way of an instruction: keys that are away, echoes, moved money, other people. */
import { expect } from 'chai'
import { sendInstructions } from '../../jobs/send-instructions.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import { record as recordFacts } from '../donations/facts.ts'
import { textIn } from '../http/seeded.ts'
import { cash, record } from '../offline/asked.ts'
import { disputeLost, disputeMoved, minutes } from '../payments/facts.ts'
import { donationRequest, razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY, testOrganisation } from '../support/organisation.ts'
import type { JsonObject } from '../support/service.ts'
import { idIn, openShop, PAYOUT, type Shop } from './shop.ts'

describe('an instruction with something in its way', () => {
  let shop: Shop

  before(async () => {
    shop = await openShop()
  })

  after(async () => {
    await shop.close()
  })

  beforeEach(() => {
    shop.razorpay.moved.length = 0
    shop.razorpay.calls.length = 0
  })

  const refund = async (payment: string, more: object = {}) =>
    await shop.post(`/v1/payments/${payment}/refunds`, { reason: 'By mistake', ...more })

  it('is none for money that came past the gateways', async () => {
    const { json } = await record(shop.service, cash())
    const transfers = [{ account: 'acc_WEAVER', amount: 1 }]
    for (const [verb, more] of [
      ['refunds', {}],
      ['capture', {}],
      ['transfers', { transfers }],
    ] as const) {
      const path = `/v1/payments/${textIn(json, 'payment')}/${verb}`
      const answer = await shop.post(path, { reason: 'By mistake', ...more })
      expect(answer.json, verb).to.include({ code: 'not_offered', moved: 'no' })
    }
  })

  const keyAway = async (isAway: boolean): Promise<void> => {
    await shop.service.rows(
      `update gateway_accounts set key_secret_sealed = case when $1
              then '\\x00'::bytea || key_secret_sealed else substr(key_secret_sealed, 2) end
        where gateway = 'razorpay'`,
      [isAway],
    )
  }

  it('says so while the gateway’s key cannot be opened, and can be cancelled', async () => {
    const payment = await shop.paid(5000)
    const [one, other] = [
      idIn(await refund(payment, { amount: 3000 })),
      idIn(await refund(payment, { amount: 2000 })),
    ]
    await keyAway(true)
    await shop.work()
    const waiting = await shop.get(one)
    expect(waiting.json).to.include({ state: 'intended' })
    expect(waiting.json['last_problem']).to.be.a('string')
    const cancel = await shop.post(`/v1/instructions/${other}/cancel`, { reason: 'No' })
    expect(cancel.json).to.include({ state: 'cancelled' })
    await keyAway(false)
    await shop.later()
    await shop.work()
    expect((await shop.get(one)).json).to.include({ state: 'done' })
    expect(shop.razorpay.moved.map(({ amount }) => amount)).to.deep.equal([3000])
  })

  it('in doubt waits for a person where the gateway’s key is away for a day', async () => {
    const id = idIn(await refund(await shop.paid(5000)))
    shop.razorpay.mishaps.push('answer_lost')
    await shop.work()
    await keyAway(true)
    await shop.later()
    await shop.work()
    expect((await shop.get(id)).json).to.include({ state: 'sending' })
    await shop.sentBefore(id, 21)
    await shop.later()
    await shop.work()
    expect((await shop.get(id)).json).to.include({ state: 'unknown' })
    await keyAway(false)
    await shop.post(`/v1/instructions/${id}/resolve`, { as: 'ask', reason: 'The key is back' })
    await shop.work()
    expect((await shop.get(id)).json).to.include({ state: 'done', calls: 1 })
  })

  it('keeps where a payout goes out of the words of a gateway that echoes it', async () => {
    const bank = { ...PAYOUT.beneficiary, account_number: '99887766554433' }
    const vpa = { type: 'vpa', name: 'Ravi', address: 'ravi.rao-1@okbank' }
    for (const [beneficiary, mode, echoed] of [
      [bank, 'IMPS', '99887766554433'],
      [bank, 'IMPS', '9988 7766 5544 33'],
      [vpa, 'UPI', 'RAVI.RAO-1@okbank'],
    ] as const) {
      const id = idIn(await shop.post('/v1/payouts', { ...PAYOUT, mode, beneficiary }))
      shop.razorpay.mishaps.push({ echo: `${echoed} is closed` })
      await shop.work()
      const refused = await shop.get(id)
      expect(refused.json).to.include({
        state: 'refused',
        last_problem: 'Razorpay refused the request: … is closed',
      })
      expect(refused.text).to.not.contain(echoed)
      const calls = await shop.service.rows<{ text: string }>(
        'select c::text as text from gateway_calls c',
      )
      expect(JSON.stringify(calls)).to.not.contain(echoed)
    }
  })

  it('is never borne by what it is paid from, which would hide that it is gone', async () => {
    const paidFor = { paid_for: 'assets:payout-balance:razorpay' }
    const answer = await shop.post('/v1/payouts', { ...PAYOUT, ...paidFor })
    expect(answer.json).to.include({ code: 'payout_limits', moved: 'no' })
  })

  it('is not approved once the account that bears it is closed', async () => {
    const limits = [{ currency: 'INR', amount: 500_000 }]
    const body = { limits }
    await shop.service.call('PUT', '/v1/approval-limits', { role: 'admin', body })
    const account = 'liabilities:printer'
    const opened = await shop.post('/v1/accounts', {
      code: account,
      currency: 'INR',
      name: 'Printer',
    })
    expect(opened.status, opened.text).to.equal(201)
    const more = { amount: 500_001, mode: 'NEFT', paid_for: account }
    const id = idIn(await shop.post('/v1/payouts', { ...PAYOUT, ...more }))
    const path = `/v1/accounts/${textIn(opened.json, 'id')}`
    const end = { state: 'closed', reason: 'Settled' }
    const closed = await shop.service.call('PATCH', path, { body: end })
    expect(closed.status, closed.text).to.equal(200)
    const approve = `/v1/instructions/${id}/approve`
    const answer = await shop.postAs('other', 'approver', approve, { reason: 'Seen' })
    expect(answer.json).to.include({ code: 'account_closed', moved: 'no' })
  })

  it('of one organisation does not wait until all of another are through', async () => {
    const spec = testOrganisation(shop.razorpay.url, { orgId: 2, slug: 'other' })
    await asOwner(shop.service.database.ownerUrl, async (client) => {
      await createOrganisation(client, shop.service.config.dataKeys, { ...spec, gateways: [] })
    })
    for (let count = 0; count < 12; count += 1) {
      idIn(await shop.post('/v1/payouts', { ...PAYOUT, amount: 100 + count }))
    }
    const columns = await shop.service.rows<{ name: string }>(
      `select column_name as name from information_schema.columns
        where table_name = 'instructions' and column_name <> 'org_id'`,
    )
    const names = columns.map(({ name }) => name).join(', ')
    await shop.service.rows(
      `insert into instructions (org_id, ${names})
       select 2, ${names} from instructions where amount = 111 and org_id = 1`,
    )
    await sendInstructions.run(shop.service.jobParts)
    const took = await shop.service.rows<{ org_id: number }>(
      `select org_id from instruction_steps where what = 'sending' and detail = 'call 1'
        order by at desc limit 13`,
    )
    const place = took.reverse().findIndex((one) => one.org_id === 2)
    expect(place).to.be.within(0, 5)
  })
})

describe('money that lies in the unidentified receipts', () => {
  let shop: Shop

  before(async () => {
    shop = await openShop()
  })

  after(async () => {
    await shop.close()
  })

  async function pay(id: string, orderId: string): Promise<void> {
    shop.razorpay.payments.set(id, { amount: 6000, captured: true })
    const createdAt = Date.parse('2026-05-10T06:30:00Z') / 1000
    const event = razorpayEvent('payment.captured', { id, orderId, amount: 6000, createdAt })
    await shop.service.deliver('razorpay', event)
    await shop.service.runJobs()
  }

  async function donate(id: string): Promise<string> {
    const body = donationRequest({ amount: 6000 })
    const opened = await shop.service.call('POST', '/v1/donations', { body })
    const order = textIn(opened.json, 'order_ref')
    await pay(id, order)
    return order
  }

  it('goes back by itself only as far as finance has left it there', async () => {
    const order = await donate('pay_THRICE1')
    await pay('pay_THRICE2', order)
    await pay('pay_THRICE3', order)
    const lines = [
      ['debit', 'liabilities:unidentified-receipts'],
      ['credit', 'income:donations:education'],
    ].map(([direction, account]) => ({ direction, account, amount: 6000, currency: 'INR' }))
    const entry = { effective_on: '2026-05-11', description: 'One of them is a gift', lines }
    expect((await shop.post('/v1/journal-entries', entry)).status).to.equal(201)
    const rule = { refund_duplicates_after_hours: 24 }
    await shop.service.call('PATCH', '/v1/organisation', { role: 'admin', body: rule })
    // What is on its way back already is not there for another.
    shop.razorpay.status.refund = 'pending'
    await sendInstructions.run(shop.service.jobParts)
    await sendInstructions.run(shop.service.jobParts)
    expect(shop.razorpay.moved.map(({ amount }) => amount)).to.deep.equal([6000])
    await shop.work()
    await shop.work()
    expect(shop.razorpay.moved).to.have.length(1)
    expect((await shop.balances())['liabilities:unidentified-receipts']).to.equal(0n)
    await shop.service.call('PATCH', '/v1/organisation', {
      role: 'admin',
      body: { refund_duplicates_after_hours: null },
    })
  })

  it('of a lost dispute that was turned over gets its donation a receipt again', async () => {
    await donate('pay_TURNED1')
    const { account } = RAZORPAY
    const told = { dispute: 'disp_TURNED1', payment: 'pay_TURNED1', amount: 6000n }
    const tell = async (...facts: Parameters<typeof recordFacts>[1]) => {
      const own = facts.map((fact) => ({ ...fact, account }))
      const none = facts.map(() => null)
      expect(await recordFacts(shop.service.parts, own, 1)).to.deep.equal(none)
      await shop.service.runJobs()
    }
    const receipts = async () => {
      const { json } = await shop.service.call('GET', '/v1/receipts?limit=100')
      const [paid] = await shop.service.rows<{ id: string }>(
        `select payment_id as id from payments where gateway_payment_id = 'pay_TURNED1'`,
      )
      return (json['data'] as JsonObject[])
        .filter(({ payment }) => payment === paid?.id)
        .map(({ state }) => state)
    }
    expect(await receipts()).to.deep.equal(['issued'])
    await tell(disputeMoved('dispute_debited', told), disputeLost(told, 'debited'))
    expect(await receipts()).to.deep.equal(['cancelled'])
    await tell(disputeMoved('dispute_credited', { ...told, at: minutes(9) }))
    expect(await receipts()).to.deep.equal(['issued', 'cancelled'])
  })
})
