/** Reports of gateways read into lines: each column, the odd rows, and samples of the gateways. */
import { expect } from 'chai'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { settlementReader } from '../../src/recon/sources/formats.ts'
import { keyOf, ownerText, settlementText } from '../../src/recon/sources/line.ts'
import type { SettlementLine } from '../../src/recon/sources/line.ts'
import { razorpayCsv, razorpayRow, readAll, saidOf } from './files.ts'

const FIXTURES = fileURLToPath(new URL('../../../shared/fixtures/', import.meta.url))
const PAYMENT = razorpayRow(1)

const csv = settlementReader('razorpay', 'csv', {})
const json = settlementReader('razorpay', 'json', {})

/** The gateways' own samples, where they lie beside the project; else the test says it skipped. */
function sample(this: Mocha.Context, path: string): string {
  if (!existsSync(FIXTURES + path)) {
    this.skip()
  }
  return readFileSync(FIXTURES + path, 'utf8')
}

const said = (line: SettlementLine) =>
  settlementText(ownerText({ gateway: 'razorpay', account: 'acc_1' }), line)

describe('Razorpay’s settlement report', () => {
  it('as CSV counts rupees: each column into its own', async () => {
    const { lines, faults, skipped } = await readAll(csv, razorpayCsv([PAYMENT]))
    expect([faults, skipped]).to.deep.equal([[], 0])
    expect(lines).to.deep.equal([
      {
        row: 2,
        lineId: 'pay_T0000000000001',
        kind: 'payment',
        toldKind: null,
        externalId: 'pay_T0000000000001',
        paymentRef: 'pay_T0000000000001',
        orderRef: 'order_T1',
        settlementRef: 'setl_T1',
        utr: 'AXISCN0000000001',
        amount: 100_000n,
        fee: 2360n,
        tax: 360n,
        net: 97_640n,
        currency: 'INR',
        occurredOn: '2026-05-04',
        settledOn: '2026-05-06',
      },
    ])
  })

  it('as rows of the API counts paise, and says the same line under the same key', async () => {
    const row = {
      entity_id: 'pay_T0000000000001',
      type: 'payment',
      debit: 0,
      credit: 97_640,
      amount: 100_000,
      currency: 'INR',
      fee: 2360,
      tax: 360,
      created_at: Date.parse('2026-05-04T17:39:16+05:30') / 1000,
      settled_at: Date.parse('2026-05-06T09:00:01+05:30') / 1000,
      settlement_id: 'setl_T1',
      payment_id: null,
      settlement_utr: 'AXISCN0000000001',
      order_id: 'order_T1',
      dispute_id: null,
    }
    const byCsv = await readAll(csv, razorpayCsv([PAYMENT]))
    for (const text of [
      JSON.stringify({ entity: 'collection', count: 1, items: [row] }),
      `${JSON.stringify(row)}\n`,
      JSON.stringify([row]),
    ]) {
      const { lines, faults } = await readAll(json, text)
      expect(faults).to.deep.equal([])
      const keys = [...lines, ...byCsv.lines].map((line) => keyOf(said(line), line.lineId))
      expect(new Set(keys).size, text).to.equal(1)
    }
  })

  it('tells refunds, transfers, disputes, and what nobody knows', async () => {
    const rows = [
      { entity_id: 'rfnd_1', type: 'refund', payment_id: 'pay_9', debit: '10.00', credit: '0' },
      { entity_id: 'trf_1', type: 'transfer', payment_id: 'pay_9', debit: '10.00', credit: '0' },
      { entity_id: 'adj_1', type: 'adjustment', debit: '0', credit: '10.12' },
      { entity_id: 'adj_2', type: 'adjustment', dispute_id: 'disp_1', debit: '10', credit: '0' },
      { entity_id: 'adj_3', type: 'adjustment', dispute_id: 'disp_1', debit: '0', credit: '10' },
      { entity_id: 'x_1', type: 'Loan Repayment', debit: '1', credit: '0' },
    ]
    const { lines, faults } = await readAll(
      csv,
      razorpayCsv(rows.map((row, place) => razorpayRow(place, row))),
    )
    expect(faults).to.deep.equal([])
    expect(lines.map((one) => [one.kind, one.externalId, one.paymentRef, one.net])).to.deep.equal([
      ['refund', 'rfnd_1', 'pay_9', -1000n],
      ['transfer', 'trf_1', 'pay_9', -1000n],
      ['adjustment', 'adj_1', null, 1012n],
      ['dispute', 'disp_1', null, -1000n],
      ['dispute_reversal', 'disp_1', null, 1000n],
      ['other', 'x_1', null, -100n],
    ])
    expect(lines[5]?.toldKind).to.equal('loan repayment')
    const keys = lines.map((line) => keyOf(said(line), line.lineId))
    expect(new Set(keys).size).to.equal(6)
  })

  it('names row, column and reason of what cannot be read, and reads the rest', async () => {
    const rows = [
      { entity_id: '' },
      { amount: '1,000.0.0' },
      { amount: '1.005' },
      { amount: '-5' },
      { currency: 'XYZ' },
      { created_at: '31/02/2026 10:00:00' },
      { order_id: 'o'.repeat(201) },
      { amount: '99999999999999999.00' },
      { settlement_utr: 'U'.repeat(101) },
      {},
    ].map((row, place) => razorpayRow(place, row))
    const { lines, faults } = await readAll(csv, razorpayCsv(rows))
    expect(lines).to.have.length(1)
    expect(saidOf(faults)).to.deep.equal([
      '2 entity_id: is empty',
      '3 amount: "1,000.0.0" is no amount',
      '4 amount: "1.005" has more decimals than the currency',
      '5 amount: is empty, or an amount is below zero',
      '6 currency: "XYZ" is no currency that is known here',
      '7 created_at: "31/02/2026 10:00:00" is no day',
      `8 order_id: is longer than 200 characters`,
      '9 amount: "99999999999999999.00" is larger than any amount',
      '10 utr: is longer than 100 characters',
    ])
  })

  it('is read alike wherever its pieces are cut, with quotes and breaks', async () => {
    const rows = [
      razorpayRow(1, { description: 'He said "yes",\r\nand then\nno' }),
      razorpayRow(2, { notes: '😀 आशा, ' }),
      '',
      ',,,,,,,,,,',
      razorpayRow(3),
    ]
    const text = `\ufeff${razorpayCsv(rows)}`
    const whole = await readAll(csv, text)
    expect(whole.lines.map(({ row }) => row)).to.deep.equal([2, 5, 8])
    for (const size of [1, 2, 3, 7, 64]) {
      expect(await readAll(csv, text, size), String(size)).to.deep.equal(whole)
    }
    const semicolons = text.replaceAll(',', ';')
    expect((await readAll(csv, semicolons)).lines).to.have.length(3)
    const utf16 = Buffer.from(text, 'utf16le')
    expect((await readAll(csv, utf16, 5)).lines).to.deep.equal(whole.lines)
    const oldMac = razorpayCsv([razorpayRow(1), razorpayRow(2)]).replaceAll('\r\n', '\r')
    expect((await readAll(csv, oldMac)).lines).to.have.length(2)
  })

  it('goes on behind a quote that is never closed, and a line without an end', async () => {
    const open = razorpayRow(1, { entity_id: 'x' }).replace(/^x/, '"x')
    const endless = `${'y'.repeat(200_000)},1`
    const text = razorpayCsv([razorpayRow(2), open, razorpayRow(3), endless, razorpayRow(4)])
    const { lines, faults } = await readAll(csv, text)
    expect(lines.map(({ row }) => row)).to.deep.equal([2, 4, 6])
    expect(faults.map(({ row }) => row)).to.deep.equal([3, 5])
  })

  it('reads the sample of its documentation', async function () {
    const text = sample.call(this, 'razorpay/api/settlements/fetch-recon__success.json')
    const { lines, faults } = await readAll(json, text)
    expect(faults).to.deep.equal([])
    expect(lines.map(({ kind, net }) => [kind, net])).to.deep.equal([
      ['payment', 97_100n],
      ['refund', -242_500n],
      ['transfer', -100_296n],
      ['adjustment', 1012n],
    ])
    expect(lines[0]?.utr).to.equal('1568176960VXP0RJ')
  })
})

