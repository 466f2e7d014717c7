/** Opens accounts: on demand from the chart's templates, or as finance asks for them. */
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import {
  appendChange,
  assertFloor,
  canonical,
  insertAccounts,
  type AccountOpening,
} from './account-changes.ts'
import { normalOf, refusedCurrency, templateOf, typeOf, type Direction } from '../core/chart.ts'
import { readExponent, readExponents } from './currencies.ts'

/**
 * Opens those of the missing accounts that the chart has a template for, in currencies that the
 * organisation knows; true where there was any.
 */
export async function openFromChart(
  trx: Trx,
  missing: readonly { account: string; currency: string }[],
): Promise<boolean> {
  if (missing.length === 0) {
    return false
  }
  const known = await readExponents(trx, [...new Set(missing.map(({ currency }) => currency))])
  const openings = missing.flatMap(({ account, currency }) => {
    const template = known.has(currency) ? templateOf(account, currency) : undefined
    return template === undefined ? [] : [{ ...template, currency, metadata: {} }]
  })
  if (openings.length > 0) {
    await insertAccounts(trx, openings)
  }
  return openings.length > 0
}

/** An account that finance asks for; what is left out, the chart says. */
export interface AskedAccount {
  code: string
  name: string
  currency: string
  /** For a contra account: the other side than its type's. */
  normal?: Direction | undefined
  /** Minor units on the normal side, 0 or below; null for none. */
  floor?: bigint | null | undefined
  metadata?: Readonly<Record<string, string>> | undefined
}

/**
 * Opens one account and notes who did. An account that is there and was asked for alike is given as
 * it is, open or not. Throws `account_exists` where it differs; `unknown_currency`;
 * `invalid_request` for a code outside the five types, in a currency that it is not kept in, or
 * with a floor above zero.
 */
export async function openAccount(
  trx: Trx,
  asked: AskedAccount,
  actor: string,
): Promise<{ accountId: number; isNew: boolean }> {
  const opening = await openingOf(trx, asked)
  const before = await findOpening(trx, asked)
  if (before !== undefined) {
    const { account_id: accountId, ...found } = before
    if (contentOf(found) !== contentOf(opening)) {
      const detail = `Account ${asked.code} in ${asked.currency} is there and differs; change it.`
      throw new Problem('account_exists', { detail, moved: 'no' })
    }
    return { accountId, isNew: false }
  }
  const [row] = await insertAccounts(trx, [opening])
  if (row === undefined) {
    throw new Error('an account was inserted and has no id')
  }
  const change = { open: { old: null, new: true } }
  await appendChange(trx, row.account_id, change, { actor, reason: 'Opened' })
  return { accountId: row.account_id, isNew: true }
}

async function openingOf(trx: Trx, asked: AskedAccount): Promise<AccountOpening> {
  const { code, name, currency } = asked
  const type = typeOf(code)
  if (type === undefined) {
    const detail = `"${code}" is no account's code; write a path such as expenses:travel.`
    throw new Problem('invalid_request', { detail, moved: 'no' })
  }
  const refused = refusedCurrency(code, currency)
  if (refused !== null) {
    throw new Problem('invalid_request', { detail: refused, moved: 'no' })
  }
  await readExponent(trx, currency)
  const template = templateOf(code, currency)
  const floor = asked.floor === undefined ? (template?.floor ?? null) : asked.floor
  assertFloor(floor)
  const normal = asked.normal ?? normalOf(type)
  return { code, name, type, normal, currency, floor, metadata: asked.metadata ?? {} }
}

async function findOpening(
  trx: Trx,
  asked: { code: string; currency: string },
): Promise<(AccountOpening & { account_id: number }) | undefined> {
  const [row] = await trx.query<AccountOpening & { account_id: number }>(
    `select account_id, code, name, type, normal, currency, floor, metadata
       from accounts where org_id = $1 and code = $2 and currency = $3`,
    [trx.scope, asked.code, asked.currency],
  )
  return row
}

/** What makes two openings the same. */
function contentOf(one: AccountOpening): string {
  return canonical({
    ...one,
    floor: one.floor?.toString() ?? null,
    metadata: canonical(one.metadata),
  })
}
