/** Tests of day seals: what they cover, when they are made, and what the database refuses. */
import { expect } from 'chai'
import { openTree } from '../../src/audit/merkle.ts'
import { peopleGenesisOf } from '../../src/audit/people.ts'
import { issueReceipts } from '../../src/donations/receipts.ts'
import { findSeal, listSeals, sealNextDay } from '../../src/exports/day-seals.ts'
import { verifySeals } from '../../src/exports/verify-seals.ts'
import { encodeReceipt, rootOf, type SealedReceipt } from '../../src/exports/seal.ts'
import { organisationsWith } from '../../src/inbox/waiting.ts'
import { genesisOf } from '../../src/ledger/core/link.ts'
import { captured, openFor, record } from '../donations/facts.ts'
import { draftOf, ORG, OTHER_ORG, outcomes, typingClient } from '../ledger/books.ts'
import { refusalOf } from '../ledger/typed.ts'
import { openPastBooks, type PastBooks } from './past.ts'

const DAY1 = '2026-05-01T15:00:00+05:30'

/** What may be typed for a column. */
type Typed = string | number | bigint | Buffer | null

async function hashes(books: PastBooks): Promise<Buffer[]> {
  const rows = await books.read<{ hash: Buffer }>(
    'select hash from journal_entries where org_id = 1 order by entry_no',
  )
  return rows.map((row) => row.hash)
}

function treeRoot(leaves: readonly Buffer[]): string {
  const tree = openTree()
  leaves.forEach((leaf) => tree.add(leaf))
  return tree.root().toString('hex')
}

