/** Days fetched from the gateways' own lists: page by page, again later, once for a line. */
import { expect } from 'chai'
import nock from 'nock'
import { fetchRecon } from '../../jobs/fetch-recon.ts'
import { loadRecon } from '../../jobs/load-recon.ts'
import { organisationsWith } from '../../src/inbox/waiting.ts'
import { askForToday } from '../../src/recon/files/fetch.ts'
import { startNock, stopNock } from '../support/nock.ts'
import { PAYU } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import {
  bankSource,
  commit,
  gatewaySource,
  idOf,
  razorpayCsv,
  razorpayRow,
  uploadTo,
} from './files.ts'

const STRIPE_URL = 'https://api.stripe.com'
const AT = Date.parse('2026-05-04T17:39:16+05:30') / 1000

const apiRow = (number: number) => ({
  entity_id: `pay_T${String(number).padStart(13, '0')}`,
  type: 'payment',
  debit: 0,
  credit: 97_640,
  amount: 100_000,
  currency: 'INR',
  fee: 2360,
  tax: 360,
  created_at: AT,
  settled_at: Date.parse('2026-05-06T09:00:01+05:30') / 1000,
  settlement_id: 'setl_T1',
  payment_id: null,
  settlement_utr: 'AXISCN0000000001',
  order_id: `order_T${number}`,
  notes: { pan: 'ABCPK1234F' },
  description: 'Asha Kulkarni',
})

