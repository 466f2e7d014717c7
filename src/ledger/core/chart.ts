/** The chart of accounts: what each code means. A code that is not here cannot be posted to. */

export type AccountType = 'asset' | 'liability' | 'equity' | 'income' | 'expense'
export type Direction = 'debit' | 'credit'

/** Path in the chart of accounts; families end in the name of a gateway or a fund. */
export type AccountCode =
  | 'assets:bank:main'
  | 'assets:bank:in-transit'
  | `assets:clearing:${string}`
  | 'liabilities:unidentified-receipts'
  | 'equity:general-fund'
  | `income:donations:${string}`
  | 'expenses:gateway-fees'

export interface AccountTemplate {
  code: AccountCode
  name: string
  type: AccountType
  /** The side on which the account grows. */
  normal: Direction
  /** The least balance on the normal side, minor units; null for none. */
  floor: bigint | null
}

const FIXED: readonly AccountTemplate[] = [
  template('assets:bank:main', 'Bank, main account', 'asset'),
  template('assets:bank:in-transit', 'Bank in transit', 'asset'),
  template('liabilities:unidentified-receipts', 'Unidentified receipts', 'liability'),
  template('equity:general-fund', 'General fund', 'equity'),
  template('expenses:gateway-fees', 'Gateway fees', 'expense'),
]

const BY_CODE: ReadonlyMap<string, AccountTemplate> = new Map(FIXED.map((one) => [one.code, one]))

/** What an account of that code is; undefined for a code outside the chart. */
export function templateOf(code: string): AccountTemplate | undefined {
  const fixed = BY_CODE.get(code)
  if (fixed !== undefined) {
    return fixed
  }
  const [, family, member] =
    /^(assets:clearing|income:donations):([a-z][a-z0-9-]{0,39})$/.exec(code) ?? []
  if (family === 'assets:clearing' && member !== undefined) {
    return template(`assets:clearing:${member}`, `Clearing, ${member}`, 'asset')
  }
  if (family === 'income:donations' && member !== undefined) {
    return template(`income:donations:${member}`, `Donations, ${member} fund`, 'income')
  }
  return undefined
}

/** Assets and expenses grow on the debit side, the rest on the credit side. */
export function normalOf(type: AccountType): Direction {
  return type === 'asset' || type === 'expense' ? 'debit' : 'credit'
}

function template(code: AccountCode, name: string, type: AccountType): AccountTemplate {
  return { code, name, type, normal: normalOf(type), floor: null }
}