describe('sealing days', () => {
  let books: PastBooks

  beforeEach(async () => {
    books = await openPastBooks()
  })

  afterEach(async () => {
    await books.close()
  })

  it('covers the entries of each day in order, and days without any', async () => {
    await books.post([draftOf('a'), draftOf('b')])
    await books.setClock('2026-05-01T23:59:59.999+05:30')
    await books.post([draftOf('c')])
    await books.setClock('2026-05-03T00:00:00+05:30')
    await books.post([draftOf('d')])
    const [first, second, third] = await books.seal(3)
    const all = await hashes(books)

    expect(first).to.deep.include({ day: '2026-05-01', first_no: 1n, last_no: 3n, previous: null })
    expect(first?.entries_root.toString('hex')).to.equal(treeRoot(all.slice(0, 3)))
    expect(first?.head).to.deep.equal(all[2])
    expect(second).to.deep.include({ day: '2026-05-02', first_no: 4n, last_no: 3n, receipts: 0 })
    expect(second?.entries_root.toString('hex')).to.equal(treeRoot([]))
    expect(second?.head).to.deep.equal(all[2])
    expect(second?.previous).to.deep.equal(first?.root)
    expect(third).to.deep.include({ day: '2026-05-03', first_no: 4n, last_no: 4n })
    expect(third?.entries_root.toString('hex')).to.equal(treeRoot(all.slice(3)))
  })

  it('begins where the organisation does, also when it has posted nothing', async () => {
    const [first] = await books.seal(1)
    expect(first).to.deep.include({ day: '2026-05-01', first_no: 1n, last_no: 0n })
    expect(first?.head).to.deep.equal(genesisOf('test-1'))
  })

  it('begins before the organisation where an entry is older', async () => {
    await books.setClock('2026-04-28T12:00:00+05:30')
    await books.post([draftOf('a')])
    const [first] = await books.seal(1)
    expect(first).to.deep.include({ day: '2026-04-28', first_no: 1n, last_no: 1n })
  })

  it('reaches yesterday in India, never today, and then rests', async () => {
    await books.own(`update organisations set created_at = now() - interval '2 days'`)
    await books.setClock(new Date().toISOString())
    await books.post([draftOf('now')])
    const seals = await books.seal()
    expect(seals.length).to.be.within(1, 2)
    expect(seals.every(({ first_no: first, last_no: last }) => first > last)).to.equal(true)
    expect(await organisationsWith(books.db, 'seals')).to.not.include(ORG)
    expect(await sealNextDay(books.db, ORG)).to.equal(null)
  })

  it('is due for organisations with days that are over', async () => {
    expect(await organisationsWith(books.db, 'seals')).to.have.members([ORG, OTHER_ORG])
    await books.own('update organisations set created_at = now()')
    expect(await organisationsWith(books.db, 'seals')).to.deep.equal([])
  })

  it('makes each seal once, whoever makes it at the same time', async () => {
    await books.post([draftOf('a')])
    const made = await Promise.all(
      Array.from({ length: 6 }, async () => await sealNextDay(books.db, ORG)),
    )
    const days = made.flatMap((seal) => (seal === null ? [] : [seal.day]))
    const kept = await books.read<{ day: string }>('select day from day_seals order by day')
    expect([...days].sort()).to.deep.equal(kept.map(({ day }) => day))
  })

  it('stays sound while others post', async () => {
    const posting = Array.from({ length: 20 }, async (_one, index) => {
      await books.setClock(`2026-05-0${1 + (index % 4)}T12:00:00+05:30`)
      return await books.post([draftOf(`k${index}`)])
    })
    const [seals] = await Promise.all([books.seal(4), ...posting])
    const rest = await books.seal(3)
    const all = await hashes(books)
    expect(all).to.have.length(20)
    for (const seal of [...seals, ...rest]) {
      const own = all.slice(Number(seal.first_no) - 1, Number(seal.last_no))
      expect(seal.entries_root.toString('hex'), seal.day).to.equal(treeRoot(own))
      const posted = await books.read<{ day: string }>(
        `select distinct (posted_at at time zone 'Asia/Kolkata')::date as day
           from journal_entries where org_id = 1 and entry_no between $1 and $2`,
        [seal.first_no, seal.last_no],
      )
      expect(posted).to.deep.equal(own.length === 0 ? [] : [{ day: seal.day }])
    }
  })

  it('lets nothing more into a sealed day, though the clock goes back', async () => {
    await books.post([draftOf('a')])
    await books.seal(2)
    await books.setClock(DAY1)
    expect(outcomes(await books.post([draftOf('late')]))).to.deep.equal(['posted 2'])
    const [late] = await books.read<{ posted_at: Date }>(
      'select posted_at from journal_entries where org_id = 1 and entry_no = 2',
    )
    expect(late?.posted_at.toISOString()).to.equal('2026-05-02T18:30:00.000Z')
    const [third] = await books.seal(1)
    expect(third).to.deep.include({ day: '2026-05-03', first_no: 2n, last_no: 2n })
  })

  it('belongs to one organisation', async () => {
    await books.post([draftOf('a')])
    await books.seal(1)
    expect(await books.read('select * from day_seals', [], OTHER_ORG)).to.deep.equal([])
    const other = await sealNextDay(books.db, OTHER_ORG)
    expect(other).to.deep.include({ organisation: 'test-2', last_no: 0n })
  })

  it('is found by day and listed from both ends', async () => {
    await books.seal(4)
    await books.db.read(ORG, async (trx) => {
      expect((await findSeal(trx, '2026-05-02'))?.day).to.equal('2026-05-02')
      expect(await findSeal(trx, '2026-06-02')).to.equal(undefined)
      const days = async (page: Parameters<typeof listSeals>[1]) =>
        (await listSeals(trx, page)).map(({ day }) => day)
      expect(await days({ limit: 2 })).to.deep.equal(['2026-05-04', '2026-05-03'])
      expect(await days({ before: '2026-05-03', limit: 5 })).to.deep.equal([
        '2026-05-02',
        '2026-05-01',
      ])
      expect(await days({ after: '2026-05-02', limit: 1 })).to.deep.equal(['2026-05-03'])
    })
  })
})

