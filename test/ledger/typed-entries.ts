/** The books that typed calls go on from: accounts of every state, months of every state. */
import { credit, debit, draftOf, FUND, ORG, OTHER_ORG, TRANSIT, type Books } from './books.ts'
import type { AccountIds } from './typed-post.ts'

/** Takes no postings any more. */
export const CLOSED = 'expenses:gateway-fees'
export const FROZEN = 'assets:clearing:payu'
/** Stands at 300, not to go below 0. */
export const FLOORED = TRANSIT

export const CLOSED_MONTH = '2026-02'
/** Takes entries that say why they are late. */
export const SOFT_CLOSED_MONTH = '2026-03'

/** An entry that nothing has corrected so far. */
export const CORRECTABLE = 7n
export const REVERSED = 5n
export const ENTRIES = 8n

/** Gives the account ids of ORG. The key `other` is in another organisation's books only. */
export async function fillBooks(books: Books): Promise<AccountIds> {
  await books.post([
    draftOf('a', { lines: [debit('assets:bank:main', 1000n), credit(FUND, 1000n)] }),
    draftOf('b', {
      lines: [debit('assets:bank:main', 500n, 'USD'), credit(FUND, 500n, 'USD')],
    }),
    draftOf('c', { lines: [debit(CLOSED, 40n), credit(FUND, 40n)] }),
    draftOf('d', { lines: [debit(FLOORED, 300n), credit(FUND, 300n)] }),
    draftOf('e'),
    draftOf('f', { lines: [debit(FROZEN, 70n), credit(FUND, 70n)] }),
    draftOf('g', { effectiveOn: '2026-04-10' }),
  ])
  await books.post([
    draftOf('h', {
      reverses: REVERSED,
      lines: [credit('assets:bank:main', 100n), debit(FUND, 100n)],
    }),
  ])
  await books.own(
    `update accounts set open = code <> '${CLOSED}', frozen = code = '${FROZEN}',
            floor = case when code = '${FLOORED}' then 0 end
      where org_id = ${ORG}`,
  )
  await books.closeMonth(CLOSED_MONTH, 'closed')
  await books.closeMonth(SOFT_CLOSED_MONTH, 'soft_closed')
  await books.post([draftOf('a'), draftOf('other')], OTHER_ORG)
  const rows = await books.read<{ account_id: number; code: string; currency: string }>(
    'select account_id, code, currency from accounts',
  )
  return Object.fromEntries(rows.map((row) => [`${row.code} ${row.currency}`, row.account_id]))
}
