/** Lists: every row once however pages are cut, filters that filter, ids that name one thing. */
import { expect } from 'chai'
import { razorpayEvent } from '../support/bodies.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { allPages, donate, payUnasked, rowsOf, textIn, withGateways } from './seeded.ts'

const LISTS = [
  'donations',
  'payments',
  'journal-entries',
  'accounts',
  'receipts',
  'inbox-events',
  'rejected-calls',
]

describe('a list', () => {
  let service: TestService
  const donations: string[] = []

  withGateways()

  before(async () => {
    service = await startTestService()
    for (const [index, day] of ['2026-04-01', '2026-04-01', '2026-05-10', '2026-06-01'].entries()) {
      donations.push(await donate(service, 100_000 + index, day))
    }
    for (const id of ['pay_TESTu1', 'pay_TESTu2', 'pay_TESTu3']) {
      await payUnasked(service, { id, amount: 5000, day: '2026-05-10' })
    }
    await service.deliver(
      'razorpay',
      razorpayEvent('payment.failed', { id: 'pay_TESTf1', orderId: null, amount: 700 }),
    )
    for (let index = 0; index < 5; index += 1) {
      const webhook = razorpayEvent('payment.captured', {
        id: `pay_TESTbad${index}`,
        orderId: null,
        amount: 1,
      })
      webhook.headers['x-razorpay-signature'] = '0'.repeat(64)
      await service.deliver('razorpay', webhook)
    }
    await service.runJobs()
  })

  after(async () => {
    await service.stop()
  })

  for (const list of LISTS) {
    it(`of ${list} has every row once, in one order, whatever the size of its pages`, async () => {
      const whole = rowsOf((await service.call('GET', `/v1/${list}?limit=100`)).json)
      expect(whole.length).to.be.at.least(3)
      for (const limit of [1, 2, 3, whole.length]) {
        const pages = await allPages(service, `/v1/${list}`, limit)
        expect(pages.flat(), `${limit} a page`).to.deep.equal(whole)
        expect(pages.slice(0, -1).every((page) => page.length === limit)).to.equal(true)
      }
      expect(new Set(whole.map((row) => row['id'])).size).to.equal(whole.length)
    })

    it(`of ${list} has a limit from 1 to 100`, async () => {
      for (const limit of ['0', '101', '-1', '1.5', 'all', '', '1e2', ' 1', '999999999999']) {
        const answer = await service.call('GET', `/v1/${list}?limit=${encodeURIComponent(limit)}`)
        expect(answer.status, limit).to.equal(400)
        expect(answer.text).to.contain('/query/limit')
      }
      const one = await service.call('GET', `/v1/${list}?limit=1`)
      expect([rowsOf(one.json).length, one.json['has_more']]).to.deep.equal([1, true])
      const most = await service.call('GET', `/v1/${list}?limit=100`)
      expect(most.json['has_more']).to.equal(false)
    })

    it(`of ${list} takes only an id of its own kind to start after`, async () => {
      for (const id of ['x', 'je_0', 'acc_-1', 'don_1', '', "';--", `je_${'9'.repeat(19)}`]) {
        const path = `/v1/${list}?starting_after=${encodeURIComponent(id)}`
        expect((await service.call('GET', path)).status, id).to.equal(400)
      }
    })
  }

  async function filtered(path: string): Promise<JsonObject[]> {
    const { status, json, text } = await service.call('GET', `/v1/${path}`)
    expect(status, text).to.equal(200)
    return rowsOf(json)
  }

  it('of payments is narrowed by state, gateway, the gateway’s id and donation', async () => {
    expect(await filtered('payments?state=captured')).to.have.length(7)
    expect(await filtered('payments?state=failed')).to.have.length(1)
    expect(await filtered('payments?state=authorized')).to.deep.equal([])
    expect(await filtered('payments?gateway=payu')).to.deep.equal([])
    const [unasked] = await filtered('payments?gateway_payment_id=pay_TESTu2')
    expect(unasked).to.include({ donation: null, amount: 5000, state: 'captured' })
    const own = await filtered(`payments?donation=${donations[2]}&state=captured`)
    expect(own.map((row) => row['amount'])).to.deep.equal([100_002])
    for (const bad of ['state=lost', 'gateway=paypal', `donation=${'x'.repeat(41)}`]) {
      expect((await service.call('GET', `/v1/payments?${bad}`)).status, bad).to.equal(400)
    }
  })

  it('of journal entries is narrowed by effective day and kind', async () => {
    const days = async (query: string) =>
      (await filtered(`journal-entries?${query}`)).map((row) => row['effective_on'])
    expect(await days('from=2026-06-01')).to.deep.equal(['2026-06-01'])
    expect(await days('to=2026-04-01')).to.deep.equal(['2026-04-01', '2026-04-01'])
    expect(await days('from=2026-05-10&to=2026-05-10')).to.have.length(4)
    expect(await days('from=2026-05-10&kind=unidentified_captured')).to.have.length(3)
    expect(await days('kind=none')).to.deep.equal([])
    for (const bad of ['from=2026-02-30', 'to=yesterday', 'from=']) {
      expect((await service.call('GET', `/v1/journal-entries?${bad}`)).status, bad).to.equal(400)
    }
  })

  it('of receipts is narrowed by donation, number and the state of its email', async () => {
    const [own] = await filtered(`receipts?donation=${donations[0]}`)
    expect(own).to.include({ amount: 100_000, donated_on: '2026-04-01' })
    const number = encodeURIComponent(textIn(own, 'number'))
    expect(await filtered(`receipts?number=${number}`)).to.deep.equal([own])
    expect(await filtered('receipts?email_state=sent')).to.have.length(4)
    expect(await filtered('receipts?email_state=dead')).to.deep.equal([])
  })

  it('of webhooks is narrowed by state and gateway; refused calls keep no body', async () => {
    expect(await filtered('inbox-events?state=processed&gateway=razorpay')).to.have.length(8)
    expect(await filtered('inbox-events?state=dead')).to.deep.equal([])
    const [refused] = await filtered('rejected-calls?limit=1')
    expect(refused).to.include({ reason: 'bad_signature' })
    expect(refused?.['body_sha256']).to.match(/^[0-9a-f]{64}$/)
    expect(JSON.stringify(refused)).to.not.match(/x-razorpay-signature|asha@/)
  })

  it('names rows that can be asked for one by one', async () => {
    for (const list of ['donations', 'payments', 'journal-entries', 'receipts']) {
      for (const row of await filtered(list)) {
        const { status, json } = await service.call('GET', `/v1/${list}/${textIn(row, 'id')}`)
        expect(status).to.equal(200)
        expect(json).to.deep.equal(row)
      }
    }
  })

  it('shares its resources’ answer to an id that is nothing’s', async () => {
    const [receipt] = await filtered('receipts?limit=1')
    for (const path of [
      'payments/pmt_0000000000zzzzzzzzzzzzzzzz',
      `payments/${textIn(receipt, 'id')}`,
      'journal-entries/je_999',
      'journal-entries/je_0',
      'journal-entries/1',
      'journal-entries/je_999999999999999999',
      'journal-entries/JE_1',
      'receipts/rcp_0000000000zzzzzzzzzzzzzzzz',
      'receipts/rcp_0000000000zzzzzzzzzzzzzzzz/pdf',
      'receipts/..%2f..%2fetc%2fpasswd/pdf',
      'accounts/acc_999/balance',
      'accounts/acc_999/statement',
      'accounts/acc_99999999999/statement',
      "payments/';--",
    ]) {
      const answer = await service.call('GET', `/v1/${path}`)
      expect(answer.status, path).to.equal(404)
      expect(answer.json['code']).to.equal('not_found')
    }
  })

  it('goes on where it was when rows are added above', async () => {
    const before = rowsOf((await service.call('GET', '/v1/journal-entries?limit=3')).json)
    await payUnasked(service, { id: 'pay_TESTu9', amount: 5000, day: '2026-05-10' })
    await service.runJobs()
    const last = textIn(before.at(-1), 'id')
    const next = await filtered(`journal-entries?limit=3&starting_after=${last}`)
    expect(next.map((row) => row['id'])).to.deep.equal(['je_4', 'je_3', 'je_2'])
  })
})
