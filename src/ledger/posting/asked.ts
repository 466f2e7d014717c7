/** Drafts that name accounts by id, as callers from outside may, get the accounts' codes. */
import type { Trx } from '../../base/db.ts'
import { keyOf } from '../accounts/accounts.ts'
import type { AccountCode } from '../core/chart.ts'
import type { Draft } from '../core/entry.ts'

/** An account's id as callers see it; no code of the chart looks like it. */
const ACCOUNT_ID = /^acc_([1-9]\d{0,8})$/

/** True where a line names its account by id. */
export function namesIds(drafts: readonly Draft[]): boolean {
  return drafts.some(({ lines }) => lines.some(({ account }) => ACCOUNT_ID.test(account)))
}

/**
 * The drafts with codes for ids. An id that is not there, or whose account is in another currency
 * than the line, stays: posting then refuses the draft, because no account has such a code.
 */
export async function withCodes<Asked extends Pick<Draft, 'lines'>>(
  trx: Trx,
  drafts: readonly Asked[],
): Promise<Asked[]> {
  const ids = new Set(
    drafts.flatMap(({ lines }) =>
      lines.flatMap(({ account }) => {
        const [, digits] = ACCOUNT_ID.exec(account) ?? []
        return digits === undefined ? [] : [Number(digits)]
      }),
    ),
  )
  const rows = await trx.query<{ account_id: number; code: AccountCode; currency: string }>(
    // Id by id, for a planner without statistics.
    `select a.account_id, a.code, a.currency
       from unnest($2::integer[]) as w (id)
      cross join lateral (
        select account_id, code, currency from accounts
         where org_id = $1 and account_id = w.id limit 1
      ) a`,
    [trx.scope, [...ids]],
  )
  const codes = new Map(rows.map((row) => [keyOf(`acc_${row.account_id}`, row.currency), row.code]))
  return drafts.map((draft) => ({
    ...draft,
    lines: draft.lines.map((line) => ({
      ...line,
      account: codes.get(keyOf(line.account, line.currency)) ?? line.account,
    })),
  }))
}