describe('sealing receipts', () => {
  let books: PastBooks

  beforeEach(async () => {
    books = await openPastBooks()
  })

  afterEach(async () => {
    await books.close()
  })

  it('covers those of the day in the order of their numbers, with their PDFs', async () => {
    for (const name of ['one', 'two', 'three']) {
      await books.receipt(DAY1, name)
    }
    await books.receipt('2026-05-02T09:00:00+05:30', 'four')
    await books.makePdfs()
    const [first, second] = await books.seal(2)
    const rows = await books.read<SealedReceipt>('select * from receipts order by number')
    expect(first?.receipts).to.equal(3)
    expect(second?.receipts).to.equal(1)
    const leaves = rows.slice(0, 3).map(encodeReceipt)
    expect(first?.receipts_root.toString('hex')).to.equal(treeRoot(leaves))
    expect(rows[0]?.pdf_sha256).to.have.length(32)
    expect(first?.without_pdf).to.deep.equal([])
  })

  it('waits three days for PDFs, then seals without them and says so', async () => {
    const lately = new Date(Date.now() - 2 * 86_400_000).toISOString()
    await books.own(`update organisations set created_at = '${lately}'`)
    await books.receipt(lately, 'new')
    expect(await books.seal()).to.deep.equal([])
    await books.makePdfs()
    const [made] = await books.seal()
    expect(made).to.deep.include({ receipts: 1, without_pdf: [] })
    await books.close()

    books = await openPastBooks()
    await books.receipt(DAY1, 'old')
    const [seal] = await books.seal(1)
    const [row] = await books.read<SealedReceipt>('select * from receipts')
    expect(seal?.without_pdf).to.deep.equal([row?.number])
    await books.makePdfs()
    const [again] = await books.read<SealedReceipt>('select * from receipts')
    expect(again?.pdf_sha256).to.not.equal(null)
    const leaf = again === undefined ? [] : [encodeReceipt({ ...again, pdf_sha256: null })]
    expect(seal?.receipts_root.toString('hex')).to.equal(treeRoot(leaf))
  })

  it('covers a receipt of the day or keeps it out, where both come at once', async () => {
    for (let day = 1; day <= 8; day += 1) {
      const at = new Date(`2026-05-0${day}T12:00:00+05:30`)
      await books.setClock(at.toISOString())
      await openFor(books, { order: `order_${day}` })
      await record(books, [captured({ payment: `pay_${day}`, order: `order_${day}`, at })])
      const [issued, sealed] = await Promise.allSettled([
        issueReceipts(books.db, ORG, books.keyring, at),
        books.seal(1),
      ])
      expect(sealed.status).to.equal('fulfilled')
      const [seal] = sealed.status === 'fulfilled' ? sealed.value : []
      const [{ n } = { n: 0 }] = await books.read<{ n: number }>(
        `select count(*)::integer as n from receipts where org_id = 1 and issued_at = $1`,
        [at],
      )
      expect(seal?.receipts, `day ${day}`).to.equal(n)
      expect(issued.status === 'rejected', `day ${day}`).to.equal(n === 0)
    }
    expect((await verifySeals(books.db, ORG)).findings).to.deep.equal([])
  })

  it('lets no receipt into a sealed day; it is issued once its clock is right', async () => {
    await books.seal(2)
    await openFor(books, { order: 'order_x' })
    await record(books, [captured({ payment: 'pay_x', order: 'order_x', at: new Date(DAY1) })])
    const issue = async (at: string) =>
      await issueReceipts(books.db, ORG, books.keyring, new Date(at))
    const refused = await issue('2026-05-02T23:59:59.999+05:30').catch(String)
    expect(refused).to.match(/the day of receipt \S+ is sealed/)
    expect(await issue('2026-05-03T00:00:00+05:30')).to.equal(1)
    const [third] = await books.seal(1)
    expect(third?.receipts).to.equal(1)
  })
})

