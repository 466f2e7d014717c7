/** Entries of the books for reports, some at a time: in the order of posting, or day by day. */
import type { IsoDate } from '../base/clock.ts'
import { listEntries, type PostedEntry } from '../ledger/reading/entries.ts'
import type { Books } from './books.ts'

/** One entry may have a thousand postings. */
const TOGETHER = 200

export interface Filter {
  from: IsoDate | null
  to: IsoDate | null
  kind: string | null
}

/** The entries in the order of their numbers. */
export async function* entriesOf(
  books: Books,
  { from, to, kind }: Filter,
  within: { after: bigint; last: bigint } = { after: 0n, last: books.through },
): AsyncGenerator<PostedEntry[]> {
  const filter = {
    before: within.last + 1n,
    limit: TOGETHER,
    ...(from === null ? {} : { from }),
    ...(to === null ? {} : { to }),
    ...(kind === null ? {} : { kind }),
  }
  for (let after = within.after; after < within.last;) {
    const page = await books.db.read(
      books.orgId,
      async (trx) => await listEntries(trx, { ...filter, after }),
    )
    const last = page.at(-1)
    if (last === undefined) {
      return
    }
    yield page
    after = last.entry_no
  }
}

/** The entries by effective day, and of a day in the order of their numbers. */
export async function* entriesByDay(books: Books, filter: Filter): AsyncGenerator<PostedEntry[]> {
  for (const { day, first, last } of await daysOf(books, filter)) {
    yield* entriesOf(books, { ...filter, from: day, to: day }, { after: first - 1n, last })
  }
}

/** The days that entries are effective on, and between which numbers each day's stand. */
async function daysOf(
  { db, orgId, through }: Books,
  { from, to, kind }: Filter,
): Promise<{ day: IsoDate; first: bigint; last: bigint }[]> {
  return await db.read(
    orgId,
    async (trx) =>
      await trx.query(
        `select effective_on as day, min(entry_no) as first, max(entry_no) as last
           from journal_entries
          where org_id = $1 and entry_no <= $2
            and ($3::date is null or effective_on >= $3)
            and ($4::date is null or effective_on <= $4)
            and ($5::text is null or kind = $5)
          group by effective_on order by effective_on`,
        [orgId, through, from, to, kind],
      ),
  )
}
