/** The formats that there are, and how a source says what cannot be seen in a file. */
import type { GatewayName } from '../../gateways/fact.ts'
import { bankCsv } from './bank-csv.ts'
import { BANK_LAYOUTS, type BankColumn, type BankHeaders } from './bank-layouts.ts'
import { camt053 } from './camt053.ts'
import type { DayOrder, Unit } from './cells.ts'
import { gatewayCsv, gatewayJson, type GatewayForm } from './gateway-file.ts'
import type { BankLine, SettlementLine } from './line.ts'
import { mt940 } from './mt940.ts'
import { PAYU_FORM } from './payu.ts'
import { RAZORPAY_FORM } from './razorpay.ts'
import type { Reader } from './reading.ts'
import { STRIPE_FORM } from './stripe.ts'

export const GATEWAY_FORMATS = ['csv', 'json'] as const
export const BANK_FORMATS = ['bank_csv', 'mt940', 'camt053'] as const

export type GatewayFormat = (typeof GATEWAY_FORMATS)[number]
export type BankFormat = (typeof BANK_FORMATS)[number]
export type SourceFormat = GatewayFormat | BankFormat

/** What a source's mapping may say; what it does not is as the gateway or the bank writes it. */
export interface Mapping {
  /** Of gateways: how amounts are written. */
  unit?: Unit | undefined
  fee_has_tax?: boolean | undefined
  /** Of gateways: our name of a column → the file's. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Of banks: the file's name of each column. */
  columns?: Readonly<Partial<Record<BankColumn, string | undefined>>> | undefined
  days?: DayOrder | undefined
  currency?: string | undefined
  /** The bank's number of the account: statements of others are not read. */
  account_number?: string | undefined
}

const FORMS: Readonly<Record<GatewayName, GatewayForm>> = {
  razorpay: RAZORPAY_FORM,
  payu: PAYU_FORM,
  stripe: STRIPE_FORM,
}

/** Columns that a mapping of a gateway's file may name. */
export function gatewayColumns(gateway: GatewayName): readonly string[] {
  return FORMS[gateway].columns
}

/**
 * How each gateway writes amounts: its API counts paise and its dashboard's CSV rupees, but PayU's
 * API writes rupees too. A number does not say in what it counts, so that nothing is guessed.
 */
function unitOf(gateway: GatewayName, format: GatewayFormat): Unit {
  return format === 'json' && gateway !== 'payu' ? 'minor' : 'major'
}

export function settlementReader(
  gateway: GatewayName,
  format: GatewayFormat,
  mapping: Mapping,
): Reader<SettlementLine> {
  const set = {
    unit: mapping.unit ?? unitOf(gateway, format),
    feeHasTax: mapping.fee_has_tax ?? gateway !== 'payu',
    headers: mapping.headers ?? {},
  }
  const form = FORMS[gateway]
  return format === 'json' ? gatewayJson(form, set) : gatewayCsv(form, set)
}

export function bankReader(format: BankFormat, mapping: Mapping): Reader<BankLine> {
  const account = mapping.account_number ?? null
  switch (format) {
    case 'bank_csv':
      return bankCsv({ layout: layoutOf(mapping), currency: mapping.currency ?? 'INR' })
    case 'mt940':
      return mt940(account)
    case 'camt053':
      return camt053(account)
    default:
      return format satisfies never
  }
}

function layoutOf({ columns, days }: Mapping) {
  if (columns === undefined) {
    return null
  }
  const headers: BankHeaders = Object.fromEntries(
    Object.entries(columns).flatMap(([column, header]) =>
      header === undefined ? [] : [[column, [header]]],
    ),
  )
  return { name: 'as the source says', headers, days: days ?? 'dmy' }
}

/** Names of the layouts of banks that are recognised. */
export const KNOWN_BANKS: readonly string[] = BANK_LAYOUTS.map(({ name }) => name)
