/** The API of accounts, groups, currencies and exchanges, as finance and auditors call it. */
import { expect } from 'chai'
import type { Role } from '../../src/http/permissions.ts'
import { post } from '../../src/ledger/posting/post.ts'
import { changeAccount } from '../../src/ledger/accounts/account-changes.ts'
import { credit, debit, draftOf } from '../ledger/books.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { allPages, rowsOf, textIn } from './seeded.ts'

const TRAVEL = { code: 'expenses:travel', name: 'Travel', currency: 'INR' }

let service: TestService

before(async () => {
  service = await startTestService()
})

after(async () => {
  await service.stop()
})

let keys = 0

/** Posts ₹`amount` paise from the bank into an account, as entries of the API would. */
async function fund(code: string, amount: bigint, currency = 'INR'): Promise<void> {
  keys += 1
  const lines = [debit('assets:bank:main', amount, currency), credit(code, amount, currency)]
  const results = await service.parts.db.transact(
    service.orgId,
    async (trx) => await post(trx, [draftOf(`fund-${keys}`, { lines })]),
  )
  expect(results[0]?.status).to.equal('posted')
}

async function open(body: object, role: Role = 'finance'): Promise<Answer> {
  return await service.call('POST', '/v1/accounts', { role, body })
}

async function patch(id: string, body: object, role: Role = 'finance'): Promise<Answer> {
  return await service.call('PATCH', `/v1/accounts/${id}`, { role, body })
}

/** Status and code of an answer. */
const said = ({ status, json }: Answer): string => `${status} ${textIn(json, 'code')}`

describe('POST /v1/accounts', () => {
  it('opens an account, gives it back for the same request and refuses another one', async () => {
    const body = { ...TRAVEL, floor: null, metadata: { cost_centre: '7' } }
    const first = await open(body)
    expect(first.status).to.equal(201)
    const { created_at: _when, id: _id, ...view } = first.json
    const id = textIn(first.json, 'id')
    expect(id).to.match(/^acc_\d+$/)
    expect(Date.parse(textIn(first.json, 'created_at'))).to.be.closeTo(Date.now(), 60_000)
    expect(view).to.deep.equal({
      code: 'expenses:travel',
      parent: 'expenses',
      name: 'Travel',
      type: 'expense',
      normal_balance: 'debit',
      currency: 'INR',
      state: 'open',
      frozen: false,
      floor: null,
      balance: 0,
      metadata: { cost_centre: '7' },
    })
    const again = await open(body, 'admin')
    expect([again.status, again.json]).to.deep.equal([200, first.json])
    expect(said(await open({ ...body, name: 'Trips' }))).to.equal('409 account_exists')
    const found = await service.call('GET', `/v1/accounts/${id}`, { role: 'auditor' })
    expect(found.json).to.deep.equal(first.json)
  })

  it('opens a contra account and a credit line', async () => {
    const contra = { code: 'assets:depreciation', name: 'Depreciation', currency: 'INR' }
    expect((await open({ ...contra, normal: 'credit' })).json).to.include({
      type: 'asset',
      normal_balance: 'credit',
    })
    const line = { code: 'liabilities:wallets:shop', name: 'Shop', currency: 'INR', floor: -5000 }
    expect((await open(line)).json).to.include({ floor: -5000 })
  })

  it('is for finance and admin', async () => {
    for (const role of ['auditor', 'service'] as const) {
      expect(said(await open(TRAVEL, role)), role).to.equal('403 forbidden')
    }
    expect(
      (await service.call('POST', '/v1/accounts', { role: null, body: TRAVEL })).status,
    ).to.equal(401)
  })

  const wrong: [title: string, pointer: string, more: object][] = [
    ['a code outside the five types', '/code', { code: 'misc:x' }],
    ['a group', '/code', { code: 'expenses' }],
    ['a code with capitals', '/code', { code: 'expenses:Travel' }],
    ['a code with a line break', '/code', { code: 'expenses:travel\n' }],
    ['no name', '/name', { name: ' ' }],
    ['a name of two lines', '/name', { name: 'a\nb' }],
    ['a currency in small letters', '/currency', { currency: 'inr' }],
    ['a floor above zero', '/floor', { floor: 5 }],
    ['a floor with decimals', '/floor', { floor: '-1' }],
    ['a side that there is not', '/normal', { normal: 'left' }],
    ['metadata that is no text', '/metadata/a', { metadata: { a: 1 } }],
    ['metadata beyond bounds', '/metadata/a', { metadata: { a: 'x'.repeat(501) } }],
    ['a field that nobody knows', '', { balance: 5 }],
  ]
  for (const [title, pointer, more] of wrong) {
    it(`says where it has ${title}`, async () => {
      const answer = await open({ ...TRAVEL, code: 'expenses:wrong', ...more })
      expect(said(answer)).to.equal('400 invalid_request')
      expect((answer.json['errors'] as { pointer: string }[])[0]?.pointer).to.equal(pointer)
    })
  }

  it('wants a currency that is known', async () => {
    expect(said(await open({ ...TRAVEL, currency: 'KARMA' }))).to.equal('422 unknown_currency')
    expect(said(await open({ ...TRAVEL, currency: 'XXX' }))).to.equal('422 unknown_currency')
  })
})

