/** What the self-check's slices leave over: rows of no account, and the sum of all accounts. */
import type { Trx } from '../../base/db.ts'
import type { Difference } from './account-walk.ts'

/** Postings and days of accounts that are not there, from the next id to the last of these rows. */
export async function strangers(
  trx: Trx,
  nextAccountId: number,
  rows: readonly { account_id: number }[],
): Promise<Difference[]> {
  const gaps = rows.flatMap(({ account_id: id }, index) => {
    const before = rows[index - 1]?.account_id ?? nextAccountId - 1
    return id - before > 1 ? [[before, id] as const] : []
  })
  return gaps.length === 0 ? [] : await strangersIn(trx, gaps)
}

const INTEGER_MAX = 2_147_483_647

/** The same before the first account and behind the last. */
export async function strangersAtEnd(trx: Trx): Promise<Difference[]> {
  const [row] = await trx.query<{ last: number }>(
    'select coalesce(max(account_id), 0) as last from accounts where org_id = $1',
    [trx.scope],
  )
  return await strangersIn(trx, [
    [-INTEGER_MAX, 1],
    [row?.last ?? 0, INTEGER_MAX],
  ])
}

async function strangersIn(
  trx: Trx,
  gaps: readonly (readonly [after: number, before: number])[],
): Promise<Difference[]> {
  const rows = await trx.query<{ account_id: number }>(
    `select s.account_id
       from unnest($2::integer[], $3::integer[]) as g (after, before)
      cross join lateral (
        (select account_id from postings
          where org_id = $1 and account_id > g.after and account_id < g.before
          order by account_id limit 1)
        union
        (select account_id from balance_days
          where org_id = $1 and account_id > g.after and account_id < g.before
          order by account_id limit 1)
      ) s`,
    [trx.scope, gaps.map(([after]) => after), gaps.map(([, before]) => before)],
  )
  return rows.map(({ account_id: id }) => {
    const detail = `there is no account ${id}, but postings or days of it`
    return { check: 'account balance', detail, accountId: null, entryNo: null }
  })
}

/** Debits and credits of all accounts, per currency. */
export async function checkTrialBalance(trx: Trx): Promise<Difference[]> {
  const rows = await trx.query<{ currency: string; off: string }>(
    `select currency, (sum(debits) - sum(credits))::text as off from accounts
      where org_id = $1 group by currency having sum(debits) <> sum(credits) order by currency`,
    [trx.scope],
  )
  return rows.map(({ currency, off }) => ({
    check: 'trial balance',
    detail: `${currency}: debits less credits are ${off}`,
    accountId: null,
    entryNo: null,
  }))
}
