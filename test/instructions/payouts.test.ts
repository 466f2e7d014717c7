/** Payouts, transfers and captures by the API: once, booked to what they are for. */
import { expect } from 'chai'
import { textIn } from '../http/seeded.ts'
import type { JsonObject } from '../support/service.ts'
import { idIn, openShop, PAYOUT, type Shop } from './shop.ts'

const OTHER = { subject: 'other' }

describe('a payout that is asked for', () => {
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
    shop.razorpay.status.payout = 'processed'
  })

  const pay = async (more: object = {}) => await shop.post('/v1/payouts', { ...PAYOUT, ...more })

  it('is paid once and booked to what it is for, with its charge', async () => {
    const before = await shop.balances()
    const id = idIn(await pay())
    await shop.work()
    const done = await shop.get(id)
    expect(done.json).to.include({ state: 'done', calls: 1, payment: null })
    expect(done.json['payout']).to.deep.equal({
      mode: 'IMPS',
      purpose: 'vendor bill',
      narration: 'Books for Pune',
      beneficiary: 'Ravi Rao, HDFC0000053 ••••6789',
      paid_for: 'liabilities:merchants-payable',
    })
    const now = await shop.balances()
    const grown = (code: string) => (now[code] ?? 0n) - (before[code] ?? 0n)
    expect(grown('liabilities:merchants-payable')).to.equal(-150_000n)
    expect(grown('assets:payout-balance:razorpay')).to.equal(-150_590n)
    expect(now).to.not.have.property('assets:unidentified-payments')
  })

  it('keeps its beneficiary sealed: no list, step, note or event has the account', async () => {
    const account = '99887766554433'
    const beneficiary = { ...PAYOUT.beneficiary, account_number: account }
    const id = idIn(await pay({ beneficiary }))
    await shop.work()
    const tables = await shop.service.rows<{ name: string }>(
      `select table_name as name from information_schema.tables
        where table_schema = 'public' and table_type = 'BASE TABLE'`,
    )
    for (const { name } of tables) {
      const [found] = await shop.service.rows<{ n: number }>(
        `select count(*)::integer as n from ${name} t where t::text like '%${account}%'`,
      )
      expect(found?.n, name).to.equal(0)
    }
    expect((await shop.get(id)).text).to.not.contain(account)
  })

  it('is not paid twice where its answer was lost', async () => {
    for (const mishap of ['answer_lost', 'bad_gateway'] as const) {
      shop.razorpay.moved.length = 0
      const id = idIn(await pay())
      shop.razorpay.mishaps.push(mishap)
      await shop.work()
      expect((await shop.get(id)).json).to.include({ state: 'sending' })
      await shop.later()
      await shop.work()
      expect((await shop.get(id)).json).to.include({ state: 'done', calls: 1 })
      expect(shop.razorpay.moved, mishap).to.have.length(1)
    }
  })

  it('is booked to what it is for by a webhook that comes before the answer', async () => {
    const beneficiary = { type: 'vpa', name: 'Ravi', address: 'ravi@okbank' }
    const more = { paid_for: 'expenses:bank-charges', mode: 'UPI', beneficiary, amount: 700 }
    const id = idIn(await pay(more))
    shop.razorpay.mishaps.push('answer_lost')
    await shop.work()
    const reference = textIn((await shop.get(id)).json, 'reference')
    const payout = { entity: shop.razorpay.entity('payout', reference) }
    await shop.webhook('payout.processed', { payout })
    expect((await shop.get(id)).json).to.include({ state: 'done', calls: 1 })
    await shop.later()
    await shop.work()
    const balances = await shop.balances()
    expect(balances['expenses:bank-charges']).to.equal(700n)
    expect(balances).to.not.have.property('assets:unidentified-payments')
    expect(shop.razorpay.moved).to.have.length(1)
    const reversed = { ...payout.entity, status: 'reversed' }
    await shop.webhook('payout.reversed', { payout: { entity: reversed } })
    expect((await shop.get(id)).json).to.include({ state: 'failed' })
    expect((await shop.balances())['expenses:bank-charges']).to.equal(0n)
  })

  it('is followed while it waits at the gateway', async () => {
    shop.razorpay.status.payout = 'queued'
    const id = idIn(await pay())
    await shop.work()
    expect((await shop.get(id)).json).to.include({ state: 'accepted' })
    const reference = textIn((await shop.get(id)).json, 'reference')
    Object.assign(shop.razorpay.entity('payout', reference), { status: 'processed' })
    await shop.later()
    await shop.work()
    expect((await shop.get(id)).json).to.include({ state: 'done', calls: 1 })
  })

  it('is not what a webhook of another amount tells of: nobody asked for that', async () => {
    shop.razorpay.status.payout = 'queued'
    const id = idIn(await pay({ amount: 4200 }))
    await shop.work()
    const entity = shop.razorpay.entity('payout', textIn((await shop.get(id)).json, 'reference'))
    const forged = { ...entity, id: 'pout_OTHER1', amount: 4300, status: 'processed' }
    await shop.webhook('payout.processed', { payout: { entity: forged } })
    expect((await shop.get(id)).json).to.include({ state: 'accepted' })
    expect((await shop.balances())['assets:unidentified-payments']).to.equal(4300n)
  })

  it('fits its mode, its account and its books, or is refused before anything moves', async () => {
    const vpa = { type: 'vpa', name: 'Ravi', address: 'ravi@okbank' }
    for (const [more, code] of [
      [{ mode: 'UPI', beneficiary: vpa, amount: 10_000_001 }, 'payout_limits'],
      [{ mode: 'IMPS', amount: 50_000_001 }, 'payout_limits'],
      [{ mode: 'RTGS', amount: 19_999_999 }, 'payout_limits'],
      [{ mode: 'NEFT', amount: 99 }, 'payout_limits'],
      [{ mode: 'UPI' }, 'payout_limits'],
      [{ mode: 'NEFT', beneficiary: vpa }, 'payout_limits'],
      [{ paid_for: 'liabilities:nobody' }, 'unknown_account'],
      [{ paid_for: 'liabilities:wallets:asha' }, 'payout_limits'],
      [{ beneficiary: { ...PAYOUT.beneficiary, ifsc: 'HDFC1000053' } }, 'invalid_request'],
      [{ beneficiary: { ...PAYOUT.beneficiary, account_number: '1 or 1=1' } }, 'invalid_request'],
      [{ narration: 'Bücher' }, 'invalid_request'],
      [{ currency: 'USD' }, 'invalid_request'],
    ] as const) {
      expect((await pay(more)).json, JSON.stringify(more)).to.include({ code, moved: 'no' })
    }
    for (const more of [
      { mode: 'UPI', beneficiary: vpa, amount: 10_000_000 },
      { mode: 'RTGS', amount: 20_000_000 },
    ]) {
      expect((await pay(more)).status, JSON.stringify(more)).to.equal(202)
    }
  })

  it('needs another person above the limit, and stays with the gateway’s account', async () => {
    const limits = { limits: [{ currency: 'INR', amount: 100_000 }] }
    await shop.service.call('PUT', '/v1/approval-limits', { role: 'admin', body: limits })
    const asked = await pay()
    expect(asked.json).to.include({ state: 'proposed' })
    const id = idIn(asked)
    await shop.work()
    expect(shop.razorpay.calls).to.deep.equal([])
    const approve = `/v1/instructions/${id}/approve`
    const own = await shop.post(approve, { reason: 'Me' }, { role: 'admin' })
    expect(own.json).to.include({ code: 'own_proposal', moved: 'no' })
    const approved = await shop.postAs(OTHER.subject, 'approver', approve, { reason: 'Seen' })
    expect(approved.json).to.include({ state: 'intended', approved_by: 'other' })
    const again = await shop.postAs('third', 'approver', approve, { reason: 'Seen' })
    expect(again.json['code']).to.equal('instruction_state')
    await shop.work()
    expect(shop.razorpay.moved).to.have.length(1)
    const below = await pay({ amount: 100_000 })
    expect(below.json).to.include({ state: 'intended' })
    const proposed = idIn(await pay({ amount: 100_001 }))
    const reason = { reason: 'No' }
    const cancelled = await shop.post(`/v1/instructions/${proposed}/cancel`, reason)
    expect(cancelled.json).to.include({ state: 'cancelled' })
  })

  it('cannot be asked for before the account it is paid from is set', async () => {
    const path = '/v1/gateway-accounts/razorpay'
    const set = async (payout_account: unknown) =>
      await shop.service.call('PATCH', path, { role: 'admin', body: { payout_account } })
    expect((await set(null)).json).to.include({ payout_account: null })
    expect((await pay({ amount: 200 })).json['code']).to.equal('not_offered')
    expect((await set('x')).status).to.equal(400)
    expect((await set('2323230000000002')).json).to.include({ payout_account: '2323230000000002' })
    expect((await pay({ amount: 200 })).status).to.equal(202)
  })
})

