/** Accounts in the books: opened, changed, closed and listed, with their history kept. */
import { expect } from 'chai'
import { isoCurrencies } from '../../src/base/money.ts'
import { Problem } from '../../src/base/problem.ts'
import { changeAccount, type AccountChange } from '../../src/ledger/accounts/account-changes.ts'
import { listGroups } from '../../src/ledger/reading/account-groups.ts'
import { findAccount, listAccounts, listChanges } from '../../src/ledger/accounts/accounts.ts'
import { readExponent, registerCurrency } from '../../src/ledger/accounts/currencies.ts'
import { openAccount, type AskedAccount } from '../../src/ledger/accounts/open-accounts.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import {
  BANK,
  credit,
  debit,
  draftOf,
  FUND,
  openBooks,
  ORG,
  OTHER_ORG,
  outcomes,
  typingClient,
  type Books,
} from './books.ts'
import { refusalOf } from './typed.ts'

let books: Books
let org = 300

before(async () => {
  books = await openBooks(20)
})

beforeEach(async () => {
  org += 1
  await books.addOrganisation(org)
})

afterEach(async () => {
  const { findings } = await verifyLedger(books.db, org, () => undefined)
  expect(findings).to.deep.equal([])
})

after(async () => {
  await books.close()
})

const BY = { actor: 'meera', reason: 'Asked for by the auditor' }
const QUEUED = { queue: 'journal' } as const

/** What became of it: its value, or its problem's code. */
async function outcome<T>(work: Promise<T>): Promise<T | string> {
  return await work.catch((error: unknown) => {
    if (error instanceof Problem) {
      return error.code
    }
    throw error
  })
}

async function open(asked: AskedAccount, actor = 'meera') {
  return await outcome(
    books.db.transact(org, async (trx) => await openAccount(trx, asked, actor), QUEUED),
  )
}

async function change(accountId: number, asked: AccountChange, by = BY) {
  return await outcome(
    books.db.transact(org, async (trx) => await changeAccount(trx, accountId, asked, by), QUEUED),
  )
}

async function account(accountId: number) {
  return await books.db.read(org, async (trx) => await findAccount(trx, accountId))
}

async function history(accountId: number) {
  const lines = await books.db.read(
    org,
    async (trx) => await listChanges(trx, accountId, { limit: 100, before: null }),
  )
  return lines.map(({ changed_at: _when, ...line }) => line)
}

/** Moves `amount` from the general fund into an account, or back where it is below zero. */
async function fund(code: string, amount: bigint, currency = 'INR'): Promise<string[]> {
  const size = amount < 0n ? -amount : amount
  const isIn = amount > 0n
  const key = `${code} ${Math.random()}`
  const lines = isIn
    ? [debit(FUND, size, currency), credit(code, size, currency)]
    : [debit(code, size, currency), credit(FUND, size, currency)]
  return outcomes(await books.post([draftOf(key, { lines })], org))
}

const WALLET = 'liabilities:wallets:asha'
const TRAVEL: AskedAccount = { code: 'expenses:travel', name: 'Travel', currency: 'INR' }

describe('an account on demand', () => {
  it('opens with the first posting to it, with its template’s floor', async () => {
    expect(await fund(WALLET, 500n)).to.deep.equal(['posted 1'])
    expect(await fund('liabilities:donors-in-advance:asha', 5n, 'USD')).to.deep.equal(['posted 2'])
    const rows = await books.db.read(
      org,
      async (trx) => await listAccounts(trx, { limit: 10, after: null, group: 'liabilities' }),
    )
    expect(
      rows.map(({ code, currency, floor, balance }) => [code, currency, floor, balance]),
    ).to.deep.equal([
      [WALLET, 'INR', 0n, 500n],
      ['liabilities:donors-in-advance:asha', 'USD', 0n, 5n],
    ])
  })

  it('is not opened for a code outside the chart or an unknown currency', async () => {
    expect(await fund('expenses:typo', -1n)).to.deep.equal(['unknown_account'])
    expect(await fund(WALLET, 1n, 'KARMA')).to.deep.equal(['unknown_account'])
    expect(await fund('liabilities:points:asha', 1n)).to.deep.equal(['unknown_account'])
    expect(await books.read('select 1 from accounts where code <> $1', [FUND], org)).to.deep.equal(
      [],
    )
  })
})