describe('the table of seals', () => {
  let books: PastBooks
  let client: Awaited<ReturnType<typeof typingClient>>

  before(async () => {
    books = await openPastBooks()
    await books.post([draftOf('a')])
    await books.setClock('2026-05-02T12:00:00+05:30')
    await books.post([draftOf('b')])
    await books.receipt('2026-05-03T12:00:00+05:30', 'r')
    await books.makePdfs()
    await books.seal(1)
    client = await typingClient(books, ORG)
  })

  after(async () => {
    await client.end()
    await books.close()
  })

  /** The second day's seal as it should be, unless `more` says otherwise; its root is right. */
  async function typed(more: Record<string, Typed> = {}): Promise<string> {
    const [first] = await books.db.read(ORG, async (trx) => await listSeals(trx, { limit: 1 }))
    const [, second] = await hashes(books)
    if (first === undefined || second === undefined) {
      throw new Error('there is no first seal')
    }
    const content = {
      organisation: 'test-1',
      day: '2026-05-02',
      previous: first.root,
      first_no: 2n,
      last_no: 2n,
      head: second,
      entries_root: second,
      receipts: 0,
      receipts_root: second,
      people_no: 0n,
      people_hash: peopleGenesisOf('test-1'),
      ...more,
    }
    const { organisation: _slug, ...columns } = { root: rootOf(content), ...content, ...more }
    const literal = (value: Typed) => {
      if (value === null) {
        return 'null'
      }
      return Buffer.isBuffer(value) ? `'\\x${value.toString('hex')}'` : `'${String(value)}'`
    }
    const row = { org_id: ORG, ...columns }
    return `insert into day_seals (${Object.keys(row).join(', ')})
            values (${Object.values(row).map(literal).join(', ')})`
  }

  it('takes a seal that is right', async () => {
    expect(await refusalOf(client, [await typed()])).to.equal(null)
  })

  const zeroes = Buffer.alloc(32)
  const wrong: Record<string, [Record<string, Typed>, RegExp]> = {
    'of a day that was left out': [{ day: '2026-05-03' }, /go on from the newest/],
    'of the first day again': [{ day: '2026-05-01' }, /duplicate key/],
    'of a day before': [{ day: '2026-04-30' }, /go on from the newest/],
    'of another predecessor': [{ previous: zeroes }, /go on from the newest/],
    'of no predecessor': [{ previous: null }, /go on from the newest/],
    'that leaves an entry out': [{ first_no: 3n, last_no: 3n }, /go on from the newest/],
    'that lacks its last entry': [{ last_no: 1n }, /entries 2 to 1 are not/],
    'that reaches into the next day': [{ last_no: 3n }, /entries 2 to 3 are not/],
    'that reaches behind the newest entry': [{ last_no: 9n }, /entries 2 to 9 are not/],
    'with another head': [{ head: zeroes }, /not over its own content/],
    'with another root': [{ root: zeroes }, /not over its own content/],
    'with another number of receipts': [{ receipts: 1 }, /does not cover the receipts/],
    'with receipts that lack nothing': [{ without_pdf: '{x}' }, /does not cover the receipts/],
    'that says nothing of people': [{ people_no: null, people_hash: null }, /what people did/],
    'with another head of people': [{ people_hash: zeroes }, /what people did/],
    'of records of people that are not there': [{ people_no: 1n }, /what people did/],
    'of another organisation': [{ org_id: OTHER_ORG }, /^42501 /],
    'with a time of its own': [{ sealed_at: '2020-01-01' }, /^42501 permission denied/],
  }
  for (const [title, [more, why]] of Object.entries(wrong)) {
    it(`takes none ${title}`, async () => {
      expect(await refusalOf(client, [await typed(more)])).to.match(why)
    })
  }

  it('takes none of a day that is not over', async () => {
    const fresh = await openPastBooks()
    await fresh.own(`update organisations set created_at = now()`)
    const typist = await typingClient(fresh, ORG)
    const content = {
      organisation: 'test-1',
      day: new Date(Date.now() + 19_800_000).toISOString().slice(0, 10),
      previous: null,
      first_no: 1n,
      last_no: 0n,
      head: genesisOf('test-1'),
      entries_root: zeroes,
      receipts: 0,
      receipts_root: zeroes,
      people_no: null,
      people_hash: null,
    }
    const hex = (bytes: Buffer) => `'\\x${bytes.toString('hex')}'`
    const sql = `insert into day_seals (org_id, day, first_no, last_no, head, entries_root,
       receipts, receipts_root, root)
       values (1, '${content.day}', 1, 0, ${hex(content.head)}, ${hex(zeroes)}, 0, ${hex(zeroes)},
         ${hex(rootOf(content))})`
    expect(await refusalOf(typist, [sql])).to.match(/is not over$/)
    await typist.end()
    await fresh.close()
  })

  it('is never changed, emptied or lent out, not even by its owner', async () => {
    for (const sql of ['update day_seals set receipts = 0', 'delete from day_seals']) {
      expect(await refusalOf(client, [sql]), sql).to.match(/^42501 permission denied/)
      expect(await books.own(sql).catch(String), sql).to.match(/is refused/)
    }
    expect(await books.own('truncate day_seals').catch(String)).to.match(/is refused/)
    for (const guard of ['day_seals_guard', 'periods_guard']) {
      const borrowed = await refusalOf(client, [
        'create temp table forged (like day_seals)',
        `create trigger mine after insert on forged for each row execute function ${guard}()`,
      ])
      expect(borrowed, guard).to.match(/^42501 permission denied/)
    }
  })
})
