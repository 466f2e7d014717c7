/** Donations as they are read: each once, narrowed by filters, with names for who may know them. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import { signToken } from '../../src/http/auth.ts'
import { donationRequest } from '../support/bodies.ts'
import { testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { allPages, donate, rowsOf, textIn, withGateways } from './seeded.ts'

const DONATIONS = '/v1/donations'
const NAME = 'आशा कुलकर्णी'

describe('donations that were opened', () => {
  let service: TestService
  const paid: string[] = []
  let open: JsonObject

  withGateways()

  before(async () => {
    service = await startTestService()
    for (const [index, day] of ['2026-04-01', '2026-05-10', '2026-06-01'].entries()) {
      paid.push(await donate(service, 100_000 + index, day))
    }
    open = (await openPayu({ fund: 'general', purpose: 'Books · पुस्तकें' })).json
    await service.runJobs()
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
  })

  after(async () => {
    await service.stop()
  })

  const openPayu = async (changes: JsonObject = {}, headers: Record<string, string> = {}) =>
    await service.call('POST', DONATIONS, {
      role: 'service',
      headers,
      body: donationRequest({ gateway: 'payu', ...changes }),
    })

  const asOther = () =>
    `Bearer ${signToken({ subject: 'o', orgId: 2, role: 'admin' }, service.config.jwtSecret, 60)}`

  async function filtered(query: string): Promise<(string | undefined)[]> {
    const { status, json, text } = await service.call('GET', `${DONATIONS}?${query}`)
    expect(status, text).to.equal(200)
    return rowsOf(json).map((row) => textIn(row, 'id'))
  }

  it('are shown with their donor, and with payment and receipt once there are some', async () => {
    const id = paid[1] ?? ''
    const { json } = await service.call('GET', `${DONATIONS}/${id}`)
    const [payment] = rowsOf((await service.call('GET', `/v1/payments?donation=${id}`)).json)
    const [receipt] = rowsOf((await service.call('GET', `/v1/receipts?donation=${id}`)).json)
    expect(json).to.deep.equal({
      id,
      state: 'paid',
      gateway: 'razorpay',
      order_ref: textIn(payment, 'order_ref'),
      amount: 100_001,
      currency: 'INR',
      fund: 'education',
      nature: 'general',
      corpus_direction: null,
      purpose: null,
      donor: json['donor'],
      donor_name: NAME,
      payment: textIn(payment, 'id'),
      receipt: textIn(receipt, 'id'),
      opened_at: json['opened_at'],
      paid_at: json['paid_at'],
    })
    expect(json['paid_at']).to.be.a('string')
    expect(Date.now() - Date.parse(textIn(json, 'opened_at'))).to.be.within(0, 120_000)
    expect(payment).to.include({ donation: id, receipt: textIn(receipt, 'id') })
    const donor = await service.call('GET', `/v1/donors/${textIn(json, 'donor')}`)
    expect(donor.json['name']).to.equal(NAME)
  })

  it('have neither payment nor receipt while they are open', async () => {
    const { json } = await service.call('GET', `${DONATIONS}/${textIn(open, 'id')}`)
    expect(json).to.include({
      state: 'open',
      gateway: 'payu',
      order_ref: textIn(open, 'order_ref'),
      fund: 'general',
      purpose: 'Books · पुस्तकें',
      payment: null,
      receipt: null,
      paid_at: null,
    })
  })

  it('show a payment that has no receipt yet', async () => {
    const id = await donate(service, 77_700, '2026-06-02')
    const { processInbox } = await import('../../jobs/process-inbox.ts')
    await processInbox.run(service.jobParts)
    const { json } = await service.call('GET', `${DONATIONS}/${id}`)
    expect(json).to.include({ state: 'paid', receipt: null })
    expect(json['payment']).to.match(/^pmt_/)
    await service.runJobs()
    const later = await service.call('GET', `${DONATIONS}/${id}`)
    expect(later.json['receipt']).to.match(/^rcp_/)
    paid.push(id)
  })

  it('are all there once, newest first, whatever the size of the pages', async () => {
    const whole = rowsOf((await service.call('GET', `${DONATIONS}?limit=100`)).json)
    const ids = whole.map((row) => textIn(row, 'id'))
    expect(ids).to.have.members([...paid, textIn(open, 'id')])
    expect(ids).to.deep.equal(ids.toSorted().reverse())
    for (const limit of [1, 2, whole.length]) {
      const pages = await allPages(service, DONATIONS, limit)
      expect(pages.flat(), `${limit} a page`).to.deep.equal(whole)
    }
    for (const row of whole) {
      const { json } = await service.call('GET', `${DONATIONS}/${textIn(row, 'id')}`)
      expect(json).to.deep.equal(row)
    }
  })

  it('are narrowed by state, gateway, fund, donor and the gateway’s order', async () => {
    const own = textIn(open, 'id')
    expect(await filtered('state=open')).to.deep.equal([own])
    expect(await filtered('state=paid')).to.have.members(paid)
    expect(await filtered('gateway=payu')).to.deep.equal([own])
    expect(await filtered('fund=general')).to.deep.equal([own])
    expect(await filtered('fund=nothing')).to.deep.equal([])
    const { json } = await service.call('GET', `${DONATIONS}/${paid[0]}`)
    expect(await filtered(`donor=${textIn(json, 'donor')}`)).to.deep.equal([paid[0]])
    const order = `order_ref=${textIn(json, 'order_ref')}`
    expect(await filtered(order)).to.deep.equal([paid[0]])
    expect(await filtered(`${order}&gateway=razorpay`)).to.deep.equal([paid[0]])
    expect(await filtered(`${order}&gateway=payu`)).to.deep.equal([])
    expect(await filtered(`state=paid&limit=1&starting_after=${paid[1]}`)).to.deep.equal([paid[0]])
  })

  it('are narrowed by the day in India on which they were opened', async () => {
    const ids = await Promise.all(
      ['2024-04-30T18:29:59.999Z', '2024-04-30T18:30:00Z', '2024-05-01T18:29:59.999Z'].map(
        async (at) => {
          const id = textIn((await openPayu()).json, 'id')
          await service.rows('update donations set opened_at = $2 where donation_id = $1', [id, at])
          return id
        },
      ),
    )
    const [before, first, last] = ids
    expect(await filtered('opened_from=2024-05-01&opened_to=2024-05-01')).to.have.members([
      first,
      last,
    ])
    expect(await filtered('opened_to=2024-04-30')).to.deep.equal([before])
    expect(await filtered('opened_from=2024-05-01&opened_to=2024-05-02')).to.have.length(2)
    expect(await filtered('opened_from=2024-05-02')).to.have.members([...paid, textIn(open, 'id')])
    expect(await filtered('opened_from=2024-05-02&opened_to=2024-05-01')).to.deep.equal([])
    expect(await filtered('opened_from=0001-01-01&opened_to=9999-12-31')).to.have.length(
      paid.length + 4,
    )
  })

  it('are not narrowed by what is no value of a filter', async () => {
    for (const bad of [
      'state=lost',
      'state=',
      'gateway=paypal',
      'order_ref=%00',
      `order_ref=${'x'.repeat(101)}`,
      `fund=${'x'.repeat(41)}`,
      'opened_from=2026-02-30',
      'opened_to=today',
      'state=open&state=paid',
      'email=asha@example.org',
    ]) {
      const answer = await service.call('GET', `${DONATIONS}?${bad}`)
      expect([answer.status, answer.json['code']], bad).to.deep.equal([400, 'invalid_request'])
    }
    for (const nothing of ["'; drop table donations; --", '%', '_', '']) {
      const text = encodeURIComponent(nothing)
      expect(await filtered(`order_ref=${text}`)).to.deep.equal([])
      expect(await filtered(`fund=${text}`)).to.deep.equal([])
      expect(await filtered(`donor=${text}`)).to.deep.equal([])
    }
  })

  it('name their donor for who may see donors, and nobody’s tax id or contacts', async () => {
    const path = `${DONATIONS}/${paid[0]}`
    const named = await service.call('GET', path, { role: 'viewer' })
    expect(named.json['donor_name']).to.equal(NAME)
    const website = await service.call('GET', path, { role: 'service' })
    expect(website.json).to.deep.equal({ ...named.json, donor_name: null })
    const list = await service.call('GET', DONATIONS, { role: 'service' })
    expect(list.text).to.not.contain('आशा')
    expect(named.text + list.text).to.not.match(/ABC|34F|example\.org|Tilak|411030/)
  })

  it('are the own organisation’s, whatever id or filter asks for another’s', async () => {
    const authorization = asOther()
    const own = await openPayu({}, { authorization })
    expect(own.status, own.text).to.equal(201)
    const headers = { authorization }
    const all = await service.call('GET', DONATIONS, { headers })
    expect(rowsOf(all.json).map(({ id }) => id)).to.deep.equal([own.json['id']])
    const one = (await service.call('GET', `${DONATIONS}/${paid[0]}`)).json
    for (const query of [
      `donor=${textIn(one, 'donor')}`,
      `order_ref=${textIn(one, 'order_ref')}`,
      'state=paid',
      `starting_after=${paid[2]}&state=paid`,
    ]) {
      const answer = await service.call('GET', `${DONATIONS}?${query}`, { headers })
      expect(rowsOf(answer.json), query).to.deep.equal([])
    }
    for (const id of [paid[0], 'don_0000000000zzzzzzzzzzzzzzzz', 'don_1', textIn(one, 'donor')]) {
      const answer = await service.call('GET', `${DONATIONS}/${id}`, { headers })
      expect([answer.status, answer.json['code']], id).to.deep.equal([404, 'not_found'])
    }
  })
})