describe('PayU’s settlement report', () => {
  const row = {
    action: 'capture',
    payuId: '403993715533296817',
    requestId: '137726099',
    transactionAmount: '11979.88',
    merchantServiceFee: '239.60000',
    merchantServiceTax: '43.13000',
    merchantNetAmount: '11697.15',
    merchantTransactionId: 'T1',
    transactionDate: '2026-02-04 17:09:10',
    requestDate: '2026-02-04 11:39:19',
    transactionCurrency: 'INR',
  }
  const settlement = {
    settlementId: '114757202602051245',
    settlementCompletedDate: '2026-02-05 17:18:21',
    utrNumber: 'AXIS2345',
  }
  const document = (...transaction: object[]) =>
    JSON.stringify({ status: 0, result: { data: [{ ...settlement, transaction }] } })
  const payu = settlementReader('payu', 'json', {})

  it('adds the tax to the fee, keeps PayU’s own net, and takes the action’s sign', async () => {
    const refund = { ...row, action: 'refund', requestId: '2', merchantNetAmount: '12262.61' }
    const odd = { ...row, action: 'loan', requestId: '3', merchantNetAmount: '-5.00' }
    const adjustment = {
      action: 'Adjustment_credit',
      payuId: 'ADJ1',
      transactionAmount: '4.72',
      merchantServiceFee: '',
      merchantServiceTax: '',
    }
    const { lines, faults } = await readAll(payu, document(row, refund, odd, adjustment))
    expect(faults).to.deep.equal([])
    expect(lines.map((one) => [one.kind, one.externalId, one.fee, one.net])).to.deep.equal([
      ['payment', '403993715533296817', 28_273n, 1_169_715n],
      ['refund', '2', 28_273n, -1_226_261n],
      ['other', '3', 28_273n, -500n],
      ['adjustment', 'ADJ1', null, 472n],
    ])
    expect(lines[0]).to.include({
      settlementRef: '114757202602051245',
      utr: 'AXIS2345',
      occurredOn: '2026-02-04',
      settledOn: '2026-02-05',
      orderRef: 'T1',
    })
    expect(lines[2]?.toldKind).to.equal('loan')
  })

  it('is the same line as CSV', async () => {
    const flat = { ...settlement, ...row }
    const text = `${Object.keys(flat).join()}\n${Object.values(flat).join()}\n`
    const byCsv = await readAll(settlementReader('payu', 'csv', {}), text)
    const byJson = await readAll(payu, document(row))
    const keys = [...byCsv.lines, ...byJson.lines].map((line) => keyOf(said(line), line.lineId))
    expect(new Set(keys).size).to.equal(1)
    expect(keys).to.have.length(2)
  })

  it('reads the samples of its documentation', async function () {
    for (const [path, nets] of [
      ['payu/api/settlement_range.2025.excerpt.json', 2],
      ['payu/api/settlement_range.partner.2022.json', 1],
    ] as const) {
      const text = sample.call(this, path)
      const { lines, faults } = await readAll(payu, text)
      expect(saidOf(faults), path).to.deep.equal([])
      expect(lines.length, path).to.be.at.least(nets)
    }
  })
})