describe('an account that finance opens', () => {
  it('has the type and the side of its code, and a history that begins', async () => {
    expect(await open({ ...TRAVEL, metadata: { cost_centre: '7' } })).to.deep.equal({
      accountId: 1,
      isNew: true,
    })
    expect(await account(1)).to.deep.include({
      code: 'expenses:travel',
      type: 'expense',
      normal: 'debit',
      floor: null,
      metadata: { cost_centre: '7' },
      open: true,
      frozen: false,
      balance: 0n,
    })
    expect(await history(1)).to.deep.equal([
      {
        change_no: 1,
        actor: 'meera',
        reason: 'Opened',
        change: { open: { old: null, new: true } },
      },
    ])
    expect(await fund('expenses:travel', -70n)).to.deep.equal(['posted 1'])
  })

  it('is given back when it is asked for again alike, and refused otherwise', async () => {
    const contra = { ...TRAVEL, normal: 'credit' as const, metadata: { a: '1', b: '2' } }
    await open(contra)
    const again = { ...contra, metadata: { b: '2', a: '1' } }
    expect(await open(again, 'somebody else')).to.deep.equal({ accountId: 1, isNew: false })
    for (const more of [
      { name: 'Trips' },
      { normal: 'debit' as const },
      { floor: 0n },
      { metadata: {} },
    ]) {
      expect(await open({ ...contra, ...more }), JSON.stringify(Object.keys(more))).to.equal(
        'account_exists',
      )
    }
    expect(await open({ ...contra, currency: 'USD' })).to.deep.equal({ accountId: 2, isNew: true })
  })

  it('is opened once, however many ask at the same time', async () => {
    const results = await Promise.all(
      Array.from(
        { length: 20 },
        async (_none, index) =>
          await open(index % 2 === 0 ? TRAVEL : { ...TRAVEL, code: `expenses:travel-${index}` }),
      ),
    )
    const ids = results.map((one) => (typeof one === 'string' ? one : one.accountId))
    expect(new Set(ids).size).to.equal(11)
    const isNew = results.filter((one) => typeof one !== 'string' && one.isNew)
    expect(isNew).to.have.length(11)
  })

  it('may be a wallet with a credit line, which a template would not give', async () => {
    expect(await open({ code: WALLET, name: 'Asha', currency: 'INR', floor: -500n })).to.be.an(
      'object',
    )
    expect(await fund(WALLET, -500n)).to.deep.equal(['posted 1'])
    expect(await fund(WALLET, -1n)).to.deep.equal(['balance_below_floor'])
  })

  it('has the floor of its template where none is said, and none where none is asked', async () => {
    await open({ code: WALLET, name: 'Asha', currency: 'INR' })
    await open({ code: 'liabilities:wallets:b', name: 'B', currency: 'INR', floor: null })
    expect([(await account(1))?.floor, (await account(2))?.floor]).to.deep.equal([0n, null])
  })

  const refused: [title: string, code: string, more: Partial<AskedAccount>][] = [
    ['outside the five types', 'invalid_request', { code: 'other:x' }],
    ['that is a group', 'invalid_request', { code: 'expenses' }],
    ['with a floor above zero', 'invalid_request', { floor: 1n }],
    ['in an unknown currency', 'unknown_currency', { currency: 'KARMA' }],
    ['in gold', 'unknown_currency', { currency: 'XAU' }],
    ['for points in money', 'invalid_request', { code: 'liabilities:points:a' }],
    ['for trading in another currency', 'invalid_request', { code: 'equity:trading:usd' }],
  ]
  for (const [title, code, more] of refused) {
    it(`is refused ${title}`, async () => {
      expect(await open({ ...TRAVEL, ...more })).to.equal(code)
      expect(await books.read('select 1 from accounts', [], org)).to.deep.equal([])
    })
  }
})

