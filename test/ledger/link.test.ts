/** Tests of the journal's hash chain: vectors written out by hand, and the database's own links. */
import { expect } from 'chai'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { genesisOf, linkHash } from '../../src/ledger/core/link.ts'
import { draftOf, openBooks, type Books } from './books.ts'

/** SHA-256 of what was written out, computed without the code under test. */
function sha256Hex(hex: string): string {
  return createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex')
}

const HASH = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes))
const ENTRY = {
  fingerprint: Buffer.alloc(32, 0xf1),
  entryNo: 258n,
  postedAt: new Date('2026-11-18T10:20:30.456Z'),
}
const PREVIOUS = Buffer.alloc(32, 0xa0)

describe('the hash before the first entry', () => {
  it('is of the layout’s name and the organisation’s slug', () => {
    const bytes = Buffer.from('bahi/journal/1\norganisation=10:asha-kiran\n')
    const expected = '2a5c6e9641406a02d13751d7e1cda032d82b2dfd4d68bebbac4fc93597c44267'
    expect(sha256Hex(bytes.toString('hex'))).to.equal(expected)
    expect(genesisOf('asha-kiran').toString('hex')).to.equal(expected)
  })

  it('is another one for each organisation', () => {
    const slugs = ['asha', 'asha-kiran', 'asha-kirana', '1:a', 'a\n', '']
    expect(new Set(slugs.map((slug) => genesisOf(slug).toString('hex'))).size).to.equal(6)
  })
})

describe('the hash of an entry', () => {
  it('is of 80 bytes: previous hash, fingerprint, number, milliseconds', () => {
    const hex = `${'a0'.repeat(32)}${'f1'.repeat(32)}0000000000000102000001a1ee2c1b78`
    expect(hex).to.have.length(160)
    const expected = '01196eb8619190c3ea8763778fdeadc8b7b09d2c4aa8c2f9ca17bbd4cab72793'
    expect(sha256Hex(hex)).to.equal(expected)
    expect(linkHash(PREVIOUS, ENTRY).toString('hex')).to.equal(expected)
  })

  it('changes with each of its four parts', () => {
    const others = [
      linkHash(Buffer.alloc(32, 0xa1), ENTRY),
      linkHash(PREVIOUS, { ...ENTRY, fingerprint: Buffer.alloc(32, 0xf2) }),
      linkHash(PREVIOUS, { ...ENTRY, entryNo: 259n }),
      linkHash(PREVIOUS, { ...ENTRY, postedAt: new Date(ENTRY.postedAt.getTime() + 1) }),
      linkHash(ENTRY.fingerprint, { ...ENTRY, fingerprint: PREVIOUS }),
    ]
    const all = [linkHash(PREVIOUS, ENTRY), ...others].map((hash) => hash.toString('hex'))
    expect(new Set(all).size).to.equal(6)
  })
})

describe('the hash that the database computes', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  it('is the same for any numbers and instants', async () => {
    await fc.assert(
      fc.asyncProperty(
        HASH,
        HASH,
        fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
        fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }),
        async (previous, fingerprint, entryNo, postedAt) => {
          const [row] = await books.read<{ hash: Buffer }>(
            `select sha256($1::bytea || $2::bytea || int8send($3::bigint) ||
                      int8send((extract(epoch from $4::timestamptz(3)) * 1000)::bigint))
                      as hash`,
            [previous, fingerprint, entryNo, postedAt],
          )
          expect(row?.hash.toString('hex')).to.equal(
            linkHash(previous, { fingerprint, entryNo, postedAt }).toString('hex'),
          )
        },
      ),
      { numRuns: 100 },
    )
  })

  it('links what is posted: in one batch and over several, from the slug on', async () => {
    await books.addOrganisation(90)
    await books.post([draftOf('a', { metadata: { z: '1', a: '₹' } }), draftOf('b')], 90)
    await books.post([draftOf('c')], 90)
    const rows = await books.read<{
      entry_no: bigint
      fingerprint: Buffer
      posted_at: Date
      hash: Buffer
    }>('select entry_no, fingerprint, posted_at, hash from journal_entries order by 1', [], 90)
    let previous = genesisOf('test-90')
    for (const row of rows) {
      previous = linkHash(previous, {
        fingerprint: row.fingerprint,
        entryNo: row.entry_no,
        postedAt: row.posted_at,
      })
      expect(row.hash.toString('hex'), String(row.entry_no)).to.equal(previous.toString('hex'))
    }
    expect(rows).to.have.length(3)
    expect(await books.read('select entry_no, hash from journal_heads', [], 90)).to.deep.equal([
      { entry_no: 3n, hash: previous },
    ])
  })

  it('starts otherwise in another organisation, though the entry is the same', async () => {
    const hashes = new Set<string>()
    for (const orgId of [91, 92]) {
      await books.addOrganisation(orgId)
      await books.post([draftOf('same')], orgId)
      const [row] = await books.read<{ hash: Buffer }>('select hash from journal_heads', [], orgId)
      hashes.add(row?.hash.toString('hex') ?? '')
    }
    expect(hashes.size).to.equal(2)
  })
})
