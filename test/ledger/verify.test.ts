/** Tests of `verifyLedger`: clean books give no finding, every kind of damage is found. */
import { expect } from 'chai'
import { sha256 } from '../../src/base/crypto.ts'
import { encodeDraft } from '../../src/ledger/core/entry.ts'
import { draftOf as asPosted, listEntries } from '../../src/ledger/reading/entries.ts'
import { FINDINGS_MAX } from '../../src/ledger/checks/finding.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { BANK, draftOf, FUND, TRANSIT, type Books } from './books.ts'
import { openDamagedBooks, type DamagedBooks } from './damaged.ts'

describe('the verification of the books', () => {
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

  it('gives none for clean books, and says how far it is', async () => {
    const heard: [bigint, bigint][] = []
    const report = await verifyLedger(books.db, damaged.org, (done, all) => heard.push([done, all]))
    expect(report).to.deep.equal({ entries: 6n, findings: [] })
    expect(heard).to.deep.equal([[6n, 6n]])
  })

  it('gives none for books without an entry', async () => {
    await damaged.startAnew(true)
    expect(await verifyLedger(books.db, damaged.org, () => undefined)).to.deep.equal({
      entries: 0n,
      findings: [],
    })
  })

  it('finds a changed amount in the entry, the balances, the days, the fingerprint', async () => {
    const findings = await found(
      `update postings set amount = 101 where org_id = $org and entry_no = 2 and line_no = 1`,
    )
    expect(findings).to.include(
      'balance: entry 2: In INR, debits less credits are 1 minor units instead of 0.',
    )
    expect(findings).to.include(
      `account balance: account ${BANK}: stored 307 debit, 132 credit, 7 lines; ` +
        'postings say 308, 132, 7',
    )
    expect(findings).to.include('day balance: account 1 on 2026-05-05: day and postings differ')
    expect(findings).to.include(
      'running balance: account 1: posting 1 of entry 2 does not continue the one before',
    )
    expect(findings).to.include(
      'running balance of a day: account 1 on 2026-05-05: ' +
        'posting 1 of entry 2 does not continue the one before',
    )
    expect(findings).to.include('fingerprint: entry 2: its fingerprint is not of its content')
  })

  /** Entry 2 as if it had always been of 90, in all that is stored but fingerprint and hash. */
  const LESS = [
    `update postings set amount = 90, day_balance_after = 90
      where org_id = $org and entry_no = 2`,
    `update postings set balance_after = balance_after - 10
      where org_id = $org and account_id in (1, 2) and account_version > 1`,
    `update balance_days set debits = 90
      where org_id = $org and account_id = 1 and effective_on = '2026-05-05'`,
    `update accounts set debits = debits - 10 where org_id = $org and account_id = 1`,
    `update accounts set credits = credits - 10, day_credits = day_credits - 10
      where org_id = $org and account_id = 2`,
  ]

  it('finds an amount changed everywhere at once by the fingerprint', async () => {
    expect(await found(...LESS)).to.deep.equal([
      'fingerprint: entry 2: its fingerprint is not of its content',
    ])
  })

  it('finds an amount changed everywhere with its fingerprint by the chain', async () => {
    const [entry] = await books.db.read(
      damaged.org,
      async (trx) => await listEntries(trx, { after: 1n, limit: 1 }),
    )
    if (entry === undefined) {
      throw new Error('unreachable')
    }
    const draft = asPosted(entry)
    const lines = draft.lines.map((line) => ({ ...line, amount: 90n }))
    const forged = sha256(encodeDraft({ ...draft, lines })).toString('hex')
    const findings = await found(
      ...LESS,
      `update journal_entries set fingerprint = decode('${forged}', 'hex')
        where org_id = $org and entry_no = 2`,
    )
    expect(findings).to.deep.equal([
      'chain: entry 2: its header or its predecessor is not what was hashed',
    ])
  })

  const content: Readonly<Record<string, string>> = {
    kind: `'unidentified_captured'`,
    effective_on: `'2026-05-07'`,
    idempotency_key: `'other'`,
    description: `'Moved '`,
    source: `'other'`,
    actor: `'other'`,
    reverses: '1',
    adjusts: '1',
    metadata: `'{"why": "other"}'`,
    fingerprint: `decode(repeat('ab', 32), 'hex')`,
  }
  for (const [column, value] of Object.entries(content)) {
    it(`finds a changed ${column} and names the entry`, async () => {
      const findings = await found(
        `update journal_entries set ${column} = ${value} where org_id = $org and entry_no = 3`,
      )
      expect(findings).to.include('fingerprint: entry 3: its fingerprint is not of its content')
      expect(findings.join()).not.to.match(/entry [1245]:/)
    })
  }

  const hashed: Readonly<Record<string, string>> = {
    posted_at: `posted_at + interval '1 millisecond'`,
    fingerprint: `decode(repeat('ab', 32), 'hex')`,
    hash: `decode(repeat('ab', 32), 'hex')`,
  }
  for (const [column, value] of Object.entries(hashed)) {
    it(`finds a changed ${column} by the chain`, async () => {
      const findings = await found(
        `update journal_entries set ${column} = ${value} where org_id = $org and entry_no = 3`,
      )
      expect(findings).to.include(
        'chain: entry 3: its header or its predecessor is not what was hashed',
      )
    })
  }

  it('finds a changed count of lines', async () => {
    const findings = await found(
      `update journal_entries set lines = 9 where org_id = $org and entry_no = 3`,
    )
    expect(findings.join()).to.include('entry 3')
  })

  it('finds metadata that is no list of texts, and goes on', async () => {
    // A constraint stands in the way of that; whoever does damage takes it down first.
    await books.own('alter domain text_map drop constraint text_map_check')
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
    expect(findings.join()).to.include('fingerprint: entry 2')
  })

  it('finds turned directions', async () => {
    const findings = await found(
      `update postings set direction = case direction when 'debit' then 'credit'::direction
         else 'debit' end where org_id = $org and entry_no = 2`,
    )
    expect(findings.join()).to.include('running balance').and.to.include('fingerprint: entry 2')
  })

  it('finds postings moved to another day, with the sums of both days', async () => {
    const findings = await found(
      `update postings set effective_on = '2026-05-04' where org_id = $org and entry_no = 2`,
      `delete from balance_days where org_id = $org and effective_on = '2026-05-05'`,
      `update balance_days set debits = debits + 100
        where org_id = $org and account_id = 1 and effective_on = '2026-05-04'`,
    )
    expect(findings).to.include(
      'entry and postings: entry 2: its header and its postings are not of each other',
    )
    expect(findings.join()).to.include(`newest day: account ${FUND}`)
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
      `insert into postings (org_id, entry_no, line_no, account_id, direction, amount,
         effective_on, balance_after, day_balance_after, account_version)
       values ($org, 77, 1, 1, 'debit', 50, '2026-05-04', 225, 155, 8),
              ($org, 77, 2, 2, 'credit', 50, '2026-05-04', 255, 155, 6)`,
      `update accounts set debits = debits + 50, version = version + 1
        where org_id = $org and account_id = 1`,
      `update accounts set credits = credits + 50, version = version + 1
        where org_id = $org and account_id = 2`,
      `update balance_days set debits = debits + 50
        where org_id = $org and account_id = 1 and effective_on = '2026-05-04'`,
      `update balance_days set credits = credits + 50
        where org_id = $org and account_id = 2 and effective_on = '2026-05-04'`,
    )
    expect(findings).to.deep.equal([
      'orphans: posting 1 of entry 77, account 1: its entry is not there',
      'orphans: posting 2 of entry 77, account 2: its entry is not there',
    ])
  })

  it('finds postings to an account that is not there', async () => {
    const findings = await found(
      `update postings set account_id = 99 where org_id = $org and entry_no = 3 and line_no = 1`,
    )
    expect(findings).to.include(
      'orphans: posting 1 of entry 3, account 99: its account is not there',
    )
  })

  it('finds an entry behind the head of the journal', async () => {
    const findings = await found(
      `update journal_heads set entry_no = 5, hash = (select hash from journal_entries
         where org_id = $org and entry_no = 5) where org_id = $org`,
    )
    expect(findings.join()).to.include('6')
  })

  it('finds two hashes swapped', async () => {
    const findings = await found(
      `update journal_entries e set hash = o.hash from journal_entries o
        where e.org_id = $org and o.org_id = $org and e.entry_no in (2, 3)
          and o.entry_no = 5 - e.entry_no`,
    )
    expect(findings).to.deep.equal(
      [2, 3, 4].map(
        (no) => `chain: entry ${no}: its header or its predecessor is not what was hashed`,
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
      `update accounts set credits = credits - 100, version = version - 1
        where org_id = $org and account_id = 1`,
      `update accounts set debits = debits - 100, version = version - 1
        where org_id = $org and account_id = 2`,
      `update balance_days set credits = credits - 100
        where org_id = $org and account_id = 1 and effective_on = '2026-05-04'`,
      `update balance_days set debits = debits - 100
        where org_id = $org and account_id = 2 and effective_on = '2026-05-04'`,
      `update journal_heads set entry_no = 5, posted_at = (select posted_at from journal_entries
         where org_id = $org and entry_no = 5) where org_id = $org`,
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

  it('finds a head that is dated otherwise than its entry', async () => {
    const findings = await found(
      `update journal_heads set posted_at = posted_at + interval '1 year' where org_id = $org`,
    )
    expect(findings.join()).to.match(/^head: posted at .* its entry 6 at /)
  })

  it('finds books passed off as another organisation’s', async () => {
    await books.own(
      `update organisations set slug = 'stolen-${damaged.org}' where org_id = ${damaged.org}`,
    )
    const findings = await found()
    expect(findings).to.deep.equal([
      'chain: entry 1: its header or its predecessor is not what was hashed',
    ])
  })

  it('stops when it has found enough, and does not look at other organisations', async () => {
    await books.post(
      Array.from({ length: 60 }, (_, index) => draftOf(`more${index}`)),
      damaged.org,
    )
    const findings = await found(`update journal_entries set description = 'x' where org_id = $org`)
    // It ends with the page in hand, however much is wrong.
    expect(findings.length).to.be.within(FINDINGS_MAX, 200)
    await damaged.startAnew(true)
    expect(await found()).to.deep.equal([])
  })

  it('goes through more entries than fit one page', async () => {
    for (let batch = 0; batch < 3; batch += 1) {
      await books.post(
        Array.from({ length: 400 }, (_, index) => draftOf(`p${batch}-${index}`)),
        damaged.org,
      )
    }
    expect(await found()).to.deep.equal([])
    const findings = await found(
      `update journal_entries set actor = 'x' where org_id = $org and entry_no = 1001`,
    )
    expect(findings).to.include('fingerprint: entry 1001: its fingerprint is not of its content')
  })
})