describe('a change of an account', () => {
  beforeEach(async () => {
    await fund(WALLET, 500n)
  })

  /** The general fund is account 1, the wallet 2. */
  const ID = 2

  it('keeps old and new values, who and why, newest first', async () => {
    expect(await change(ID, { name: 'Asha', floor: -300n })).to.equal(true)
    expect(await change(ID, { floor: null, metadata: { kyc: 'full' } })).to.equal(true)
    expect(await history(ID)).to.deep.equal([
      {
        ...BY,
        change_no: 2,
        change: {
          floor: { old: '-300', new: null },
          metadata: { old: {}, new: { kyc: 'full' } },
        },
      },
      {
        ...BY,
        change_no: 1,
        change: {
          name: { old: 'Wallet of asha', new: 'Asha' },
          floor: { old: '0', new: '-300' },
        },
      },
    ])
    expect(await account(ID)).to.deep.include({
      name: 'Asha',
      floor: null,
      metadata: { kyc: 'full' },
      balance: 500n,
    })
  })

  it('that changes nothing leaves no trace', async () => {
    await change(ID, { metadata: { a: '1', b: '2' } })
    const same = { name: 'Wallet of asha', open: true, frozen: false, floor: 0n }
    expect(await change(ID, { ...same, metadata: { b: '2', a: '1' } })).to.equal(false)
    expect(await change(ID, {})).to.equal(false)
    expect(await history(ID)).to.have.length(1)
  })

  it('closes only what stands at zero, and leaves history and balance to be read', async () => {
    expect(await change(ID, { open: false })).to.equal('account_not_empty')
    await fund(WALLET, -500n)
    expect(await change(ID, { open: false })).to.equal(true)
    expect(await fund(WALLET, 1n)).to.deep.equal(['account_closed'])
    expect(await account(ID)).to.deep.include({ open: false, balance: 0n })
    expect(await books.read('select 1 from postings where account_id = 2', [], org)).to.have.length(
      2,
    )
    expect(await change(ID, { open: true })).to.equal(true)
    expect(await fund(WALLET, 1n)).to.deep.equal(['posted 3'])
  })

  it('freezes with a balance, unfreezes, and does not close what is frozen', async () => {
    expect(await change(ID, { frozen: true })).to.equal(true)
    expect(await fund(WALLET, 1n)).to.deep.equal(['account_frozen'])
    expect(await change(ID, { open: false })).to.equal('account_frozen')
    expect(await change(ID, { frozen: false })).to.equal(true)
    expect(await fund(WALLET, 1n)).to.deep.equal(['posted 2'])
  })

  it('sets no floor above the balance or above zero', async () => {
    await change(ID, { floor: -100n })
    await fund(WALLET, -600n)
    expect(await change(ID, { floor: -99n })).to.equal('balance_below_floor')
    expect(await change(ID, { floor: 1n })).to.equal('invalid_request')
    expect(await change(ID, { floor: -100n })).to.equal(false)
    expect(await history(ID)).to.have.length(1)
  })

  it('needs a reason, and an account that is there and one’s own', async () => {
    expect(await change(ID, { name: 'x' }, { actor: 'a', reason: ' ' })).to.equal('invalid_request')
    expect(await change(ID, { name: 'x' }, { actor: 'a', reason: 'r'.repeat(501) })).to.equal(
      'invalid_request',
    )
    expect(await change(99, { name: 'x' })).to.equal('not_found')
    const foreign = books.db.transact(
      OTHER_ORG,
      async (trx) => await changeAccount(trx, ID, { name: 'x' }, BY),
    )
    expect(await outcome(foreign)).to.equal('not_found')
  })

  it('while others post loses neither, with the queue and without', async () => {
    for (const [how, options] of [
      ['queued', QUEUED],
      ['not', {}],
    ] as const) {
      const changes = Array.from(
        { length: 10 },
        async (_none, index) =>
          await books.db.transact(
            org,
            async (trx) => await changeAccount(trx, ID, { name: `${how} ${index}` }, BY),
            options,
          ),
      )
      const posts = Array.from({ length: 10 }, async () => await fund(WALLET, 1n))
      expect((await Promise.all(posts)).flat().every((text) => text.startsWith('posted'))).to.equal(
        true,
      )
      expect(await Promise.all(changes)).to.deep.equal(Array(10).fill(true))
    }
    expect(await account(ID)).to.deep.include({ balance: 520n })
    const lines = await history(ID)
    expect(lines.map((line) => line.change_no)).to.deep.equal(
      Array.from({ length: 20 }, (_none, index) => 20 - index),
    )
    // Each change knows the name that the one before it gave.
    const names = lines.map((line) => line.change['name'])
    expect(names.slice(0, -1).map((name) => name?.old)).to.deep.equal(
      names.slice(1).map((name) => name?.new),
    )
  })

  it('to closed never meets a posting: either the account is empty, or it stays open', async () => {
    await fund(WALLET, -500n)
    const [closed, ...posts] = await Promise.all([
      outcome(
        books.db.transact(org, async (trx) => await changeAccount(trx, ID, { open: false }, BY)),
      ),
      ...Array.from({ length: 5 }, async () => await fund(WALLET, 10n)),
    ])
    const isPosted = posts.flat().filter((text) => text.startsWith('posted')).length
    expect(posts.flat().filter((text) => text === 'account_closed')).to.have.length(5 - isPosted)
    const now = await account(ID)
    expect(now?.balance).to.equal(BigInt(isPosted) * 10n)
    expect([closed, now?.open]).to.deep.equal(
      isPosted === 0 ? [true, false] : ['account_not_empty', true],
    )
  })
})

