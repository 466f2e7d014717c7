/** Razorpay's lists by time, page by page. */
import { expect } from 'chai'
import nock from 'nock'
import type { ListCall, Page, Told } from '../../src/gateways/asked.ts'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { list } from '../../src/gateways/razorpay/lists.ts'
import { HOST, RAZORPAY, soon, withoutNetwork } from './calls.ts'
import { kindsOf } from './facts.ts'
import { LINE } from './razorpay-bodies.ts'
import { rejectionOf } from './thrown.ts'

const RANGE = { from: new Date('2026-01-01T00:00:00Z'), to: new Date('2026-01-02T00:00:00Z') }
const payment = (n: number) => ({
  id: `pay_TEST${n}`,
  entity: 'payment',
  amount: 100 + n,
  currency: 'INR',
  status: 'captured',
  captured: true,
  fee: null,
  tax: null,
  created_at: 1_767_225_600 + n,
})

async function page<Item>(
  call: ListCall<Item> | undefined,
  cursor: string | null = null,
): Promise<Page<Item>> {
  return call === undefined
    ? expect.fail('there is no such list')
    : await call(RAZORPAY, RANGE, cursor, soon())
}

const kindsIn = (items: readonly Told[]) =>
  items.flatMap(({ event }) => kindsOf(razorpay.read(event, RAZORPAY.account, null)))

describe('Razorpay: lists', () => {
  withoutNetwork()

  it('are asked for by the seconds of the range, which ends before its end', async () => {
    const scope = nock(HOST)
      .get('/v1/payments?from=1767225600&to=1767311999&count=100&skip=0')
      .reply(200, { entity: 'collection', count: 0, items: [] })
    expect(await page(list.payments)).to.deep.equal({ items: [], unreadable: [], next: null })
    scope.done()
  })

  it('go on until a page is not full', async () => {
    const full = Array.from({ length: 100 }, (_, n) => payment(n))
    const at = (skip: number) => (query: Record<string, unknown>) => query['skip'] === String(skip)
    nock(HOST)
      .get('/v1/payments')
      .query(at(0))
      .reply(200, { entity: 'collection', count: 100, items: full })
    nock(HOST)
      .get('/v1/payments')
      .query(at(100))
      .reply(200, { entity: 'collection', count: 1, items: [payment(100)] })
    const first = await page(list.payments)
    expect([first.items.length, first.next]).to.deep.equal([100, '100'])
    const second = await page(list.payments, first.next)
    expect(second.items.map(({ id }) => id)).to.deep.equal(['pay_TEST100'])
    expect(second.next).to.equal(null)
  })

  it('set a row aside that cannot be read, and give the others', async () => {
    const items = [payment(1), { entity: 'payment' }, null, 'odd', { ...payment(2), id: 'a:b' }]
    nock(HOST).get('/v1/payments').query(true).reply(200, { entity: 'collection', items })
    const { items: read, unreadable } = await page(list.payments)
    expect(kindsIn(read)).to.deep.equal(['payment_captured'])
    expect(unreadable.map(({ id }) => id)).to.deep.equal([null, null, null, 'a:b'])
  })

  it('give refunds, disputes and settlements as the events that would have told them', async () => {
    const common = { amount: 500, currency: 'INR', created_at: 1_767_225_600 }
    const refund = { ...common, entity: 'refund', payment_id: 'pay_1' }
    const dispute = { ...common, entity: 'dispute', payment_id: 'pay_1' }
    const settlement = { ...common, entity: 'settlement', utr: 'U1' }
    const answers = {
      refunds: [
        { ...refund, id: 'rfnd_1', status: 'pending' },
        { ...refund, id: 'rfnd_2', status: 'failed' },
      ],
      disputes: [
        { ...dispute, id: 'disp_1', status: 'under_review' },
        { ...dispute, id: 'disp_2', status: 'lost', amount_deducted: 500 },
        { ...dispute, id: 'disp_3', status: 'closed' },
      ],
      settlements: [
        { ...settlement, id: 'setl_1', status: 'processed' },
        { ...settlement, id: 'setl_2', status: 'created' },
      ],
    }
    for (const [name, items] of Object.entries(answers)) {
      nock(HOST).get(`/v1/${name}`).query(true).reply(200, { entity: 'collection', items })
    }
    expect(kindsIn((await page(list.refunds)).items)).to.deep.equal([
      'refund_created',
      'refund_created',
      'refund_failed',
    ])
    expect(kindsIn((await page(list.disputes)).items)).to.deep.equal([
      'dispute_opened',
      'dispute_opened',
      'dispute_lost',
      'dispute_opened',
      'dispute_won',
    ])
    expect(kindsIn((await page(list.settlements)).items)).to.deep.equal(['settled'])
  })

  it('refuse an answer that is no list, and a cursor that is of none', async () => {
    for (const answer of ['[]', '{}', '{"entity":"collection","items":{}}', '{"items":[]}']) {
      nock(HOST).get('/v1/refunds').query(true).reply(200, answer)
      expect((await rejectionOf(page(list.refunds))).code).to.equal('gateway_unavailable')
    }
    for (const cursor of ['x', '-1', '1e3', '']) {
      expect((await rejectionOf(page(list.refunds, cursor))).code).to.equal('internal')
    }
  })
})

