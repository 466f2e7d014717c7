/** Seals of days cover what people did; seals of before stay what they are. */
import { expect } from 'chai'
import { linkPeople, notePeople } from '../../src/audit/append.ts'
import { peopleGenesisOf } from '../../src/audit/people.ts'
import { readPeople, type StoredLink } from '../../src/audit/read.ts'
import { listSeals, sealNextDay } from '../../src/exports/day-seals.ts'
import { rootOf, type DaySeal } from '../../src/exports/seal.ts'
import { verifySeals } from '../../src/exports/verify-seals.ts'
import { draftOf, ORG, OTHER_ORG, typingClient } from '../ledger/books.ts'
import { refusalOf } from '../ledger/typed.ts'
import { openPastBooks, tamper, type PastBooks } from './past.ts'

describe('the seals over the audit of people', () => {
  let books: PastBooks

  beforeEach(async () => {
    books = await openPastBooks()
  })

  afterEach(async () => {
    await books.close()
  })

  async function note(actor: string, orgId = ORG): Promise<void> {
    const none = { requestId: null, ip: null, userAgent: null, target: null, reason: null }
    const one = { ...none, actor, operation: 'changeAccount', before: null, after: { actor } }
    await books.db.transact(orgId, async (trx) => await notePeople(trx, one))
  }

  const chain = async (): Promise<StoredLink[]> =>
    await books.db.read(ORG, async (trx) => await readPeople(trx, 0n, 10n ** 9n))
  const seals = async (): Promise<DaySeal[]> =>
    await books.db.read(ORG, async (trx) => await listSeals(trx, { after: '0001-01-01', limit: 9 }))
  const details = async () =>
    (await verifySeals(books.db, ORG)).findings.map(({ detail }) => detail)

  /** Makes a seal one of version 1, as they were made before people were covered. */
  async function makeOld(day: string): Promise<void> {
    await tamper(
      books,
      'day_seals',
      `update day_seals set people_no = null, people_hash = null where day = '${day}';
       update day_seals s set root = day_seal_root('test-1', s)
        where day = '${day}' and org_id = ${ORG}`,
    )
  }

  it('say which link is the newest, linked for it, and none at first', async () => {
    const [first] = await books.seal(1)
    expect(first).to.deep.include({ people_no: 0n, people_hash: peopleGenesisOf('test-1') })
    await note('user:1')
    await note('user:2')
    await note('user:3', OTHER_ORG)
    const [second] = await books.seal(1)
    const [, newest] = await chain()
    expect(second).to.deep.include({ people_no: 2n, people_hash: newest?.hash })
    expect(await books.seal(1)).to.have.length(1)
    expect(await details()).to.deep.equal([])
  })

  it('have a root that the database computes alike, of either version', async () => {
    await books.post([draftOf('a')])
    await note('user:1')
    await books.seal(1)
    await makeOld('2026-05-01')
    await books.seal(2)
    const all = await seals()
    expect(all.map((seal) => seal.people_no)).to.deep.equal([null, 1n, 1n])
    const roots = await books.read<{ root: Buffer }>(
      `select day_seal_root('test-1', s) as root from day_seals s order by day`,
    )
    expect(all.map((seal) => seal.root)).to.deep.equal(roots.map(({ root }) => root))
    expect(all.map(rootOf)).to.deep.equal(roots.map(({ root }) => root))
    expect(await details()).to.deep.equal([])
  })

  it('cover whoever acts while days are sealed, each time no less', async () => {
    const acting = Array.from({ length: 30 }, async (_one, n) => await note(`user:${n}`))
    const [sealed] = await Promise.all([books.seal(4), ...acting])
    sealed.push(...(await books.seal(2)))
    const numbers = sealed.map((seal) => Number(seal.people_no))
    expect(numbers).to.deep.equal([...numbers].sort((one, other) => one - other))
    expect(await details()).to.deep.equal([])
  })

  it('wait for what was done on their day and is not linked yet', async () => {
    await note('user:1')
    await books.own('alter table people_audit_waiting disable trigger unchanged')
    await books.own(`update people_audit_waiting set noted_at = '2026-05-01T12:00:00+05:30'`)
    const client = await typingClient(books, ORG)
    const content = {
      organisation: 'test-1',
      day: '2026-05-01',
      previous: null,
      first_no: 1n,
      last_no: 0n,
      head: Buffer.alloc(32),
      entries_root: Buffer.alloc(32),
      receipts: 0,
      receipts_root: Buffer.alloc(32),
      people_no: 0n,
      people_hash: peopleGenesisOf('test-1'),
    }
    const hex = (bytes: Buffer) => `'\\x${bytes.toString('hex')}'`
    const zeroes = hex(Buffer.alloc(32))
    const insert = `insert into day_seals (org_id, day, first_no, last_no, head, entries_root,
        receipts, receipts_root, root, people_no, people_hash)
      values (1, '2026-05-01', 1, 0, ${zeroes}, ${zeroes}, 0, ${zeroes}, ${hex(rootOf(content))},
        0, ${hex(content.people_hash)})`
    expect(await refusalOf(client, [insert])).to.match(/does not cover what people did/)
    // Linked, it is of that day, and not covered by a seal of nothing.
    await books.db.transact(ORG, linkPeople, { isolation: 'read committed' })
    expect(await refusalOf(client, [insert])).to.match(/does not cover what people did/)
    await client.end()
    expect(await sealNextDay(books.db, ORG)).to.deep.include({ people_no: 1n })
  })

  const changes: Record<string, [string, string, RegExp]> = {
    'a record whose hash was made anew': [
      'people_audit',
      `update people_audit set hash = sha256('x') where audit_no = 2`,
      /^2026-05-01: record 2 of people is not the one that was sealed\n2026-05-02: record 2 /,
    ],
    'a record that is gone': [
      'people_audit',
      'delete from people_audit where audit_no = 2',
      /^2026-05-01: record 2 of people, which it covers, is missing/,
    ],
    'a seal that covers less than the one before': [
      'day_seals',
      `update day_seals set people_no = 1 where day = '2026-05-02'`,
      /2026-05-02: it covers people’s records up to 1, the seal before it more/,
    ],
    'a seal of version 1 after one of version 2': [
      'day_seals',
      `update day_seals set people_no = null, people_hash = null where day = '2026-05-02'`,
      /2026-05-02: it says nothing of people, which the seal before it does/,
    ],
    'another head of people in a seal': [
      'day_seals',
      `update day_seals set people_hash = sha256('x') where day = '2026-05-02'`,
      /2026-05-02: its root is not over its own content\n2026-05-02: record 2 of people is not/,
    ],
  }
  for (const [title, [table, sql, due]] of Object.entries(changes)) {
    it(`show ${title}`, async () => {
      await note('user:1')
      await note('user:2')
      await books.seal(2)
      expect(await details()).to.deep.equal([])
      await tamper(books, table, sql)
      expect((await details()).join('\n')).to.match(due)
    })
  }
})
