/** The end of a financial year: income and expenses go to the funds, once, and late ones later. */
import { expect } from 'chai'
import { Problem } from '../../src/base/problem.ts'
import { changeAccount } from '../../src/ledger/accounts/account-changes.ts'
import { trialBalance } from '../../src/ledger/reading/balances.ts'
import { reverse } from '../../src/ledger/posting/correct.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { listEntries } from '../../src/ledger/reading/entries.ts'
import { openAccount } from '../../src/ledger/accounts/open-accounts.ts'
import { closePeriod, reopenPeriod } from '../../src/ledger/closing/period-changes.ts'
import { post } from '../../src/ledger/posting/post.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { closeYear, type ClosedYear } from '../../src/ledger/closing/year-end.ts'
import {
  BANK,
  credit,
  debit,
  draftOf,
  FUND,
  openBooks,
  outcomes,
  TRANSIT,
  type Books,
} from './books.ts'

const GENERAL = 'income:donations:general'
const FOOD = 'income:donations:food'
const FEES = 'expenses:gateway-fees'
const TODAY = '2027-06-01'

function gift(key: string, day: string, amount: bigint, fund = GENERAL, currency = 'INR'): Draft {
  const lines = [debit(BANK, amount, currency), credit(fund, amount, currency)]
  return draftOf(key, { effectiveOn: day, lines })
}

function fee(key: string, day: string, amount: bigint): Draft {
  return draftOf(key, { effectiveOn: day, lines: [debit(FEES, amount), credit(BANK, amount)] })
}

