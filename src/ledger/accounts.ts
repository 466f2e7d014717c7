/** Accounts of an organisation: opened from the chart when first used, listed with balances. */
import type { Trx } from '../base/db.ts'
import { templateOf, type AccountType, type Direction } from './core/chart.ts'

/** An account as posting sees it; `balance` is on the normal side, minor units. */
export interface LedgerAccount {
  accountId: number
  code: string
  currency: string
  normal: Direction
  open: boolean
  floor: bigint | null
  balance: bigint
  debits: bigint
  credits: bigint
  version: bigint
}

export interface AccountView {
  account_id: number
  code: string
  name: string
  type: AccountType
  normal: Direction
  currency: string
  open: boolean
  floor: bigint | null
  /** On the normal side, minor units. */
  balance: bigint
}

/** Accounts are told apart by code and currency. */
export function keyOf(code: string, currency: string): string {
  return `${code} ${currency}`
}

interface Row {
  account_id: number
  code: string
  currency: string
  normal: Direction
  open: boolean
  floor: bigint | null
  balance: bigint
  debits: bigint
  credits: bigint
  version: bigint
}

/**
 * The accounts that these lines name, by `keyOf`; one that was never used is opened from its
 * template. A code outside the chart is left out.
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
  const rows = await trx.query<Row>(
    `select account_id, code, currency, normal, open, floor, debits, credits, version,
            case normal when 'debit' then debits - credits else credits - debits end as balance
       from accounts
      where org_id = $1
        and (code, currency) in (select * from unnest($2::text[], $3::text[]))`,
    [trx.scope, wanted.map((line) => line.account), wanted.map((line) => line.currency)],
  )
  return new Map(
    rows.map(({ account_id: accountId, ...row }) => [
      keyOf(row.code, row.currency),
      { accountId, ...row },
    ]),
  )
}

/** Opens accounts whose code the chart knows; true where there was any. */
async function openFromChart(
  trx: Trx,
  missing: readonly { account: string; currency: string }[],
): Promise<boolean> {
  const templates = missing.flatMap(({ account, currency }) => {
    const template = templateOf(account)
    return template === undefined ? [] : [{ ...template, currency }]
  })
  if (templates.length === 0) {
    return false
  }
  await trx.query(
    `insert into accounts (org_id, account_id, code, name, type, normal, currency, floor)
     select $1, coalesce((select max(account_id) from accounts where org_id = $1), 0)
                + row_number() over (),
            n.*
       from unnest($2::text[], $3::text[], $4::text[], $5::direction[], $6::text[], $7::bigint[])
         as n`,
    [
      trx.scope,
      templates.map((one) => one.code),
      templates.map((one) => one.name),
      templates.map((one) => one.type),
      templates.map((one) => one.normal),
      templates.map((one) => one.currency),
      templates.map((one) => one.floor),
    ],
  )
  return true
}

/** Accounts in the order of the chart, `limit` at most, after the code and currency of `after`. */
export async function listAccounts(
  trx: Trx,
  page: { limit: number; after: number | null },
): Promise<AccountView[]> {
  return await trx.query<AccountView>(
    `select account_id, code, name, type, normal, currency, open, floor,
            case normal when 'debit' then debits - credits else credits - debits end as balance
       from accounts
      where org_id = $1 and account_id > $2
      order by account_id limit $3`,
    [trx.scope, page.after ?? 0, page.limit],
  )
}

export async function findAccount(trx: Trx, accountId: number): Promise<AccountView | undefined> {
  const [account] = await trx.query<AccountView>(
    `select account_id, code, name, type, normal, currency, open, floor,
            case normal when 'debit' then debits - credits else credits - debits end as balance
       from accounts where org_id = $1 and account_id = $2`,
    [trx.scope, accountId],
  )
  return account
}
