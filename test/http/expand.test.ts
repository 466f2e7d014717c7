/** `expand`: the object in place of its id, for who may see it, in one query a kind. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import type { Trx } from '../../src/base/db.ts'
import type { Role } from '../../src/http/permissions.ts'
import { donationRequest } from '../support/bodies.ts'
import { testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { postEntry } from './posting.ts'
import { donate, payUnasked, rowsOf, textIn, withGateways } from './seeded.ts'

/** Lists whose rows can be expanded, and where each field's object is by itself. */
const EXPANDED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  donations: { donor: 'donors', payment: 'payments', receipt: 'receipts' },
  payments: { donation: 'donations', receipt: 'receipts' },
  receipts: { donation: 'donations', payment: 'payments' },
  'journal-entries': { reverses: 'journal-entries', reversed_by: 'journal-entries' },
}

interface Parameter {
  name: string
  style?: string
  explode?: boolean
  schema: { type?: string; items?: { enum: string[] } }
}

type Contract = JsonObject & {
  paths: Record<string, Record<string, { parameters: Parameter[] }>>
  components: { schemas: Record<string, { properties: JsonObject }> }
}

describe('expand', () => {
  let service: TestService
  const paid: string[] = []

  withGateways()

  before(async () => {
    service = await startTestService()
    for (const day of ['2026-04-01', '2026-05-10', '2026-06-01']) {
      paid.push(await donate(service, 100_000, day))
    }
    await payUnasked(service, { id: 'pay_TESTe1', amount: 5000, day: '2026-05-10' })
    await service.call('POST', '/v1/donations', { body: donationRequest({ gateway: 'payu' }) })
    await service.runJobs()
    for (const key of ['one', 'two']) {
      const posted = await postEntry(service, key)
      await service.call('POST', `/v1/journal-entries/${textIn(posted.json, 'id')}/reverse`, {
        body: { reason: 'twice' },
        headers: { 'idempotency-key': `${key}-back` },
      })
    }
  })

  after(async () => {
    await service.stop()
  })

  const get = async (path: string, role: Role = 'finance'): Promise<Answer> =>
    await service.call('GET', `/v1/${path}`, { role })

  async function read(path: string): Promise<JsonObject> {
    const { status, json, text } = await get(path)
    expect(status, `${path}: ${text}`).to.equal(200)
    return json
  }

  /** The row with the object of each id in these fields, as it is read by itself. */
  async function withObjects(row: JsonObject, list: string, names: readonly string[]) {
    const whole = { ...row }
    for (const name of names) {
      const id = row[name]
      if (typeof id === 'string') {
        whole[name] = await read(`${EXPANDED[list]?.[name]}/${id}`)
      }
    }
    return whole
  }

  for (const [list, fields] of Object.entries(EXPANDED)) {
    const names = Object.keys(fields)
    for (const asked of [...names.map((name) => [name]), names, names.toReversed()]) {
      it(`puts ${asked.join(' and ')} into ${list}, one row and a page alike`, async () => {
        const query = `expand=${asked.join(',')}`
        const plain = rowsOf(await read(list))
        const rows = rowsOf(await read(`${list}?${query}`))
        expect(rows).to.have.length(plain.length)
        for (const [index, row] of plain.entries()) {
          const whole = await withObjects(row, list, asked)
          expect(rows[index]).to.deep.equal(whole)
          expect(await read(`${list}/${textIn(row, 'id')}?${query}`)).to.deep.equal(whole)
        }
        for (const name of asked) {
          const kinds = new Set(rows.map((row) => (row[name] === null ? 'null' : typeof row[name])))
          expect(kinds.has('object'), name).to.equal(true)
          expect(kinds.has('string'), name).to.equal(false)
        }
      })
    }
  }

  it('leaves the page, its filters and its cursor as they are', async () => {
    const page = await read('donations?state=paid&limit=1&expand=receipt')
    expect([rowsOf(page).length, page['has_more']]).to.deep.equal([1, true])
    const after = textIn(rowsOf(page)[0], 'id')
    const rest = await read(`donations?state=paid&expand=payment&starting_after=${after}`)
    expect(rowsOf(rest).map(({ id }) => id)).to.deep.equal([paid[1], paid[0]])
    expect(await read('donations?fund=none&expand=donor')).to.deep.equal({
      data: [],
      has_more: false,
    })
  })

  it('takes only names that it knows, each once, and says which it did not take', async () => {
    for (const [list, asked, fault] of [
      ['donations', 'donr', '"donr" is none of donor, payment, receipt'],
      ['donations', '', '"" is none of'],
      ['donations', 'donor,', '"" is none of'],
      ['donations', 'donor, payment', '" payment" is none of'],
      ['donations', 'donor,payment,donor', '"donor" is there twice'],
      ['donations', 'Donor', '"Donor" is none of'],
      ['donations', 'donor.payment', '"donor.payment" is none of'],
      ['donations', 'all', '"all" is none of'],
      ['donations', '__proto__', '"__proto__" is none of'],
      ['donations', 'constructor', '"constructor" is none of'],
      ['donations', '\u0000', 'is none of'],
      ['donations', "donor'; drop table donors; --", 'is none of'],
      ['receipts', 'donor', '"donor" is none of donation, payment'],
      ['payments', 'journal_entry', '"journal_entry" is none of donation, receipt'],
      ['journal-entries', 'adjusts', '"adjusts" is none of reverses, reversed_by'],
    ] as const) {
      for (const path of [list, `${list}/${await idIn(list)}`]) {
        const answer = await get(`${path}?expand=${encodeURIComponent(asked)}`)
        expect([answer.status, answer.json['code']], asked).to.deep.equal([400, 'invalid_request'])
        const errors = answer.json['errors'] as { pointer: string; detail: string }[]
        expect(errors[0]?.pointer).to.equal('/query/expand')
        expect(errors.map(({ detail }) => detail).join()).to.contain(fault)
      }
    }
    const huge = await get(`donations?expand=${'donor,'.repeat(1500)}`)
    expect(huge.status).to.equal(400)
    expect(huge.text.length).to.be.below(5000)
    const twice = await get('donations?expand=donor&expand=payment')
    expect(twice.status).to.equal(400)
    expect(twice.text).to.contain('parted by commas')
    expect((await get('accounts?expand=postings')).status).to.equal(400)
  })

  const idIn = async (list: string) => textIn(rowsOf(await read(list))[0], 'id')

  it('shows nobody what he may not read, and says which permission it takes', async () => {
    const none = 'donations/don_0000000000zzzzzzzzzzzzzzzz'
    for (const [role, path, permission] of [
      ['service', 'donations?expand=donor', 'donors.read'],
      ['service', 'donations?expand=payment', 'payments.read'],
      ['viewer', 'donations?expand=donor,receipt', 'receipts.read'],
      ['viewer', 'payments?expand=receipt', 'receipts.read'],
      ['approver', 'donations?fund=none&expand=receipt', 'receipts.read'],
      ['service', `donations/${paid[0]}?expand=donor`, 'donors.read'],
      ['service', `${none}?expand=donor`, 'donors.read'],
    ] as const) {
      const answer = await get(path, role)
      expect([answer.status, answer.json['code']], path).to.deep.equal([403, 'forbidden'])
      expect(answer.json['detail']).to.contain(permission).and.to.contain(`the role ${role}`)
    }
    expect((await get('donations', 'service')).status).to.equal(200)
    expect((await get('donations?expand=donor,payment', 'viewer')).status).to.equal(200)
  })

  it('shows a key no more than it was given, whatever its role may see', async () => {
    const body = { name: 'Site', role: 'admin', permissions: ['donations.read', 'payments.read'] }
    const made = await service.call('POST', '/v1/api-keys', { role: 'admin', body })
    expect(made.status, made.text).to.equal(201)
    const headers = { authorization: `Bearer ${textIn(made.json, 'secret')}` }
    const ask = async (query: string) =>
      await service.call('GET', `/v1/donations?state=paid&expand=${query}`, { headers })
    const refused = await ask('payment,receipt')
    expect(refused.status).to.equal(403)
    expect(refused.json['detail']).to.match(/receipts\.read, which this key of the role admin/)
    const shown = await ask('payment')
    const [row] = rowsOf(shown.json)
    expect([row?.['donor_name'], typeof row?.['payment']]).to.deep.equal([null, 'object'])
    const reader = { ...body, permissions: ['receipts.read', 'donations.read'] }
    const other = await service.call('POST', '/v1/api-keys', { role: 'admin', body: reader })
    const receipts = await service.call('GET', '/v1/receipts?expand=donation', {
      headers: { authorization: `Bearer ${textIn(other.json, 'secret')}` },
    })
    const [receipt] = rowsOf(receipts.json)
    expect(receipt?.['donation']).to.deep.include({ state: 'paid', donor_name: null })
  })

  it('masks in an expanded object what is masked in it elsewhere', async () => {
    const { json } = await get(`donations/${paid[0]}?expand=donor`, 'viewer')
    const donor = json['donor'] as JsonObject
    const alone = await get(`donors/${textIn(donor, 'id')}`, 'viewer')
    expect(donor).to.deep.equal(alone.json)
    expect(donor['email']).to.match(/^.•••@/)
    expect(JSON.stringify(json)).to.not.contain('ABCPK1234F')
  })

  /** Queries that the service sends while `work` runs. */
  async function queriesOf(work: () => Promise<unknown>): Promise<number> {
    const { db } = service.parts
    const { read: whole } = db
    let count = 0
    const counted = (trx: Trx): Trx => ({
      scope: trx.scope,
      query: async (...given) => {
        count += 1
        return await trx.query(...given)
      },
      run: async (query) => {
        count += 1
        return await trx.run(query)
      },
    })
    db.read = async (scope, inside) => await whole(scope, async (trx) => inside(counted(trx)))
    try {
      await work()
    } finally {
      db.read = whole
    }
    return count
  }

  it('asks the database once for each kind, however many rows there are', async () => {
    const plain = await queriesOf(async () => await read('donations'))
    expect(plain).to.be.above(0)
    for (const [query, more] of [
      ['expand=donor', 1],
      // A payment comes with its refunds, for which it asks once more.
      ['expand=donor,payment,receipt', 4],
      ['limit=1&state=paid&expand=donor,payment,receipt', 4],
      ['state=open&expand=donor,payment,receipt', 1],
      ['fund=none&expand=donor,payment,receipt', 0],
    ] as const) {
      const count = await queriesOf(async () => await read(`donations?${query}`))
      expect(count - plain, query).to.equal(more)
    }
  })

  it('shows one object that many rows have in each of them', async () => {
    const [row] = await service.rows<{ donor_id: string }>(
      `update donations set donor_id = (select min(donor_id) from donations where org_id = 1)
        where org_id = 1 returning donor_id`,
    )
    const rows = rowsOf(await read('donations?expand=donor'))
    expect(rows).to.have.length(4)
    const donors = rows.map(({ donor }) => textIn(donor as JsonObject, 'id'))
    expect(new Set(donors)).to.deep.equal(new Set([row?.donor_id]))
  })

  it('leaves an id that names nothing, or another organisation’s, as it is', async () => {
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    const [payment] = rowsOf(await read('payments?state=captured&limit=1'))
    const id = textIn(payment, 'id')
    // No key binds a donation's payment to its organisation, so that such a row can be made here.
    await service.rows(
      `insert into donors (org_id, donor_id, name, email)
         values (2, 'dnr_other', 'Somebody Else', 'else@example.org')`,
    )
    await service.rows(
      `insert into donations (org_id, donation_id, donor_id, state, gateway, order_ref, amount,
         currency, fund, nature, paid_at, payment_id)
       values (2, 'don_other', 'dnr_other', 'paid', 'payu', 'x', 100, 'INR', 'general', 'general',
         now(), $1)`,
      [id],
    )
    const { signToken } = await import('../../src/http/auth.ts')
    const other = { subject: 'other', orgId: 2, role: 'admin' } as const
    const answer = await service.call('GET', '/v1/donations?expand=payment,donor,receipt', {
      headers: { authorization: `Bearer ${signToken(other, service.config.jwtSecret, 60)}` },
    })
    expect(answer.status, answer.text).to.equal(200)
    const [row] = rowsOf(answer.json)
    expect(row).to.deep.include({ payment: id, receipt: null })
    expect(row?.['donor']).to.include({ id: 'dnr_other', name: 'Somebody Else' })
    expect(answer.text).to.not.contain(textIn(payment, 'gateway_payment_id'))
  })

  it('is in the contract as names parted by commas, and each field as id or object', async () => {
    const contract = (await (await fetch(`${service.url}/openapi.json`)).json()) as Contract
    for (const [list, fields] of Object.entries(EXPANDED)) {
      for (const path of [`/v1/${list}`, `/v1/${list}/{id}`]) {
        const parameters = contract.paths[path]?.['get']?.parameters ?? []
        const parameter = parameters.find(({ name }) => name === 'expand')
        expect(parameter, path).to.deep.include({ style: 'form', explode: false })
        expect(parameter?.schema).to.deep.include({
          type: 'array',
          items: { type: 'string', enum: Object.keys(fields) },
          minItems: 1,
          uniqueItems: true,
        })
      }
    }
    const { Donation, ExpandableDonation } = contract.components.schemas
    const about = { description: 'The payment that paid for it.' }
    const id = { type: 'string', pattern: '^pmt_' }
    expect(Donation?.properties['payment']).to.deep.equal({
      anyOf: [id, { type: 'null' }],
      ...about,
    })
    expect(ExpandableDonation?.properties['payment']).to.deep.equal({
      ...about,
      anyOf: [id, { $ref: '#/components/schemas/Payment' }, { type: 'null' }],
    })
    expect(ExpandableDonation?.properties['donor']).to.deep.equal({
      anyOf: [{ type: 'string', pattern: '^dnr_' }, { $ref: '#/components/schemas/Donor' }],
    })
  })
})
