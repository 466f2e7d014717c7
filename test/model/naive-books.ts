/** Books in memory, as naive as can be: a list of entries, and every balance is a sum over it. */
import type { IsoDate } from '../../src/base/clock.ts'
import { MAX_MINOR } from '../../src/base/money.ts'
import type { AccountCode, AccountType, Direction } from '../../src/ledger/core/chart.ts'
import type { Draft, DraftLine } from '../../src/ledger/core/entry.ts'
import { contentOf } from './commands.ts'
import { floorOnDemand, moneyDigits, normalOf, typeOf } from './naive-chart.ts'

export interface NaiveAccount {
  code: AccountCode
  currency: string
  type: AccountType
  normal: Direction
  /** Null where the chart named it. */
  name: string | null
  open: boolean
  frozen: boolean
  floor: bigint | null
  /** In the order of posting; never changed in place. */
  lines: readonly NaiveLine[]
}

export interface NaiveLine {
  entryNo: bigint
  lineNo: number
  day: IsoDate
  direction: Direction
  amount: bigint
}

export type MonthState = 'open' | 'soft_closed' | 'closed'

const STATES: readonly MonthState[] = ['open', 'soft_closed', 'closed']

export class NaiveBooks {
  readonly accounts = new Map<string, NaiveAccount>()
  /** The organisation's own. */
  readonly currencies = new Map<string, { name: string; exponent: number }>()
  /** Months that were ever closed or opened. */
  readonly months = new Map<string, MonthState>()
  entries: readonly Draft[] = []

  copy(): NaiveBooks {
    const other = new NaiveBooks()
    other.become(this)
    return other
  }

  /** Takes over all that another has. */
  become(other: NaiveBooks): void {
    this.entries = other.entries
    refill(
      this.accounts,
      [...other.accounts].map(([key, one]) => [key, { ...one }]),
    )
    refill(this.currencies, [...other.currencies])
    refill(this.months, [...other.months])
  }

  account(code: string, currency: string): NaiveAccount | undefined {
    return this.accounts.get(`${code} ${currency}`)
  }

  /** Digits behind the decimal point; undefined for a currency that nobody knows. */
  digitsOf(currency: string): number | undefined {
    return moneyDigits(currency) ?? this.currencies.get(currency)?.exponent
  }

  openAccount(account: Omit<NaiveAccount, 'open' | 'frozen' | 'lines'>): void {
    const key = `${account.code} ${account.currency}`
    this.accounts.set(key, { ...account, open: true, frozen: false, lines: [] })
  }

  /** A month is as closed as the most closed of itself and all later ones. */
  stateOf(month: string): MonthState {
    const states = [...this.months].filter(([one]) => one >= month).map(([, state]) => state)
    return STATES.findLast((state) => states.includes(state)) ?? 'open'
  }

  /** Posts in order, each for itself, or (atomic) all or none; says what became of each. */
  post(drafts: readonly Draft[], atomic = false): string[] {
    const forms = drafts.map((draft) => refusalByForm(draft))
    const sound = drafts.filter((_draft, index) => forms[index] === null)
    sound.flatMap(({ lines }) => lines).forEach((line) => this.#openOnDemand(line))
    const before = this.copy()
    const committed = this.entries.length
    const outcome = drafts.map((draft, index) => forms[index] ?? this.#postOne(draft, committed))
    const isRefused = outcome.some((text) => !/^(?:posted|existing) /.test(text))
    if (!atomic || !isRefused) {
      return outcome
    }
    this.become(before)
    return outcome.map((text) => {
      const [word, entryNo] = text.split(' ')
      const isNew = word === 'posted' || (word === 'existing' && Number(entryNo) > committed)
      return isNew ? 'batch_refused' : text
    })
  }

  #openOnDemand({ account: code, currency }: DraftLine): void {
    const floor = floorOnDemand(code, currency)
    const type = typeOf(code)
    const isKnown = this.digitsOf(currency) !== undefined
    if (this.account(code, currency) === undefined && isKnown && floor !== undefined && type) {
      this.openAccount({ code, currency, type, normal: normalOf(type), name: null, floor })
    }
  }

  /** `committed`: how many entries there were before the batch; only those can be corrected. */
  #postOne(draft: Draft, committed: number): string {
    const same = this.entries.findIndex((one) => one.idempotencyKey === draft.idempotencyKey)
    const before = this.entries[same]
    if (before !== undefined) {
      return contentOf(before) === contentOf(draft)
        ? `existing ${same + 1}`
        : 'idempotency_conflict'
    }
    const refusal =
      this.#refusalByCorrected(draft, committed) ??
      this.#refusalByMonth(draft) ??
      this.#refusalByAccounts(draft)
    if (refusal !== null) {
      return refusal
    }
    this.entries = [...this.entries, draft]
    const entryNo = BigInt(this.entries.length)
    draft.lines.forEach(({ account: code, currency, direction, amount }, index) => {
      const account = this.account(code, currency)
      if (account !== undefined) {
        const line = { entryNo, lineNo: index + 1, day: draft.effectiveOn, direction, amount }
        account.lines = [...account.lines, line]
      }
    })
    return `posted ${entryNo}`
  }

