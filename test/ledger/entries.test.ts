/** Lists of entries: every entry once in its order, whatever is filtered out or missing. */
import { expect } from 'chai'
import { listEntries, type EntryFilter } from '../../src/ledger/reading/entries.ts'
import { draftOf, openBooks, OTHER_ORG, type Books } from './books.ts'

describe('a list of entries', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
    await books.post(
      Array.from({ length: 40 }, (_none, n) =>
        draftOf(`listed-${n}`, {
          kind: n % 10 === 0 ? 'manual' : 'donation_captured',
          effectiveOn: n < 20 ? '2026-05-04' : '2026-06-04',
        }),
      ),
    )
  })

  after(async () => {
    await books.close()
  })

  async function numbers(filter: EntryFilter, orgId = 1): Promise<number[]> {
    const entries = await books.db.read(orgId, async (trx) => await listEntries(trx, filter))
    return entries.map((entry) => {
      expect(entry.postings.map((one) => one.line_no)).to.deep.equal([1, 2])
      return Number(entry.entry_no)
    })
  }

  it('is the newest first, or the oldest first after one', async () => {
    expect(await numbers({ limit: 3 })).to.deep.equal([40, 39, 38])
    expect(await numbers({ limit: 3, before: 3n })).to.deep.equal([2, 1])
    expect(await numbers({ limit: 3, before: 10n ** 18n })).to.deep.equal([40, 39, 38])
    expect(await numbers({ limit: 3, before: 1n })).to.deep.equal([])
    expect(await numbers({ limit: 3, after: 0n })).to.deep.equal([1, 2, 3])
    expect(await numbers({ limit: 3, after: 38n })).to.deep.equal([39, 40])
    expect(await numbers({ limit: 3, after: 40n })).to.deep.equal([])
    expect(await numbers({ limit: 9, after: 37n, before: 40n })).to.deep.equal([38, 39])
  })

  it('goes as far as it must where a filter leaves entries out', async () => {
    expect(await numbers({ limit: 3, kind: 'manual' })).to.deep.equal([31, 21, 11])
    expect(await numbers({ limit: 9, kind: 'manual', after: 1n })).to.deep.equal([11, 21, 31])
    expect(await numbers({ limit: 2, to: '2026-05-31' })).to.deep.equal([20, 19])
    expect(await numbers({ limit: 2, from: '2026-06-01', after: 0n })).to.deep.equal([21, 22])
    expect(await numbers({ limit: 2, from: '2026-05-05', to: '2026-06-03' })).to.deep.equal([])
  })

  it('shows what is left where somebody has removed entries', async () => {
    await books.post(
      Array.from({ length: 9 }, (_none, n) => draftOf(`gap-${n}`)),
      OTHER_ORG,
    )
    await books.own(
      `set session_replication_role = replica;
       delete from postings where org_id = 2 and entry_no between 2 and 7;
       delete from journal_entries where org_id = 2 and entry_no between 2 and 7`,
    )
    expect(await numbers({ limit: 2, after: 0n }, OTHER_ORG)).to.deep.equal([1, 8])
    expect(await numbers({ limit: 3 }, OTHER_ORG)).to.deep.equal([9, 8, 1])
    expect(await numbers({ limit: 2, before: 5n }, OTHER_ORG)).to.deep.equal([1])
  })
})
