/** Tests of `verifyLedger`: clean books give no finding, every kind of damage is found. */
import { expect } from 'chai'
import { FINDINGS_MAX, verifyLedger } from '../../src/ledger/verify.ts'
import { BANK, credit, debit, draftOf, FUND, openBooks, TRANSIT, type Books } from './books.ts'

/** Past all triggers, as somebody with the machine in hand could do it. */
const UNGUARDED = 'set session_replication_role = replica;'

describe('the verification of the books', () => {
  let books: Books
  let org = 400

  before(async () => {
    books = await openBooks()
  })

  /** Six entries on three days; the bank is account 1, the fund 2, transit 3. */
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
    await books.post([draftOf('e'), draftOf('f', { reverses: 5n })], org)
  })

  after(async () => {
    await books.close()
  })

  /** `$org` in the statements is the organisation of the test. */
  async function found(...damage: string[]): Promise<string[]> {
    if (damage.length > 0) {
      await books.own(`${UNGUARDED} ${damage.join(';').replaceAll('$org', String(org))}`)
    }
    const { findings } = await verifyLedger(books.db, org, () => undefined)
    return findings.map(({ check, detail }) => `${check}: ${detail}`)
  }

  it('gives none for clean books, and says how far it is', async () => {
    const heard: [bigint, bigint][] = []
    const report = await verifyLedger(books.db, org, (done, all) => heard.push([done, all]))
    expect(report).to.deep.equal({ entries: 6n, findings: [] })
    expect(heard).to.deep.equal([[6n, 6n]])
  })

  it('gives none for books without an entry', async () => {
    org += 1
    await books.addOrganisation(org)
    expect(await verifyLedger(books.db, org, () => undefined)).to.deep.equal({
      entries: 0n,
      findings: [],
    })
  })

  it('finds a changed amount: in the entry, the balances, the day and the chain', async () => {
    const findings = await found(
      `update postings set amount = 101 where org_id = $org and entry_no = 2 and line_no = 1`,
    )
    expect(findings).to.include(
      'balance: entry 2: In INR, debits less credits are 1 minor units instead of 0.',
    )
    expect(findings).to.include(
      `account balance: account ${BANK}: stored 407 debit, 32 credit, 7 lines; ` +
        'postings say 408, 32, 7',
    )
    expect(findings).to.include('day balance: account 1 on 2026-05-05: day and postings differ')
    expect(findings).to.include(
      'running balance: account 1: posting 1 of entry 2 does not continue the one before',
    )
    expect(findings).to.include(
      'chain: entry 2: its content or its predecessor is not what was hashed',
    )
  })

  it('finds an amount changed everywhere at once by the chain', async () => {
    const findings = await found(
      `update postings set amount = 90 where org_id = $org and entry_no = 2`,
      `update postings set balance_after = balance_after - 10
        where org_id = $org and account_id in (1, 2) and account_version > 1`,
      `update balance_days set debits = debits - 10
        where org_id = $org and account_id = 1 and effective_on = '2026-05-05'`,
      `update balance_days set credits = credits - 10
        where org_id = $org and account_id = 2 and effective_on = '2026-05-05'`,
      `update accounts set debits = debits - 10 where org_id = $org and account_id = 1`,
      `update accounts set credits = credits - 10 where org_id = $org and account_id = 2`,
    )
    expect(findings).to.include(
      'chain: entry 2: its content or its predecessor is not what was hashed',
    )
  })

  const changed: Readonly<Record<string, string>> = {
    kind: `'unidentified_captured'`,
    effective_on: `'2026-05-07'`,
    posted_at: `posted_at + interval '1 millisecond'`,
    idempotency_key: `'other'`,
    description: `'Moved '`,
    source: `'other'`,
    actor: `'other'`,
    reverses: '1',
    metadata: `'{"why": "other"}'`,
    hash: `decode(repeat('ab', 32), 'hex')`,
  }
  for (const [column, value] of Object.entries(changed)) {
    it(`finds a changed ${column} and names the entry`, async () => {
      const findings = await found(
        `update journal_entries set ${column} = ${value} where org_id = $org and entry_no = 3`,
      )
      expect(findings).to.include(
        'chain: entry 3: its content or its predecessor is not what was hashed',
      )
    })
  }

  it('finds a changed fingerprint, which would let a key post again or not at all', async () => {
    const findings = await found(
      `update journal_entries set fingerprint = hash where org_id = $org and entry_no = 3`,
    )
    expect(findings.join()).to.include('entry 3')
  })

  it('finds a changed count of lines', async () => {
    const findings = await found(
      `update journal_entries set lines = 9 where org_id = $org and entry_no = 3`,
    )
    expect(findings.join()).to.include('entry 3')
  })

  it('finds metadata that is no list of texts, and goes on', async () => {
    // A constraint may stand in the way of that; whoever does damage takes it down first.
    await books.own(`do $$ declare one record; begin
      for one in select conname from pg_constraint
        where conrelid = 'journal_entries'::regclass and contype = 'c'
          and pg_get_constraintdef(oid) like '%metadata%'
      loop execute format('alter table journal_entries drop constraint %I', one.conname); end loop;
    end $$`)
    const findings = await found(
      `update journal_entries set metadata = '{"why": 1}' where org_id = $org and entry_no = 3`,
      `update journal_entries set metadata = 'null' where org_id = $org and entry_no = 4`,
    )
    expect(findings.join()).to.include('entry 3').and.to.include('entry 4')
  })

  it('finds a posting moved to another account', async () => {
    const findings = await found(
      `update postings set account_id = 3 where org_id = $org and entry_no = 2 and line_no = 1`,
    )
    expect(findings.join()).to.include(`account balance: account ${BANK}`)
    expect(findings.join()).to.include(`account balance: account ${TRANSIT}`)
    expect(findings.join()).to.include('chain: entry 2')
  })

  it('finds turned directions', async () => {
    const findings = await found(
      `update postings set direction = case direction when 'debit' then 'credit'::direction
         else 'debit' end where org_id = $org and entry_no = 2`,
    )
    expect(findings.join()).to.include('running balance').and.to.include('chain: entry 2')
  })

  it('finds postings moved to another day, with the sums of both days', async () => {
    const findings = await found(
      `update postings set effective_on = '2026-05-04' where org_id = $org and entry_no = 2`,
      `delete from balance_days where org_id = $org and effective_on = '2026-05-05'`,
      `update balance_days set debits = debits + 100
        where org_id = $org and account_id = 1 and effective_on = '2026-05-04'`,
      `update balance_days set credits = credits + 100
        where org_id = $org and account_id = 2 and effective_on = '2026-05-04'`,
    )
    expect(findings.join()).to.include('entry 2')
  })

  it('finds a deleted entry with its postings, and names the hole', async () => {
    const findings = await found(
      `delete from journal_entries where org_id = $org and entry_no = 3`,
      `delete from postings where org_id = $org and entry_no = 3`,
    )
    expect(findings).to.include('numbers: entry 3 is missing')
    expect(findings.join()).to.include(`account balance: account ${TRANSIT}`)
    expect(findings.join()).to.include('chain: entry 4')
  })

  it('finds the first entry deleted', async () => {
    const findings = await found(`delete from journal_entries where org_id = $org and entry_no = 1`)
    expect(findings).to.include('numbers: entry 1 is missing')
  })

  it('finds an entry deleted without its postings', async () => {
    const findings = await found(`delete from journal_entries where org_id = $org and entry_no = 3`)
    expect(findings).to.include('numbers: entry 3 is missing')
  })

  it('finds postings deleted without their entry', async () => {
    const findings = await found(`delete from postings where org_id = $org and entry_no = 3`)
    expect(findings.join()).to.include('balance: entry 3: An entry has 2 to 1000 lines, not 0.')
  })

  it('finds postings that belong to no entry, though all sums know them', async () => {
    const findings = await found(
      `insert into postings values ($org, 77, 1, 1, 'debit', 50, '2026-05-04', 425, 8),
                                   ($org, 77, 2, 2, 'credit', 50, '2026-05-04', 455, 6)`,
      `update accounts set debits = debits + 50, version = version + 1
        where org_id = $org and account_id = 1`,
      `update accounts set credits = credits + 50, version = version + 1
        where org_id = $org and account_id = 2`,
      `update balance_days set debits = debits + 50
        where org_id = $org and account_id = 1 and effective_on = '2026-05-04'`,
      `update balance_days set credits = credits + 50
        where org_id = $org and account_id = 2 and effective_on = '2026-05-04'`,
    )
    expect(findings.join()).to.include('77')
  })

  it('finds an entry behind the head of the journal', async () => {
    const findings = await found(
      `update journal_heads set entry_no = 5, hash = (select hash from journal_entries
         where org_id = $org and entry_no = 5) where org_id = $org`,
    )
    expect(findings.join()).to.include('6')
  })

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
      `insert into balance_days values ($org, 1, '2026-05-09', 1, 0)`,
      `delete from balance_days where org_id = $org and account_id = 3`,
    )
    expect(findings).to.have.members([
      'day balance: account 1 on 2026-05-05: day and postings differ',
      'day balance: account 1 on 2026-05-09: day and postings differ',
      'day balance: account 3 on 2026-05-06: day and postings differ',
    ])
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

  it('finds an account turned to its other side', async () => {
    const findings = await found(
      `update accounts set normal = 'credit' where org_id = $org and account_id = 3`,
    )
    expect(findings.join()).to.include('running balance: account 3')
  })

  it('finds two hashes swapped', async () => {
    const findings = await found(
      `update journal_entries e set hash = o.hash from journal_entries o
        where e.org_id = $org and o.org_id = $org and e.entry_no in (2, 3)
          and o.entry_no = 5 - e.entry_no`,
    )
    expect(findings).to.deep.equal(
      [2, 3, 4].map(
        (no) => `chain: entry ${no}: its content or its predecessor is not what was hashed`,
      ),
    )
  })

  it('finds a cut-off tail, by the head or by the entries that are gone', async () => {
    const cut = [
      `delete from postings where org_id = $org and entry_no = 6`,
      `delete from journal_entries where org_id = $org and entry_no = 6`,
    ]
    const findings = await found(...cut)
    expect(findings.join()).to.include('numbers: entries after 5 are missing')
  })

  it('finds a cut-off tail though balances, days and the head’s number went back', async () => {
    const findings = await found(
      `delete from postings where org_id = $org and entry_no = 6`,
      `delete from journal_entries where org_id = $org and entry_no = 6`,
      `update accounts set debits = debits - 100, version = version - 1
        where org_id = $org and account_id = 1`,
      `update accounts set credits = credits - 100, version = version - 1
        where org_id = $org and account_id = 2`,
      `update balance_days set debits = debits - 100
        where org_id = $org and account_id = 1 and effective_on = '2026-05-04'`,
      `update balance_days set credits = credits - 100
        where org_id = $org and account_id = 2 and effective_on = '2026-05-04'`,
      `update journal_heads set entry_no = 5 where org_id = $org`,
    )
    expect(findings).to.deep.equal(['chain: the head is not the hash of entry 5'])
  })

  it('finds a changed head', async () => {
    expect(
      await found(
        `update journal_heads set hash = decode(repeat('00', 32), 'hex') where org_id = $org`,
      ),
    ).to.deep.equal(['chain: the head is not the hash of entry 6'])
  })

  it('finds books passed off as another organisation’s', async () => {
    await books.own(`update organisations set slug = 'stolen-${org}' where org_id = ${org}`)
    const findings = await found()
    expect(findings).to.have.length(6)
    expect(findings[0]).to.match(/^chain: entry 1:/)
  })

  it('stops when it has found enough, and does not look at other organisations', async () => {
    await books.post(
      Array.from({ length: 60 }, (_, index) => draftOf(`more${index}`)),
      org,
    )
    const findings = await found(`update journal_entries set description = 'x' where org_id = $org`)
    // It ends with the page in hand, however much is wrong.
    expect(findings.length).to.be.within(FINDINGS_MAX, 200)
    org += 1
    await books.addOrganisation(org)
    expect(await found()).to.deep.equal([])
  })

  it('goes through more entries than fit one page', async () => {
    for (let batch = 0; batch < 3; batch += 1) {
      await books.post(
        Array.from({ length: 400 }, (_, index) => draftOf(`p${batch}-${index}`)),
        org,
      )
    }
    expect(await found()).to.deep.equal([])
    const findings = await found(
      `update journal_entries set actor = 'x' where org_id = $org and entry_no = 1001`,
    )
    expect(findings).to.include(
      'chain: entry 1001: its content or its predecessor is not what was hashed',
    )
  })
})