  #refusalByCorrected(draft: Draft, committed: number): string | null {
    const entryAt = (entryNo: bigint) =>
      entryNo <= BigInt(committed) ? this.entries[Number(entryNo) - 1] : undefined
    if (draft.adjusts !== null && entryAt(draft.adjusts) === undefined) {
      return 'not_reversible'
    }
    if (draft.reverses === null) {
      return null
    }
    const target = entryAt(draft.reverses)
    const isOpposite =
      JSON.stringify(draft.lines.map(textOf)) ===
      JSON.stringify(oppositeOf(target?.lines ?? []).map(textOf))
    return target === undefined || this.isReversed(draft.reverses) || !isOpposite
      ? 'not_reversible'
      : null
  }

  isReversed(entryNo: bigint): boolean {
    return this.entries.some((one) => one.reverses === entryNo)
  }

  #refusalByMonth(draft: Draft): string | null {
    const state = this.stateOf(draft.effectiveOn.slice(0, 7))
    const isLate = draft.metadata['late_reason'] !== undefined
    return state === 'closed' || (state === 'soft_closed' && !isLate) ? 'period_closed' : null
  }

  #refusalByAccounts(draft: Draft): string | null {
    const moved = new Map<NaiveAccount, { debit: bigint; credit: bigint }>()
    for (const line of draft.lines) {
      const account = this.account(line.account, line.currency)
      if (account === undefined) {
        return 'unknown_account'
      }
      if (!account.open || account.frozen) {
        return account.open ? 'account_frozen' : 'account_closed'
      }
      const sums = moved.get(account) ?? sumsOf(account.lines)
      sums[line.direction] += line.amount
      if (sums[line.direction] > MAX_MINOR) {
        return 'invalid_entry'
      }
      moved.set(account, sums)
    }
    for (const [{ normal, floor }, { debit, credit }] of moved) {
      const balance = normal === 'debit' ? debit - credit : credit - debit
      if (floor !== null && balance < floor) {
        return 'balance_below_floor'
      }
    }
    return null
  }
}

/** Lines that were effective on that day or before (null: ever), among the entries so far. */
export function linesUntil(
  account: NaiveAccount,
  asOf: IsoDate | null,
  through: bigint | null,
): NaiveLine[] {
  return account.lines.filter(
    ({ day, entryNo }) =>
      (asOf === null || day <= asOf) && (through === null || entryNo <= through),
  )
}

/** What lines bring an account on its normal side. */
export function balanceOf(account: NaiveAccount, lines: readonly NaiveLine[]): bigint {
  const { debit, credit } = sumsOf(lines)
  return account.normal === 'debit' ? debit - credit : credit - debit
}

export function sumsOf(lines: readonly NaiveLine[]): { debit: bigint; credit: bigint } {
  const sums = { debit: 0n, credit: 0n }
  for (const { direction, amount } of lines) {
    sums[direction] += amount
  }
  return sums
}

export function oppositeOf(lines: readonly DraftLine[]): DraftLine[] {
  return lines.map((line) => ({
    ...line,
    direction: line.direction === 'debit' ? 'credit' : 'debit',
  }))
}

function textOf({ account, direction, amount, currency }: DraftLine): string {
  return [account, direction, amount, currency].join(' ')
}

/** What no books could take: too few lines, nothing or too much moved, two sides that differ. */
function refusalByForm({ lines }: Draft): string | null {
  const isOdd = lines.some(({ amount }) => amount <= 0n || amount > MAX_MINOR)
  if (lines.length < 2 || isOdd) {
    return 'invalid_entry'
  }
  const sums = new Map<string, bigint>()
  for (const { currency, direction, amount } of lines) {
    const signed = direction === 'debit' ? amount : -amount
    sums.set(currency, (sums.get(currency) ?? 0n) + signed)
  }
  return [...sums.values()].some((sum) => sum !== 0n) ? 'unbalanced_entry' : null
}

function refill<Value>(map: Map<string, Value>, entries: [string, Value][]): void {
  map.clear()
  for (const [key, value] of entries) {
    map.set(key, value)
  }
}
