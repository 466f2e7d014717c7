/** What an organisation sets of itself: told at once, shown on what is issued next, walled in. */
import { expect } from 'chai'
import { rm } from 'node:fs/promises'
import { financialYear, indianDate } from '../../src/base/clock.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { signToken } from '../../src/http/auth.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { asOwner } from '../../scripts/stack.ts'
import { readPdf } from '../reports/read-pdf.ts'
import { donationRequest } from '../support/bodies.ts'
import { testOrganisation } from '../support/organisation.ts'
import { jpeg, png } from '../support/pictures.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { allPages, donate, rowsOf, textIn, withGateways } from './seeded.ts'

describe('the settings of an organisation', () => {
  let service: TestService
  const thisYear = financialYear(indianDate(new Date()))
  const nextYear = financialYear(`${Number(thisYear.slice(0, 4)) + 1}-05-01`)

  withGateways()

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      const spec = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, spec)
    })
  })

  after(async () => {
    await service.stop()
  })

  const admin = async (method: string, path: string, body?: unknown, headers = {}) =>
    await service.call(method, `/v1/${path}`, { role: 'admin', body, headers })

  function tokenOf(orgId: number): string {
    return signToken({ subject: 'test', orgId, role: 'admin' }, service.config.jwtSecret, 60)
  }

  const asOther = async (method: string, path: string, body?: unknown): Promise<Answer> =>
    await admin(method, path, body, { authorization: `Bearer ${tokenOf(2)}` })

  /** Puts bytes as the logo; the contract's check is for JSON only. */
  async function putLogo(
    bytes: Buffer,
    type: string,
  ): Promise<{ status: number; json: JsonObject }> {
    const answer = await fetch(`${service.url}/v1/organisation/logo`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${tokenOf(1)}`, 'content-type': type },
      body: new Uint8Array(bytes),
    })
    return { status: answer.status, json: (await answer.json()) as JsonObject }
  }

  async function newestReceipt(): Promise<{ number: string; pdf: Buffer }> {
    await service.runJobs()
    const [row] = rowsOf((await service.call('GET', '/v1/receipts')).json)
    const answer = await fetch(`${service.url}/v1/receipts/${textIn(row, 'id')}/pdf`, {
      headers: { authorization: `Bearer ${tokenOf(1)}` },
    })
    return { number: textIn(row, 'number'), pdf: Buffer.from(await answer.arrayBuffer()) }
  }

  it('are told, changed in part, and told anew at once', async () => {
    const before = await admin('GET', 'organisation')
    expect(before.json).to.deep.include({
      id: 'org_1',
      slug: 'test',
      legal_name: 'Test Trust',
      branding: { colour: null, logo: null },
      features: { donations: true, receipt_emails: true },
    })
    const changes = [
      { legal_name: 'Test Trust (Regd.)' },
      { signatory: { designation: 'Secretary' } },
      { branding: { colour: '#005A3C' } },
      { fcra_registration: '231650000' },
      { fcra_registration: null, mail_from_name: 'टेस्ट ट्रस्ट' },
    ]
    for (const change of changes) {
      const changed = await admin('PATCH', 'organisation', change)
      expect(changed.status, changed.text).to.equal(200)
      expect((await admin('GET', 'organisation')).json).to.deep.equal(changed.json)
    }
    expect((await admin('GET', 'organisation')).json).to.deep.include({
      legal_name: 'Test Trust (Regd.)',
      signatory: { name: 'Meera Kulkarni', designation: 'Secretary' },
      branding: { colour: '#005a3c', logo: null },
      fcra_registration: null,
      mail_from_name: 'टेस्ट ट्रस्ट',
      email: before.json['email'],
    })
    expect((await asOther('GET', 'organisation')).json).to.include({
      id: 'org_2',
      legal_name: 'Test Trust',
    })
  })

  it('are not read as they were by anybody while they are changed', async () => {
    await admin('PATCH', 'organisation', { address: '0' })
    let written = 0
    const over = new AbortController()
    const readers = Array.from({ length: 4 }, async () => {
      while (!over.signal.aborted) {
        const least = written
        const { json } = await admin('GET', 'organisation')
        expect(Number(textIn(json, 'address'))).to.be.at.least(least)
      }
    })
    for (let n = 1; n <= 20; n += 1) {
      await admin('PATCH', 'organisation', { address: String(n) })
      written = n
    }
    over.abort()
    await Promise.all(readers)
  })

  const refused: readonly [string, object, string][] = [
    ['nothing to change', {}, ''],
    ['an unknown field', { owner: 'x' }, ''],
    ['the slug', { slug: 'new' }, ''],
    ['the PAN', { pan: 'AABTA1234K' }, ''],
    ['an empty name', { legal_name: ' ' }, '/legal_name'],
    ['a name of 201 letters', { legal_name: 'x'.repeat(201) }, '/legal_name'],
    ['a name of two lines', { mail_from_name: 'a\r\nBcc: b@c.d' }, '/mail_from_name'],
    ['a sender that is no address', { mail_from: 'a@b>,<c@d' }, '/mail_from'],
    ['a colour by name', { branding: { colour: 'red' } }, '/branding/colour'],
    ['a colour that is too light', { branding: { colour: '#ffff00' } }, '/branding/colour'],
    ['an unknown feature', { features: { wallet: true } }, '/features'],
    ['a feature that is neither on nor off', { features: { donations: 1 } }, '/features/donations'],
    ['a logo as text', { branding: { logo: 'x' } }, '/branding/logo'],
  ]
  for (const [what, body, pointer] of refused) {
    it(`are refused with ${what}`, async () => {
      const answer = await admin('PATCH', 'organisation', body)
      expect([answer.status, answer.json['code']]).to.deep.equal([400, 'invalid_request'])
      const [error] = answer.json['errors'] as { pointer: string }[]
      expect(error?.pointer).to.equal(pointer)
    })
  }

  it('show on the next receipt, and leave those that were issued as they are', async () => {
    await donate(service, 100_000, '2026-05-10')
    const before = await newestReceipt()
    const set = await putLogo(png(), 'image/png')
    expect(set.status, JSON.stringify(set.json)).to.equal(200)
    await admin('PATCH', 'organisation', {
      legal_name: 'Renamed Trust',
      signatory: { name: 'Ravi Rao' },
      registration_12a: 'AABTA9999KE20215',
    })
    await donate(service, 110_000, '2026-05-11')
    const after = await newestReceipt()
    expect(readPdf(before.pdf).text).to.contain('Test Trust').and.not.to.contain('Renamed')
    expect(readPdf(after.pdf).text)
      .to.contain('Renamed Trust')
      .and.to.contain('Ravi Rao')
      .and.to.contain('AABTA9999KE20215')
    expect(before.pdf.toString('latin1')).not.to.contain('/Subtype /Image')
    expect(after.pdf.toString('latin1')).to.contain('/Subtype /Image')
    // With another logo, and its file lost, it is still what it was.
    await putLogo(jpeg(), 'image/jpeg')
    await rm(service.config.filesDir, { recursive: true })
    const again = await newestReceipt()
    expect(again.number).to.equal(after.number)
    expect(again.pdf.equals(after.pdf)).to.equal(true)
  })

  it('have a logo of 256 KiB at the most, of the kind that it says it is', async () => {
    const cases: [Buffer, string, number, string][] = [
      [Buffer.alloc(256 * 1024 + 1), 'image/png', 413, 'body_too_large'],
      [png(), 'image/svg+xml', 415, 'unsupported_media_type'],
      [png(), 'application/json', 415, 'unsupported_media_type'],
      [png(), 'image/jpeg', 422, 'invalid_image'],
      [Buffer.alloc(0), 'image/png', 422, 'invalid_image'],
      [png({ interlaced: 1 }), 'image/png', 422, 'invalid_image'],
    ]
    for (const [bytes, type, status, code] of cases) {
      const answer = await putLogo(bytes, type)
      expect([answer.status, answer.json['code'], answer.json['moved']]).to.deep.equal([
        status,
        code,
        'no',
      ])
    }
    const own = png({ width: 64 })
    expect((await putLogo(own, 'image/png')).status).to.equal(200)
    const { json } = await admin('GET', 'organisation')
    expect(json['branding']).to.have.nested.property('logo.bytes', own.length)
    const got = await admin('GET', 'organisation/logo')
    expect([got.status, got.headers.get('content-type')]).to.deep.equal([200, 'image/png'])
    expect((await asOther('GET', 'organisation/logo')).status).to.equal(404)
    await admin('PATCH', 'organisation', { branding: { logo: null } })
    expect((await admin('GET', 'organisation/logo')).status).to.equal(404)
  })

  it('switch donations off, and on again', async () => {
    const open = async () =>
      await service.call('POST', '/v1/donations', { body: donationRequest({ gateway: 'payu' }) })
    await admin('PATCH', 'organisation', { features: { donations: false } })
    const answer = await open()
    expect([answer.status, answer.json['code'], answer.json['moved']]).to.deep.equal([
      422,
      'switched_off',
      'no',
    ])
    await admin('PATCH', 'organisation', { features: { donations: true } })
    expect((await open()).status).to.equal(201)
  })

  it('hold back the emails of receipts, which go when they are switched on', async () => {
    await admin('PATCH', 'organisation', { features: { receipt_emails: false } })
    await donate(service, 120_000, '2026-05-12')
    const receipt = await newestReceipt()
    const stateOf = async () => {
      const { json } = await service.call('GET', `/v1/receipts?number=${receipt.number}`)
      return (rowsOf(json)[0]?.['email'] as JsonObject | undefined)?.['state']
    }
    expect(await stateOf()).to.equal('waiting')
    await service.rows(
      `update receipt_emails set next_try_at = now() - interval '1 hour' where state = 'waiting'`,
    )
    const stuck = async () =>
      (await verifyDonations(service.parts.db, 1)).filter(({ check }) => check === 'stuck')
    expect(await stuck(), 'held back on purpose').to.deep.equal([])
    await admin('PATCH', 'organisation', { features: { receipt_emails: true } })
    expect(await stuck()).to.have.length(1)
    await service.runJobs()
    expect(await stateOf()).to.equal('sent')
  })

  it('have funds that are opened once, renamed, closed and opened again', async () => {
    const made = await admin('POST', 'funds', { id: 'flood-2026', name: 'Flood relief' })
    expect(made.status).to.equal(201)
    expect(made.json).to.include({ id: 'flood-2026', state: 'open', closed_at: null })
    const same = await admin('POST', 'funds', { id: 'flood-2026', name: 'Flood relief' })
    expect([same.status, same.json]).to.deep.equal([200, made.json])
    const other = await admin('POST', 'funds', { id: 'flood-2026', name: 'Other' })
    expect([other.status, other.json['code']]).to.deep.equal([409, 'fund_exists'])

    const open = async (fund: string) => {
      const body = donationRequest({ gateway: 'payu', fund })
      const { status, json } = await service.call('POST', '/v1/donations', { body })
      return [status, json['code']]
    }
    expect(await open('flood-2026')).to.deep.equal([201, undefined])
    const closed = await admin('PATCH', 'funds/flood-2026', { state: 'closed', name: 'Floods' })
    expect(closed.json).to.include({ state: 'closed', name: 'Floods' })
    expect(await open('flood-2026')).to.deep.equal([422, 'fund_closed'])
    const once = await admin('PATCH', 'funds/flood-2026', { state: 'closed' })
    expect(once.json['closed_at']).to.equal(closed.json['closed_at'])
    await admin('PATCH', 'funds/flood-2026', { state: 'open' })
    expect(await open('flood-2026')).to.deep.equal([201, undefined])
    expect((await admin('PATCH', 'funds/none', { state: 'open' })).status).to.equal(404)
    expect((await asOther('PATCH', 'funds/flood-2026', { state: 'closed' })).status).to.equal(404)

    const pages = await allPages(service, '/v1/funds', 2)
    expect(pages.flat().map((fund) => fund['id'])).to.deep.equal([
      'education',
      'flood-2026',
      'general',
    ])
  })

  it('open a fund once where eight ask for it at the same time', async () => {
    const answers = await Promise.all(
      Array.from(
        { length: 8 },
        async () => await admin('POST', 'funds', { id: 'eight', name: '8' }),
      ),
    )
    const statuses = answers.map((answer) => answer.status)
    expect(statuses).to.have.members([...Array<number>(7).fill(200), 201])
  })

  it('have tax approvals, which are added and stay', async () => {
    const approval = {
      urn: 'AABTA1234KF20999',
      issued_on: '2031-03-12',
      valid_from: '2031-04-01',
      valid_to: '2036-03-31',
      deduction: '50_WITH_LIMIT',
    }
    expect((await admin('POST', 'tax-approvals', approval)).status).to.equal(201)
    expect((await admin('POST', 'tax-approvals', approval)).status).to.equal(200)
    const other = await admin('POST', 'tax-approvals', { ...approval, valid_to: '2037-03-31' })
    expect([other.status, other.json['code']]).to.deep.equal([409, 'approval_exists'])
    const backwards = { ...approval, urn: 'AABTA1234KF20998', valid_to: '2030-03-31' }
    expect((await admin('POST', 'tax-approvals', backwards)).status).to.equal(400)
    const own = (await allPages(service, '/v1/tax-approvals', 1)).flat()
    expect(own.map((one) => one['urn']))
      .to.include('AABTA1234KF20999')
      .and.to.have.length(3)
    expect(rowsOf((await asOther('GET', 'tax-approvals')).json)).to.have.length(2)
  })

  it('number receipts anew from a year that has none yet, and not before', async () => {
    const put = async (series: string, from: string, prefix: string) => {
      const body = { from_year: from, prefix }
      const { status, json } = await admin('PUT', `receipt-series/${series}`, body)
      return [status, json['code'] ?? json['next_number']]
    }
    // Receipts of this year were issued above.
    expect(await put('80G', thisYear, 'ASHA')).to.deep.equal([422, 'numbering_fixed'])
    expect(await put('80G', '2019-20', 'ASHA')).to.deep.equal([422, 'numbering_fixed'])
    expect(await put('80G', nextYear, 'ASHA')).to.deep.equal([200, `ASHA/${nextYear}/000001`])
    expect(await put('80G', nextYear, 'ASHA-T')).to.deep.equal([200, `ASHA-T/${nextYear}/000001`])
    // Two series never make the same number.
    expect(await put('GEN', nextYear, 'ASHA-T')).to.deep.equal([422, 'numbering_fixed'])
    expect(await put('GEN', nextYear, '80G')).to.deep.equal([422, 'numbering_fixed'])
    // Of this year none was issued in the other organisation.
    const other = await asOther('PUT', 'receipt-series/80G', { from_year: thisYear, prefix: 'OTH' })
    expect(other.status).to.equal(200)
    for (const [from, prefix] of [
      ['2027-29', 'A'],
      [nextYear, 'a'],
      [nextYear, 'A/B'],
      [nextYear, ''],
    ]) {
      expect((await put('80G', from ?? '', prefix ?? ''))[0]).to.equal(400)
    }
    const rows = rowsOf((await admin('GET', 'receipt-series')).json)
    const numbers = rows.map((row) => [row['series'], row['year'], row['prefix']])
    expect(numbers).to.deep.include(['80G', nextYear, 'ASHA-T'])
    expect(numbers).to.deep.include(['80G', thisYear, '80G'])
    expect(numbers).to.deep.include(['GEN', thisYear, 'GEN'])
  })
})
