/** Tests of `verifyLedger`: damaged balances, days, reversals and months are found and named. */
import { expect } from 'chai'
import { BANK, draftOf, TRANSIT, type Books } from './books.ts'
import { openDamagedBooks, type DamagedBooks } from './damaged.ts'

describe('the verification of balances', () => {
  let damaged: DamagedBooks
  let books: Books

  before(async () => {
    damaged = await openDamagedBooks()
    books = damaged.books
  })

  beforeEach(async () => {
    await damaged.startAnew()
  })

  after(async () => {
    await books.close()
  })

  const found = async (...damage: string[]): Promise<string[]> => await damaged.found(...damage)

  for (const column of ['debits', 'credits', 'version']) {
    it(`finds changed ${column} of an account and says what the postings say`, async () => {
      const findings = await found(
        `update accounts set ${column} = ${column} + 1 where org_id = $org and account_id = 3`,
      )
      expect(findings[0]).to.match(
        new RegExp(`^account balance: account ${TRANSIT}: .* postings say 30, 0, 1$`),
      )
    })
  }

  it('finds changed sums of a day, a day too many and a day lost', async () => {
    const findings = await found(
      `update balance_days set debits = debits + 1
        where org_id = $org and account_id = 1 and effective_on = '2026-05-05'`,
      `insert into balance_days values ($org, 1, '2026-05-02', 1, 0)`,
      `delete from balance_days where org_id = $org and account_id = 2`,
    )
    expect(findings).to.have.members([
      'day balance: account 1 on 2026-05-02: day and postings differ',
      'day balance: account 1 on 2026-05-05: day and postings differ',
      'day balance: account 2 on 2026-05-04: day and postings differ',
    ])
  })

  for (const column of ['day_debits', 'day_credits']) {
    it(`finds changed ${column} of an account’s newest day`, async () => {
      expect(
        await found(`update accounts set ${column} = 29 where org_id = $org and account_id = 1`),
      ).to.deep.equal(['day balance: account 1 on 2026-05-06: day and postings differ'])
    })
  }

  it('finds sums of the newest day or a later one among the older days', async () => {
    const findings = await found(
      `insert into balance_days values
         ($org, 3, '2026-05-06', 0, 0), ($org, 3, '2026-05-07', 0, 0),
         ($org, 99, '2026-05-04', 0, 0)`,
    )
    expect(findings).to.include.members([
      'older days: account 3 on 2026-05-06: not before its newest day',
      'older days: account 3 on 2026-05-07: not before its newest day',
      'older days: account 99 on 2026-05-04: not before its newest day',
    ])
  })

  it('finds a newest day that is not the newest, though every day’s sums agree', async () => {
    expect(
      await found(
        `insert into balance_days values ($org, 1, '2026-05-06', 0, 30)`,
        `delete from balance_days where org_id = $org and account_id = 1
          and effective_on = '2026-05-05'`,
        `update accounts set day = '2026-05-05', day_debits = 100, day_credits = 0
          where org_id = $org and account_id = 1`,
      ),
    ).to.have.members([
      `newest day: account ${BANK}: stored 2026-05-05; postings say 2026-05-06`,
      'older days: account 1 on 2026-05-06: not before its newest day',
    ])
  })

  it('finds a day of an account that was never posted to', async () => {
    await books.own(
      `insert into accounts (org_id, account_id, code, name, type, normal, currency, day)
       values (${damaged.org}, 9, 'assets:bank:main', 'x', 'asset', 'debit', 'USD', '2026-05-04')`,
    )
    expect((await found()).join()).to.match(/^newest day: account assets:bank:main: stored/)
  })

  it('finds a changed balance behind a posting', async () => {
    expect(
      await found(
        `update postings set balance_after = 5
          where org_id = $org and entry_no = 6 and line_no = 2`,
      ),
    ).to.deep.equal([
      'running balance: account 2: posting 2 of entry 6 does not continue the one before',
    ])
  })

  it('finds a changed balance of the day behind a posting, the first and a later one', async () => {
    const findings = await found(
      `update postings set day_balance_after = day_balance_after + 1
        where org_id = $org and entry_no in (1, 6) and line_no = 2`,
    )
    const wrong = (entry: number, line: number): string =>
      `running balance of a day: account 2 on 2026-05-04: ` +
      `posting ${line} of entry ${entry} does not continue the one before`
    expect(findings).to.have.members([wrong(1, 2), wrong(4, 3), wrong(6, 2)])
  })

  it('finds a changed version of a posting', async () => {
    const findings = await found(
      `update postings set account_version = 9 where org_id = $org and entry_no = 6`,
    )
    expect(findings.join()).to.include('running balance: account 1: posting 1 of entry 6')
  })

  it('finds a reversal that takes back something else than its entry', async () => {
    const findings = await found(
      `update journal_entries set reverses = 2 where org_id = $org and entry_no = 6`,
      `update journal_entries set reverses = 1 where org_id = $org and entry_no = 3`,
    )
    expect(findings).to.include('reversal: entry 3 is not the exact opposite of entry 1')
    // Entry 2 has the same amounts and accounts as entry 5: that is for the fingerprint to find.
    expect(findings.join()).not.to.include('reversal: entry 6')
    expect(findings.join()).to.include('fingerprint: entry 6')
  })

  const opposites: Readonly<Record<string, string>> = {
    amount: `amount = 99 where org_id = $org and entry_no = 5`,
    account: `account_id = 3 where org_id = $org and entry_no = 5 and line_no = 1`,
    direction: `direction = 'debit' where org_id = $org and entry_no = 6`,
    order: `line_no = 5 - line_no where org_id = $org and entry_no = 6`,
  }
  for (const [what, change] of Object.entries(opposites)) {
    it(`finds a reversal that has another ${what} than its entry`, async () => {
      const findings = await found(`update postings set ${change}`)
      expect(findings).to.include('reversal: entry 6 is not the exact opposite of entry 5')
    })
  }

  it('finds a reversal of an entry that is gone', async () => {
    const findings = await found(
      `delete from postings where org_id = $org and entry_no = 5`,
      `delete from journal_entries where org_id = $org and entry_no = 5`,
    )
    expect(findings).to.include('reversal: entry 6 is not the exact opposite of entry 5')
  })

  it('takes an entry in a month that was closed after it for nothing wrong', async () => {
    await books.closeMonth('2026-05', 'closed', damaged.org)
    expect(await found()).to.deep.equal([])
  })

  it('finds closed months that the head of the journal has forgotten', async () => {
    await books.closeMonth('2026-05', 'closed', damaged.org)
    expect(
      await found(`update journal_heads set guarded_through = '-infinity' where org_id = $org`),
    ).to.deep.equal(['periods: the head guards days through -infinity; the periods say 2026-05-31'])
  })

  it('finds a month that was opened past the guard', async () => {
    await books.closeMonth('2026-05', 'closed', damaged.org)
    expect((await found(`delete from periods where org_id = $org`)).join()).to.match(/^periods: /)
  })

  it('finds a stored trial balance that is not that of the entries known then', async () => {
    await books.closeMonth('2026-05', 'soft_closed', damaged.org)
    const late = { effectiveOn: '2026-05-04', metadata: { late_reason: 'forgotten' } }
    await books.post([draftOf('late', late)], damaged.org)
    await books.closeMonth('2026-05', 'closed', damaged.org)
    expect(await found()).to.deep.equal([])
    const forged = `replace(trial_balance, '175', '176')`
    expect(
      await found(
        `update period_changes set trial_balance = ${forged},
                trial_balance_sha256 = sha256(convert_to(${forged}, 'UTF8'))
          where org_id = $org and version = 1`,
      ),
    ).to.deep.equal([
      'closed month: 2026-05, change 1: not the trial balance of the entries up to 6',
    ])
  })

  it('finds an account turned to its other side', async () => {
    const findings = await found(
      `update accounts set normal = 'credit' where org_id = $org and account_id = 3`,
    )
    expect(findings.join()).to.include('running balance: account 3')
  })
})
