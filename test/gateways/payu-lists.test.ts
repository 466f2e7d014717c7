/** PayU's lists by time: payments, settlements and the lines of them. */
import { createHash } from 'node:crypto'
import { expect } from 'chai'
import nock from 'nock'
import type { ListCall, Page, Told } from '../../src/gateways/asked.ts'
import { payu } from '../../src/gateways/payu.ts'
import { list } from '../../src/gateways/payu/lists.ts'
import { HOST, PAYU, soon, withoutNetwork } from './calls.ts'
import { factOf, keysOf } from './facts.ts'
import { samples } from './bodies.ts'
import { payuForm, payuJson } from '../support/sign.ts'
import { detailOf, rejectionOf } from './thrown.ts'

const RANGE = { from: new Date('2026-01-01T00:00:00Z'), to: new Date('2026-01-01T01:30:00Z') }

async function page<Item>(
  call: ListCall<Item> | undefined,
  cursor: string | null = null,
  range = RANGE,
): Promise<Page<Item>> {
  return call === undefined
    ? expect.fail('there is no such list')
    : await call(PAYU, range, cursor, soon())
}

const readTold = ({ event, confirmation }: Told) => payu.read(event, PAYU.account, confirmation)

describe('PayU: a list of payments', () => {
  withoutNetwork()

  const asked = (command: string, fits: (body: Record<string, string>) => boolean = () => true) =>
    nock(HOST).post(
      '/merchant/postservice.php?form=2',
      (body: Record<string, string>) => body['command'] === command && fits(body),
    )

  it('is asked for an hour a page in Indian time, and each payment with it', async () => {
    const rows = [{ txnid: 'T1' }, { txnid: 'T2' }, { txnid: 'T1' }, { id: '7' }, { txnid: 'a|b' }]
    asked(
      'get_transaction_info',
      ({ var1, var2 }) => var1 === '2026-01-01 05:30:00' && var2 === '2026-01-01 06:29:59',
    ).reply(200, { status: 1, msg: '', Transaction_details: rows })
    const entry = (txnid: string, mihpayid: string) => ({
      txnid,
      mihpayid,
      status: 'success',
      unmappedstatus: 'captured',
      amt: '10.0',
      addedon: '2026-01-01 05:40:00',
    })
    asked('verify_payment', ({ var1 }) => var1 === 'T1|T2').reply(200, {
      status: 1,
      transaction_details: { T1: entry('T1', '101'), T2: entry('T2', '102') },
    })
    const first = await page(list.payments)
    expect(first.items.map((one) => keysOf(readTold(one)))).to.deep.equal([
      ['101:captured'],
      ['102:captured'],
    ])
    expect(first.unreadable.map(({ id }) => id)).to.deep.equal(['7', null])
    expect(first.next).to.equal('2026-01-01T01:00:00.000Z')
    asked(
      'get_transaction_info',
      ({ var1, var2 }) => var1 === '2026-01-01 06:30:00' && var2 === '2026-01-01 06:59:59',
    ).reply(200, { status: 0, msg: 'No transactions found' })
    expect(await page(list.payments, first.next)).to.deep.equal({
      items: [],
      unreadable: [],
      next: null,
    })
  })

  it('asks about twenty orders at a time', async () => {
    const rows = Array.from({ length: 41 }, (_, n) => ({ txnid: `T${n}` }))
    asked('get_transaction_info').reply(200, { status: 1, Transaction_details: rows })
    const sizes: number[] = []
    asked('verify_payment', ({ var1 = '' }) => sizes.push(var1.split('|').length) > 0)
      .times(3)
      .reply(200, { status: 1, transaction_details: {} })
    expect((await page(list.payments)).items).to.deep.equal([])
    expect(sizes).to.deep.equal([20, 20, 1])
  })

  it('says no where PayU does, and refuses a cursor that is none', async () => {
    asked('get_transaction_info').reply(200, { status: 0, msg: 'Invalid Hash.' })
    expect((await rejectionOf(page(list.payments))).code).to.equal('gateway_refused')
    expect((await rejectionOf(page(list.payments, 'x'))).code).to.equal('internal')
  })

  it('is not there of refunds and disputes, of which PayU has no list', () => {
    expect(payu.list?.refunds).to.equal(undefined)
    expect(payu.list?.disputes).to.equal(undefined)
  })
})

