/** Tests of the audit trail: its rows, its order, and that a page of it is never large. */
import { expect } from 'chai'
import { text } from 'node:stream/consumers'
import { auditTrailCsv } from '../../src/exports/audit-trail.ts'
import { readEntries } from '../../src/exports/leaves.ts'
import { genesisOf } from '../../src/ledger/core/link.ts'
import {
  BANK,
  credit,
  debit,
  draftOf,
  FUND,
  openBooks,
  ORG,
  OTHER_ORG,
  type Books,
} from '../ledger/books.ts'

describe('the audit trail', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
    const lines = Array.from({ length: 500 }, () => [debit(BANK, 1n), credit(FUND, 1n)]).flat()
    await books.post([draftOf('a', { description: '=cmd', metadata: { note: 'it\'s, "so"' } })])
    for (let round = 0; round < 12; round += 1) {
      await books.post([draftOf(`long${round}`, { lines })])
    }
    await books.post([draftOf('b'), draftOf('c', { kind: 'adjustment', adjusts: 1n })])
  })

  after(async () => {
    await books.close()
  })

  async function rows(orgId = ORG): Promise<string[]> {
    return (await text(auditTrailCsv(books.db, orgId))).split('\r\n')
  }

  it('has one row for each posting between a start and an end', async () => {
    const all = await rows()
    expect(all.at(-1)).to.equal('')
    expect(all).to.have.length(1 + 1 + 3 * 2 + 12 * 1000 + 1 + 1)
    const genesis = genesisOf('test-1').toString('hex')
    expect(all[1]).to.equal(`start,0${','.repeat(17)}${genesis},test-1,bahi/audit-trail/1`)
    const [head] = await books.read<{ hash: Buffer }>('select hash from journal_heads')
    expect(all.at(-2)).to.equal(`end,15${','.repeat(17)}${head?.hash.toString('hex')},,`)
    const numbers = all.slice(2, -2).map((row) => Number(row.split(',')[1]))
    expect(numbers).to.deep.equal(numbers.toSorted((one, other) => one - other))
    expect(new Set(numbers).size).to.equal(15)
  })

  it('has what an entry says once, and the short cells on each line', async () => {
    const all = await rows()
    const [day, posted] = ['2026-05-04', String.raw`\d{4}-\d\d-\d\dT[\d:.]{12}Z`]
    expect(all[2]).to.match(
      new RegExp(
        `^entry,1,${posted},${day},donation_captured,1,assets:bank:main,debit,100,INR,'=cmd,a,` +
          `test:a,test,,,"\\{""note"":""it's, \\\\""so\\\\""""\\}",[0-9a-f]{64},[0-9a-f]{64},,$`,
      ),
    )
    expect(all[3]).to.match(
      new RegExp(
        `^line,1,${posted},${day},donation_captured,2,equity:general-fund,credit,100,INR,{11}$`,
      ),
    )
    expect(all.find((row) => row.startsWith('entry,15,'))).to.include(',c,test:c,test,,1,{},')
  })

  it('is a start and an end where nothing was posted', async () => {
    const all = await rows(OTHER_ORG)
    expect(all.map((row) => row.split(',')[0])).to.deep.equal(['record', 'start', 'end', ''])
  })

  it('is a header where there is no organisation', async () => {
    expect(await rows(99)).to.have.length(2)
  })

  it('reads few entries at once where they are long, and always one', async () => {
    const sizes = await books.db.read(ORG, async (trx) => {
      const first = await readEntries(trx, 0n, 15n)
      const rest = await readEntries(trx, 13n, 15n)
      const bounded = await readEntries(trx, 0n, 1n)
      return [first.length, rest.length, bounded.length]
    })
    expect(sizes[0]).to.be.within(2, 11)
    expect(sizes.slice(1)).to.deep.equal([2, 1])
  })
})
