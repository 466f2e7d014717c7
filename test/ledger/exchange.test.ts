/** Exchange of currencies: what the rule books, what it refuses, and what the books say then. */
import { expect } from 'chai'
import { MAX_MINOR } from '../../src/base/money.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { assertPostable } from '../../src/ledger/core/entry.ts'
import { exchanged, type ExchangeFacts } from '../../src/ledger/core/exchange.ts'
import { registerCurrency } from '../../src/ledger/accounts/currencies.ts'
import { postExchange, type AskedExchange } from '../../src/ledger/posting/exchanges.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { codeOf } from '../base/thrown.ts'
import { BANK, credit, debit, draftOf, FUND, openBooks, ORG, type Books } from './books.ts'

const FACTS: ExchangeFacts = {
  from: { account: 'assets:bank:main', currency: 'USD', amount: 100_000n },
  to: { account: 'assets:bank:main', currency: 'INR' },
  rate: '83.1255',
  rateSource: 'SBI card rate 2026-05-04',
  effectiveOn: '2026-05-04',
  lateReason: null,
  idempotencyKey: 'fx-1',
  source: 'fx-1',
  actor: 'meera',
}

describe('the rule of an exchange', () => {
  it('books two banks as its golden row says', () => {
    expect(exchanged(FACTS)).to.deep.equal({
      kind: 'exchange',
      effectiveOn: '2026-05-04',
      idempotencyKey: 'fx-1',
      description: 'Exchange of USD for INR',
      source: 'fx-1',
      actor: 'meera',
      reverses: null,
      adjusts: null,
      metadata: {
        from_currency: 'USD',
        to_currency: 'INR',
        rate: '83.1255',
        rate_source: 'SBI card rate 2026-05-04',
      },
      lines: [
        credit('assets:bank:main', 100_000n, 'USD'),
        debit('equity:trading:usd', 100_000n, 'USD'),
        debit('assets:bank:main', 8_312_550n, 'INR'),
        credit('equity:trading:inr', 8_312_550n, 'INR'),
      ],
    } satisfies Draft)
  })

  it('books two wallets on their other side', () => {
    const draft = exchanged({
      ...FACTS,
      from: { account: 'liabilities:wallets:asha', currency: 'INR', amount: 1050n },
      to: { account: 'liabilities:points:asha', currency: 'SEVA', exponent: 0 },
      rate: '2',
      lateReason: 'found late',
    })
    expect(draft.lines).to.deep.equal([
      debit('liabilities:wallets:asha', 1050n, 'INR'),
      credit('equity:trading:inr', 1050n, 'INR'),
      credit('liabilities:points:asha', 21n, 'SEVA'),
      debit('equity:trading:seva', 21n, 'SEVA'),
    ])
    expect(draft.metadata).to.include({ late_reason: 'found late' })
    assertPostable(draft)
  })

  it('takes what was agreed where it is the exact amount rounded down or up', () => {
    const got = (amount: bigint, rate = '83.125504') =>
      exchanged({ ...FACTS, rate, to: { ...FACTS.to, amount } }).lines[2]?.amount
    expect([8_312_550n, 8_312_551n].map((one) => got(one))).to.deep.equal([8_312_550n, 8_312_551n])
    expect(codeOf(() => got(8_312_551n, '83.1255'))).to.equal('invalid_entry')
    for (const amount of [8_312_549n, 8_312_552n, 0n, -1n]) {
      expect(
        codeOf(() => got(amount)),
        `${amount}`,
      ).to.equal('invalid_entry')
    }
  })

  it('makes no yen of a paisa, whatever was agreed', () => {
    const paise = (amount: bigint, agreed?: bigint): ExchangeFacts => ({
      ...FACTS,
      from: { account: 'assets:bank:main', currency: 'INR', amount },
      to: { account: 'assets:bank:main', currency: 'JPY', amount: agreed },
      rate: '0.55',
    })
    for (const facts of [paise(1n), paise(1n, 1n), paise(181n), paise(181n, 1n), paise(363n, 2n)]) {
      expect(
        codeOf(() => exchanged(facts)),
        JSON.stringify(facts, (_key, one: unknown) => (typeof one === 'bigint' ? `${one}` : one)),
      ).to.equal('invalid_entry')
    }
    expect(exchanged(paise(182n)).lines[2]?.amount).to.equal(1n)
    expect(exchanged(paise(363n)).lines[2]?.amount).to.equal(1n)
  })

  it('gives at most what a JSON number holds', () => {
    const most: ExchangeFacts = {
      ...FACTS,
      from: { ...FACTS.from, amount: MAX_MINOR },
      rate: '1',
    }
    expect(exchanged(most).lines[2]?.amount).to.equal(MAX_MINOR)
    for (const facts of [
      { ...most, rate: '1.000000000000001' },
      { ...most, rate: '1000' },
      { ...most, from: { ...most.from, amount: MAX_MINOR + 1n } },
    ]) {
      expect(codeOf(() => exchanged(facts))).to.equal('invalid_entry')
    }
  })

  const refused: [title: string, code: string, more: Partial<ExchangeFacts>][] = [
    ['in one currency', 'invalid_entry', { to: { ...FACTS.to, currency: 'USD' } }],
    [
      'of an asset for what is owed',
      'invalid_entry',
      { to: { account: 'liabilities:wallets:asha', currency: 'INR' } },
    ],
    [
      'out of a trading account',
      'invalid_entry',
      { from: { ...FACTS.from, account: 'equity:trading:usd' } },
    ],
    ['of nothing', 'invalid_entry', { from: { ...FACTS.from, amount: 0n } }],
    ['of less than nothing', 'invalid_entry', { from: { ...FACTS.from, amount: -5n } }],
    ['that gives less than one minor unit', 'invalid_entry', { rate: '0.000001' }],
    ['that gives more than can be counted', 'invalid_entry', { rate: '999999999999999999' }],
    ['at no rate', 'invalid_request', { rate: 'market' }],
    [
      'in a currency that nobody knows',
      'invalid_request',
      { to: { ...FACTS.to, currency: 'SEVA' } },
    ],
  ]
  for (const [title, code, more] of refused) {
    it(`refuses an exchange ${title}`, () => {
      const facts = title.includes('less than one')
        ? { ...FACTS, ...more, from: { ...FACTS.from, amount: 1n } }
        : { ...FACTS, ...more }
      expect(codeOf(() => exchanged(facts))).to.equal(code)
    })
  }
})

