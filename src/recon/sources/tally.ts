/** What a file comes to, counted while it is read: lines, faults, days, sums by currency. */
import type { IsoDate } from '../../base/clock.ts'
import type { BankLine, SettlementLine } from './line.ts'
import type { Batch, Fault } from './reading.ts'

/** Faults that are kept of a file; the others are counted. */
export const FAULTS_KEPT = 1000

/** Sums in minor units. Of a bank `charges` are none; what comes in is `credits`. */
export interface CurrencyTotal {
  currency: string
  lines: number
  credits: bigint
  debits: bigint
  fees: bigint
  taxes: bigint
}

export class Tally {
  lines = 0
  refused = 0
  skipped = 0
  faultCount = 0
  readonly faults: Fault[] = []
  firstDay: IsoDate | null = null
  lastDay: IsoDate | null = null
  readonly #totals = new Map<string, CurrencyTotal>()

  add(batch: Batch<SettlementLine> | Batch<BankLine>): void {
    for (const line of batch.lines) {
      if ('net' in line) {
        this.#line(line.currency, line.net, line.settledOn ?? line.occurredOn, line)
      } else {
        this.#line(line.currency, line.amount, line.bookedOn, NO_CHARGES)
      }
    }
    this.skipped += batch.skipped
    for (const fault of batch.faults) {
      this.fault(fault)
    }
  }

  /** A fault; of a balance it refuses no row. */
  fault(fault: Fault): void {
    this.faultCount += 1
    this.refused += fault.column?.endsWith('balance') === true || fault.row === null ? 0 : 1
    if (this.faults.length < FAULTS_KEPT) {
      this.faults.push(fault)
    }
  }

  get totals(): CurrencyTotal[] {
    return [...this.#totals.values()].sort((one, other) => (one.currency < other.currency ? -1 : 1))
  }

  #line(
    currency: string,
    net: bigint,
    day: IsoDate | null,
    { fee, tax }: Pick<SettlementLine, 'fee' | 'tax'>,
  ): void {
    this.lines += 1
    let total = this.#totals.get(currency)
    if (total === undefined) {
      total = { currency, lines: 0, credits: 0n, debits: 0n, fees: 0n, taxes: 0n }
      this.#totals.set(currency, total)
    }
    total.lines += 1
    total.credits += net > 0n ? net : 0n
    total.debits += net < 0n ? -net : 0n
    total.fees += fee ?? 0n
    total.taxes += tax ?? 0n
    if (day !== null) {
      this.firstDay = this.firstDay === null || day < this.firstDay ? day : this.firstDay
      this.lastDay = this.lastDay === null || day > this.lastDay ? day : this.lastDay
    }
  }
}

const NO_CHARGES = { fee: null, tax: null }
