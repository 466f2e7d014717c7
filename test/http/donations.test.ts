/** Opening a donation: what comes back, what is refused and where, and that ids stay secret. */
import { expect } from 'chai'
import nock from 'nock'
import { donationRequest } from '../support/bodies.ts'
import { PAYU, RAZORPAY } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type TestService,
} from '../support/service.ts'
import { razorpayOpens, withGateways } from './seeded.ts'

const DONOR = donationRequest()['donor'] as Record<string, object | string>
const ADDRESS = DONOR['address'] as Record<string, string>

/** A PayU donation, which needs no answer of a gateway, with changes. */
function payu(changes: object = {}): Record<string, unknown> {
  return donationRequest({ gateway: 'payu', ...changes })
}

function donor(changes: object): object {
  return { donor: { ...DONOR, ...changes } }
}

/** Changes to a donation that must be refused, with the place that the answer must point to. */
const REFUSED: readonly [what: string, changes: object, pointer: string][] = [
  ['no gateway', { gateway: undefined }, '/gateway'],
  ['an unknown gateway', { gateway: 'paypal' }, '/gateway'],
  ['no amount', { amount: undefined }, '/amount'],
  ['an amount with a fraction', { amount: 100.5 }, '/amount'],
  ['an amount in text', { amount: '10000' }, '/amount'],
  ['a negative amount', { amount: -10_000 }, '/amount'],
  ['no money', { amount: 0 }, '/amount'],
  ['less than a rupee', { amount: 99 }, '/amount'],
  ['more than ten crore rupees', { amount: 10_000_000_001 }, '/amount'],
  ['an amount beyond exact numbers', { amount: 1e21 }, '/amount'],
  ['an amount of null', { amount: null }, '/amount'],
  ['another currency', { currency: 'USD' }, '/currency'],
  ['no fund', { fund: undefined }, '/fund'],
  ['an empty fund', { fund: '' }, '/fund'],
  ['a fund of 41 letters', { fund: 'f'.repeat(41) }, '/fund'],
  ['an unknown nature', { nature: 'loan' }, '/nature'],
  ['a corpus gift without a direction', { nature: 'corpus' }, '/corpus_direction'],
  ['an empty direction', { nature: 'corpus', corpus_direction: ' ' }, '/corpus_direction'],
  ['a purpose of two lines', { purpose: 'a\nb' }, '/purpose'],
  ['a purpose that is too long', { purpose: 'x'.repeat(201) }, '/purpose'],
  ['a return address that is none', { return_url: 'thanks.html' }, '/return_url'],
  ['a return address that is a script', { return_url: 'javascript:alert(1)' }, '/return_url'],
  ['no donor', { donor: undefined }, '/donor'],
  ['a donor in text', { donor: 'Asha' }, '/donor'],
  ['no name', donor({ name: undefined }), '/donor/name'],
  ['an empty name', donor({ name: '  ' }), '/donor/name'],
  ['a name of 121 letters', donor({ name: 'x'.repeat(121) }), '/donor/name'],
  ['a name with a line break', donor({ name: 'Asha\r\nBcc: x@example.org' }), '/donor/name'],
  ['a name with a NUL', donor({ name: 'Asha\u0000' }), '/donor/name'],
  ['a name with a line separator', donor({ name: 'Asha\u2028Rao' }), '/donor/name'],
  ['no email', donor({ email: undefined }), '/donor/email'],
  ['an email without a host', donor({ email: 'asha@' }), '/donor/email'],
  ['two emails', donor({ email: 'a@example.org,b@example.org' }), '/donor/email'],
  ['an email with a header', donor({ email: 'a@example.org\r\nBcc: b@x.org' }), '/donor/email'],
  ['a phone with letters', donor({ phone: '98765ABCDE' }), '/donor/phone'],
  ['a phone that is too short', donor({ phone: '1234567' }), '/donor/phone'],
  ['no citizenship', donor({ citizenship: undefined }), '/donor/citizenship'],
  ['an unknown citizenship', donor({ citizenship: 'oci' }), '/donor/citizenship'],
  ['no city', donor({ address: { ...ADDRESS, city: '' } }), '/donor/address/city'],
  [
    'a PIN code of five digits',
    donor({ address: { ...ADDRESS, pin: '41103' } }),
    '/donor/address/pin',
  ],
  ['a PIN code from 0', donor({ address: { ...ADDRESS, pin: '011030' } }), '/donor/address/pin'],
  [
    'half a pair of surrogates',
    donor({ address: { ...ADDRESS, line1: '7 \ud800 Road' } }),
    '/donor/address/line1',
  ],
  ['an unknown id', donor({ tax_id: { type: 'voter', value: 'X' } }), '/donor/tax_id/type'],
  ['a PAN of nine', donor({ tax_id: { type: 'pan', value: 'ABCPK123F' } }), '/donor/tax_id/value'],
  [
    'a PAN of an unknown kind',
    donor({ tax_id: { type: 'pan', value: 'ABCZK1234F' } }),
    '/donor/tax_id/value',
  ],
  [
    'an Aadhaar number with a wrong check digit',
    donor({ tax_id: { type: 'aadhaar', value: '234123412347' } }),
    '/donor/tax_id/value',
  ],
  [
    'a passport number with a slash',
    donor({ tax_id: { type: 'passport', value: 'A/12345' } }),
    '/donor/tax_id/value',
  ],
]

