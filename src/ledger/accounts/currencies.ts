/** Currencies of an organisation: ISO 4217's, and its own, such as points, which it registers. */
import type { Trx } from '../../base/db.ts'
import { exponentOf, isCurrency, isIsoCode } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'

/** A currency of the organisation's own; it never changes, because amounts rest on it. */
export interface OwnCurrency {
  code: string
  name: string
  /** Digits behind the decimal point, 0 to 6. */
  exponent: number
}

/** Digits behind the decimal point of these currencies; one that is not known is left out. */
export async function readExponents(
  trx: Trx,
  codes: readonly string[],
): Promise<Map<string, number>> {
  const exponents = new Map(
    codes.filter(isCurrency).map((code): [string, number] => [code, exponentOf(code)]),
  )
  const others = codes.filter((code) => !isCurrency(code))
  if (others.length > 0) {
    const rows = await trx.query<{ code: string; exponent: number }>(
      'select code, exponent from currencies where org_id = $1 and code = any($2::text[])',
      [trx.scope, others],
    )
    for (const { code, exponent } of rows) {
      exponents.set(code, exponent)
    }
  }
  return exponents
}

/** Digits behind the decimal point of a currency. Throws `unknown_currency`. */
export async function readExponent(trx: Trx, code: string): Promise<number> {
  const exponent = (await readExponents(trx, [code])).get(code)
  if (exponent === undefined) {
    const detail = `${code} is no ISO 4217 currency; register it as one of your own first.`
    throw new Problem('unknown_currency', { detail, moved: 'no' })
  }
  return exponent
}

/** The organisation's own currencies by code, `limit` at most, after `after`. */
export async function listOwnCurrencies(
  trx: Trx,
  page: { limit: number; after: string | null },
): Promise<OwnCurrency[]> {
  return await trx.query<OwnCurrency>(
    `select code, name, exponent from currencies
      where org_id = $1 and code > $2 order by code limit $3`,
    [trx.scope, page.after ?? '', page.limit],
  )
}

/**
 * Registers a currency of the organisation's own; gives false where it is registered so already.
 * Throws `currency_exists` for a code that ISO 4217 has, or that stands for another currency.
 */
export async function registerCurrency(
  trx: Trx,
  currency: OwnCurrency,
  actor: string,
): Promise<boolean> {
  const { code, name, exponent } = currency
  if (isIsoCode(code)) {
    const detail = `${code} is a code of ISO 4217; points need another one.`
    throw new Problem('currency_exists', { detail })
  }
  const [before] = await trx.query<OwnCurrency>(
    'select code, name, exponent from currencies where org_id = $1 and code = $2',
    [trx.scope, code],
  )
  if (before !== undefined) {
    if (before.name === name && before.exponent === exponent) {
      return false
    }
    const detail = `${code} is ${before.name} with ${before.exponent} decimals, and stays so.`
    throw new Problem('currency_exists', { detail })
  }
  await trx.query(
    'insert into currencies (org_id, code, name, exponent, actor) values ($1, $2, $3, $4, $5)',
    [trx.scope, code, name, exponent, actor],
  )
  return true
}