describe('Razorpay: lines of settlements', () => {
  withoutNetwork()

  const day = (date: string, items: readonly object[]) =>
    nock(HOST)
      .get('/v1/settlements/recon/combined')
      .query({ year: '2026', month: '01', day: date, count: '1000', skip: '0' })
      .reply(200, { entity: 'collection', count: items.length, items })

  it('are given day by day in India, with what is posted from them', async () => {
    // The range begins at 05:30 on the 1st in India and ends at 05:30 on the 2nd.
    day('01', [LINE, { ...LINE, entity_id: 'adj_1', type: 'adjustment', fee: 0, tax: 0 }])
    day('02', [])
    const first = await page(list.settlementLines)
    expect(first.next).to.equal('2026-01-02 0')
    const [line, adjustment] = first.items
    const { told, ...money } = line ?? expect.fail('no line')
    expect(money).to.deep.equal({
      settlementId: 'setl_TESTBahi00001',
      utr: 'TESTN600000000009',
      type: 'payment',
      entityId: 'pay_TESTBahi000001',
      gatewayPaymentId: 'pay_TESTBahi000001',
      gatewayDisputeId: null,
      orderRef: 'order_TESTBahi0001',
      currency: 'INR',
      amount: 250_000n,
      fee: 2900n,
      tax: 442n,
      credit: 247_100n,
      debit: 0n,
      settledAt: new Date('2026-01-03T00:00:00Z'),
      description: 'A gift',
    })
    expect(kindsIn(told === null ? [] : [told])).to.deep.equal(['payment_fee'])
    expect(adjustment).to.include({ type: 'adjustment', gatewayPaymentId: null, told: null })
    const second = await page(list.settlementLines, first.next)
    expect(second).to.deep.equal({ items: [], unreadable: [], next: null })
  })

  it('keep a type that nobody knows, and set a line aside that has no money', async () => {
    day('01', [
      { ...LINE, type: 'brand_new', dispute_id: 'disp_1' },
      { ...LINE, amount: null },
      { ...LINE, credit: 1, debit: 1 },
      { ...LINE, fee: null },
      { ...LINE, settlement_id: null },
    ])
    const { items, unreadable } = await page(list.settlementLines)
    expect(items.map((one) => [one.type, one.gatewayDisputeId])).to.deep.equal([
      ['brand_new', 'disp_1'],
    ])
    expect(unreadable).to.have.length(4)
  })

  it('refuse a cursor that is none', async () => {
    for (const cursor of ['1', '2026-01-01', 'yesterday 0', '2026-01-01 x']) {
      const problem = await rejectionOf(page(list.settlementLines, cursor))
      expect(problem.code).to.equal('internal')
    }
  })
})
