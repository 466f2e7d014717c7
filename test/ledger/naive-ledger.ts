/** A ledger in memory, as naive as can be: a list of entries, everything else is a sum over it. */
import type { Draft, DraftLine } from '../../src/ledger/core/entry.ts'

export interface NaiveAccount {
  code: string
  currency: string
  normal: 'debit' | 'credit'
  open: boolean
  floor: bigint | null
}

export interface NaiveLine {
  entryNo: bigint
  lineNo: number
  day: string
  line: DraftLine
}

export interface NaiveLedger {
  /** What became of a draft, in the words of `outcomes`. */
  post(draft: Draft): string
  /** Lines of one account, by day and then in the order of posting. */
  linesOf(account: NaiveAccount): NaiveLine[]
  balanceOf(account: NaiveAccount, through?: string): bigint
}

/** `accounts` is the whole chart: a line to any other account is refused. */
export function naiveLedger(accounts: readonly NaiveAccount[]): NaiveLedger {
  const posted: Draft[] = []
  const find = (line: DraftLine) =>
    accounts.find((one) => one.code === line.account && one.currency === line.currency)
  const ledger: NaiveLedger = {
    post(draft) {
      const sums = new Map<string, bigint>()
      for (const { direction, amount, currency } of draft.lines) {
        const signed = direction === 'debit' ? amount : -amount
        sums.set(currency, (sums.get(currency) ?? 0n) + signed)
      }
      if ([...sums.values()].some((sum) => sum !== 0n)) {
        return 'unbalanced_entry'
      }
      const before = posted.findIndex((one) => one.idempotencyKey === draft.idempotencyKey)
      if (before !== -1) {
        const same = contentOf(posted[before]) === contentOf(draft)
        return same ? `existing ${before + 1}` : 'idempotency_conflict'
      }
      for (const line of draft.lines) {
        const account = find(line)
        if (account === undefined) {
          return 'unknown_account'
        }
        if (!account.open) {
          return 'account_closed'
        }
      }
      posted.push(draft)
      const below = accounts.some(
        (account) =>
          account.floor !== null &&
          draft.lines.some((line) => find(line) === account) &&
          ledger.balanceOf(account) < account.floor,
      )
      if (below) {
        posted.pop()
        return 'balance_below_floor'
      }
      return `posted ${posted.length}`
    },
    linesOf(account) {
      return posted
        .flatMap((draft, index) =>
          draft.lines.map((line, place) => ({
            entryNo: BigInt(index + 1),
            lineNo: place + 1,
            day: draft.effectiveOn,
            line,
          })),
        )
        .filter(({ line }) => find(line) === account)
        .sort((one, other) => (one.day < other.day ? -1 : one.day > other.day ? 1 : 0))
    },
    balanceOf(account, through) {
      return ledger
        .linesOf(account)
        .filter(({ day }) => through === undefined || day <= through)
        .reduce((sum, { line }) => sum + signedOn(account, line), 0n)
    },
  }
  return ledger
}

/** A line's amount as it moves the account on its normal side. */
export function signedOn(account: NaiveAccount, line: DraftLine): bigint {
  return line.direction === account.normal ? line.amount : -line.amount
}

function contentOf(draft: Draft | undefined): string {
  return JSON.stringify(draft, (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  )
}
