/** Tests of the verification of chain and seals: sound books pass, and every change is found. */
import { expect } from 'chai'
import { verifySeals } from '../../src/exports/verify-seals.ts'
import { verifyEntries } from '../../src/ledger/checks/verify-entries.ts'
import { describeVerification, verifyBooks } from '../../scripts/verify-books.ts'
import { draftOf, ORG } from '../ledger/books.ts'
import { run } from '../scripts/run.ts'
import { openPastBooks, tamper, type PastBooks } from './past.ts'

describe('verifying chain and seals', () => {
  let books: PastBooks

  beforeEach(async () => {
    books = await openPastBooks()
    await books.post([draftOf('a'), draftOf('b', { metadata: { '10': 'x', '9': '=y' } })])
    await books.receipt('2026-05-02T12:00:00+05:30', 'one')
    await books.receipt('2026-05-02T13:00:00+05:30', 'two')
    await books.makePdfs()
    await books.seal(4)
  })

  afterEach(async () => {
    await books.close()
  })

  async function findings(): Promise<string[]> {
    const chain = await verifyEntries(books.db, ORG, () => undefined)
    const seals = await verifySeals(books.db, ORG)
    return [...chain.findings, ...seals.findings].map(({ check, detail }) => `${check}: ${detail}`)
  }

  it('finds nothing in sound books and says how far it came', async () => {
    const heard: string[] = []
    const chain = await verifyEntries(books.db, ORG, (done, all) => heard.push(`${done}/${all}`))
    expect(chain).to.deep.include({ entries: 4n, findings: [] })
    expect(heard).to.deep.equal(['4/4'])
    const seals = await verifySeals(books.db, ORG)
    expect(seals).to.deep.include({ days: 4, findings: [] })
    expect(seals.newest?.day).to.equal('2026-05-04')
  })

  it('finds nothing in empty books', async () => {
    const chain = await verifyEntries(books.db, 2, () => undefined)
    expect(chain).to.deep.include({ entries: 0n, findings: [] })
    expect(await verifySeals(books.db, 2)).to.deep.equal({ days: 0, newest: null, findings: [] })
  })

  it('prints the newest root, and with --chain leaves the balances out', async () => {
    await tamper(
      books,
      'accounts',
      'update accounts set debits = debits + 1, credits = credits + 1',
    )
    const all = await verifyBooks(books.db, () => undefined)
    expect(all.findings).to.not.have.length(0)
    const chain = await verifyBooks(books.db, () => undefined, { chainOnly: true })
    expect(chain.findings).to.deep.equal([])
    expect(chain.entries).to.equal(4n)
    expect(describeVerification(chain)[0]).to.match(
      /^ {2}test-1: 4 days sealed; root of 2026-05-04: [0-9a-f]{64}$/,
    )
  })

  it('is what npm run verify -- --chain does', async () => {
    const env = {
      DATABASE_URL: books.database.url,
      DATABASE_OWNER_URL: books.database.ownerUrl,
      JWT_SECRET: 'a test secret of at least 32 characters',
      DATA_KEYS: `t1:${Buffer.alloc(32, 7).toString('base64')}`,
      SES_ENDPOINT: process.env['BAHI_TEST_SES'] ?? '',
    }
    const sound = await run('scripts/verify-books.ts', ['--chain'], env)
    expect(sound.stdout, sound.stderr).to.include('The books agree: 4 entries')
    expect(sound.code).to.equal(0)
    await tamper(books, 'day_seals', `update day_seals set receipts = 3 where receipts = 2`)
    const bent = await run('scripts/verify-books.ts', ['--chain'], env)
    expect(bent.stdout).to.include('test-1: seals: 2026-05-02: it has 2 receipts, sealed were 3')
    expect(bent.code).to.equal(1)
  })

  const changes: Record<string, [string, string, RegExp]> = {
    'a text of an entry': [
      'journal_entries',
      `update journal_entries set description = 'x' where entry_no = 2`,
      /^fingerprint: entry 2: /,
    ],
    'an amount': [
      'postings',
      'update postings set amount = amount + 1 where entry_no = 3',
      /^fingerprint: entry 3: /,
    ],
    'a time': [
      'journal_entries',
      `update journal_entries set posted_at = posted_at + interval '1 second' where entry_no = 1`,
      /^chain: entry 1: /,
    ],
    'a hash': [
      'journal_entries',
      `update journal_entries set hash = sha256('x') where entry_no = 4`,
      /chain: entry 4: .*\nchain: the head|seals: 2026-05-02: its entries are not those/,
    ],
    'an entry that is gone': [
      'journal_entries',
      'delete from journal_entries where entry_no = 2',
      /numbers: entry 2 is missing/,
    ],
    'the newest entry that is gone': [
      'journal_entries',
      'delete from journal_entries where entry_no = 4',
      /numbers: entries after 3 are missing\nseals: 2026-05-02: its last entry is 3, sealed was 4/,
    ],
    'a receipt': [
      'receipts',
      `update receipts set amount = amount + 1 where serial = 1`,
      /^seals: 2026-05-02: its receipts are not those that were sealed$/,
    ],
    'a receipt that is gone': [
      'receipt_emails, receipts',
      `delete from receipts where serial = 2`,
      /^seals: 2026-05-02: it has 1 receipts, sealed were 2$/,
    ],
    'the PDF of a receipt': [
      'receipts',
      `update receipts set pdf_sha256 = sha256('x') where serial = 2`,
      /^seals: 2026-05-02: its receipts are not those that were sealed$/,
    ],
    'a seal’s root': [
      'day_seals',
      `update day_seals set root = sha256('x') where day = '2026-05-02'`,
      /2026-05-02: its root is not over its own content\nseals: 2026-05-03: it does not go on/,
    ],
    'a seal’s tree': [
      'day_seals',
      `update day_seals set entries_root = sha256('x') where day = '2026-05-03'`,
      /2026-05-03: its root is not over .*\nseals: 2026-05-03: its entries are not/,
    ],
    'a seal that is gone': [
      'day_seals',
      `delete from day_seals where day = '2026-05-02'`,
      /2026-05-03: it follows 2026-05-01/,
    ],
    'the first seal that is gone': [
      'day_seals',
      `delete from day_seals where day = '2026-05-01'`,
      /2026-05-02: it does not go on from the root of the day before/,
    ],
  }
  for (const [title, [tables, sql, due]] of Object.entries(changes)) {
    it(`finds ${title}`, async () => {
      const [table = '', ...others] = tables.split(', ').reverse()
      const first = others.map((other) => `delete from ${other}; `).join('')
      await tamper(books, table, first + sql)
      expect((await findings()).join('\n')).to.match(due)
    })
  }
})