describe('lists of accounts', () => {
  beforeEach(async () => {
    await fund('liabilities:wallets:a', 100n)
    await fund('liabilities:wallets:b', 20n)
    await fund('liabilities:wallets:b', 3n, 'USD')
    await fund('income:donations:general', 1000n)
    await open({ ...TRAVEL, code: 'liabilities:wallets-old', name: 'Old wallets' })
  })

  it('are of a group, a type, a currency or a state', async () => {
    const codes = async (where: object) =>
      (
        await books.db.read(
          org,
          async (trx) => await listAccounts(trx, { limit: 50, after: null, ...where }),
        )
      ).map(({ code, currency }) => `${code} ${currency}`)
    expect(await codes({ group: 'liabilities:wallets' })).to.deep.equal([
      'liabilities:wallets:a INR',
      'liabilities:wallets:b INR',
      'liabilities:wallets:b USD',
    ])
    expect(await codes({ type: 'income' })).to.deep.equal(['income:donations:general INR'])
    expect(await codes({ currency: 'USD', group: 'liabilities' })).to.have.length(1)
    await change(2, { frozen: true })
    expect(await codes({ frozen: true })).to.deep.equal(['liabilities:wallets:a INR'])
    expect(await codes({ open: false })).to.deep.equal([])
    expect(await codes({ group: 'liabilities:wallets:a' })).to.deep.equal([])
  })

  it('sum up by group and currency, on every level', async () => {
    const groups = async (page: object) =>
      await books.db.read(
        org,
        async (trx) => await listGroups(trx, { limit: 50, after: null, ...page }),
      )
    const all = await groups({})
    expect(all.map((one) => [one.group, one.currency, one.accounts, one.net])).to.deep.equal([
      ['equity', 'INR', 1, 1120n],
      ['equity', 'USD', 1, 3n],
      ['income', 'INR', 1, -1000n],
      ['income:donations', 'INR', 1, -1000n],
      ['liabilities', 'INR', 3, -120n],
      ['liabilities', 'USD', 1, -3n],
      ['liabilities:wallets', 'INR', 2, -120n],
      ['liabilities:wallets', 'USD', 1, -3n],
    ])
    const top = all.filter(({ group, currency }) => !group.includes(':') && currency === 'INR')
    expect(top.reduce((sum, { net }) => sum + net, 0n)).to.equal(0n)
    expect(await groups({ within: 'liabilities:wallets' })).to.deep.equal(all.slice(6))
    expect(
      await groups({ after: { group: 'liabilities', currency: 'INR' }, limit: 2 }),
    ).to.deep.equal(all.slice(5, 7))
    expect(await groups({ within: 'assets' })).to.deep.equal([])
  })
})

