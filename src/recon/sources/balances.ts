/** Balances that a statement tells, held against its lines: what catches most misreadings. */
import type { Fault } from './reading.ts'

const FAULTS_MAX = 1000

interface Told {
  row: number
  amount: bigint
  balance: bigint
}

/**
 * Each balance is to follow from the one before it and the lines between. Which way a statement
 * runs, oldest or newest first, it does not say: the way in which more of it agrees is the one.
 */
export class BalanceCheck {
  #before: Told | null = null
  /** The sum of lines since then that tell no balance. */
  #between = 0n
  readonly #oldestFirst = new Disagreements()
  readonly #newestFirst = new Disagreements()

  see(row: number, amount: bigint, balance: bigint | null): void {
    if (balance === null) {
      this.#between += amount
      return
    }
    const before = this.#before
    if (before !== null) {
      this.#oldestFirst.note(row, before.balance + this.#between + amount, balance)
      this.#newestFirst.note(row, before.balance - before.amount - this.#between, balance)
    }
    this.#before = { row, amount, balance }
    this.#between = 0n
  }

  faults(): Fault[] {
    const forwards = this.#oldestFirst.count <= this.#newestFirst.count
    return (forwards ? this.#oldestFirst : this.#newestFirst).faults
  }
}

class Disagreements {
  count = 0
  readonly faults: Fault[] = []

  note(row: number, expected: bigint, told: bigint): void {
    if (expected === told) {
      return
    }
    this.count += 1
    if (this.faults.length < FAULTS_MAX) {
      this.faults.push({ row, column: 'balance', reason: disagreement(expected, told) })
    }
  }
}

function disagreement(expected: bigint, told: bigint): string {
  return `is ${told} in minor units; with the lines before it would be ${expected}`
}

/** Opening balance, lines and closing balance of a statement; nothing where they agree. */
export function closingFault(
  row: number,
  { opening, sum, closing }: { opening: bigint; sum: bigint; closing: bigint },
): Fault[] {
  const reason =
    `of the statement is ${closing} in minor units; its opening balance ${opening} and its ` +
    `lines come to ${opening + sum}`
  return opening + sum === closing ? [] : [{ row, column: 'closing balance', reason }]
}
