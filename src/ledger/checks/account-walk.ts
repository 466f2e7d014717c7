/** Derives one account anew from its postings, day by day, stopping and going on at any entry. */
import { z } from 'zod'
import { sha256 } from '../../base/crypto.ts'
import type { IsoDate } from '../../base/clock.ts'

/** Something that does not agree; its words stay the same as long as it does. */
export interface Difference {
  check: string
  detail: string
  /** The account that it is tied to, if any: it is frozen. */
  accountId: number | null
  entryNo: bigint | null
}

const sums = { debits: z.coerce.bigint(), credits: z.coerce.bigint() }

/** How far a walk is; it can be kept as JSON (`encodeWalk`). All amounts are minor units. */
export const walkState = z.object({
  accountId: z.number(),
  code: z.string(),
  normal: z.enum(['debit', 'credit']),
  /** The account's row when the walk began, and the newest entry of that moment. */
  throughEntryNo: z.coerce.bigint(),
  version: z.coerce.bigint(),
  ...sums,
  newest: z.object({ day: z.string(), ...sums }),
  /** The last posting that was read: its day and entry; entry 0 where the day has just begun. */
  at: z.object({ day: z.string(), entryNo: z.coerce.bigint() }),
  /** Sums of the postings read so far, of all and of the day in hand. */
  read: z.object({ lines: z.coerce.bigint(), ...sums }),
  readOfDay: z.object({ ...sums, balance: z.coerce.bigint() }),
  /** What the postings read so far leave the account at, and the jumps between them (`jump`). */
  reached: z.object({ version: z.coerce.bigint(), balance: z.coerce.bigint() }),
  jumps: z.coerce.bigint(),
})

export type Walk = z.infer<typeof walkState>

export interface AccountRow {
  account_id: number
  code: string
  normal: 'debit' | 'credit'
  version: bigint
  debits: bigint
  credits: bigint
  day: IsoDate
  day_debits: bigint
  day_credits: bigint
}

export interface PostingRow {
  entry_no: bigint
  direction: 'debit' | 'credit'
  amount: bigint
  balance_after: bigint
  day_balance_after: bigint
  account_version: bigint
}

/** Before the first day that a posting can have. */
export const FIRST_DAY = '0001-01-01'

export function beginWalk(row: AccountRow, throughEntryNo: bigint): Walk {
  return {
    accountId: row.account_id,
    code: row.code,
    normal: row.normal,
    throughEntryNo,
    version: row.version,
    debits: row.debits,
    credits: row.credits,
    newest: { day: row.day, debits: row.day_debits, credits: row.day_credits },
    at: { day: FIRST_DAY, entryNo: 0n },
    read: { lines: 0n, debits: 0n, credits: 0n },
    readOfDay: { debits: 0n, credits: 0n, balance: 0n },
    reached: { version: 0n, balance: 0n },
    jumps: 0n,
  }
}

export function encodeWalk(walk: Walk | null): string | null {
  return walk === null
    ? null
    : JSON.stringify(walk, (_key, value: unknown) =>
        typeof value === 'bigint' ? value.toString() : value,
      )
}

/** Goes on to a day, which comes after those before; the day in hand is gone on with. */
export function walkDay(walk: Walk, day: IsoDate): void {
  if (walk.at.day !== day) {
    walk.at = { day, entryNo: 0n }
    walk.readOfDay = { debits: 0n, credits: 0n, balance: 0n }
  }
}

/** Takes the next posting of the day in hand, in the order of entries and lines. */
export function walkPosting(walk: Walk, posting: PostingRow): Difference | null {
  const isDebit = posting.direction === 'debit'
  const change = posting.direction === walk.normal ? posting.amount : -posting.amount
  for (const total of [walk.read, walk.readOfDay]) {
    total.debits += isDebit ? posting.amount : 0n
    total.credits += isDebit ? 0n : posting.amount
  }
  walk.read.lines += 1n
  walk.at.entryNo = posting.entry_no
  const left = { version: posting.account_version - 1n, balance: posting.balance_after - change }
  jump(walk, left)
  walk.reached = { version: posting.account_version, balance: posting.balance_after }
  const off = posting.day_balance_after - walk.readOfDay.balance - change
  walk.readOfDay.balance = posting.day_balance_after
  return off === 0n
    ? null
    : difference(walk, 'day running balance', {
        entryNo: posting.entry_no,
        words: `on ${walk.at.day}, it is ${off} off the posting before`,
      })
}

/** Compares the postings of the day in hand with the sums that are stored for it. */
export function endDay(walk: Walk, stored: Sums): Difference | null {
  const { debits, credits } = walk.readOfDay
  if (stored.debits === debits && stored.credits === credits) {
    return null
  }
  const words = offBy(stored, walk.readOfDay)
  return difference(walk, 'day balance', { words: `on ${walk.at.day}, stored ${words}` })
}

export interface Sums {
  debits: bigint
  credits: bigint
}

/** What the account's row and its running balances say other than all its postings. */
export function endWalk(walk: Walk): Difference[] {
  const found: Difference[] = []
  const { read, version } = walk
  if (walk.debits !== read.debits || walk.credits !== read.credits || version !== read.lines) {
    const words = `stored ${offBy(walk, read)}, ${version - read.lines} postings more`
    found.push(difference(walk, 'account balance', { words }))
  }
  const balance = walk.normal === 'debit' ? read.debits - read.credits : read.credits - read.debits
  jump(walk, { version: read.lines, balance })
  if (walk.jumps !== 0n) {
    const words = 'balances and versions after its postings do not continue each other'
    found.push(difference(walk, 'running balance', { words }))
  }
  return found
}

const MASK = (1n << 128n) - 1n

/**
 * Each posting takes the account from one state (version and balance) to the next, and days are
 * not read in the order of posting. Where a posting does not go on from where the one before it
 * ended, that end is added to a sum of hashes and its own start is taken away: the sum is back at
 * zero when all postings, in some order, lead from nothing to the last state, and else is not.
 */
function jump(walk: Walk, to: { version: bigint; balance: bigint }): void {
  const from = walk.reached
  if (from.version !== to.version || from.balance !== to.balance) {
    walk.jumps = (walk.jumps + hashOf(from) - hashOf(to)) & MASK
  }
}

function hashOf(state: { version: bigint; balance: bigint }): bigint {
  const hash = sha256(`${state.version}:${state.balance}`)
  return (hash.readBigUInt64BE(0) << 64n) | hash.readBigUInt64BE(8)
}

function offBy(stored: Sums, read: Sums): string {
  const [debits, credits] = [stored.debits - read.debits, stored.credits - read.credits]
  return `less postings: ${debits} debit, ${credits} credit`
}

function difference(
  walk: Walk,
  check: string,
  what: { words: string; entryNo?: bigint },
): Difference {
  const { accountId, code } = walk
  return {
    check,
    detail: `account ${code}: ${what.words}`,
    accountId,
    entryNo: what.entryNo ?? null,
  }
}
