/** Accounts of an organisation: found, opened from the chart when first used, listed. */
import type { Trx } from '../../base/db.ts'
import type { AccountType, Direction } from '../core/chart.ts'
import { openFromChart } from './open-accounts.ts'

/** An account as posting sees it. */
export interface LedgerAccount {
  accountId: number
  code: string
  currency: string
  normal: Direction
  open: boolean
  /** The self-check found that its stored balance does not agree with its postings. */
  frozen: boolean
  floor: bigint | null
  /** Sums of all postings, minor units. */
  debits: bigint
  credits: bigint
}

export interface AccountView {
  account_id: number
  code: string
  name: string
  type: AccountType
  normal: Direction
  currency: string
  open: boolean
  frozen: boolean
  floor: bigint | null
  metadata: Record<string, string>
  created_at: Date
  /** On the normal side, minor units. */
  balance: bigint
}

/** Accounts are told apart by code and currency. */
export function keyOf(code: string, currency: string): string {
  return `${code} ${currency}`
}

/**
 * The accounts that these lines name, by `keyOf`; one that was never used is opened from its
 * template. A code outside the chart, and a currency that nobody registered, is left out.
 */
export async function loadAccounts(
  trx: Trx,
  lines: readonly { account: string; currency: string }[],
): Promise<Map<string, LedgerAccount>> {
  const wanted = new Map(lines.map((line) => [keyOf(line.account, line.currency), line]))
  const found = await select(trx, [...wanted.values()])
  const missing = [...wanted].filter(([key]) => !found.has(key)).map(([, line]) => line)
  const opened = await openFromChart(trx, missing)
  return opened ? await select(trx, [...wanted.values()]) : found
}

async function select(
  trx: Trx,
  wanted: readonly { account: string; currency: string }[],
): Promise<Map<string, LedgerAccount>> {
  const rows = await trx.query<LedgerAccount>(
    // Name by name, for a planner without statistics.
    `select a.*
       from unnest($2::text[], $3::text[]) as w (code, currency)
      cross join lateral (
        select account_id as "accountId", code, currency, normal, open, frozen, floor, debits,
               credits
          from accounts
         where org_id = $1 and code = w.code and currency = w.currency limit 1
      ) a`,
    [trx.scope, wanted.map((line) => line.account), wanted.map((line) => line.currency)],
  )
  return new Map(rows.map((row) => [keyOf(row.code, row.currency), row]))
}

/** The ids of the accounts that these drafts name, by `keyOf`, as far as they are there. */
export async function accountIds(
  trx: Trx,
  drafts: readonly { lines: readonly { account: string; currency: string }[] }[],
): Promise<Map<string, number>> {
  const wanted = new Map(
    drafts.flatMap(({ lines }) => lines.map((line) => [keyOf(line.account, line.currency), line])),
  )
  const found = await select(trx, [...wanted.values()])
  return new Map([...found].map(([key, { accountId }]) => [key, accountId]))
}

const VIEW = `account_id, code, name, type, normal, currency, open, frozen, floor, metadata,
  created_at, case normal when 'debit' then debits - credits else credits - debits end as balance`

export interface AccountsPage {
  limit: number
  /** The id of the last account of the page before. */
  after: number | null
  /** Accounts in this group, however deep. */
  group?: string | undefined
  type?: AccountType | undefined
  currency?: string | undefined
  open?: boolean | undefined
  frozen?: boolean | undefined
}

/** Accounts by id, `limit` at most. */
export async function listAccounts(trx: Trx, page: AccountsPage): Promise<AccountView[]> {
  const { limit, after, group, type, currency, open, frozen } = page
  return await trx.query<AccountView>(
    // A group is a range of codes: what begins with it and a colon, which the semicolon follows.
    `select ${VIEW} from accounts
      where org_id = $1 and account_id > $2
        and ($4::text is null or (code >= $4 || ':' and code < $4 || ';'))
        and ($5::text is null or type = $5)
        and ($6::text is null or currency = $6)
        and ($7::boolean is null or open = $7)
        and ($8::boolean is null or frozen = $8)
      order by account_id limit $3`,
    [trx.scope, after ?? 0, limit, group, type, currency, open, frozen],
  )
}

export async function findAccount(trx: Trx, accountId: number): Promise<AccountView | undefined> {
  const [account] = await trx.query<AccountView>(
    `select ${VIEW} from accounts where org_id = $1 and account_id = $2`,
    [trx.scope, accountId],
  )
  return account
}

/** One change of an account: who, why, and old and new values by column. */
export interface AccountHistoryLine {
  change_no: number
  changed_at: Date
  actor: string
  reason: string
  change: Record<string, { old: unknown; new: unknown }>
}

/** The changes of an account, newest first, `limit` at most, before the change of that number. */
export async function listChanges(
  trx: Trx,
  accountId: number,
  page: { limit: number; before: number | null },
): Promise<AccountHistoryLine[]> {
  return await trx.query<AccountHistoryLine>(
    `select change_no, changed_at, actor, reason, change from account_changes
      where org_id = $1 and account_id = $2 and ($3::integer is null or change_no < $3)
      order by change_no desc limit $4`,
    [trx.scope, accountId, page.before, page.limit],
  )
}