describe('PATCH /v1/accounts/:id', () => {
  let id: string

  before(async () => {
    id = textIn((await open({ ...TRAVEL, code: 'income:rent', name: 'Rent' })).json, 'id')
  })

  it('changes what is given and keeps who and why', async () => {
    const reason = 'Board resolution 12'
    const changed = await patch(id, { name: 'Rent received', floor: -700, reason })
    expect(changed.status).to.equal(200)
    expect(changed.json).to.include({ name: 'Rent received', floor: -700, state: 'open' })
    await patch(id, { metadata: { block: 'B' }, floor: null, reason })
    const pages = await allPages(service, `/v1/accounts/${id}/changes`, 1)
    const lines = pages.flat()
    expect(lines.map((line) => [line['id'], line['changes']])).to.deep.equal([
      ['3', { metadata: { old: {}, new: { block: 'B' } }, floor: { old: '-700', new: null } }],
      ['2', { name: { old: 'Rent', new: 'Rent received' }, floor: { old: null, new: '-700' } }],
      ['1', { open: { old: null, new: true } }],
    ])
    expect(lines[0]).to.include({ reason })
    expect(textIn(lines[0], 'actor')).to.not.equal('')
  })

  it('closes an empty account only, and opens it again', async () => {
    await fund('income:rent', 100n)
    const reason = 'Not used any more'
    const refused = await patch(id, { state: 'closed', reason })
    expect(said(refused)).to.equal('422 account_not_empty')
    expect(refused.json).to.include({ moved: 'no' })
    const fresh = textIn((await open({ ...TRAVEL, code: 'income:old', name: 'Old' })).json, 'id')
    expect((await patch(fresh, { state: 'closed', reason })).json).to.include({ state: 'closed' })
    const closed = await service.call('GET', '/v1/accounts?state=closed')
    expect(rowsOf(closed.json).map((row) => row['id'])).to.deep.equal([fresh])
    expect((await patch(fresh, { state: 'open', reason })).json).to.include({ state: 'open' })
  })

  it('unfreezes for an admin who says why; nobody freezes', async () => {
    const reason = 'Counted again with the bank'
    await service.parts.db.transact(
      service.orgId,
      async (trx) =>
        await changeAccount(trx, Number(id.slice(4)), { frozen: true }, { actor: 'job', reason }),
    )
    const frozen = await service.call('GET', '/v1/accounts?frozen=true')
    expect(rowsOf(frozen.json).map((row) => row['id'])).to.deep.equal([id])
    expect(said(await patch(id, { frozen: false, reason }))).to.equal('403 forbidden')
    expect(said(await patch(id, { frozen: true, reason }, 'admin'))).to.equal('400 invalid_request')
    expect((await patch(id, { frozen: false, reason }, 'admin')).json).to.include({ frozen: false })
  })

  it('wants a reason, something to change, a known account and the right role', async () => {
    expect(said(await patch(id, { name: 'x' }))).to.equal('400 invalid_request')
    expect(said(await patch(id, { reason: 'x' }))).to.equal('400 invalid_request')
    expect(said(await patch(id, { reason: 'x', code: 'income:x' }))).to.equal('400 invalid_request')
    expect(said(await patch('acc_999', { name: 'x', reason: 'x' }))).to.equal('404 not_found')
    expect(said(await patch('acc_x', { name: 'x', reason: 'x' }))).to.equal('404 not_found')
    expect(said(await patch(id, { name: 'x', reason: 'x' }, 'auditor'))).to.equal('403 forbidden')
    expect(said(await service.call('GET', '/v1/accounts/acc_999/changes'))).to.equal(
      '404 not_found',
    )
  })
})

