/** Holds rows that came of entries against what these entries posted. */
import type { Trx } from '../base/db.ts'
import { byCurrency, type Check, type Outcome } from './report.ts'

/** What each entry debited in each currency, minor units; with `income`, what it credited there. */
export async function entrySums(
  trx: Trx,
  entryNos: readonly (bigint | null)[],
  of: 'debits' | 'income' = 'debits',
): Promise<Map<bigint, ReadonlyMap<string, bigint>>> {
  const rows = await trx.query<{ entry_no: bigint; currency: string; sum: bigint }>(
    `select k.entry_no, a.currency, sum(p.amount)::bigint as sum
       from unnest($2::bigint[]) as k (entry_no)
      cross join lateral (
        select account_id, direction, amount from postings
         where org_id = $1 and entry_no = k.entry_no order by line_no limit 1000
      ) p
      cross join lateral (
        select type, currency from accounts
         where org_id = $1 and account_id = p.account_id limit 1
      ) a
      where case $3 when 'debits' then p.direction = 'debit'
              else p.direction = 'credit' and a.type = 'income' end
      group by k.entry_no, a.currency`,
    [trx.scope, [...new Set(entryNos.filter((one) => one !== null))], of],
  )
  const sums = new Map<bigint, Map<string, bigint>>()
  for (const { entry_no: entryNo, currency, sum } of rows) {
    sums.set(entryNo, (sums.get(entryNo) ?? new Map<string, bigint>()).set(currency, sum))
  }
  return sums
}

/** Adds up what rows say and what their entries say, by currency. */
export function openEntryChecks(what: string) {
  const checks = new Map<string, Check>()
  let rows = 0
  return {
    add(currency: string, amount: bigint, posted: ReadonlyMap<string, bigint> | undefined): void {
      const check = checks.get(currency) ?? { what, currency, export: 0n, books: 0n }
      check.export += amount
      check.books += posted?.get(currency) ?? 0n
      checks.set(currency, check)
    },
    count(more: number): void {
      rows += more
    },
    outcome(): Outcome {
      const all = [...checks.values()].sort(byCurrency)
      const totals = all.map(({ currency, export: sum }) => ({ currency, debit: sum, credit: sum }))
      return { rows, totals, checks: all }
    },
  }
}
