/** Groups of the chart of accounts with their subtotals, one a currency. */
import type { Trx } from '../../base/db.ts'

export interface GroupTotal {
  /** Prefix of codes: assets, assets:clearing. */
  group: string
  currency: string
  /** How many accounts stand in it, however deep. */
  accounts: number
  /** Debits less credits of them all, minor units. */
  net: bigint
}

export interface GroupsPage {
  limit: number
  /** The last row of the page before. */
  after: { group: string; currency: string } | null
  /** This group and those in it; all where it is not said. */
  within?: string | undefined
}

/**
 * Subtotals by group and currency, `limit` at most. Reads each account's row once, and no posting.
 */
export async function listGroups(trx: Trx, page: GroupsPage): Promise<GroupTotal[]> {
  const rows = await trx.query<Omit<GroupTotal, 'net'> & { net: string }>(
    // By innermost group first: there are far fewer of these than accounts.
    `with innermost as materialized (
       select regexp_replace(code, ':[^:]*$', '') as code, currency, count(*) as accounts,
              sum(debits - credits) as net
         from accounts
        where org_id = $1 and ($5::text is null or (code >= $5 || ':' and code < $5 || ';'))
        group by 1, 2
     ), grouped as (
       select array_to_string(parts[:depth], ':') collate "C" as "group",
              currency::text collate "C" as currency,
              sum(accounts)::integer as accounts, sum(net)::text as net
         from innermost
        cross join lateral string_to_array(code, ':') as parts
        cross join lateral generate_series(1, cardinality(parts)) as depth
        group by 1, 2
     )
     select "group", currency, accounts, net from grouped
      where ("group", currency) > ($2, $3)
        and ($5::text is null or "group" = $5 or starts_with("group", $5 || ':'))
      order by "group", currency limit $4`,
    [trx.scope, page.after?.group ?? '', page.after?.currency ?? '', page.limit, page.within],
  )
  // As text: a sum of many full accounts is more than a bigint of Postgres holds.
  return rows.map(({ net, ...row }) => ({ ...row, net: BigInt(net) }))
}