describe('fetched days', () => {
  let service: TestService

  before(async () => {
    startNock()
    service = await startTestService()
  })

  afterEach(() => {
    nock.cleanAll()
  })

  after(async () => {
    stopNock()
    await service.stop()
  })

  const work = async () => {
    await fetchRecon.run(service.jobParts)
    await loadRecon.run(service.jobParts)
  }
  const fetchDays = async (source: JsonObject, from: string, to = from) =>
    await service.call('POST', `/v1/recon/sources/${idOf(source)}/fetch`, {
      body: { from, to },
    })
  const filesOf = async (source: JsonObject) =>
    (await service.call('GET', `/v1/recon/files?source=${idOf(source)}`)).json[
      'data'
    ] as JsonObject[]
  const lines = async (source: JsonObject) =>
    (await service.call('GET', `/v1/recon/settlement-lines?source=${idOf(source)}`)).json[
      'data'
    ] as JsonObject[]
  const combined = (items: object[], query: Record<string, string>) =>
    nock(GATEWAYS_URL)
      .get('/v1/settlements/recon/combined')
      .query({ year: '2026', month: '05', count: '1000', ...query })
      .reply(200, { entity: 'collection', count: items.length, items })

  it('are a file a day, and a line that a file brought is not brought again', async () => {
    const source = await gatewaySource(service)
    const sent = await uploadTo(service, source, razorpayCsv([razorpayRow(1)]))
    await commit(service, sent.json)
    await work()
    const many = Array.from({ length: 1000 }, (_, number) => apiRow(number + 1))
    combined(many, { day: '06', skip: '0' })
    combined([apiRow(1001), { type: 'odd' }], { day: '06', skip: '1000' })
    combined([], { day: '07', skip: '0' })
    const asked = await fetchDays(source, '2026-05-06', '2026-05-07')
    expect(asked.status, asked.text).to.equal(202)
    const again = await fetchDays(source, '2026-05-06')
    const [first] = asked.json['data'] as JsonObject[]
    expect((again.json['data'] as JsonObject[])[0]?.['id'], 'waits already').to.equal(first?.['id'])
    await work()
    expect(nock.isDone()).to.equal(true)
    const files = await filesOf(source)
    expect(
      files.map((one) => [one['fetched_day'], one['state'], one['fresh'], one['known']]),
    ).to.deep.equal([
      ['2026-05-07', 'loaded', 0, 0],
      ['2026-05-06', 'loaded', 1000, 1],
      [null, 'loaded', 1, 0],
    ])
    const faults = await service.call('GET', `/v1/recon/files/${idOf(first)}/faults`)
    expect(faults.json['data']).to.deep.equal([
      { number: 1, row: 1002, column: 'entity_id', reason: 'is empty' },
    ])
    combined([apiRow(1), apiRow(2000)], { day: '06', skip: '0' })
    await fetchDays(source, '2026-05-06')
    await work()
    const [newest] = await filesOf(source)
    expect(newest).to.include({ state: 'loaded', fresh: 1, known: 1 })
  })

  it('that the gateway does not give wait with the reason, and come later', async () => {
    const source = await gatewaySource(service)
    nock(GATEWAYS_URL)
      .get('/v1/settlements/recon/combined')
      .query(true)
      .reply(400, { error: { description: 'No such month' } })
    await fetchDays(source, '2026-05-08')
    await work()
    const [waiting] = await filesOf(source)
    expect(waiting).to.include({ state: 'asked' })
    expect(waiting?.['problem']).to.contain('No such month')
    expect(await organisationsWith(service.parts.db, 'recon_fetches')).to.deep.equal([])
    await service.rows('update recon_files set next_try_at = now() where state = $1', ['asked'])
    combined([apiRow(3000)], { day: '08', skip: '0' })
    await work()
    expect((await filesOf(source))[0]).to.include({ state: 'loaded', fresh: 1, problem: null })
  })

  it('of an exchanged account are refused, and a bank has none', async () => {
    const source = await gatewaySource(service, { account: 'acc_before' })
    await fetchDays(source, '2026-05-09')
    await work()
    expect((await filesOf(source))[0]).to.include({ state: 'refused' })
    const bank = await bankSource(service)
    expect((await fetchDays(bank, '2026-05-09')).json).to.include({ code: 'not_offered' })
    expect((await fetchDays(source, '2026-05-09', '2026-06-09')).status).to.equal(400)
    expect((await fetchDays(source, '2999-01-01')).status).to.equal(400)
  })

  it('keep of what the gateway says no names and no notes', async () => {
    const source = await gatewaySource(service)
    combined([apiRow(4000)], { day: '10', skip: '0' })
    await fetchDays(source, '2026-05-10')
    await fetchRecon.run(service.jobParts)
    const [row] = await service.rows<{ stored_as: string }>(
      `select stored_as from recon_files where fetched_day = '2026-05-10'`,
    )
    const bytes = await service.parts.files.get(`${row?.stored_as}/000001.part`)
    expect(bytes?.toString()).to.contain('pay_T').and.not.to.contain('Asha')
    expect(bytes?.toString()).to.not.contain('ABCPK')
    await loadRecon.run(service.jobParts)
  })

  it('are asked for every morning where the source says so, once a day', async () => {
    const source = await gatewaySource(service, { fetched_daily: true })
    const [{ early } = { early: true }] = await service.rows<{ early: boolean }>(
      `select extract(hour from now() at time zone 'Asia/Kolkata') < 6 as early`,
    )
    await askForToday(service.parts.db, 1, new Date())
    await askForToday(service.parts.db, 1, new Date())
    const files = await filesOf(source)
    expect(files.length).to.equal(early ? 0 : 3)
    expect(new Set(files.map((one) => one['fetched_day'])).size).to.equal(files.length)
    const archived = { body: { fetched_daily: false } }
    await service.call('PATCH', `/v1/recon/sources/${idOf(source)}`, archived)
    await service.rows(`delete from recon_files where state = 'asked'`)
  })

  it('of PayU come in its own words', async () => {
    const payu = await gatewaySource(service, { gateway: 'payu', account: PAYU.account })
    const line = {
      action: 'capture',
      payuId: '403993715533296817',
      requestId: '137726099',
      transactionAmount: '100.00',
      merchantServiceFee: '2.00',
      merchantServiceTax: '0.36',
      merchantNetAmount: '97.00',
      requestDate: '2026-05-05 11:39:19',
    }
    const settlement = {
      settlementId: 'S1',
      settlementCompletedDate: '2026-05-06 17:18:21',
      utrNumber: 'AXIS2345',
      transaction: [line, { ...line, action: 'loan', requestId: '2' }],
    }
    nock(GATEWAYS_URL)
      .get('/settlement/range')
      .query(true)
      .reply(200, { status: 0, result: { totalCount: 1, data: [settlement] } })
    await fetchDays(payu, '2026-05-06')
    await work()
    expect((await filesOf(payu))[0]).to.include({ state: 'loaded', fresh: 2 })
    // What PayU calls the net is kept, though fee and tax do not come to it; so is what is unknown.
    expect((await lines(payu)).map((one) => [one['kind'], one['net']])).to.deep.equal([
      ['payment', 9700],
      ['other', 9700],
    ])
  })

  it('of Stripe come payout by payout, and one that is not itemised yet is named', async () => {
    const account = {
      gateway: 'stripe',
      account: 'acct_TESTBahi000001',
      key_secret: 'sk_test_TESTBahi0000000000000001',
      environment: 'test',
    }
    await service.call('POST', '/v1/gateway-accounts', { role: 'admin', body: account })
    const stripe = await gatewaySource(service, { gateway: 'stripe', account: account.account })
    const payout = {
      id: 'po_1',
      object: 'payout',
      automatic: true,
      reconciliation_status: 'completed',
      arrival_date: Date.parse('2026-05-06T00:00:00Z') / 1000,
      trace_id: { value: 'TRACE 1' },
    }
    const open = { ...payout, id: 'po_2', reconciliation_status: 'in_progress' }
    const list = (data: object[]) => ({ object: 'list', has_more: false, data })
    nock(STRIPE_URL)
      .get('/v1/payouts')
      .query(true)
      .reply(200, list([payout]))
    nock(STRIPE_URL)
      .get('/v1/payouts')
      .query(true)
      .reply(200, list([open]))
    nock(STRIPE_URL).get('/v1/payouts').query(true).reply(200, list([]))
    const transaction = {
      id: 'txn_1',
      amount: 2000,
      fee: 88,
      fee_details: [],
      net: 1912,
      currency: 'usd',
      reporting_category: 'charge',
      source: { id: 'ch_1', object: 'charge', payment_intent: 'pi_1' },
      created: AT,
    }
    nock(STRIPE_URL)
      .get('/v1/balance_transactions')
      .query(true)
      .reply(200, list([transaction]))
    await fetchDays(stripe, '2026-05-06')
    await work()
    expect((await filesOf(stripe))[0], nock.pendingMocks().join()).to.include({
      state: 'loaded',
      fresh: 1,
      faults: 1,
    })
    expect((await lines(stripe))[0]).to.include({
      external_id: 'ch_1',
      settlement_ref: 'po_1',
      utr: 'TRACE1',
      settled_on: '2026-05-06',
    })
  })
})
