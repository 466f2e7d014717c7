/** Drafts that need each other: what needs a refused one is refused with it, across calls too. */
import { expect } from 'chai'
import { postInOrder } from '../../src/donations/post-in-order.ts'
import { DRAFTS_MAX, post } from '../../src/ledger/posting/post.ts'
import {
  credit,
  debit,
  draftOf,
  FUND,
  openBooks,
  ORG,
  outcomes,
  type Books,
} from '../ledger/books.ts'

const REFUSED = { lines: [debit('assets:nowhere', 1n), credit(FUND, 1n)] }

describe('drafts that need each other', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  it('are refused with the one that they need, and nobody else is', async () => {
    const results = await books.db.transact(
      ORG,
      async (trx) =>
        await post(
          trx,
          [draftOf('a', REFUSED), draftOf('b'), draftOf('c'), draftOf('d'), draftOf('e', REFUSED)],
          { needs: [[], [0], [1], [], [3]] },
        ),
      { queue: 'journal' },
    )
    expect(outcomes(results)).to.deep.equal([
      'unknown_account',
      'unknown_account',
      'unknown_account',
      'posted 1',
      'unknown_account',
    ])
  })

  it('need each other across as many calls as it takes', async () => {
    const needsOf = (place: number): number[] => {
      if (place === 7) {
        return [3]
      }
      return place === DRAFTS_MAX + 7 ? [7] : []
    }
    const wanted = Array.from({ length: 2 * DRAFTS_MAX + 5 }, (_, place) => ({
      draft: draftOf(`many-${place}`, place === 3 ? REFUSED : {}),
      needs: needsOf(place),
    }))
    const results = await books.db.transact(ORG, async (trx) => await postInOrder(trx, wanted), {
      queue: 'journal',
    })
    const refused = results.flatMap((result, index) => (result.status === 'refused' ? [index] : []))
    expect(results).to.have.length(wanted.length)
    expect(refused).to.deep.equal([3, 7, DRAFTS_MAX + 7])
  })

  it('are none without any', async () => {
    const results = await books.db.transact(ORG, async (trx) => await postInOrder(trx, []))
    expect(results).to.deep.equal([])
  })
})