describe('closing a financial year', () => {
  let books: Books
  let org = 400

  before(async () => {
    books = await openBooks(16)
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

  async function close(year = '2026-27', today = TODAY): Promise<ClosedYear> {
    const by = { actor: 'user:asha', reason: 'audited', today }
    return await books.db.transact(org, async (trx) => await closeYear(trx, year, by), {
      queue: 'journal',
    })
  }

  async function problemOf(call: Promise<unknown>): Promise<Problem> {
    const thrown = await call.then(
      () => 'nothing was thrown',
      (error: unknown) => error,
    )
    if (thrown instanceof Problem) {
      return thrown
    }
    throw thrown instanceof Error ? thrown : new Error(String(thrown))
  }

  async function codeOf(call: Promise<unknown>): Promise<string> {
    const { code, extras } = await problemOf(call)
    return `${code} ${extras.moved}`
  }

  async function open(code: string, currency = 'INR'): Promise<number> {
    const asked = { code, name: code, currency }
    const { accountId } = await books.db.transact(
      org,
      async (trx) => await openAccount(trx, asked, 'user:asha'),
    )
    return accountId
  }

  async function closeAccount(code: string): Promise<boolean> {
    const accountId = await idOf(code)
    const by = { actor: 'user:asha', reason: 'not used any more' }
    return await books.db.transact(
      org,
      async (trx) => await changeAccount(trx, accountId, { open: false }, by),
    )
  }

  async function idOf(code: string): Promise<number> {
    const [row] = await books.read<{ account_id: number }>(
      'select account_id from accounts where code = $1',
      [code],
      org,
    )
    return row?.account_id ?? 0
  }

  async function postAll(...drafts: Draft[]): Promise<void> {
    const texts = outcomes(await books.post(drafts, org))
    expect(
      texts.every((text) => text.startsWith('posted')),
      texts.join(),
    ).to.equal(true)
  }

  /** Debit less credit by code and currency as of a day, where anything stands. */
  async function balances(asOf: string): Promise<Record<string, bigint>> {
    const { lines } = await books.db.read(
      org,
      async (trx) => await trialBalance(trx, { asOf, knownAt: null }),
    )
    return Object.fromEntries(
      lines
        .filter((line) => line.debit !== line.credit)
        .map((line) => [`${line.code} ${line.currency}`, line.debit - line.credit]),
    )
  }

  async function closingEntries() {
    return await books.db.read(
      org,
      async (trx) => await listEntries(trx, { kind: 'year_closed', after: 0n, limit: 100 }),
    )
  }

  async function setPeriod(month: string, state: 'open' | 'soft_closed' | 'closed') {
    const change = { month, reason: 'x', actor: 'y', today: TODAY }
    await books.db.transact(org, async (trx) => {
      await (state === 'open'
        ? reopenPeriod(trx, { ...change, state })
        : closePeriod(trx, { ...change, state }))
    })
  }

  it('brings income and expenses to zero against the funds, in each currency', async () => {
    await postAll(
      gift('a', '2026-04-01', 1000n),
      gift('b', '2027-03-31', 500n),
      gift('c', '2026-12-01', 70n, FOOD),
      gift('d', '2026-12-01', 9n, GENERAL, 'USD'),
      fee('e', '2026-05-01', 300n),
      gift('next', '2027-04-01', 11n),
    )
    const closed = await close()
    expect(closed).to.deep.equal({
      year: '2026-27',
      lastDay: '2027-03-31',
      entryNos: [7n, 8n],
      changed: true,
    })
    expect(await balances('2027-03-31')).to.deep.equal({
      [`${BANK} INR`]: 1270n,
      [`${BANK} USD`]: 9n,
      [`${FUND} INR`]: -1200n,
      [`${FUND} USD`]: -9n,
      'equity:funds:food INR': -70n,
    })
    expect((await balances('2027-03-30'))[`${GENERAL} INR`]).to.equal(-1000n)
    expect((await balances('2027-04-01'))[`${GENERAL} INR`]).to.equal(-11n)
    const [entry] = await closingEntries()
    expect(entry).to.include({ effective_on: '2027-03-31', actor: 'user:asha' })
    expect(entry?.metadata).to.deep.equal({ financial_year: '2026-27', reason: 'audited' })
  })

  it('posts nothing the second time, but says what closed it', async () => {
    const nothing = { year: '2026-27', lastDay: '2027-03-31', entryNos: [], changed: false }
    expect(await close()).to.deep.equal(nothing)
    await postAll(draftOf('capital', { effectiveOn: '2026-05-01' }))
    expect(await close()).to.deep.equal(nothing)
    await postAll(gift('old', '2026-03-30', 7n))
    expect((await close('2025-26')).entryNos).to.deep.equal([3n])
    await postAll(gift('a', '2026-05-01', 100n))
    expect(await close()).to.deep.equal({ ...nothing, entryNos: [5n], changed: true })
    await postAll(gift('next', '2027-04-02', 100n))
    expect(await close()).to.deep.equal({ ...nothing, entryNos: [5n] })
    await postAll(gift('late', '2026-05-01', 1n))
    expect(await close()).to.deep.equal({ ...nothing, entryNos: [5n, 8n], changed: true })
    expect(await close()).to.deep.equal({ ...nothing, entryNos: [5n, 8n] })
    expect((await close('2025-26')).entryNos).to.deep.equal([3n])
    expect(await closingEntries()).to.have.length(3)
  })

  it('posts the difference of what came late, whichever way it goes', async () => {
    await postAll(gift('a', '2026-05-01', 100n), fee('b', '2026-05-02', 30n))
    await close()
    await postAll(fee('late', '2026-06-01', 90n))
    expect((await close()).entryNos).to.have.length(2)
    expect(await balances('2027-03-31')).to.deep.equal({
      [`${BANK} INR`]: -20n,
      [`${FUND} INR`]: 20n,
    })
    await postAll(gift('later', '2027-03-31', 5n))
    await close()
    expect((await balances('2027-03-31'))[`${FUND} INR`]).to.equal(15n)
    const entries = await closingEntries()
    expect(new Set(entries.map((one) => one.idempotency_key)).size).to.equal(3)
    expect(entries.map(({ postings }) => postings.length)).to.deep.equal([3, 2, 2])
  })

  it('closes what stands on its other side: income given back, an expense refunded', async () => {
    await postAll(
      gift('in', '2026-05-01', 100n),
      draftOf('back', {
        effectiveOn: '2026-05-02',
        lines: [debit(GENERAL, 150n), credit(BANK, 150n)],
      }),
      draftOf('refund', {
        effectiveOn: '2026-05-02',
        lines: [debit(BANK, 50n), credit(FEES, 50n)],
      }),
    )
    await close()
    // The loss and the gain are equal: the fund has no line.
    expect((await closingEntries())[0]?.postings).to.have.length(2)
    expect(await balances('2027-03-31')).to.deep.equal({})
  })

  it('is refused before the year has ended, and for what is no year', async () => {
    await postAll(gift('a', '2026-05-01', 100n))
    expect(await codeOf(close('2026-27', '2027-03-31'))).to.equal('period_not_over no')
    expect(await codeOf(close('2027-28'))).to.equal('period_not_over no')
    for (const year of ['2026', '2026-28', '2026-2027', '2026-26', '9999-00', 'x', '2026-27 ']) {
      expect(await codeOf(close(year)), year).to.equal('not_found no')
    }
    expect((await close('2026-27', '2027-04-01')).entryNos).to.have.length(1)
  })

  it('waits for the years before it, the first of them first', async () => {
    await postAll(
      gift('a', '2024-04-01', 1n),
      gift('b', '2026-03-31', 10n),
      gift('c', '2026-04-01', 100n),
    )
    const refused = await close().catch((error: unknown) => error)
    expect(refused).to.be.instanceOf(Problem)
    expect((refused as Problem).code).to.equal('period_order')
    expect((refused as Problem).extras.detail).to.include('2024-25')
    await close('2024-25')
    expect(await codeOf(close())).to.equal('period_order no')
    await close('2025-26')
    await close()
    const funds: bigint[] = []
    for (const day of ['2025-03-31', '2026-03-31', '2027-03-31']) {
      funds.push((await balances(day))[`${FUND} INR`] ?? 0n)
    }
    expect(funds).to.deep.equal([-1n, -11n, -111n])
    await postAll(gift('late', '2025-01-01', 1000n))
    expect(await codeOf(close())).to.equal('period_order no')
    expect((await close('2024-25')).entryNos).to.have.length(2)
    expect((await close()).changed).to.equal(false)
    expect((await balances('2027-03-31'))[`${GENERAL} INR`]).to.equal(undefined)
  })

  it('closes the first year there is', async () => {
    await postAll(gift('slip', '0001-02-03', 5n))
    expect(await codeOf(close())).to.equal('period_order no')
    expect(await close('0000-01')).to.deep.include({ lastDay: '0001-03-31', entryNos: [2n] })
    expect((await close()).entryNos).to.deep.equal([])
  })

  it('goes into a soft-closed March as a late entry, and not into a closed one', async () => {
    await postAll(gift('a', '2027-03-01', 100n))
    await setPeriod('2027-03', 'closed')
    expect(await codeOf(close())).to.equal('period_closed no')
    expect(await closingEntries()).to.deep.equal([])
    await setPeriod('2027-03', 'open')
    await setPeriod('2027-03', 'soft_closed')
    expect((await close()).entryNos).to.have.length(1)
    const [entry] = await closingEntries()
    expect(entry?.metadata['late_reason']).to.equal('Closing of the year 2026-27')
    await setPeriod('2027-03', 'closed')
    expect((await close()).changed).to.equal(false)
  })

  it('is refused whole where one account cannot take it', async () => {
    await postAll(gift('a', '2026-05-01', 100n), gift('b', '2026-05-01', 9n, FOOD, 'USD'))
    await books.own(`update accounts set open = false where org_id = ${org} and code = '${FOOD}'`)
    const refused = await problemOf(close())
    expect(refused.code).to.equal('account_closed')
    expect(refused.message).to.equal(
      `Account ${FOOD} is closed. Reopen it, close the year, and close the account after that.`,
    )
    expect(await closingEntries()).to.deep.equal([])
  })

  it('is refused where restricted income has no fund to go to, and says what to open', async () => {
    const cases = [
      ['income:donations', 'equity:funds'],
      ['income:donations:2026-flood', 'equity:funds:2026-flood'],
      ['income:donations:general:x', 'equity:funds:general:x'],
      ['income:donations:health:camp', 'equity:funds:health:camp'],
      ['income:donations:health_camp', 'equity:funds:health_camp'],
    ] as const
    for (const [income] of cases) {
      await open(income)
      await postAll(gift(income, '2026-05-01', 100n, income))
    }
    await postAll(gift('plain', '2026-05-01', 1n), gift('food', '2026-05-01', 10n, FOOD))
    for (const [income, fund] of cases) {
      const refused = await problemOf(close())
      expect([refused.code, refused.extras.moved]).to.deep.equal(['unknown_account', 'no'])
      expect(refused.message).to.include(`${income} is restricted income`)
      expect(refused.message).to.include(`no account ${fund} in INR`)
      expect(await closingEntries()).to.deep.equal([])
      await open(fund, 'USD')
      expect((await problemOf(close())).message).to.include(`no account ${fund} in INR`)
      await open(fund)
    }
    await close()
    const { [`${BANK} INR`]: bank, ...funds } = await balances('2027-03-31')
    expect(bank).to.equal(511n)
    expect(funds).to.deep.equal({
      [`${FUND} INR`]: -1n,
      'equity:funds:food INR': -10n,
      ...Object.fromEntries(cases.map(([, fund]) => [`${fund} INR`, -100n])),
    })
  })

  it('never meets an account that was closed with a balance on 31 March', async () => {
    const SHOP = 'income:shop'
    const empty = [debit(SHOP, 50n), credit(BANK, 50n)]
    await open(SHOP)
    await postAll(
      gift('sold', '2027-03-01', 50n, SHOP),
      draftOf('out', { effectiveOn: '2027-04-02', lines: empty }),
    )
    const refused = await problemOf(closeAccount(SHOP))
    expect([refused.code, refused.extras.moved]).to.deep.equal(['account_not_empty', 'no'])
    expect(refused.message).to.include('stood at 50 on 2027-03-31; close the year 2026-27')
    await close()
    await postAll(gift('back', '2027-04-03', 50n, SHOP))
    expect(await closeAccount(SHOP)).to.equal(true)
    expect(await closeAccount(SHOP)).to.equal(false)
    expect((await close()).changed).to.equal(false)
  })

  it('lets accounts be closed that were emptied within the year', async () => {
    await open('expenses:travel')
    const spent = [debit('expenses:travel', 50n), credit(BANK, 50n)]
    const taken = [credit('expenses:travel', 50n), debit(BANK, 50n)]
    await postAll(
      draftOf('spent', { effectiveOn: '2026-04-01', lines: spent }),
      draftOf('taken', { effectiveOn: '2027-03-31', lines: taken }),
      // Balances of the bank at a year's end are nobody's to close.
      draftOf('in', { effectiveOn: '2026-05-01', lines: [debit(TRANSIT, 5n), credit(FUND, 5n)] }),
      draftOf('on', { effectiveOn: '2027-05-01', lines: [credit(TRANSIT, 5n), debit(FUND, 5n)] }),
    )
    expect(await closeAccount('expenses:travel')).to.equal(true)
    expect(await closeAccount(TRANSIT)).to.equal(true)
    expect((await close()).entryNos).to.deep.equal([])
  })

  it('is corrected in the year and closed again, and never taken back', async () => {
    await postAll(gift('a', '2026-05-01', 100n))
    const [closing = 0n] = (await close()).entryNos
    const how = { reason: 'x', today: TODAY, actor: 'user:asha', lateReason: null }
    const refused = await problemOf(
      books.db.transact(
        org,
        async (trx) => await reverse(trx, closing, { ...how, effectiveOn: null }),
      ),
    )
    expect([refused.code, refused.extras.moved]).to.deep.equal(['not_reversible', 'no'])
    expect(refused.message).to.include(`je_${closing} closes a financial year`)
    await postAll(fee('correction', '2026-05-01', 30n))
    await close()
    expect(await balances('2027-04-01')).to.deep.equal({
      [`${BANK} INR`]: 70n,
      [`${FUND} INR`]: -70n,
    })
  })

  it('closes once, however many do it at the same time', async () => {
    await postAll(gift('a', '2026-05-01', 100n))
    const all = await Promise.all(Array.from({ length: 10 }, async () => await close()))
    expect(all.filter(({ changed }) => changed)).to.have.length(1)
    expect(all.map(({ entryNos }) => entryNos)).to.deep.equal(all.map(() => [2n]))
    expect((await balances('2027-03-31'))[`${FUND} INR`]).to.equal(-100n)
  })

  it('takes along what is posted meanwhile, or leaves it for the next time', async () => {
    const gifts = Array.from({ length: 60 }, (_none, n) => gift(`g${n}`, '2027-03-31', 1n))
    const posting = gifts.map(async (draft) => {
      await books.db.transact(org, async (trx) => await post(trx, [draft]), { queue: 'journal' })
    })
    await Promise.all([...posting, close(), close(), close()])
    await close()
    expect(await balances('2027-03-31')).to.deep.equal({
      [`${BANK} INR`]: 60n,
      [`${FUND} INR`]: -60n,
    })
  })

  it('closes more accounts than an entry has lines', async () => {
    const fund = (n: number): string => `income:donations:general-${n}`
    const COUNT = 1100
    for (let from = 0; from < COUNT; from += 550) {
      const lines = Array.from({ length: 550 }, (_none, n) => credit(fund(from + n), 2n))
      await postAll(
        draftOf(`many-${from}`, {
          effectiveOn: '2026-05-01',
          lines: [debit(BANK, 1100n), ...lines],
        }),
      )
    }
    expect((await close()).entryNos).to.have.length(3)
    const left = Object.keys(await balances('2027-03-31')).filter((key) => key.startsWith('income'))
    expect(left).to.deep.equal([])
  })
})
