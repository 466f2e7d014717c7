/** The self-check's slice of accounts: balances, days and running balances out of the postings. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import {
  beginWalk,
  endDay,
  endWalk,
  FIRST_DAY,
  walkDay,
  walkPosting,
  type AccountRow,
  type Difference,
  type PostingRow,
  type Sums,
  type Walk,
} from './account-walk.ts'
import { typeOf } from '../core/chart.ts'
import { strangers, strangersAtEnd } from './self-check-rest.ts'

/** How much one run takes of everything. */
export interface Slice {
  entries: number
  accounts: number
  days: number
  /** More than an entry has lines. */
  postings: number
}

export interface AccountsPosition {
  nextAccountId: number
  throughAccountId: number
  /** The account in hand, which comes before `nextAccountId`; null for none. */
  walk: Walk | null
}

/** Checks the next accounts; of one that is too large for the slice, the next postings. */
export async function checkBalances(
  trx: Trx,
  from: AccountsPosition,
  slice: Slice,
  head: bigint,
): Promise<{ position: AccountsPosition; differences: Difference[] }> {
  const differences: Difference[] = []
  const position = { ...from, walk: structuredClone(from.walk) }
  let walks: Walk[] = []
  if (position.walk !== null) {
    walks = [position.walk]
    position.walk = null
  } else if (position.nextAccountId <= position.throughAccountId) {
    const rows = await readAccounts(trx, position, slice)
    differences.push(
      ...(await strangers(trx, position.nextAccountId, rows)),
      ...rows.flatMap(wrongType),
    )
    walks = rows.map((row) => beginWalk(row, head))
    position.nextAccountId = (rows.at(-1)?.account_id ?? position.throughAccountId) + 1
  }
  if (walks.length > 0) {
    const page = await readPage(trx, walks, slice, head)
    for (const walk of walks) {
      differences.push(...goOn(walk, page.days.get(walk.accountId) ?? []))
      if (walk.accountId === page.unfinished) {
        // Accounts behind it that were read too are read again.
        position.nextAccountId = walk.accountId + 1
        position.walk = walk
        break
      }
      differences.push(...endWalk(walk))
    }
  }
  if (position.walk === null && position.nextAccountId > position.throughAccountId) {
    differences.push(...(await strangersAtEnd(trx)))
  }
  return { position, differences }
}

type AccountToCheck = AccountRow & { type: string }

/** The next accounts, as many as have no more postings than the slice; one at least. */
async function readAccounts(
  trx: Trx,
  { nextAccountId, throughAccountId }: AccountsPosition,
  slice: Slice,
): Promise<AccountToCheck[]> {
  const rows = await trx.query<AccountToCheck>(
    `select account_id, code, type, normal, version, debits, credits, day, day_debits, day_credits
       from accounts where org_id = $1 and account_id between $2 and $3
      order by account_id limit $4`,
    [trx.scope, nextAccountId, throughAccountId, slice.accounts],
  )
  const fitting: AccountToCheck[] = []
  let postings = 0n
  for (const row of rows) {
    postings += row.version
    if (fitting.length > 0 && postings >= BigInt(slice.postings)) {
      break
    }
    fitting.push(row)
  }
  return fitting
}

function wrongType({ account_id: accountId, code, type }: AccountToCheck): Difference[] {
  const detail = `account ${code}: its type is ${type}, its code says ${typeOf(code)}`
  return typeOf(code) === type ? [] : [{ check: 'account type', detail, accountId, entryNo: null }]
}

interface DayOfAccount {
  account_id: number
  effective_on: IsoDate
  debits: bigint
  credits: bigint
}

interface DayPage {
  accountId: number
  day: IsoDate
  postings: PostingRow[]
  /** All postings of the day are here or were read before. */
  isWhole: boolean
  /** What is stored for the day as of the walk's beginning; null where that is not known. */
  stored: Sums | null
}

interface Page {
  days: Map<number, DayPage[]>
  /** The account that has more than is on the page. */
  unfinished: number | null
}

async function readPage(
  trx: Trx,
  walks: readonly Walk[],
  slice: Slice,
  head: bigint,
): Promise<Page> {
  const [first] = walks
  const at = first?.at ?? { day: FIRST_DAY, entryNo: 0n }
  const through = first?.throughEntryNo ?? head
  const days = await readDays(trx, walks, at.day, slice.days)
  const rows = await readPostings(trx, days, { after: at.entryNo, through, limit: slice.postings })
  const isCut = rows.length === slice.postings
  const last = rows.at(-1)
  // The last entry may have more lines on the account than fit.
  const kept = rows.filter(({ n, entry_no: no }) => !isCut || n !== last?.n || no !== last.entry_no)
  const byDay = Map.groupBy(kept.length > 0 ? kept : rows, ({ n }) => Number(n))
  const cutAt = isCut && last !== undefined ? Number(last.n) - 1 : days.length
  const page = days.slice(0, cutAt + 1).map((day, index): DayPage => {
    return {
      accountId: day.account_id,
      day: day.effective_on,
      postings: (byDay.get(index + 1) ?? []).sort(byEntryAndLine),
      isWhole: index < cutAt,
      stored: day,
    }
  })
  if (first !== undefined && through < head) {
    const moved = page.filter(({ day, isWhole }) => isWhole && day !== first.newest.day)
    await takeAway(trx, moved, { through, limit: slice.postings })
  }
  const hasMoreDays = days.length === slice.days
  const unfinished = isCut || hasMoreDays ? (page.at(-1)?.accountId ?? null) : null
  return { days: Map.groupBy(page, ({ accountId }) => accountId), unfinished }
}