const LINE = {
  action: 'capture',
  payuId: '999000000000101',
  requestId: '9586840660',
  requestDate: '2026-01-01 23:49:16',
  transactionAmount: '11979.88',
  merchantServiceFee: '239.6000',
  merchantServiceTax: '43.13000',
  merchantNetAmount: '11697.1500',
  merchantTransactionId: 'BAHI0001',
}
const SETTLEMENT = {
  settlementId: '114757202601021245',
  settlementCompletedDate: '2026-01-02 17:18:21',
  settlementAmount: '11697.15',
  merchantId: 114757,
  utrNumber: 'TESTUTR2345',
}

describe('PayU: settlements', () => {
  withoutNetwork()

  const DAY = { from: new Date('2026-01-02T00:00:00Z'), to: new Date('2026-01-02T10:00:00Z') }
  const answers = (data: readonly object[], totalCount = data.length) =>
    nock(HOST)
      .get('/settlement/range')
      .query({ dateFrom: '2026-01-02', dateTo: '2026-01-02', pageSize: '1000', page: '1' })
      .reply(200, { status: 0, result: { page: 1, size: data.length, totalCount, data } })

  it('are asked for with the published signature', async () => {
    const sent = new Map<string, string>()
    const keep = (name: string) => (value: string | null) => {
      sent.set(name, String(value))
      return true
    }
    nock(HOST, { reqheaders: { authorization: keep('authorization'), date: keep('date') } })
      .get('/settlement/range')
      .query(true)
      .reply(200, { status: 0, result: { data: [] } })
    await page(list.settlements, null, DAY)
    const date = sent.get('date') ?? ''
    expect(date).to.match(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
    const signature = createHash('sha512').update(`|${date}|TESTSALT123`).digest('hex')
    expect(sent.get('authorization')).to.equal(
      `hmac username="gtKFFx", algorithm="sha512", headers="date", signature="${signature}"`,
    )
  })

  it('are read with what was sent to the bank', async () => {
    answers([{ ...SETTLEMENT, transaction: [LINE] }])
    const { items, next } = await page(list.settlements, null, DAY)
    expect(next).to.equal(null)
    const [told] = items
    const event = readTold(told ?? expect.fail('nothing was told'))
    expect(keysOf(event)).to.deep.equal(['setl:114757202601021245'])
    expect(factOf(event, 'settled')).to.deep.include({
      amount: 1_169_715n,
      currency: 'INR',
      utr: 'TESTUTR2345',
      occurredAt: new Date('2026-01-02T11:48:21Z'),
    })
  })

  it('go on to the next page while there are more, and to the next day', async () => {
    answers([SETTLEMENT], 1001)
    expect((await page(list.settlements, null, DAY)).next).to.equal('2026-01-02 2')
    answers([SETTLEMENT], 1)
    const two = { ...DAY, to: new Date('2026-01-02T19:00:00Z') }
    expect((await page(list.settlements, null, two)).next).to.equal('2026-01-03 1')
  })

  it('know an error by its status, which here is 1', async () => {
    nock(HOST)
      .get('/settlement/range')
      .query(true)
      .reply(200, { status: 1, message: "Page size can't be more that 50000" })
    const problem = await rejectionOf(page(list.settlements, null, DAY))
    expect(problem.code).to.equal('gateway_refused')
    expect(problem.message).to.contain('50000')
    nock(HOST).get('/settlement/range').query(true).reply(401, { message: 'Unauthorized' })
    expect((await rejectionOf(page(list.settlements, null, DAY))).message).to.contain('Unauth')
  })

  it('have lines whose fee contains the tax, exact to the paisa', async () => {
    answers([{ ...SETTLEMENT, transaction: [LINE] }])
    const { items } = await page(list.settlementLines, null, DAY)
    const [line] = items
    expect(line).to.deep.include({
      settlementId: '114757202601021245',
      type: 'capture',
      entityId: '9586840660',
      gatewayPaymentId: '999000000000101',
      orderRef: 'BAHI0001',
      amount: 1_197_988n,
      fee: 28_273n,
      tax: 4313n,
      credit: 1_169_715n,
      debit: 0n,
    })
    const event = readTold(line?.told ?? expect.fail('nothing was told'))
    expect(keysOf(event)).to.deep.equal(['setlrow:9586840660:capture'])
    expect(factOf(event, 'payment_fee')).to.include({ fee: 28_273n, tax: 4313n })
  })

  it('take what a refund costs, and nothing from a free one', async () => {
    const free = { merchantServiceFee: '0.00000', merchantServiceTax: '', merchantNetAmount: '' }
    const paid = { merchantNetAmount: '-12262.61' }
    answers([
      {
        ...SETTLEMENT,
        transaction: [
          { ...LINE, ...free, action: 'refund' },
          { ...LINE, ...paid, action: 'refund', requestId: '9586840661' },
          { ...LINE, ...free, action: 'chargeback' },
          { ...LINE, ...free, action: 'Chargeback Reversal' },
        ],
      },
    ])
    const { items } = await page(list.settlementLines, null, DAY)
    expect(items.map(({ credit, debit }) => [credit, debit])).to.deep.equal([
      [0n, 1_197_988n],
      [0n, 1_226_261n],
      [0n, 1_197_988n],
      [1_197_988n, 0n],
    ])
    const told = items.flatMap((one) => (one.told === null ? [] : keysOf(readTold(one.told))))
    expect(told).to.deep.equal(['setlrow:9586840661:refund'])
  })

  it('set a line aside that does not add up, or that nobody knows', async () => {
    const transaction = [
      { ...LINE, merchantNetAmount: '11697.16' },
      { ...LINE, action: 'brand_new' },
      { ...LINE, merchantServiceFee: '0.001' },
      { ...LINE, transactionAmount: '' },
      { ...LINE, payuId: null, requestId: null },
      'odd',
    ]
    answers([{ ...SETTLEMENT, transaction }])
    const { items, unreadable } = await page(list.settlementLines, null, DAY)
    expect(items).to.deep.equal([])
    expect(unreadable).to.have.length(transaction.length)
    expect(unreadable[0]).to.include({ id: '9586840660' })
  })

  it("are believed only as PayU's own answer, never as a webhook", () => {
    for (const event of ['settlement', 'settlement_line']) {
      const body = { event, key: 'gtKFFx', ...SETTLEMENT, ...LINE }
      const secrets = [{ secretId: 'one', value: 'TESTSALT123' }]
      detailOf('bad_signature', () => payu.verify(payuJson(body), 'gtKFFx', secrets))
      detailOf('malformed_event', () => payu.read(payuJson(body), 'gtKFFx', null))
      const form = payuForm({ event, key: 'gtKFFx' })
      detailOf('malformed_event', () =>
        payu.read(form, 'gtKFFx', { ...SETTLEMENT, merchantId: '' }),
      )
    }
  })

  for (const { name, text } of samples('payu/api') ?? []) {
    if (name.startsWith('settlement_range.20')) {
      it(`are read in the printed answer ${name}`, async () => {
        nock(HOST).get('/settlement/range').query(true).times(2).reply(200, text)
        const settled = await page(list.settlements, null, DAY)
        expect(settled.items.flatMap((one) => readTold(one).facts)).to.have.length(1)
        const lines = await page(list.settlementLines, null, DAY)
        expect(lines.unreadable).to.deep.equal([])
        expect(lines.items.length).to.be.above(0)
      })
    }
  }
})
