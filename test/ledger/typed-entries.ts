/** The books that typed entries go on from, and the right lines to go on with. */
import { postingRow, type Row, type TypedLine } from './typed.ts'

/** Account ids in the order in which the set-up opens them. */
export const BANK_INR = 1
export const FUND_INR = 2
export const BANK_USD = 3
export const FUND_USD = 4
export const CLOSED = 5
export const FLOORED = 6

/** Balance and version of each account of the set-up. */
const STANDING: Readonly<Record<number, [balance: number, version: number, normal: string]>> = {
  [BANK_INR]: [1100, 2, 'debit'],
  [FUND_INR]: [1440, 4, 'credit'],
  [BANK_USD]: [500, 1, 'debit'],
  [FUND_USD]: [500, 1, 'credit'],
  [CLOSED]: [40, 1, 'debit'],
  [FLOORED]: [300, 1, 'debit'],
}

export type Move = [accountId: number, direction: 'debit' | 'credit', amount: number]

/** Right lines for these moves, entry by entry from number 6 on. */
export function linesFor(...entries: Move[][]): TypedLine[] {
  const standing = new Map(Object.entries(STANDING).map(([id, one]) => [Number(id), [...one]]))
  return entries.flatMap((moves, index) =>
    moves.map(([accountId, direction, amount], place) => {
      const [balance = 0, version = 0, normal = ''] = standing.get(accountId) ?? []
      const after = Number(balance) + (direction === normal ? amount : -amount)
      standing.set(accountId, [after, Number(version) + 1, normal])
      return {
        entryNo: 6 + index,
        lineNo: place + 1,
        accountId,
        direction,
        amount,
        balance: after,
        version: Number(version) + 1,
      }
    }),
  )
}

export const SOUND: Move[] = [
  [BANK_INR, 'debit', 10],
  [FUND_INR, 'credit', 10],
]

/** Rows of the sound entry; `changes` go over the line of that place. */
export function soundPostings(changes: Readonly<Record<number, Row>> = {}): Row[] {
  return linesFor(SOUND).map((line, place) => postingRow(line, changes[place] ?? {}))
}