describe('an exchange in the books', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
    const opening = draftOf('dollars', {
      lines: [debit(BANK, 500_000n, 'USD'), credit(FUND, 500_000n, 'USD')],
    })
    await books.post([opening])
    await books.db.transact(ORG, async (trx) => {
      await registerCurrency(trx, { code: 'SEVA', name: 'Seva points', exponent: 1 }, 'meera')
    })
  })

  after(async () => {
    const { findings } = await verifyLedger(books.db, ORG, () => undefined)
    expect(findings).to.deep.equal([])
    await books.close()
  })

  const asked: AskedExchange = {
    from: { code: BANK, currency: 'USD' },
    to: { code: BANK, currency: 'INR' },
    amount: 100_000n,
    rate: '83.1255',
    rateSource: 'SBI',
    effectiveOn: '2026-05-05',
    lateReason: null,
    idempotencyKey: 'api:one',
    source: 'api:one',
    actor: 'meera',
  }

  async function exchange(more: Partial<AskedExchange> = {}): Promise<string> {
    return await books.db
      .transact(ORG, async (trx) => await postExchange(trx, { ...asked, ...more }), {
        queue: 'journal',
      })
      .then(
        ({ entryNo, isNew }) => `${isNew ? 'new' : 'old'} ${entryNo}`,
        (error: unknown) =>
          codeOf(() => {
            throw error
          }) ?? 'none',
      )
  }

  async function balances(): Promise<Record<string, bigint>> {
    const rows = await books.read<{ name: string; net: bigint }>(
      `select code || ' ' || currency as name, debits - credits as net from accounts
        where code like 'equity:trading:%' or code like 'liabilities:%' order by 1`,
    )
    return Object.fromEntries(rows.map(({ name, net }) => [name, net]))
  }

  it('is posted once by its key, and what was given and got stands in trading', async () => {
    expect(await exchange()).to.equal('new 2')
    expect(await exchange()).to.equal('old 2')
    expect(await exchange({ rate: '83.2' })).to.equal('idempotency_conflict')
    expect(await balances()).to.deep.equal({
      'equity:trading:inr INR': -8_312_550n,
      'equity:trading:usd USD': 100_000n,
    })
  })

  it('keeps its rate with the entry', async () => {
    const [entry] = await books.read<{ kind: string; metadata: Record<string, string> }>(
      'select kind, metadata from journal_entries where entry_no = 2',
    )
    expect(entry).to.deep.equal({
      kind: 'exchange',
      metadata: {
        from_currency: 'USD',
        to_currency: 'INR',
        rate: '83.1255',
        rate_source: 'SBI',
      },
    })
  })

  it('lets trading stand on either side: back again at a better rate leaves a gain', async () => {
    const back = { from: asked.to, to: asked.from, amount: 8_312_550n, rate: '0.012031' }
    expect(await exchange({ ...back, idempotencyKey: 'api:back' })).to.equal('new 3')
    expect(await balances()).to.deep.equal({
      'equity:trading:inr INR': 0n,
      'equity:trading:usd USD': -8n,
    })
  })

  it('turns points into money in a wallet and stops at the points’ floor', async () => {
    const [bonus] = await books.post([
      draftOf('bonus', {
        lines: [
          debit('equity:trading:seva', 250n, 'SEVA'),
          credit('liabilities:points:asha', 250n, 'SEVA'),
        ],
      }),
    ])
    expect(bonus?.status).to.equal('posted')
    const points = {
      from: { code: 'liabilities:points:asha', currency: 'SEVA' },
      to: { code: 'liabilities:wallets:asha', currency: 'INR' },
      rate: '0.25',
    }
    const spend = async (amount: bigint, key: string) =>
      await exchange({ ...points, amount, idempotencyKey: key })
    expect(await spend(251n, 'api:much')).to.equal('balance_below_floor')
    expect(await spend(250n, 'api:all')).to.equal('new 5')
    expect(await balances()).to.include({
      'liabilities:points:asha SEVA': 0n,
      // 25.0 points at 0.25 are 6.25 rupees.
      'liabilities:wallets:asha INR': -625n,
      'equity:trading:inr INR': 625n,
    })
  })

  it('names no account that is not there, and no currency that nobody registered', async () => {
    expect(await exchange({ from: { accountId: 999 } })).to.equal('unknown_account')
    expect(await exchange({ from: { code: 'assets', currency: 'USD' } })).to.equal(
      'unknown_account',
    )
    expect(await exchange({ to: { code: BANK, currency: 'KARMA' } })).to.equal('unknown_currency')
    expect(
      await exchange({ to: { code: 'assets:bank:other', currency: 'INR' }, idempotencyKey: 'x' }),
    ).to.equal('unknown_account')
  })
})
