/** Tests of opening a donation: an order where the gateway gives one, no money where it fails. */
import { expect } from 'chai'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import nock from 'nock'
import { openCallsOut } from '../../src/base/calls-out.ts'
import { openDonation, type NewDonation } from '../../src/donations/checkout.ts'
import { GATEWAYS_URL } from '../support/service.ts'
import { rejectionOf } from '../gateways/thrown.ts'
import { openBooks, type Books } from '../ledger/books.ts'
import { captured, DONOR, record } from './facts.ts'
import { startNock, stopNock } from '../support/nock.ts'

const DONATION: NewDonation = {
  gateway: 'razorpay',
  amount: 250_050n,
  currency: 'INR',
  fund: 'education',
  nature: 'general',
  corpusDirection: null,
  purpose: null,
  indianCitizen: true,
  donor: DONOR,
  returnUrl: 'http://localhost/thanks',
}

describe('opening a donation', () => {
  let books: Books
  let org = 800

  before(async () => {
    startNock()
    books = await openBooks()
  })

  beforeEach(async () => {
    org += 1
    await books.addOrganisation(org)
  })

  afterEach(() => {
    nock.cleanAll()
  })

  after(async () => {
    stopNock()
    await books.close()
  })

  const open = async (more: Partial<NewDonation> = {}, timeoutMs = 5000) =>
    await openDonation(
      books.db,
      org,
      { ...DONATION, ...more },
      { keyring: books.keyring, out: openCallsOut({ timeoutMs }) },
    )

  async function donations(): Promise<Record<string, unknown>[]> {
    return await books.read(
      `select donation_id, state, gateway, order_ref, amount, currency, fund, paid_at, payment_id
         from donations`,
      [],
      org,
    )
  }

  /** Nothing in the books and nothing promised: no money moved. */
  async function expectNoMoney(): Promise<void> {
    for (const table of ['payments', 'journal_entries', 'postings', 'outbox', 'receipts']) {
      expect(await books.read(`select * from ${table}`, [], org), table).to.deep.equal([])
    }
  }

  it('notes the order that the gateway gave, and no money yet', async () => {
    const asked = nock(GATEWAYS_URL)
      .post('/v1/orders', (body: { amount: number; currency: string; receipt: string }) => {
        return body.amount === 250_050 && body.currency === 'INR' && body.receipt.length <= 40
      })
      .reply(200, { id: 'order_1', entity: 'order', amount: 250_050, currency: 'INR' })
    const { donationId, order } = await open()
    expect(asked.isDone()).to.equal(true)
    expect(order.checkout).to.include({ gateway: 'razorpay', orderId: 'order_1' })
    expect(await donations()).to.deep.equal([
      {
        donation_id: donationId,
        state: 'open',
        gateway: 'razorpay',
        order_ref: 'order_1',
        amount: 250_050n,
        currency: 'INR',
        fund: 'education',
        paid_at: null,
        payment_id: null,
      },
    ])
    await expectNoMoney()
    await record(books, [captured({ payment: 'pay_1', order: 'order_1', amount: 250_050n })], org)
    expect((await donations())[0]).to.include({ state: 'paid' })
  })

  it('at PayU gives each donation a transaction id of its own, without a call', async () => {
    const [one, other] = [await open({ gateway: 'payu' }), await open({ gateway: 'payu' })]
    expect(one.order.orderRef).to.match(/^\w{1,25}$/)
    expect(one.order.orderRef).to.not.equal(other.order.orderRef)
    expect((await donations()).map((row) => row['order_ref'])).to.have.members([
      one.order.orderRef,
      other.order.orderRef,
    ])
  })

  const failures: [title: string, code: string, prepare: () => unknown][] = [
    [
      'refuses',
      'gateway_refused',
      () =>
        nock(GATEWAYS_URL)
          .post('/v1/orders')
          .reply(400, { error: { description: 'Order amount too small' } }),
    ],
    ['fails', 'gateway_unavailable', () => nock(GATEWAYS_URL).post('/v1/orders').reply(500, 'x')],
    [
      'cannot be reached',
      'gateway_unavailable',
      () => nock(GATEWAYS_URL).post('/v1/orders').replyWithError('ECONNREFUSED'),
    ],
    [
      'opens an order of another amount',
      'gateway_refused',
      () =>
        nock(GATEWAYS_URL)
          .post('/v1/orders')
          .reply(200, { id: 'order_2', entity: 'order', amount: 1, currency: 'INR' }),
    ],
  ]
  for (const [title, code, prepare] of failures) {
    it(`leaves an open donation without an order where the gateway ${title}`, async () => {
      prepare()
      expect((await rejectionOf(open())).code).to.equal(code)
      expect((await donations())[0]).to.include({ state: 'open', order_ref: null })
      await expectNoMoney()
    })
  }

  it('leaves an open donation without an order where the gateway is too slow', async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => {
      silent.listen(0, '127.0.0.1', resolve)
    })
    const { port } = silent.address() as AddressInfo
    await books.own(
      `update gateway_accounts set api_url = 'http://127.0.0.1:${port}' where org_id = ${org}`,
    )
    expect((await rejectionOf(open({}, 50))).code).to.equal('gateway_unavailable')
    silent.closeAllConnections()
    silent.close()
    expect((await donations())[0]).to.include({ state: 'open', order_ref: null })
    await expectNoMoney()
  })

  it('holds no transaction open while the gateway answers', async () => {
    let inTransaction: unknown[] = ['never looked']
    nock(GATEWAYS_URL)
      .post('/v1/orders')
      .reply(200, async () => {
        inTransaction = await books.db.statement(
          `select state, query from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()
              and state like 'idle in transaction%'`,
        )
        return { id: 'order_3', entity: 'order', amount: 250_050, currency: 'INR' }
      })
    await open()
    expect(inTransaction).to.deep.equal([])
  })

  const refused: [title: string, code: string, more: Partial<NewDonation>][] = [
    ['an unknown fund', 'unknown_fund', { fund: 'moon' }],
    ['a foreign citizen without FCRA', 'foreign_contribution', { indianCitizen: false }],
  ]
  for (const [title, code, more] of refused) {
    it(`writes nothing and calls nobody for ${title}`, async () => {
      const problem = await rejectionOf(open(more))
      expect(problem.code).to.equal(code)
      expect(problem.extras.moved).to.equal('no')
      expect(await donations()).to.deep.equal([])
      expect(await books.read('select * from donors', [], org)).to.deep.equal([])
    })
  }

  it('writes nothing where the organisation has no account at the gateway', async () => {
    await books.own(
      `delete from webhook_secrets where org_id = ${org};
       delete from webhook_endpoints where org_id = ${org};
       delete from gateway_accounts where org_id = ${org}`,
    )
    expect((await rejectionOf(open())).code).to.equal('unknown_gateway')
    expect(await donations()).to.deep.equal([])
  })

  it('takes a foreign citizen’s gift where there is an FCRA registration', async () => {
    await books.own(
      `update organisations set fcra_registration = '231650000' where org_id = ${org}`,
    )
    nock(GATEWAYS_URL)
      .post('/v1/orders')
      .reply(200, { id: 'order_4', entity: 'order', amount: 250_050, currency: 'INR' })
    await open({ indianCitizen: false })
    expect((await donations())[0]).to.include({ order_ref: 'order_4' })
  })

  it('stores the tax id encrypted and shows it masked', async () => {
    nock(GATEWAYS_URL)
      .post('/v1/orders')
      .reply(200, { id: 'order_5', entity: 'order', amount: 250_050, currency: 'INR' })
    await open()
    const [donor] = await books.read<{ tax_id_masked: string; tax_id_sealed: Buffer }>(
      'select tax_id_masked, tax_id_sealed from donors',
      [],
      org,
    )
    expect(donor?.tax_id_masked).to.not.include('PK1234')
    expect(donor?.tax_id_sealed.includes('ABCPK1234F')).to.equal(false)
  })
})
