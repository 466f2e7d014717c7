/** Posts any number of drafts in their order, each unless one that it needs was refused. */
import type { Trx } from '../base/db.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { DRAFTS_MAX, post, type PostResult } from '../ledger/posting/post.ts'

export interface Wanted {
  draft: Draft
  /** Places of drafts before it. */
  needs: readonly number[]
}

/** What became of each draft, in the order given; one call to the books, unless there are many. */
export async function postInOrder(trx: Trx, wanted: readonly Wanted[]): Promise<PostResult[]> {
  const results: PostResult[] = []
  for (let from = 0; from < wanted.length; from += DRAFTS_MAX) {
    const part = wanted.slice(from, from + DRAFTS_MAX)
    const refused = part.map(({ needs }) =>
      needs.map((place) => results[place]).find((result) => result?.status === 'refused'),
    )
    // Those that stay out leave their place, so that the needs of the others still point right.
    const places = new Map<number, number>()
    const going = part.filter((_one, index) => {
      const goes = refused[index] === undefined
      if (goes) {
        places.set(from + index, places.size)
      }
      return goes
    })
    const posted = await post(
      trx,
      going.map(({ draft }) => draft),
      { needs: going.map(({ needs }) => needs.flatMap((place) => places.get(place) ?? [])) },
    )
    for (const [index] of part.entries()) {
      const result = refused[index] ?? posted[places.get(from + index) ?? -1]
      if (result === undefined) {
        throw new Error('a draft has no result')
      }
      results.push(result)
    }
  }
  return results
}
