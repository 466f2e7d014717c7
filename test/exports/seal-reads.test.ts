/** Tests that a seal changes nothing that is read, and that the checks know what a seal is. */
import { expect } from 'chai'
import { balanceOf, trialBalance } from '../../src/ledger/reading/balances.ts'
import { selfCheck } from '../../src/ledger/checks/self-check.ts'
import { statement } from '../../src/ledger/reading/statements.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { draftOf, ORG } from '../ledger/books.ts'
import { openPastBooks, type PastBooks } from './past.ts'

const INSTANTS = [
  '2026-05-01T14:59:59.999+05:30',
  '2026-05-01T15:00:00+05:30',
  '2026-05-01T18:00:00+05:30',
  '2026-05-01T21:00:00+05:30',
  '2026-05-01T23:59:59.999+05:30',
  '2026-05-02T00:00:00+05:30',
  '2026-05-02T09:00:00+05:30',
].map((text) => new Date(text))

describe('a seal', () => {
  let books: PastBooks

  beforeEach(async () => {
    books = await openPastBooks()
    await books.setClock('2026-05-01T15:00:00+05:30')
    await books.post([draftOf('a')])
    await books.setClock('2026-05-01T18:00:00+05:30')
    await books.post([draftOf('b')])
    await books.setClock('2026-05-02T09:00:00+05:30')
  })

  afterEach(async () => {
    await books.close()
  })

  /** All that can be read as it was known at each of the instants. */
  async function known(): Promise<unknown[]> {
    return await books.db.read(ORG, async (trx) => {
      const read: unknown[] = []
      for (const knownAt of INSTANTS) {
        const range = { accountId: 1, from: '2026-01-01', to: '2026-12-31', limit: 10, after: null }
        read.push(
          await balanceOf(trx, 1, { asOf: null, knownAt }),
          await trialBalance(trx, { asOf: null, knownAt }),
          await statement(trx, { ...range, knownAt }),
        )
      }
      return read
    })
  }

  it('leaves every balance as it was known at any instant', async () => {
    const before = await known()
    expect(before.filter((one) => typeof one === 'bigint')).to.deep.equal([
      0n,
      100n,
      200n,
      200n,
      200n,
      200n,
      200n,
    ])
    await books.seal(1)
    expect(await known()).to.deep.equal(before)
  })

  it('is no difference to verification and self-check', async () => {
    await books.seal(1)
    const { findings } = await verifyLedger(books.db, ORG, () => undefined)
    expect(findings).to.deep.equal([])
    const run = await selfCheck(books.db, ORG)
    expect(run).to.deep.include({ isRoundDone: true, differences: 0 })
  })
})