describe('Stripe’s balance transactions', () => {
  const api = settlementReader('stripe', 'json', {})
  const itemised = settlementReader('stripe', 'csv', {})
  const transaction = {
    id: 'txn_1',
    amount: 2000,
    fee: 88,
    fee_details: [
      { amount: 75, type: 'stripe_fee' },
      { amount: 13, type: 'tax' },
    ],
    net: 1912,
    currency: 'usd',
    reporting_category: 'charge',
    source: { id: 'ch_1', object: 'charge', payment_intent: 'pi_1' },
    created: Date.parse('2026-05-04T20:00:00Z') / 1000,
  }

  it('are signed whole numbers in the API', async () => {
    const dispute = {
      ...transaction,
      id: 'txn_2',
      amount: -1000,
      fee: 1500,
      net: -2500,
      reporting_category: 'dispute',
      source: 'dp_1',
      fee_details: [],
    }
    const payout = { ...transaction, id: 'txn_3', reporting_category: 'payout', source: 'po_1' }
    const odd = { ...transaction, id: 'txn_4', reporting_category: 'platform_earning' }
    const text = JSON.stringify({ data: [transaction, dispute, payout, odd] })
    const { lines, faults, skipped } = await readAll(api, text)
    expect([faults, skipped]).to.deep.equal([[], 1])
    expect(lines.map((one) => [one.kind, one.externalId, one.amount, one.net])).to.deep.equal([
      ['payment', 'ch_1', 2000n, 1912n],
      ['dispute', 'dp_1', 1000n, -2500n],
      ['other', 'ch_1', 2000n, 1912n],
    ])
    expect(lines[0]).to.include({ tax: 13n, orderRef: 'pi_1', paymentRef: 'ch_1' })
    // 20:00 in London is the next day in India.
    expect(lines[0]?.occurredOn).to.equal('2026-05-05')
  })

  it('are decimals in the itemised report, of each currency’s own digits', async () => {
    const header =
      'automatic_payout_id,automatic_payout_effective_at_utc,balance_transaction_id,created_utc,' +
      'currency,gross,fee,net,reporting_category,source_id,charge_id,payment_intent_id'
    const rows = [
      'po_1,2026-05-07 00:00:00,txn_1,2026-05-04 20:00:00,usd,20.00,0.88,19.12,charge,ch_1,ch_1,' +
        'pi_1',
      'po_1,2026-05-07 00:00:00,txn_2,2026-05-04 20:00:00,jpy,500,0,500,charge,ch_2,ch_2,',
      'po_1,2026-05-07 00:00:00,txn_3,2026-05-04 20:00:00,kwd,1.234,0,1.234,charge,ch_3,ch_3,',
      'po_1,2026-05-07 00:00:00,txn_4,2026-05-04 20:00:00,jpy,5.5,0,5.5,charge,ch_4,ch_4,',
    ]
    const { lines, faults } = await readAll(itemised, [header, ...rows].join('\n'))
    expect(lines.map(({ amount }) => amount)).to.deep.equal([2000n, 500n, 1234n])
    expect(saidOf(faults)).to.deep.equal(['5 gross: "5.5" has more decimals than the currency'])
    expect(lines[0]).to.include({ settlementRef: 'po_1', settledOn: '2026-05-07' })
  })

  it('read the sample of the API’s description', async function () {
    const text = sample.call(this, 'stripe/api/balance_transaction.json')
    const { lines, faults } = await readAll(api, text)
    expect([lines.length, saidOf(faults)]).to.deep.equal([1, []])
  })
})