describe('a transfer or a capture that is asked for', () => {
  let shop: Shop

  before(async () => {
    shop = await openShop()
  })

  after(async () => {
    await shop.close()
  })

  const transfer = async (payment: string, ...amounts: number[]) =>
    await shop.post(`/v1/payments/${payment}/transfers`, {
      transfers: amounts.map((amount, index) => ({ account: `acc_WEAVER${index}`, amount })),
      reason: 'Their part',
    })

  it('passes parts of a payment on, together no more than is left', async () => {
    const payment = await shop.paid(10_000)
    expect((await transfer(payment, 6000, 4001)).json['code']).to.equal('amount_above_left')
    const made = await transfer(payment, 6000, 3000)
    expect(made.status).to.equal(202)
    expect((await transfer(payment, 1001)).json['code']).to.equal('amount_above_left')
    await shop.work()
    const [one, other] = made.json['data'] as JsonObject[]
    for (const row of [one, other]) {
      expect((await shop.get(textIn(row, 'id'))).json).to.include({ state: 'done', calls: 1 })
    }
    expect(shop.razorpay.moved.map(({ amount }) => amount)).to.have.members([6000, 3000])
    expect((await transfer(payment, 1001)).json['code']).to.equal('amount_above_left')
    expect((await shop.balances())['liabilities:merchants-payable']).to.equal(-9000n)
  })

  it('never passes a part on a second time: the gateway has no key for it', async () => {
    shop.razorpay.moved.length = 0
    const payment = await shop.paid(10_000)
    const made = await transfer(payment, 5000)
    const [one] = made.json['data'] as JsonObject[]
    const id = textIn(one, 'id')
    shop.razorpay.mishaps.push('request_lost')
    await shop.work()
    for (let turn = 0; turn < 3; turn += 1) {
      await shop.later()
      await shop.work()
      expect((await shop.get(id)).json).to.include({ state: 'sending', calls: 1 })
    }
    await shop.sentBefore(id, 2)
    await shop.later()
    await shop.work()
    expect((await shop.get(id)).json).to.include({ state: 'unknown', calls: 1 })
    expect(shop.razorpay.moved).to.have.length(0)
  })

  it('finds a transfer whose answer was lost by the reference in its notes', async () => {
    shop.razorpay.moved.length = 0
    const payment = await shop.paid(10_000)
    const [one] = (await transfer(payment, 5000)).json['data'] as JsonObject[]
    shop.razorpay.mishaps.push('answer_lost')
    await shop.work()
    await shop.later()
    await shop.work()
    const done = await shop.get(textIn(one, 'id'))
    expect(done.json).to.include({ state: 'done', calls: 1 })
    expect(shop.razorpay.moved).to.have.length(1)
  })

  it('captures what was authorised, once, even where the answer is lost', async () => {
    for (const mishaps of [[], ['answer_lost'], ['request_lost'], ['bad_gateway']] as const) {
      shop.razorpay.moved.length = 0
      const payment = await shop.authorized(4200)
      const capture = async () =>
        await shop.post(`/v1/payments/${payment}/capture`, { reason: 'In stock' })
      const id = idIn(await capture())
      expect((await capture()).json).to.include({ code: 'not_payable', moved: 'no' })
      shop.razorpay.mishaps.push(...mishaps)
      await shop.work()
      await shop.later()
      await shop.work()
      expect((await shop.get(id)).json, String(mishaps)).to.include({ state: 'done' })
      expect(shop.razorpay.moved).to.have.length(1)
      expect((await capture()).json['code']).to.equal('not_payable')
    }
  })
})
