/** The chart of accounts: what each code means, its groups, and what is opened on demand. */
import { isCurrency } from '../../base/money.ts'

export const ACCOUNT_TYPES = ['asset', 'liability', 'equity', 'income', 'expense'] as const

export type AccountType = (typeof ACCOUNT_TYPES)[number]
export type Direction = 'debit' | 'credit'

/** Path in the chart of accounts; its first part decides the type. */
export type AccountCode = `${'assets' | 'liabilities' | 'equity' | 'income' | 'expenses'}:${string}`

export interface AccountTemplate {
  code: AccountCode
  name: string
  type: AccountType
  /** The side on which the account grows. */
  normal: Direction
  /** The least balance on the normal side, minor units; null for none. */
  floor: bigint | null
}

const TYPES: ReadonlyMap<string, AccountType> = new Map([
  ['assets', 'asset'],
  ['liabilities', 'liability'],
  ['equity', 'equity'],
  ['income', 'income'],
  ['expenses', 'expense'],
])

const FIXED: readonly AccountTemplate[] = [
  template('assets:bank:main', 'Bank, main account', 'asset'),
  template('assets:bank:in-transit', 'Bank in transit', 'asset'),
  template('assets:cash', 'Cash in hand', 'asset'),
  template('assets:cheques-in-hand', 'Cheques in hand', 'asset'),
  template('assets:input-gst', 'Input GST', 'asset'),
  // Paid out by somebody in the gateway's own dashboard: finance says what for.
  template('assets:unidentified-payments', 'Unidentified payments', 'asset'),
  template('liabilities:merchants-payable', 'Payable to merchants', 'liability'),
  template('liabilities:unidentified-receipts', 'Unidentified receipts', 'liability'),
  // Cheques that came and that no bank has honoured yet: not ours, whoever wrote them.
  template('liabilities:cheques-unrealised', 'Cheques not yet realised', 'liability'),
  template('equity:general-fund', 'General fund', 'equity'),
  template('expenses:gateway-fees', 'Gateway fees', 'expense'),
  template('expenses:dispute-losses', 'Losses by disputes', 'expense'),
  template('expenses:bank-charges', 'Bank charges', 'expense'),
  // What nobody could explain: write-offs of the reconciliation.
  template('expenses:reconciliation-differences', 'Reconciliation differences', 'expense'),
  template('income:reconciliation-differences', 'Reconciliation differences', 'income'),
]

const BY_CODE: ReadonlyMap<string, AccountTemplate> = new Map(FIXED.map((one) => [one.code, one]))

/** Accounts of which there is one a member: each is opened when it is first posted to. */
interface Family {
  group: AccountCode
  member: RegExp
  name(member: string): string
  floor: bigint | null
}

const NAME = /^[a-z][a-z0-9-]{0,39}$/
const ID = /^[a-z0-9][a-z0-9_-]{0,79}$/

const FAMILIES: readonly Family[] = [
  family('assets:clearing', NAME, (gateway) => `Clearing, ${gateway}`),
  family('assets:disputed', NAME, (gateway) => `Held back for disputes, ${gateway}`),
  family('assets:payout-balance', NAME, (gateway) => `Payout balance, ${gateway}`),
  family('liabilities:refunds-payable', NAME, (gateway) => `Refunds on their way, ${gateway}`),
  family('income:donations', NAME, (fund) => `Donations, ${fund} fund`),
  // Nobody's wallet, advance or points go below nothing, unless finance gives them a credit line.
  family('liabilities:wallets', ID, (owner) => `Wallet of ${owner}`, 0n),
  family('liabilities:donors-in-advance', ID, (donor) => `Donor in advance, ${donor}`, 0n),
  family('liabilities:points', ID, (owner) => `Points of ${owner}`, 0n),
  family('equity:funds', NAME, (fund) => `Balance of the ${fund} fund`),
  // Stands on either side: what was given for the currency less what was got.
  family('equity:trading', /^[a-z][a-z0-9]{2,11}$/, (code) => `Trading, ${code.toUpperCase()}`),
]