describe('lists of accounts in the API', () => {
  before(async () => {
    await fund('liabilities:wallets:a', 300n)
    await fund('liabilities:wallets:b', 50n)
  })

  it('filter by group, type and currency, page by page', async () => {
    const pages = await allPages(service, '/v1/accounts?group=liabilities:wallets&currency=INR', 1)
    const codes = pages.flat().map((row) => textIn(row, 'code'))
    expect(codes).to.include.members(['liabilities:wallets:a', 'liabilities:wallets:b'])
    expect(codes.every((code) => code.startsWith('liabilities:wallets:'))).to.equal(true)
    const assets = await service.call('GET', '/v1/accounts?type=asset')
    expect(rowsOf(assets.json).map((row) => row['type'])).to.include('asset')
    expect(new Set(rowsOf(assets.json).map((row) => row['type'])).size).to.equal(1)
    for (const query of ['group=misc', 'type=cash', 'state=frozen', 'currency=inr', 'x=1']) {
      expect((await service.call('GET', `/v1/accounts?${query}`)).status, query).to.equal(400)
    }
  })

  it('sum groups up, on their normal side', async () => {
    const all = await service.call('GET', '/v1/account-groups?within=liabilities')
    expect(rowsOf(all.json)).to.deep.include({
      cursor: 'liabilities:wallets.INR',
      group: 'liabilities:wallets',
      parent: 'liabilities',
      name: 'Wallets',
      type: 'liability',
      normal_balance: 'credit',
      currency: 'INR',
      accounts: 3,
      balance: 350,
    })
    const paged = await allPages(service, '/v1/account-groups?within=liabilities', 1, 'cursor')
    expect(paged.flat()).to.deep.equal(rowsOf(all.json))
    expect((await service.call('GET', '/v1/account-groups?starting_after=x')).status).to.equal(400)
  })
})

