/** Two organisations in one service: nobody sees, names or counts what is the other's. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { signToken } from '../../src/http/auth.ts'
import { asOwner } from '../../scripts/stack.ts'
import { donationRequest } from '../support/bodies.ts'
import { testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type TestService,
} from '../support/service.ts'
import { donate, rowsOf, textIn, withGateways } from './seeded.ts'

const LISTS = [
  'payments',
  'journal-entries',
  'accounts',
  'receipts',
  'inbox-events',
  'rejected-calls',
]

describe('an organisation beside another', () => {
  let service: TestService

  withGateways()

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      await createOrganisation(
        client,
        service.config.dataKeys,
        testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' }),
      )
    })
    await donate(service, 250_050, '2026-05-10')
    const rejected = await fetch(
      `${service.url}/webhooks/razorpay/${service.endpoints.get('razorpay') ?? ''}`,
      { method: 'POST', body: '{}' },
    )
    expect(rejected.status).to.equal(401)
    await service.runJobs()
  })

  after(async () => {
    await service.stop()
  })

  /** A call as finance of the other organisation. */
  async function asOther(method: string, path: string, body?: unknown): Promise<Answer> {
    const principal = { subject: 'other', orgId: 2, role: 'finance' } as const
    const authorization = `Bearer ${signToken(principal, service.config.jwtSecret, 60)}`
    return await service.call(method, path, { headers: { authorization }, body })
  }

  for (const list of LISTS) {
    it(`sees none of the other’s ${list}`, async () => {
      const own = rowsOf((await service.call('GET', `/v1/${list}`)).json)
      expect(own).to.not.have.length(0)
      const others = await asOther('GET', `/v1/${list}`)
      expect([others.status, others.json]).to.deep.equal([200, { data: [], has_more: false }])
      const after = textIn(own[0], 'id')
      const { json } = await asOther('GET', `/v1/${list}?starting_after=${after}`)
      expect(json).to.deep.equal({ data: [], has_more: false })
    })
  }

  it('finds none of the other’s ids', async () => {
    const [payment] = rowsOf((await service.call('GET', '/v1/payments')).json)
    const [receipt] = rowsOf((await service.call('GET', '/v1/receipts')).json)
    const [account] = rowsOf((await service.call('GET', '/v1/accounts')).json)
    for (const path of [
      `payments/${textIn(payment, 'id')}`,
      'journal-entries/je_1',
      `receipts/${textIn(receipt, 'id')}`,
      `receipts/${textIn(receipt, 'id')}/pdf`,
      `accounts/${textIn(account, 'id')}/balance`,
      `accounts/${textIn(account, 'id')}/statement`,
    ]) {
      expect((await service.call('GET', `/v1/${path}`)).status, path).to.equal(200)
      const answer = await asOther('GET', `/v1/${path}`)
      expect(answer.status, path).to.equal(404)
      expect(answer.text).to.not.contain('आशा')
    }
  })

  it('has books of its own, which are empty', async () => {
    const balance = await asOther('GET', '/v1/trial-balance')
    expect(balance.json).to.deep.equal({
      as_of: null,
      known_at: null,
      accounts: [],
      totals: [],
    })
    const trail = await asOther('GET', '/v1/audit-trail.csv')
    // The header, and where the chain starts and ends.
    expect(trail.text.trimEnd().split('\r\n')).to.have.length(3)
    expect((await service.call('GET', '/v1/audit-trail.csv')).text.split('\r\n')).to.have.length(6)
  })

  it('opens donations in its own name only', async () => {
    const opened = await asOther('POST', '/v1/donations', donationRequest({ gateway: 'payu' }))
    expect(opened.status).to.equal(201)
    const rows = await service.rows<{ org_id: number }>(
      'select org_id from donations where donation_id = $1',
      [opened.json['id']],
    )
    expect(rows).to.deep.equal([{ org_id: 2 }])
  })

  it('that does not exist has nobody who is let in', async () => {
    const principal = { subject: 'nobody', orgId: 99, role: 'admin' } as const
    const authorization = `Bearer ${signToken(principal, service.config.jwtSecret, 60)}`
    const list = await service.call('GET', '/v1/payments', { headers: { authorization } })
    expect(list.status).to.equal(401)
    const opened = await service.call('POST', '/v1/donations', {
      headers: { authorization },
      body: donationRequest(),
    })
    expect(opened.json).to.include({ code: 'unauthenticated', moved: 'no' })
  })
})