type OrderedPosting = PostingRow & { n: bigint; line_no: number }

function byEntryAndLine(one: OrderedPosting, other: OrderedPosting): number {
  return one.entry_no === other.entry_no
    ? one.line_no - other.line_no
    : Number(one.entry_no - other.entry_no)
}

/** The days that are stored for these accounts, account by account; a day twice is two rows. */
async function readDays(
  trx: Trx,
  walks: readonly Walk[],
  from: IsoDate,
  limit: number,
): Promise<DayOfAccount[]> {
  return await trx.query<DayOfAccount>(
    `select a.account_id, d.effective_on, d.debits, d.credits
       from unnest($2::integer[]) with ordinality as a (account_id, n)
      cross join lateral (
        select effective_on, debits, credits from account_days
         where org_id = $1 and account_id = a.account_id and effective_on >= $3
         order by effective_on limit $4
      ) d
      order by a.n, d.effective_on limit $4`,
    [trx.scope, walks.map(({ accountId }) => accountId), from, limit],
  )
}

/** Postings of those days up to an entry; of the first day, those after an entry. */
async function readPostings(
  trx: Trx,
  days: readonly DayOfAccount[],
  page: { after: bigint; through: bigint; limit: number },
): Promise<OrderedPosting[]> {
  // Day by day: a day that others post to all the time has no more read of it than is asked for.
  return await trx.query<OrderedPosting>(
    `select d.n, p.*
       from unnest($2::integer[], $3::date[]) with ordinality as d (account_id, day, n)
      cross join lateral (
        select entry_no, line_no, direction, amount, balance_after, day_balance_after,
               account_version
          from postings
         where org_id = $1 and account_id = d.account_id and effective_on = d.day
           and entry_no > case when d.n = 1 then $4::bigint else 0 end and entry_no <= $5
         order by entry_no limit $6
      ) p
      order by d.n limit $6`,
    [
      trx.scope,
      days.map((day) => day.account_id),
      days.map((day) => day.effective_on),
      page.after,
      page.through,
      page.limit,
    ],
  )
}

/**
 * Takes from the stored sums of whole days what was posted after the walk began. A day with more
 * such postings than the limit is left to the next round.
 */
async function takeAway(
  trx: Trx,
  page: readonly DayPage[],
  { through, limit }: { through: bigint; limit: number },
): Promise<void> {
  const rows = await trx.query<{ n: bigint; lines: bigint } & Sums>(
    `select d.n, p.*
       from unnest($2::integer[], $3::date[]) with ordinality as d (account_id, day, n)
      cross join lateral (
        select count(*) as lines,
               coalesce(sum(amount) filter (where direction = 'debit'), 0)::bigint as debits,
               coalesce(sum(amount) filter (where direction = 'credit'), 0)::bigint as credits
          from (
            select direction, amount from postings
             where org_id = $1 and account_id = d.account_id and effective_on = d.day
               and entry_no > $4
             order by entry_no limit $5
          ) later
      ) p`,
    [trx.scope, page.map(({ accountId }) => accountId), page.map(({ day }) => day), through, limit],
  )
  for (const { n, lines, debits, credits } of rows) {
    const day = page[Number(n) - 1]
    if (day?.stored !== undefined && day.stored !== null) {
      const { stored } = day
      const before = { debits: stored.debits - debits, credits: stored.credits - credits }
      day.stored = lines < BigInt(limit) ? before : null
    }
  }
}

/** Walks one account over the days of a page. */
function goOn(walk: Walk, page: readonly DayPage[]): Difference[] {
  const found: Difference[] = []
  page.forEach(({ day, postings, isWhole, stored }, index) => {
    if (page[index - 1]?.day === day) {
      const detail = `account ${walk.code}: on ${day}, its sums are stored twice`
      found.push({ check: 'day balance', detail, accountId: walk.accountId, entryNo: null })
      return
    }
    walkDay(walk, day)
    for (const posting of postings) {
      found.push(...listed(walkPosting(walk, posting)))
    }
    // The newest day's sums go with the account's row, as of the moment when the walk began.
    const sums = day === walk.newest.day ? walk.newest : stored
    if (isWhole && sums !== null) {
      found.push(...listed(endDay(walk, sums)))
    }
  })
  // One of a kind says enough: a single wrong value may show in many places.
  return found.filter((one, index) => found.findIndex(({ check }) => check === one.check) === index)
}

function listed(difference: Difference | null): Difference[] {
  return difference === null ? [] : [difference]
}
