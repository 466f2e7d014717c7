/** What the benchmarks post: entries of two lines between two of a thousand accounts. */
import type { Draft } from '../../src/ledger/core/entry.ts'

/** Accounts are numbered from 0 to this. */
export const ACCOUNTS = 1000

/** Which two accounts the n-th entry moves money between, the same for every design. */
export type Pair = (n: number) => readonly [from: number, to: number]

/** Every entry takes from account 0. */
export const hotPair: Pair = (n) => [0, 1 + (n % 8)]

/** Any two of the thousand. */
export const spreadPair: Pair = (n) => {
  const from = (n * 7) % ACCOUNTS
  const to = (n * 13 + 1) % ACCOUNTS
  return [from, to === from ? ACCOUNTS : to]
}

export function draftBetween(key: string, [from, to]: readonly [number, number]): Draft {
  return {
    kind: 'donation_captured',
    effectiveOn: '2026-11-20',
    idempotencyKey: key,
    description: `Transfer from ${from} to ${to}`,
    source: key,
    actor: 'bench',
    reverses: null,
    adjusts: null,
    metadata: { fund: String(to) },
    lines: [
      { account: `income:donations:f${from}`, direction: 'debit', amount: 100n, currency: 'INR' },
      { account: `income:donations:f${to}`, direction: 'credit', amount: 100n, currency: 'INR' },
    ],
  }
}