describe('currencies of one’s own', () => {
  const SEVA = { code: 'SEVA', name: 'Seva points', exponent: 0 }
  const register = async (currency = SEVA) =>
    await outcome(
      books.db.transact(org, async (trx) => await registerCurrency(trx, currency, 'm'), QUEUED),
    )

  it('are registered once and never become something else', async () => {
    expect(await register()).to.equal(true)
    expect(await register()).to.equal(false)
    expect(await register({ ...SEVA, exponent: 1 })).to.equal('currency_exists')
    expect(await register({ ...SEVA, name: 'Karma' })).to.equal('currency_exists')
    expect(await register({ ...SEVA, code: 'INR' })).to.equal('currency_exists')
    expect(await register({ ...SEVA, code: 'XAU' })).to.equal('currency_exists')
    const digits = await books.db.read(org, async (trx) => await readExponent(trx, 'SEVA'))
    expect(digits).to.equal(0)
  })

  it('are of one organisation only', async () => {
    await register()
    const other = books.db.read(ORG, async (trx) => await readExponent(trx, 'SEVA'))
    expect(await outcome(other)).to.equal('unknown_currency')
    expect(await fund('liabilities:points:asha', 5n, 'SEVA')).to.deep.equal(['posted 1'])
    const [foreign] = await books.post([
      draftOf('p', {
        lines: [debit(FUND, 5n, 'SEVA'), credit('liabilities:points:asha', 5n, 'SEVA')],
      }),
    ])
    expect(outcomes(foreign === undefined ? [] : [foreign])).to.deep.equal(['unknown_account'])
  })

  it('are guarded by the database too, which knows the same ISO 4217', async () => {
    const known = await books.read<{ code: string }>(
      `select code from (
         select chr(65 + a) || chr(65 + b) || chr(65 + c) as code
           from generate_series(0, 25) a, generate_series(0, 25) b, generate_series(0, 25) c
       ) codes where bahi_iso_currency(code) order by code collate "C"`,
    )
    expect(known.map(({ code }) => code)).to.deep.equal(isoCurrencies())
    await register()
    const account = (currency: string) =>
      `insert into accounts (org_id, account_id, code, name, type, normal, currency)
       select ${org}, coalesce(max(account_id), 0) + 1, '${BANK}', 'x', 'asset', 'debit',
              '${currency}' from accounts`
    const currency = (code: string, exponent = 2) =>
      `insert into currencies (org_id, code, name, exponent, actor)
       values (${org}, '${code}', 'x', ${exponent}, 'x')`
    const cases: [sql: string, why: string | null][] = [
      [account('SEVA'), null],
      [account('JPY'), null],
      [currency('KARMA', 6), null],
      [account('KARMA'), '23000'],
      [account('XAU'), '23000'],
      [currency('INR'), '23514'],
      [currency('XDR'), '23514'],
      [currency('KARMA', 7), '23514'],
      [currency('SEVA', 0), '23505'],
      ['update currencies set exponent = 1', '42501'],
      ['delete from currencies', '42501'],
      [`update accounts set currency = 'USD'`, '42501'],
    ]
    const typing = await typingClient(books, org)
    const refusals: (string | null)[] = []
    for (const [sql] of cases) {
      refusals.push((await refusalOf(typing, [sql]))?.slice(0, 5) ?? null)
    }
    await typing.end()
    expect(cases.map(([sql], index) => [sql, refusals[index]])).to.deep.equal(cases)
  })
})
