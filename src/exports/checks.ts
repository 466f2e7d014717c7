/** Holds what an export wrote against the trial balance of the same entries. */
import type { IsoDate } from '../base/clock.ts'
import { movements, type Books, type Net } from './books.ts'
import { byCurrency, type Check, type Sums, type Total } from './report.ts'

/** Accounts that differ are named, up to so many. */
const NAMED_MAX = 20

export interface Range {
  from: IsoDate | null
  to: IsoDate | null
  /** Accounts of this currency only, null for all. */
  currency: string | null
}

/**
 * For each currency the sum of the accounts that grew on the debit side, in the file and in the
 * trial balance; and each account that differs, by its code.
 */
export async function againstTrialBalance(
  books: Books,
  nets: Sums['nets'],
  { from, to, currency }: Range,
): Promise<Check[]> {
  const moved = await movements(books, from, to)
  return compare(
    moved.filter((one) => currency === null || one.currency === currency),
    nets,
  )
}

function compare(moved: readonly Net[], nets: Sums['nets']): Check[] {
  const sums = new Map<string, Check>()
  const differing: Check[] = []
  let known = 0
  for (const { account_id: accountId, code, currency, net } of moved) {
    const written = nets.get(accountId) ?? 0n
    known += nets.has(accountId) ? 1 : 0
    const sum = sums.get(currency) ?? { what: 'debit balances', currency, export: 0n, books: 0n }
    sum.export += written > 0n ? written : 0n
    sum.books += net > 0n ? net : 0n
    sums.set(currency, sum)
    if (written !== net && differing.length < NAMED_MAX) {
      differing.push({ what: code, currency, export: written, books: net })
    }
  }
  // What was written about an account that the trial balance does not have.
  const accounts =
    known === nets.size
      ? []
      : [{ what: 'accounts', currency: '', export: BigInt(nets.size), books: BigInt(known) }]
  return [...[...sums.values()].sort(byCurrency), ...differing, ...accounts]
}

/** Debits equal credits in each currency: all that can be said of some kinds of entries. */
export function inBalance(totals: readonly Total[]): Check[] {
  return totals.map(({ currency, debit, credit }) => ({
    what: 'debits and credits',
    currency,
    export: debit,
    books: credit,
  }))
}

/** What does not agree, in words; null where all of it does. */
export function disagreement(checks: readonly Check[]): string | null {
  const wrong = checks.filter((one) => one.export !== one.books)
  const [first] = wrong
  return first === undefined
    ? null
    : `The export does not agree with the books in ${wrong.length} of ${checks.length} points, ` +
        `first in ${first.what} ${first.currency}: ${first.export} and ${first.books}.`
}
