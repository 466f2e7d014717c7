/** Donors over HTTP: masked, found by tax id, revealed with a reason, erased as the law lets. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import { sendReceipts } from '../../jobs/send-receipts.ts'
import { TURNS_AN_HOUR } from '../../src/donations/donor-records.ts'
import { insertDonor, maskTaxId, type NewDonor } from '../../src/donations/donors.ts'
import { eraseDonor, heldUntil, PAYING_DAYS } from '../../src/donations/erasure.ts'
import type { Role } from '../../src/http/permissions.ts'
import { captured, DONOR, openFor, record } from '../donations/facts.ts'
import { testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'

const PAN = 'ABCPK1234F'

describe('donors in the API', () => {
  let service: TestService
  let orders = 0

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

  const addDonor = async (more: Partial<NewDonor> = {}, orgId = 1) =>
    await service.parts.db.transact(
      orgId,
      async (trx) =>
        await insertDonor(trx, service.parts.keyring, {
          ...DONOR,
          phone: '+919876543210',
          ...more,
        }),
    )

  /** A donor who has given; gives the donor's id. */
  async function giver(): Promise<string> {
    orders += 1
    const order = `order_${orders}`
    const books = { db: service.parts.db, keyring: service.parts.keyring }
    const donationId = await openFor(books, { order, donor: { phone: '+919876543210' } })
    await record(books, [captured({ payment: `pay_${orders}`, order })])
    const [row] = await service.rows<{ donor_id: string }>(
      'select donor_id from donations where donation_id = $1',
      [donationId],
    )
    return row?.donor_id ?? ''
  }

  const post = async (path: string, body: unknown, role: Role = 'admin') =>
    await service.call('POST', `/v1/donors/${path}`, { body, role })
  const find = async (value: string, type = 'pan', role: Role = 'finance') =>
    await post('search', { tax_id: { type, value } }, role)
  const idsIn = ({ json }: Answer) => (json['data'] as JsonObject[]).map(({ id }) => id)

  async function audit(query: string): Promise<JsonObject[]> {
    const answer = await service.call('GET', `/v1/people-audit?${query}`, { role: 'auditor' })
    return answer.json['data'] as JsonObject[]
  }

  it('are shown with a masked tax id, and to viewers with masked contacts', async () => {
    const id = await addDonor()
    const finance = await service.call('GET', `/v1/donors/${id}`, { role: 'finance' })
    expect(finance.json).to.deep.include({
      id,
      name: DONOR.name,
      email: 'asha@example.org',
      phone: '+919876543210',
      tax_id: { type: 'pan', masked: '•••••••34F' },
      erased_at: null,
    })
    const viewer = await service.call('GET', `/v1/donors/${id}`, { role: 'viewer' })
    expect(viewer.json).to.deep.include({
      name: DONOR.name,
      email: 'a•••@example.org',
      phone: '••••••••10',
      address: null,
    })
    const list = await service.call('GET', '/v1/donors?limit=1', { role: 'viewer' })
    expect(idsIn(list)).to.deep.equal([id])
    expect(list.text + viewer.text + finance.text).to.not.contain(PAN)
    const bare = await addDonor({ phone: null, address: null, taxId: null })
    const none = await service.call('GET', `/v1/donors/${bare}`, { role: 'viewer' })
    expect(none.json).to.deep.include({ phone: null, address: null, tax_id: null })
  })

  it('are found by a tax id however it is written, in the own organisation only', async () => {
    const value = 'AAAPB1111C'
    const [first, second] = [
      await addDonor({ taxId: { type: 'pan', value } }),
      await addDonor({ taxId: { type: 'pan', value } }),
    ]
    await addDonor({ taxId: { type: 'pan', value } }, 2)
    await addDonor({ taxId: { type: 'passport', value } })
    const found = await find(' aaapb 1111c')
    expect(idsIn(found)).to.deep.equal([second, first])
    expect(found.text).to.not.contain(value)
    const page = { tax_id: { type: 'pan', value }, limit: 1 }
    const one = await post('search', page)
    expect([idsIn(one), one.json['has_more']]).to.deep.equal([[second], true])
    const rest = await post('search', { ...page, starting_after: second })
    expect([idsIn(rest), rest.json['has_more']]).to.deep.equal([[first], false])
    expect(idsIn(await find('AAAPB1111D'))).to.deep.equal([])
    const [noted] = await audit('operation=searchDonors')
    expect(noted?.['after']).to.deep.equal({ found: 0, masked: '•••••••11D', type: 'pan' })
  })

  it('have indexes that tell nothing of equal ids in two organisations', async () => {
    const rows = await service.rows<{ index: string }>(
      `select encode(tax_id_index, 'hex') as index from donors
        where tax_id_masked in ('•••••••11C', '••••••1C')`,
    )
    expect(rows).to.have.length(4)
    expect(new Set(rows.map(({ index }) => index)).size).to.equal(3)
  })

  it('are not searched with what is no tax id, and the answer does not say it again', async () => {
    for (const tax of [{ type: 'pan', value: 'ABCXK1234F' }, { type: 'voter', value: PAN }, PAN]) {
      const answer = await post('search', { tax_id: tax })
      expect(answer.status).to.equal(400)
      expect(answer.text).to.not.match(/ABC[XP]K1234F/)
    }
    const path = await service.call('GET', `/v1/donors/${PAN}`, { role: 'finance' })
    expect([path.status, path.text.includes(PAN)]).to.deep.equal([404, false])
  })

  it('have their tax id revealed with a reason, which is recorded without the id', async () => {
    const id = await addDonor()
    expect((await post(`${id}/reveal`, {})).status).to.equal(400)
    const answer = await post(`${id}/reveal`, { reason: 'Form 10BD' }, 'finance')
    expect([answer.status, answer.json]).to.deep.equal([
      200,
      { id, tax_id: { type: 'pan', value: PAN } },
    ])
    expect(answer.headers.get('cache-control')).to.equal('no-store')
    const [noted] = await audit('operation=revealTaxId')
    expect(noted).to.deep.include({
      target: `/v1/donors/${id}/reveal`,
      after: { masked: '•••••••34F', type: 'pan' },
      reason: 'Form 10BD',
    })
    const kept = await service.rows('select from people_audit a where a::text like $1', [
      `%${PAN}%`,
    ])
    expect(kept).to.deep.equal([])
  })

  it('have refused attempts at a tax id recorded too', async () => {
    const id = await addDonor({ taxId: null })
    const other = await addDonor({}, 2)
    expect((await post(`${id}/reveal`, { reason: 'x' })).status).to.equal(404)
    expect((await post(`${other}/reveal`, { reason: 'x' })).status).to.equal(404)
    expect((await post(`${id}/reveal`, { reason: 'x' }, 'viewer')).status).to.equal(403)
    const noted = (await audit('operation=revealTaxId&limit=3')).map(({ after }) => after)
    expect(noted).to.deep.equal([
      { refused: 'forbidden' },
      { refused: 'not_found' },
      { refused: 'not_found' },
    ])
  })

  it('have no more revealed to one actor than the limit, also at the same time', async () => {
    const id = await addDonor()
    await service.rows('delete from donor_reveals')
    const answers = await Promise.all(
      Array.from({ length: TURNS_AN_HOUR.reveal + 5 }, () => post(`${id}/reveal`, { reason: 'x' })),
    )
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).to.have.length(TURNS_AN_HOUR.reveal)
    const refused = answers.find(({ status }) => status === 429)
    expect(Number(refused?.headers.get('retry-after'))).to.be.within(3590, 3600)
    expect(refused?.text).to.not.contain(PAN)
    const [noted] = await audit('operation=revealTaxId&limit=1')
    expect(noted?.['after']).to.deep.equal({ refused: 'rate_limited' })
    await service.rows(
      `update donor_reveals set revealed_at = array(
         select t - case when n = 1 then interval '1 hour' else interval '0' end
           from unnest(revealed_at) with ordinality as u (t, n))`,
    )
    expect((await post(`${id}/reveal`, { reason: 'x' })).status).to.equal(200)
    expect((await post(`${id}/reveal`, { reason: 'x' })).status).to.equal(429)
  })

  it('are searched by one person no more often than the limit, which is recorded', async () => {
    const id = await addDonor({ taxId: { type: 'pan', value: 'ZZZPZ9999Z' } })
    await service.rows('delete from donor_searches')
    const asked = { tax_id: { type: 'pan', value: 'ZZZPZ9999Z' } }
    const made = await service.call('POST', '/v1/api-keys', {
      role: 'admin',
      body: { name: 'Search', role: 'auditor' },
    })
    const withKey = { authorization: `Bearer ${made.json['secret'] as string}` }
    const answers = await Promise.all(
      Array.from({ length: TURNS_AN_HOUR.search + 5 }, async (_none, n) =>
        // A key of one's own is no second person.
        n % 2 === 0
          ? await post('search', asked, 'auditor')
          : await service.call('POST', '/v1/donors/search', { body: asked, headers: withKey }),
      ),
    )
    const found = answers.filter(({ status }) => status === 200)
    expect(found).to.have.length(TURNS_AN_HOUR.search)
    expect(found.every((answer) => idsIn(answer).includes(id))).to.equal(true)
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.json).to.include({ code: 'rate_limited', moved: 'no' })
    expect(Number(refused?.headers.get('retry-after'))).to.be.within(3590, 3600)
    expect((await post('search', asked, 'viewer')).status).to.equal(403)
    const noted = (await audit('operation=searchDonors&limit=2')).map(({ after }) => after)
    expect(noted).to.deep.equal([
      { refused: 'forbidden' },
      { type: 'pan', masked: '•••••••99Z', refused: 'rate_limited' },
    ])
    await service.rows('delete from donor_searches')
  })

  it('are erased whole where they never gave, once and again', async () => {
    const id = await addDonor()
    for (const erased of [['name', 'email', 'phone', 'address', 'tax_id'], []]) {
      const answer = await post(`${id}/erase`, { reason: 'asked by letter' })
      expect(answer.json).to.deep.include({ erased, kept: [] })
      expect(answer.json['donor']).to.deep.include({
        name: 'Erased donor',
        email: null,
        phone: null,
        address: null,
        tax_id: null,
        held_until: null,
      })
    }
    const [row] = await service.rows<{ row: string }>(
      'select d::text as row from donors d where donor_id = $1',
      [id],
    )
    expect(row?.row).to.not.match(/asha|9876543210|Tilak|Kulkarni/)
    const [noted] = await audit('operation=eraseDonor&limit=1')
    expect(noted).to.deep.include({ reason: 'asked by letter', target: `/v1/donors/${id}/erase` })
    expect((await post('dnr_00000000000000000000000000/erase', { reason: 'x' })).status).to.equal(
      404,
    )
    expect((await post(`${id}/erase`, { reason: 'x' }, 'finance')).status).to.equal(403)
  })

  it('keep what the law keeps of who gave, and say until when', async () => {
    const id = await giver()
    const early = await post(`${id}/erase`, { reason: 'x' })
    expect([early.status, early.json['code']]).to.deep.equal([409, 'donor_in_use'])
    await issueReceiptsJob.run(service.jobParts)
    expect((await post(`${id}/erase`, { reason: 'x' })).status).to.equal(409)
    await sendReceipts.run(service.jobParts)
    const answer = await post(`${id}/erase`, { reason: 'x' })
    expect(answer.json).to.deep.include({
      erased: ['email', 'phone', 'receipt_emails'],
      kept: ['name', 'address', 'tax_id', 'receipts', 'gateway_events'],
    })
    expect(answer.json['donor']).to.deep.include({
      name: DONOR.name,
      email: null,
      phone: null,
      held_until: '2038-03-31',
    })
    const receipts = await service.call('GET', '/v1/receipts?limit=1', { role: 'finance' })
    const [receipt] = receipts.json['data'] as JsonObject[]
    expect(receipt?.['email']).to.deep.include({ state: 'sent', to: 'erased' })
    const receiptId = receipt?.['id'] as string
    const pdf = await service.call('GET', `/v1/receipts/${receiptId}/pdf`)
    expect(pdf.status).to.equal(200)
    const later = await service.parts.db.transact(
      1,
      async (trx) => await eraseDonor(trx, id, new Date('2038-04-01T12:00:00+05:30')),
    )
    expect(later.erased).to.deep.equal(['name', 'address', 'tax_id', 'receipt_emails'])
    expect([later.donor.name, later.kept]).to.deep.equal(['Erased donor', []])
  })

  it('are not erased while a payment may still come, and it is unidentified later', async () => {
    orders += 1
    const order = `order_${orders}`
    const books = { db: service.parts.db, keyring: service.parts.keyring }
    const donation = await openFor(books, { order })
    const [row] = await service.rows<{ donor_id: string }>(
      'select donor_id from donations where donation_id = $1',
      [donation],
    )
    const early = await post(`${row?.donor_id}/erase`, { reason: 'x' })
    expect([early.status, early.json['code']]).to.deep.equal([409, 'donor_in_use'])
    expect(early.json['detail']).to.contain(donation).and.to.contain('may still be paid')
    const opened = `update donations set opened_at = now() - make_interval(mins => $2::integer)
      where donation_id = $1`
    await service.rows(opened, [donation, PAYING_DAYS * 24 * 60 - 5])
    expect((await post(`${row?.donor_id}/erase`, { reason: 'x' })).status).to.equal(409)
    await service.rows(opened, [donation, PAYING_DAYS * 24 * 60 + 5])
    expect((await post(`${row?.donor_id}/erase`, { reason: 'x' })).status).to.equal(200)
    await record(books, [captured({ payment: `pay_${orders}`, order })])
    const entries = await service.rows<{ kind: string }>(
      'select kind from journal_entries order by entry_no desc limit 1',
    )
    expect(entries).to.deep.equal([{ kind: 'unidentified_captured' }])
    const promised = await service.rows('select 1 from outbox where subject = $1', [donation])
    expect(promised).to.deep.equal([])
    const reopened = await service.parts.db
      .transact(1, async (trx) =>
        trx.query("update donations set state = 'open' where donation_id = $1", [donation]),
      )
      .catch(String)
    expect(reopened).to.contain('a donation that is closed stays so')
  })

  it('are erased at once where their order was never made', async () => {
    const books = { db: service.parts.db, keyring: service.parts.keyring }
    const donation = await openFor(books, { order: 'order_never' })
    await service.rows(
      `update donations set order_ref = null, opened_at = now() - interval '11 minutes'
        where donation_id = $1`,
      [donation],
    )
    const [row] = await service.rows<{ donor_id: string }>(
      'select donor_id from donations where donation_id = $1',
      [donation],
    )
    expect((await post(`${row?.donor_id}/erase`, { reason: 'x' })).status).to.equal(200)
  })

  it('have masks that leave more to try than anybody could', () => {
    expect(maskTaxId('pan', 'ABCPK1234F')).to.equal('•••••••34F')
    expect(maskTaxId('passport', 'A1234567')).to.equal('••••••67')
    expect(maskTaxId('passport', 'AB123456789Z')).to.equal('••••••9Z')
    expect(maskTaxId('aadhaar', '234567890124')).to.equal('XXXX XXXX 0124')
  })

  it('are not changed or erased by hand in the application’s role', async () => {
    const id = await addDonor()
    for (const set of [
      "name = 'Somebody else'",
      "email = 'other@example.org'",
      'phone = null',
      "tax_id_masked = 'X'",
      'tax_id_sealed = sha256(tax_id_sealed)',
      "erased_at = now(), email = null, phone = null, held_until = '2038-03-31', name = 'X'",
      'erased_at = now(), email = null, phone = null',
    ]) {
      const doing = service.parts.db.transact(1, async (trx) =>
        trx.query(`update donors set ${set} where donor_id = $1`, [id]),
      )
      const told = await doing.then(
        () => 'done',
        (error: unknown) => String(error),
      )
      expect(told, set).to.match(/erased or sealed anew|violates check|invalid byte|null value/)
    }
  })
})

describe('how long the law keeps a gift', () => {
  it('is ten years from the end of the assessment year', () => {
    for (const [gift, until] of [
      ['2026-04-01', '2038-03-31'],
      ['2027-03-31', '2038-03-31'],
      ['2027-04-01', '2039-03-31'],
      ['2026-03-31', '2037-03-31'],
    ] as const) {
      expect(heldUntil(gift), gift).to.equal(until)
    }
  })
})
