/** A ledger in memory, as naive as can be: a list of entries, everything else is a sum over it. */
import type { Draft, DraftLine } from '../../src/ledger/core/entry.ts'
import type { PeriodState } from '../../src/ledger/periods/periods.ts'

export interface NaiveAccount {
  code: string
  currency: string
  normal: 'debit' | 'credit'
  open: boolean
  frozen: boolean
  floor: bigint | null
}

export interface NaiveLine {
  entryNo: bigint
  lineNo: number
  day: string
  line: DraftLine
}

export interface NaivePosting {
  entryNo: bigint
  lineNo: number
  account: NaiveAccount
  /** Of the account, of its day, and how many postings it has then. */
  balance: bigint
  dayBalance: bigint
  version: bigint
}

export class NaiveLedger {
  readonly #accounts: readonly NaiveAccount[]
  readonly #months: ReadonlyMap<string, PeriodState>
  #posted: Draft[] = []

  /**
   * `accounts` is the whole chart: a line to any other account is refused. `months` has the months
   * that are not open, YYYY-MM; what is in both may change between batches.
   */
  constructor(accounts: readonly NaiveAccount[], months: ReadonlyMap<string, PeriodState>) {
    this.#accounts = accounts
    this.#months = months
  }

  get entries(): readonly Draft[] {
    return this.#posted
  }

  /** What became of each draft, in the words of `outcomes`. */
  post(drafts: readonly Draft[], options = { atomic: false }): string[] {
    const before = this.#posted
    const results = drafts.map((draft) => this.#postOne(draft, before.length))
    const isRefused = results.some((text) => !/^(posted|existing) /.test(text))
    if (!options.atomic || !isRefused) {
      return results
    }
    this.#posted = before
    return results.map((text) => {
      const [word, entryNo] = text.split(' ')
      const isNew = word === 'posted' || (word === 'existing' && Number(entryNo) > before.length)
      return isNew ? 'batch_refused' : text
    })
  }

  /** Every posting with the sums over all that came before it. */
  postings(): NaivePosting[] {
    const done: { account: NaiveAccount; day: string; change: bigint }[] = []
    return this.#lines().map(({ entryNo, lineNo, day, line }) => {
      const account = this.#find(line)
      if (account === undefined) {
        throw new Error('unreachable')
      }
      done.push({ account, day, change: signedOn(account, line) })
      const own = done.filter((one) => one.account === account)
      return {
        entryNo,
        lineNo,
        account,
        balance: sum(own.map(({ change }) => change)),
        dayBalance: sum(own.filter((one) => one.day === day).map(({ change }) => change)),
        version: BigInt(own.length),
      }
    })
  }

  /** Lines of one account, by day and then in the order of posting. */
  linesOf(account: NaiveAccount): NaiveLine[] {
    return this.#lines()
      .filter(({ line }) => this.#find(line) === account)
      .sort((one, other) => (one.day < other.day ? -1 : one.day > other.day ? 1 : 0))
  }

  balanceOf(account: NaiveAccount, through?: string): bigint {
    return sum(
      this.linesOf(account)
        .filter(({ day }) => through === undefined || day <= through)
        .map(({ line }) => signedOn(account, line)),
    )
  }

  #find(line: DraftLine): NaiveAccount | undefined {
    return this.#accounts.find((one) => one.code === line.account && one.currency === line.currency)
  }

  #lines(): NaiveLine[] {
    return this.#posted.flatMap((draft, index) =>
      draft.lines.map((line, place) => ({
        entryNo: BigInt(index + 1),
        lineNo: place + 1,
        day: draft.effectiveOn,
        line,
      })),
    )
  }

  /** `committed`: how many entries there were before the batch; only those can be corrected. */
  #postOne(draft: Draft, committed: number): string {
    if (!isBalanced(draft)) {
      return 'unbalanced_entry'
    }
    const before = this.#posted.findIndex((one) => one.idempotencyKey === draft.idempotencyKey)
    if (before !== -1) {
      const same = contentOf(this.#posted[before]) === contentOf(draft)
      return same ? `existing ${before + 1}` : 'idempotency_conflict'
    }
    const refusal =
      this.#refusalByCorrected(draft, committed) ??
      this.#refusalByMonth(draft) ??
      this.#refusalByAccounts(draft)
    if (refusal !== null) {
      return refusal
    }
    this.#posted = [...this.#posted, draft]
    const touched = draft.lines.map((line) => this.#find(line))
    const below = this.#accounts.some(
      (account) =>
        account.floor !== null &&
        touched.includes(account) &&
        this.balanceOf(account) < account.floor,
    )
    if (below) {
      this.#posted = this.#posted.slice(0, -1)
      return 'balance_below_floor'
    }
    return `posted ${this.#posted.length}`
  }

  #refusalByCorrected(draft: Draft, committed: number): string | null {
    const isThere = (entryNo: bigint) => entryNo >= 1n && entryNo <= BigInt(committed)
    if (draft.adjusts !== null && !isThere(draft.adjusts)) {
      return 'not_reversible'
    }
    if (draft.reverses === null) {
      return null
    }
    const target = isThere(draft.reverses) ? this.#posted[Number(draft.reverses) - 1] : undefined
    const isReversed = this.#posted.some((one) => one.reverses === draft.reverses)
    const isOpposite =
      target !== undefined && textOf(draft.lines) === textOf(oppositeOf(target.lines))
    return isReversed || !isOpposite ? 'not_reversible' : null
  }

  #refusalByMonth(draft: Draft): string | null {
    const state = this.#months.get(draft.effectiveOn.slice(0, 7)) ?? 'open'
    const isLate = draft.metadata['late_reason'] !== undefined
    return state === 'closed' || (state === 'soft_closed' && !isLate) ? 'period_closed' : null
  }

  #refusalByAccounts(draft: Draft): string | null {
    for (const line of draft.lines) {
      const account = this.#find(line)
      if (account === undefined) {
        return 'unknown_account'
      }
      if (!account.open || account.frozen) {
        return account.open ? 'account_frozen' : 'account_closed'
      }
    }
    return null
  }
}

function isBalanced(draft: Draft): boolean {
  const sums = new Map<string, bigint>()
  for (const { direction, amount, currency } of draft.lines) {
    const signed = direction === 'debit' ? amount : -amount
    sums.set(currency, (sums.get(currency) ?? 0n) + signed)
  }
  return [...sums.values()].every((one) => one === 0n)
}

/** A line's amount as it moves the account on its normal side. */
export function signedOn(account: NaiveAccount, line: DraftLine): bigint {
  return line.direction === account.normal ? line.amount : -line.amount
}

export function oppositeOf(lines: readonly DraftLine[]): DraftLine[] {
  return lines.map((line) => ({
    ...line,
    direction: line.direction === 'debit' ? 'credit' : 'debit',
  }))
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n)
}

function textOf(lines: readonly DraftLine[]): string {
  return lines
    .map(({ account, direction, amount, currency }) =>
      [account, direction, amount, currency].join(' '),
    )
    .join('\n')
}

function contentOf(draft: Draft | undefined): string {
  return JSON.stringify(draft, (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  )
}
