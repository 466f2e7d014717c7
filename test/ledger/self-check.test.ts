/** Tests of the continuous self-check: each changed value is found, clean books never alarm. */
import { expect } from 'chai'
import { selfCheck, type SelfCheckRun } from '../../src/ledger/checks/self-check.ts'
import type { Slice } from '../../src/ledger/checks/self-check-balances.ts'
import { findSelfCheck, type SelfCheckView } from '../../src/ledger/checks/self-check-state.ts'
import { changeAccount } from '../../src/ledger/accounts/account-changes.ts'
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

/** Past all triggers, as somebody with the machine in hand could do it. */
const UNGUARDED = 'set session_replication_role = replica;'

/** As small as may be, so that everything is stopped and gone on with in the middle. */
const TINY: Slice = { entries: 2, accounts: 2, days: 3, postings: 3 }
const LARGE: Slice = { entries: 1000, accounts: 500, days: 1000, postings: 5000 }

describe('the self-check', () => {
  let books: Books
  let org = 500

  before(async () => {
    books = await openBooks()
  })

  /** Seven entries on four days; the bank is account 1, the fund 2, transit 3, clearing 4. */
  beforeEach(async () => {
    org += 1
    await books.addOrganisation(org)
    await books.post([draftOf('a'), draftOf('b', { effectiveOn: '2026-05-05' })], org)
    await books.post(
      [
        draftOf('c', {
          description: 'Moved',
          effectiveOn: '2026-05-06',
          metadata: { why: 'test' },
          lines: [debit(TRANSIT, 30n), credit(BANK, 30n)],
        }),
        draftOf('d', { lines: [debit(BANK, 7n), credit(BANK, 2n), credit(FUND, 5n)] }),
      ],
      org,
    )
    await books.post([draftOf('e'), draftOf('f', { adjusts: 1n, effectiveOn: '2026-05-01' })], org)
    const lines = [debit('assets:clearing:payu', 9n, 'USD'), credit(FUND, 9n, 'USD')]
    await books.post([draftOf('g', { lines })], org)
  })

  after(async () => {
    await books.close()
  })

  async function due(orgId = org): Promise<void> {
    await books.own(`update self_checks set due_at = now() where org_id = ${orgId}`)
  }

  async function run(slice: Slice, orgId = org): Promise<SelfCheckRun> {
    await due(orgId)
    const done = await selfCheck(books.db, orgId, slice)
    if (done === null) {
      throw new Error('the run was not due')
    }
    return done
  }

  /** Runs to the end of a round; gives what was new in it, as text. */
  async function round(slice = LARGE, orgId = org): Promise<string[]> {
    const news: string[] = []
    for (let n = 0; n < 200; n += 1) {
      const done = await run(slice, orgId)
      news.push(...done.news.map(({ check, detail }) => `${check}: ${detail}`))
      if (done.isRoundDone) {
        return news
      }
    }
    throw new Error('the round does not end')
  }

  async function tamper(...statements: string[]): Promise<void> {
    await books.own(`${UNGUARDED} ${statements.join(';').replaceAll('$org', String(org))}`)
  }

  async function state(orgId = org): Promise<SelfCheckView> {
    const view = await books.db.read(orgId, async (trx) => await findSelfCheck(trx, 100))
    if (view === undefined) {
      throw new Error('there was no run')
    }
    return view
  }

  async function frozen(): Promise<string[]> {
    return (await state()).frozen.map(({ code, currency }) => `${code} ${currency}`)
  }

  it('finds nothing in clean books, whatever the size of its slices', async () => {
    for (const slice of [LARGE, TINY, { ...TINY, postings: 4 }, { ...TINY, days: 4 }]) {
      expect(await round(slice)).to.deep.equal([])
    }
    const { rounds, differences, checked_at: checkedAt, findings } = await state()
    expect([rounds, differences, findings]).to.deep.equal([4n, 0, []])
    expect(checkedAt).to.be.instanceOf(Date)
  })

  it('finds nothing in books without an entry', async () => {
    org += 1
    await books.addOrganisation(org)
    expect(await round()).to.deep.equal([])
    expect((await state()).rounds).to.equal(1n)
  })

  const BANK_INR = `${BANK} INR`
  const FUND_INR = `${FUND} INR`
  const ODD = [FUND_INR, `${TRANSIT} INR`]

  /** Column, new value, and what is frozen for it; of each table one row. */
  const values: readonly [table: string, row: string, column: string, to: string, ...string[]][] = [
    ['accounts', 'account_id = 1', 'debits', 'debits + 1', BANK_INR],
    ['accounts', 'account_id = 2', 'credits', 'credits + 1', FUND_INR],
    ['accounts', 'account_id = 1', 'version', 'version + 1', BANK_INR],
    ['accounts', 'account_id = 1', 'version', '0', BANK_INR],
    ['accounts', 'account_id = 1', 'day', `'2026-05-07'`, BANK_INR],
    ['accounts', 'account_id = 1', 'day', `'2026-05-05'`, BANK_INR],
    ['accounts', 'account_id = 1', 'day_debits', 'day_debits + 1', BANK_INR],
    ['accounts', 'account_id = 1', 'day_credits', 'day_credits - 1', BANK_INR],
    ['accounts', 'account_id = 1', 'normal', `'credit'`, BANK_INR],
    ['accounts', 'account_id = 1', 'type', `'expense'`, BANK_INR],
    ['accounts', 'account_id = 1', 'code', `'assets:bank:other'`],
    ['accounts', 'account_id = 1', 'currency', `'EUR'`],
    ['accounts', 'account_id = 1', 'account_id', '77', BANK_INR],
    ['balance_days', `account_id = 1 and effective_on = '2026-05-05'`, 'debits', '99', BANK_INR],
    ['balance_days', `account_id = 1 and effective_on = '2026-05-05'`, 'credits', '1', BANK_INR],
    ['balance_days', `account_id = 2 and effective_on < '2026-05-04'`, 'account_id', '3', ...ODD],
    ['balance_days', 'account_id = 2', 'account_id', '77', FUND_INR],
    [
      'balance_days',
      `account_id = 1 and effective_on = '2026-05-05'`,
      'effective_on',
      `'2026-05-06'`,
      BANK_INR,
    ],
    ['postings', 'entry_no = 2 and line_no = 1', 'amount', '101', BANK_INR],
    ['postings', 'entry_no = 2 and line_no = 1', 'balance_after', '1', BANK_INR],
    ['postings', 'entry_no = 2 and line_no = 1', 'day_balance_after', '1', BANK_INR],
    ['postings', 'entry_no = 2 and line_no = 1', 'account_version', '1', BANK_INR],
    ['postings', 'entry_no = 2 and line_no = 1', 'direction', `'credit'`, BANK_INR],
    ['postings', 'entry_no = 2 and line_no = 1', 'effective_on', `'2026-05-04'`, BANK_INR],
    ['postings', 'entry_no = 2 and line_no = 1', 'account_id', '2', BANK_INR, FUND_INR],
    ['postings', 'entry_no = 2 and line_no = 1', 'account_id', '77', BANK_INR],
    ['postings', 'entry_no = 2 and line_no = 1', 'account_id', '-7', BANK_INR],
    ['postings', 'entry_no = 2 and line_no = 1', 'line_no', '3'],
    ['journal_heads', 'true', 'hash', `decode(repeat('ab', 32), 'hex')`],
    ['journal_heads', 'true', 'posted_at', `posted_at + interval '1 ms'`],
    ['journal_heads', 'true', 'guarded_through', `'2026-01-31'`],
    ['journal_entries', 'entry_no = 7', 'entry_no', '9'],
    ['journal_entries', 'entry_no = 6', 'adjusts', '2'],
    ['journal_entries', 'entry_no = 3', 'kind', `'unidentified_captured'`],
    ['journal_entries', 'entry_no = 3', 'effective_on', `'2026-05-07'`],
    ['journal_entries', 'entry_no = 3', 'posted_at', `posted_at + interval '1 ms'`],
    ['journal_entries', 'entry_no = 3', 'idempotency_key', `'other'`],
    ['journal_entries', 'entry_no = 3', 'description', `'Moved '`],
    ['journal_entries', 'entry_no = 3', 'source', `'other'`],
    ['journal_entries', 'entry_no = 3', 'actor', `'other'`],
    ['journal_entries', 'entry_no = 3', 'reverses', '1'],
    ['journal_entries', 'entry_no = 3', 'lines', '3'],
    ['journal_entries', 'entry_no = 3', 'metadata', `'{"why": "other"}'`],
    ['journal_entries', 'entry_no = 3', 'hash', `decode(repeat('ab', 32), 'hex')`],
    ['journal_entries', 'entry_no = 3', 'fingerprint', 'hash'],
    ['journal_entries', 'entry_no = 7', 'hash', 'fingerprint'],
  ]
  for (const [table, row, column, to, ...accounts] of values) {
    it(`finds ${table}.${column} set to ${to} where ${row}`, async () => {
      await tamper(`update ${table} set ${column} = ${to} where org_id = $org and ${row}`)
      const news = await round()
      expect(news).to.not.have.length(0)
      expect(await frozen()).to.deep.equal(accounts)
      const stored = await state()
      expect(stored.findings).to.have.length(news.length)
      expect(stored.differences).to.equal(news.length)
      // The same again, and slice by slice: nothing new, and still counted.
      expect(await round(TINY)).to.deep.equal([])
      expect((await state()).differences).to.be.greaterThan(0)
    })
  }

  const removed: Readonly<Record<string, string[]>> = {
    'journal_entries where entry_no = 3': [],
    'journal_entries where entry_no = 7': [],
    'journal_entries where entry_no > 1': [],
    'postings where entry_no = 2 and line_no = 1': [BANK_INR],
    'postings where entry_no = 7 and line_no = 2': [`${FUND} USD`],
    [`balance_days where account_id = 1 and effective_on = '2026-05-05'`]: [BANK_INR],
    'accounts where account_id = 5': [],
  }
  for (const [what, accounts] of Object.entries(removed)) {
    it(`finds removed ${what}`, async () => {
      await tamper(`delete from ${what.replace(' where', ' where org_id = $org and')}`)
      expect(await round()).to.not.have.length(0)
      expect(await frozen()).to.deep.equal(accounts)
    })
  }

  it('finds equal sums added to both sides of an account, of a day, and of all', async () => {
    await tamper(
      `update balance_days set debits = debits + 5, credits = credits + 5
        where org_id = $org and account_id = 1 and effective_on = '2026-05-05'`,
      `update accounts set debits = debits + 5, credits = credits + 5, day_debits = day_debits + 5,
         day_credits = day_credits + 5 where org_id = $org and account_id = 2`,
    )
    expect(await round()).to.deep.equal([
      `day balance: account ${BANK}: on 2026-05-05, stored less postings: 5 debit, 5 credit`,
      `day balance: account ${FUND}: on 2026-05-05, stored less postings: 5 debit, 5 credit`,
      `account balance: account ${FUND}: stored less postings: 5 debit, 5 credit, 0 postings more`,
    ])
  })

  it('says what is wrong in words that stay, and freezes with them as the reason', async () => {
    await tamper(`update accounts set debits = debits + 5 where org_id = $org and account_id = 3`)
    const words = `account ${TRANSIT}: stored less postings: 5 debit, 0 credit, 0 postings more`
    expect(await round()).to.deep.equal([
      `account balance: ${words}`,
      'trial balance: INR: debits less credits are 5',
    ])
    const changes = await books.read<object>(
      'select actor, reason, change from account_changes where account_id = 3',
      [],
      org,
    )
    expect(changes).to.deep.equal([
      {
        actor: 'job:self-check',
        reason: `Self-check: ${words}`,
        change: { frozen: { old: false, new: true } },
      },
    ])
  })

  it('stops a frozen account and no other, and freezes it again until it is mended', async () => {
    await tamper(`update accounts set debits = debits + 5 where org_id = $org and account_id = 3`)
    await round()
    const stopped = [debit(TRANSIT, 1n), credit(BANK, 1n)]
    const results = await books.post([draftOf('h', { lines: stopped }), draftOf('i')], org)
    expect(outcomes(results)).to.deep.equal(['account_frozen', 'posted 8'])
    const thaw = async () =>
      await books.db.transact(
        org,
        async (trx) => {
          const by = { actor: 'user:test', reason: 'Looked into.' }
          await changeAccount(trx, 3, { frozen: false }, by)
        },
        { queue: 'journal' },
      )
    await thaw()
    expect(await round()).to.have.length(1)
    expect(await frozen()).to.deep.equal([`${TRANSIT} INR`])
    expect((await state()).findings).to.have.length(2)
    await tamper(`update accounts set debits = debits - 5 where org_id = $org and account_id = 3`)
    await thaw()
    expect(await round()).to.deep.equal([])
    expect(await frozen()).to.deep.equal([])
    expect((await state()).differences).to.equal(0)
  })

  it('stays silent while others post, backdate and open accounts in mid-round', async () => {
    const over = new AbortController()
    const posting = async (who: number) => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        const effectiveOn = `2026-0${(n % 4) + 4}-0${((n * who) % 9) + 1}`
        const fund = `income:donations:f${n % 40}`
        const key = `together-${who}-${n}`
        await books.post(
          [
            draftOf(key, { effectiveOn, lines: [debit(BANK, 3n), credit(fund, 3n)] }),
            draftOf(`${key}-now`, { effectiveOn: '2026-05-09' }),
          ],
          org,
        )
      }
    }
    const writers = [1, 2, 3].map(posting)
    const slices = [LARGE, { entries: 25, accounts: 7, days: 5, postings: 20 }]
    try {
      for (let n = 0; n < 4; n += 1) {
        expect(await round(slices[n % 2])).to.deep.equal([])
      }
    } finally {
      over.abort()
      await Promise.all(writers)
    }
    expect(await round({ ...TINY, entries: 50, postings: 40, days: 20 })).to.deep.equal([])
    expect((await state()).differences).to.equal(0)
  })

  it('is run once by however many workers come at the same time', async () => {
    const first = await Promise.all(
      Array.from({ length: 6 }, async () => await selfCheck(books.db, org, TINY)),
    )
    expect(first.filter((one) => one !== null)).to.have.length(1)
    expect(await selfCheck(books.db, org, TINY)).to.equal(null)
    await due()
    const second = await Promise.all(
      Array.from({ length: 6 }, async () => await selfCheck(books.db, org, TINY)),
    )
    expect(second.filter((one) => one !== null)).to.have.length(1)
    expect((await state()).next_entry_no).to.equal(3n)
  })

  it('does not let a run that was overtaken undo a later one', async () => {
    await run(TINY)
    await due()
    const slow = selfCheck(
      {
        ...books.db,
        read: async (scope, work) => {
          const seen = await books.db.read(scope, work)
          await run(LARGE)
          return seen
        },
      },
      org,
      TINY,
    )
    expect(await slow).to.not.equal(null)
    const { rounds, next_entry_no: next } = await state()
    expect([rounds, next]).to.deep.equal([0n, 8n])
  })

  it('keeps organisations apart', async () => {
    const [spoilt, sound] = [org, org + 1]
    org += 1
    await books.addOrganisation(sound)
    await books.post([draftOf('a')], sound)
    await books.own(`${UNGUARDED} update accounts set debits = debits + 1
      where org_id = ${spoilt} and account_id = 1`)
    expect(await round(LARGE, sound)).to.deep.equal([])
    expect(await round(LARGE, spoilt)).to.have.length(2)
    expect((await state(sound)).findings).to.deep.equal([])
    expect((await state(sound)).frozen).to.deep.equal([])
    expect((await state(spoilt)).frozen).to.have.length(1)
  })

  it('keeps a bounded number of findings, and counts all', async () => {
    const many = Array.from({ length: 600 }, (_none, n) => draftOf(`many-${n}`))
    await books.post(many, org)
    await tamper(`update journal_entries set hash = fingerprint where org_id = $org`)
    const news = await round()
    await due()
    expect(news.length).to.be.greaterThan(600)
    await tamper(`update journal_entries set kind = 'manual' where org_id = $org`)
    await round()
    const [row] = await books.read<{ n: bigint }>(
      'select count(*) as n from self_check_findings',
      [],
      org,
    )
    expect(row?.n).to.equal(1000n)
    expect(await round()).to.deep.equal([])
    expect((await state()).differences).to.be.greaterThan(1000)
  })
})