const GROUP_NAMES: ReadonlyMap<string, string> = new Map([
  ['assets', 'Assets'],
  ['assets:bank', 'Bank'],
  ['assets:clearing', 'Gateway clearing'],
  ['assets:disputed', 'Held back for disputes'],
  ['assets:payout-balance', 'Payout balances'],
  ['liabilities', 'Liabilities'],
  ['liabilities:refunds-payable', 'Refunds on their way'],
  ['liabilities:wallets', 'Wallets'],
  ['liabilities:donors-in-advance', 'Donors in advance'],
  ['liabilities:points', 'Points'],
  ['equity', 'Equity and funds'],
  ['equity:funds', 'Fund balances'],
  ['equity:trading', 'Currency trading'],
  ['income', 'Income'],
  ['income:donations', 'Donations'],
  ['expenses', 'Expenses'],
])

/**
 * What an account of that code is when it is opened on demand; undefined for a code that only
 * finance opens, and for one that is not kept in that currency.
 */
export function templateOf(code: string, currency?: string): AccountTemplate | undefined {
  if (currency !== undefined && refusedCurrency(code, currency) !== null) {
    return undefined
  }
  const fixed = BY_CODE.get(code)
  if (fixed !== undefined) {
    return fixed
  }
  for (const { group, member, name, floor } of FAMILIES) {
    const part = code.startsWith(`${group}:`) ? code.slice(group.length + 1) : ''
    const type = typeOf(code)
    if (type !== undefined && member.test(part)) {
      return { ...template(`${group}:${part}`, name(part), type), floor }
    }
  }
  return undefined
}

/** Why an account of that code is not kept in that currency; null where it may be. */
export function refusedCurrency(code: string, currency: string): string | null {
  if (code.startsWith('equity:trading:') && code !== tradingAccount(currency)) {
    return `${code} is not kept in ${currency}; that is traded through ${tradingAccount(currency)}.`
  }
  if (code.startsWith('liabilities:points:') && isCurrency(currency)) {
    return `${code} holds points, and ${currency} is money.`
  }
  return null
}

/** The account through which a currency is exchanged. */
export function tradingAccount(currency: string): AccountCode {
  return `equity:trading:${currency.toLowerCase()}`
}

/** The type that the first part of a code decides; undefined for what is no account's code. */
export function typeOf(code: string): AccountType | undefined {
  const isPath = code.length <= 200 && /^[a-z]+(:[a-z0-9_-]+)+$/.test(code)
  return isPath ? TYPES.get(code.slice(0, code.indexOf(':'))) : undefined
}

/** True for a path in the chart below one of the five types. */
export function isAccountCode(code: string): code is AccountCode {
  return typeOf(code) !== undefined
}

/** Assets and expenses grow on the debit side, the rest on the credit side. */
export function normalOf(type: AccountType): Direction {
  return type === 'asset' || type === 'expense' ? 'debit' : 'credit'
}

/** The group that an account or a group stands in; null for the five at the top. */
export function parentOf(code: string): string | null {
  const end = code.lastIndexOf(':')
  return end < 0 ? null : code.slice(0, end)
}

/** The groups of an account, from the outermost: assets, assets:clearing. */
export function groupsOf(code: string): string[] {
  const parent = parentOf(code)
  return parent === null ? [] : [...groupsOf(parent), parent]
}

/** The type of all accounts in a group; undefined for what is no group. */
export function typeOfGroup(group: string): AccountType | undefined {
  return typeOf(`${group}:x`)
}

/** What a group is called: a known name, or its last part in words. */
export function groupName(group: string): string {
  const words = group.slice(group.lastIndexOf(':') + 1).replaceAll(/[-_]+/g, ' ')
  return GROUP_NAMES.get(group) ?? words.charAt(0).toUpperCase() + words.slice(1)
}

function template(code: AccountCode, name: string, type: AccountType): AccountTemplate {
  return { code, name, type, normal: normalOf(type), floor: null }
}

function family(
  group: AccountCode,
  member: RegExp,
  name: (member: string) => string,
  floor: bigint | null = null,
): Family {
  return { group, member, name, floor }
}