describe('currencies and exchanges in the API', () => {
  async function exchange(key: string | null, body: object, role: Role = 'finance') {
    return await service.call('POST', '/v1/exchanges', {
      role,
      body,
      headers: key === null ? {} : { 'Idempotency-Key': key },
    })
  }

  const dollars = { code: 'assets:bank:main', currency: 'USD' }
  const rupees = { code: 'assets:bank:main', currency: 'INR' }
  const body = {
    from_account: dollars,
    to_account: rupees,
    amount: 10_000,
    rate: '83.12345',
    rate_source: 'Bank advice 991',
    effective_on: '2026-05-06',
  }

  before(async () => {
    await fund('equity:general-fund', 50_000n, 'USD')
  })

  it('registers points once, lists them, and knows ISO 4217', async () => {
    const points = { code: 'SEVA', name: 'Seva points', exponent: 0 }
    const register = async (more: object = {}) =>
      await service.call('POST', '/v1/currencies', {
        role: 'finance',
        body: { ...points, ...more },
      })
    expect((await register()).status).to.equal(201)
    expect((await register()).status).to.equal(200)
    expect(said(await register({ exponent: 2 }))).to.equal('409 currency_exists')
    expect(said(await register({ code: 'USD' }))).to.equal('409 currency_exists')
    expect(said(await register({ code: 'KARMA', exponent: 7 }))).to.equal('400 invalid_request')
    const own = await service.call('GET', '/v1/currencies')
    expect(rowsOf(own.json)).to.deep.equal([points])
    const iso = await service.call('GET', '/v1/currencies/iso-4217')
    expect(rowsOf(iso.json)).to.deep.include({ code: 'KWD', exponent: 3 })
  })

  it('posts an exchange once by its key', async () => {
    const first = await exchange('fx-1', body)
    expect(first.status).to.equal(201)
    expect(first.json).to.deep.include({
      from: { ...dollars, amount: 10_000 },
      // 100 dollars at 83.12345 are 8,312.345 rupees; half a paisa goes to the even one.
      to: { ...rupees, amount: 831_234 },
      rate: '83.12345',
      rate_source: 'Bank advice 991',
    })
    const again = await exchange('fx-1', body)
    expect([again.status, again.json]).to.deep.equal([200, first.json])
    const entry = await service.call(
      'GET',
      `/v1/journal-entries/${textIn(first.json, 'journal_entry')}`,
    )
    expect(entry.json).to.include({ kind: 'exchange' })
    expect(entry.json['idempotency_key']).to.match(/^api:[0-9a-f]{12}:fx-1$/)
    expect(entry.json['metadata']).to.deep.include({ rate: '83.12345' })
    const other = await exchange('fx-1', { ...body, amount: 9000 })
    expect(said(other)).to.equal('422 idempotency_conflict')
    expect(other.json).to.include({ moved: 'no' })
  })

  it('takes accounts by their ids, and what was agreed within a paisa', async () => {
    const ids = new Map(
      (await allPages(service, '/v1/accounts?group=assets:bank', 100))
        .flat()
        .map((row) => [textIn(row, 'currency'), textIn(row, 'id')]),
    )
    const byId = { ...body, from_account: ids.get('USD'), to_account: ids.get('INR') }
    const agreed = await exchange('fx-2', { ...byId, to_amount: 831_235 })
    expect(agreed.json['to']).to.deep.include({ amount: 831_235 })
    expect(said(await exchange('fx-3', { ...byId, to_amount: 831_300 }))).to.equal(
      '422 invalid_entry',
    )
  })

  it('says of every refusal that nothing moved', async () => {
    const refused: [expected: string, key: string | null, more: object][] = [
      ['400 idempotency_key_missing', null, {}],
      ['400 invalid_request', 'a b', {}],
      ['403 forbidden', 'fx-91', { late_reason: 'found late' }],
      ['400 invalid_request', 'fx-92', { rate: 83.1 }],
      ['400 invalid_request', 'fx-93', { rate: '0.00' }],
      ['400 invalid_request', 'fx-94', { amount: 0 }],
      ['400 invalid_request', 'fx-95', { effective_on: '2026-02-30' }],
      ['400 invalid_request', 'fx-96', { from_account: 'bank' }],
      ['422 unknown_account', 'fx-97', { from_account: 'acc_999' }],
      ['422 unknown_currency', 'fx-98', { to_account: { ...rupees, currency: 'KARMA' } }],
      ['422 invalid_entry', 'fx-99', { to_account: dollars }],
    ]
    for (const [expected, key, more] of refused) {
      const answer = await exchange(key, { ...body, ...more })
      expect(said(answer), JSON.stringify(more)).to.equal(expected)
      expect(answer.json, JSON.stringify(more)).to.include({ moved: 'no' })
    }
    expect(said(await exchange('fx-9', body, 'auditor'))).to.equal('403 forbidden')
  })
})