describe('opening a donation', () => {
  let service: TestService

  withGateways()

  before(async () => {
    service = await startTestService()
  })

  afterEach(() => {
    nock.cleanAll()
  })

  after(async () => {
    await service.stop()
  })

  async function open(body: unknown): Promise<Answer> {
    return await service.call('POST', '/v1/donations', { role: 'service', body })
  }

  async function count(): Promise<number> {
    const [row] = await service.rows<{ n: number }>('select count(*)::integer as n from donations')
    return row?.n ?? -1
  }

  it('gives what Razorpay’s checkout needs', async () => {
    const orderId = razorpayOpens(250_050)
    const { status, json } = await open(donationRequest())
    expect(status).to.equal(201)
    expect(json['id']).to.match(/^don_[0-9a-z]{26}$/)
    expect(json).to.deep.equal({
      id: json['id'],
      state: 'open',
      gateway: 'razorpay',
      order_ref: orderId,
      amount: 250_050,
      currency: 'INR',
      fund: 'education',
      checkout: {
        gateway: 'razorpay',
        keyId: RAZORPAY.keyId,
        orderId,
        amount: 250_050,
        currency: 'INR',
      },
    })
  })

  it('gives the form that PayU’s checkout needs, without the salt', async () => {
    const { status, json, text } = await open(
      payu({ amount: 100, return_url: 'https://trust.example/thanks?a=1' }),
    )
    expect(status).to.equal(201)
    const { action, fields } = json['checkout'] as {
      action: string
      fields: Record<string, string>
    }
    expect(action).to.equal(`${GATEWAYS_URL}/_payment`)
    expect(fields).to.include({
      key: PAYU.account,
      txnid: json['order_ref'],
      amount: '1.00',
      surl: 'https://trust.example/thanks?a=1',
      furl: 'https://trust.example/thanks?a=1',
    })
    expect(json['order_ref']).to.match(/^[0-9a-z]{25}$/)
    expect(text).to.not.contain(PAYU.salt)
  })

  it('takes every amount and form that is allowed', async () => {
    for (const changes of [
      { amount: 100 },
      { amount: 10_000_000_000 },
      { amount: 1e3 },
      { nature: 'corpus', corpus_direction: 'Towards the corpus of the trust.' },
      { nature: 'specific_grant', purpose: 'Books · पुस्तकें' },
      { fund: 'general' },
      donor({ phone: '+919876543210' }),
      donor({ address: undefined, tax_id: undefined }),
      donor({ address: { ...ADDRESS, line2: 'Sadashiv Peth' } }),
      donor({ tax_id: { type: 'aadhaar', value: '2341 2341 2346' } }),
      donor({ tax_id: { type: 'passport', value: 'z1234567' } }),
    ]) {
      const answer = await open(payu(changes))
      expect(answer.status, `${JSON.stringify(changes)} ${answer.text}`).to.equal(201)
    }
  })

  it('keeps names in any script and with emoji as they are, without outer blanks', async () => {
    for (const name of ['आशा कुलकर्णी', 'ஆஷா ராவ்', 'Ásha O’Neill-Rao', 'Asha 🙏🏽', 'A']) {
      const opened = await open(payu(donor({ name: `  ${name} ` })))
      expect(opened.status, name).to.equal(201)
      const rows = await service.rows<{ name: string }>(
        `select n.name from donations d join donors n using (org_id, donor_id)
          where d.donation_id = $1`,
        [opened.json['id']],
      )
      expect(rows).to.deep.equal([{ name }])
    }
  })

  describe('is refused, with the place of what is wrong, for', () => {
    for (const [what, changes, pointer] of REFUSED) {
      it(what, async () => {
        const before = await count()
        const answer = await open(payu(changes))
        expect(answer.status, answer.text).to.equal(400)
        expect(answer.json['code']).to.equal('invalid_request')
        const errors = answer.json['errors'] as { pointer: string; detail: string }[]
        expect(new Set(errors.map((error) => error.pointer))).to.deep.equal(new Set([pointer]))
        expect(errors[0]?.detail).to.be.a('string').and.not.equal('')
        expect(answer.text).to.not.contain('ABCPK1234F')
        expect(await count()).to.equal(before)
      })
    }

    it('everything that is wrong at once', async () => {
      const answer = await open(payu({ amount: 1, currency: 'X', ...donor({ email: 'x' }) }))
      const errors = answer.json['errors'] as { pointer: string }[]
      expect(errors.map((error) => error.pointer)).to.have.members([
        '/amount',
        '/currency',
        '/donor/email',
      ])
    })

    it('a name that PayU cannot take, with the place in our own request', async () => {
      const answer = await open(payu(donor({ name: 'Asha | Rao' })))
      expect(answer.status).to.equal(400)
      const errors = answer.json['errors'] as { pointer: string }[]
      expect(errors.map((error) => error.pointer)).to.deep.equal(['/donor/name'])
    })
  })

  it('is refused for a fund or gateway that the organisation does not have', async () => {
    for (const fund of ['healthcare', "x'; drop table funds; --", '\u0000']) {
      const answer = await open(payu({ fund }))
      expect(answer.status, JSON.stringify(fund)).to.be.oneOf([400, 422])
    }
    const unknown = await open(payu({ fund: 'healthcare' }))
    expect(unknown.json).to.include({ code: 'unknown_fund', moved: 'no' })
    const before = await count()
    await asWithoutGateways(async (authorization) => {
      const answer = await service.call('POST', '/v1/donations', {
        headers: { authorization },
        body: payu(),
      })
      expect(answer.status).to.equal(422)
      expect(answer.json).to.include({ code: 'unknown_gateway', moved: 'no' })
    })
    expect(await count()).to.equal(before)
  })

  it('is refused for a foreign citizen where there is no FCRA registration', async () => {
    const answer = await open(payu(donor({ citizenship: 'foreign' })))
    expect(answer.status).to.equal(422)
    expect(answer.json).to.include({ code: 'foreign_contribution', moved: 'no' })
  })

  it('says that the gateway is away, and leaves nothing that could be paid', async () => {
    for (const reply of [
      () => nock(GATEWAYS_URL).post('/v1/orders').replyWithError('ECONNRESET'),
      () => nock(GATEWAYS_URL).post('/v1/orders').reply(503, 'busy'),
      () => nock(GATEWAYS_URL).post('/v1/orders').reply(429, {}),
      () => nock(GATEWAYS_URL).post('/v1/orders').reply(200, '<html>'),
    ]) {
      reply()
      const answer = await open(donationRequest())
      expect(answer.status, answer.text).to.equal(503)
      expect(answer.json).to.include({ code: 'gateway_unavailable', moved: 'no' })
      expect(Number(answer.headers.get('retry-after'))).to.be.greaterThan(0)
      nock.cleanAll()
    }
    const rows = await service.rows<{ n: number }>(
      "select count(*)::integer as n from donations where gateway = 'razorpay' and state = 'paid'",
    )
    expect(rows).to.deep.equal([{ n: 0 }])
    expect((await service.call('GET', '/v1/payments')).json['data']).to.deep.equal([])
  })

  it('passes the gateway’s refusal on in its own words, without our secrets', async () => {
    nock(GATEWAYS_URL)
      .post('/v1/orders')
      .reply(400, { error: { description: `Amount exceeds the limit of ${RAZORPAY.keySecret}` } })
    const answer = await open(donationRequest())
    expect(answer.status).to.equal(502)
    expect(answer.json).to.include({ code: 'gateway_refused', moved: 'no' })
    expect(answer.json['detail']).to.contain('Amount exceeds the limit')
    expect(answer.text).to.not.contain(RAZORPAY.keySecret)
  })

  it('writes a PAN large and keeps every id out of what can be read', async () => {
    const ids = { pan: 'zyxpq9876k', aadhaar: '234123412346', passport: 'z9876543' }
    for (const [type, value] of Object.entries(ids)) {
      expect((await open(payu(donor({ tax_id: { type, value } })))).status, type).to.equal(201)
    }
    const [masked] = await service.rows<{ tax_id_masked: string }>(
      `select tax_id_masked from donors where tax_id_type = 'pan' and tax_id_masked like '%76K'`,
    )
    expect(masked?.tax_id_masked).to.equal('•••••••76K')
    const tables = await service.rows<{ name: string }>(
      `select quote_ident(table_schema) || '.' || quote_ident(table_name) as name
         from information_schema.tables
        where table_schema in ('public', 'bullmq') and table_type = 'BASE TABLE'`,
    )
    expect(tables.length).to.be.greaterThan(15)
    for (const { name } of tables) {
      const rows = await service.rows(
        `select 1 from ${name} as t
          where t::text ~* 'zyxpq9876k|234123412346|2341 2341 2346|z9876543'
             or t::text ~* '7a79787071393837366b|5a59585051393837364b|323334313233343132333436'`,
      )
      expect(rows, name).to.deep.equal([])
    }
  })

  /** Runs with a token of an organisation that has funds but no gateway. */
  async function asWithoutGateways(work: (authorization: string) => Promise<void>): Promise<void> {
    const { createOrganisation } = await import('../../db/seeds/organisation.ts')
    const { asOwner } = await import('../../scripts/stack.ts')
    const { signToken } = await import('../../src/http/auth.ts')
    const { testOrganisation } = await import('../support/organisation.ts')
    const spec = testOrganisation(GATEWAYS_URL, { orgId: 3, slug: 'bare' })
    await asOwner(service.database.ownerUrl, async (client) => {
      await createOrganisation(client, service.config.dataKeys, { ...spec, gateways: [] })
    })
    const principal = { subject: 'bare', orgId: 3, role: 'finance' } as const
    await work(`Bearer ${signToken(principal, service.config.jwtSecret, 60)}`)
  }
})
