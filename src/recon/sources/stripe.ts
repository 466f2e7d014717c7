/** Stripe's balance transactions: rows of its API, and the itemised payout reconciliation's CSV. */
import { isObject, objectAt, type JsonObject } from '../../gateways/json.ts'
import { fromStripe } from '../../gateways/stripe/amounts.ts'
import { cellAmount, cellCurrency, cellId, dayOfUtc, decimalsOf } from './cells.ts'
import type { GatewayForm, GatewayMapping } from './gateway-file.ts'
import { normalReference, type LineKind, type SettlementLine } from './line.ts'
import type { Cells } from './named.ts'
import { toldKindOf } from './razorpay.ts'
import { BadCell } from './reading.ts'

/**
 * Names as payout_reconciliation.itemized has them; amounts there are decimals of the major unit,
 * those of the API whole numbers (`stripeRow` brings a row of the API under these names).
 */
export const STRIPE_FORM: GatewayForm = {
  columns: [
    'balance_transaction_id',
    'gross',
    'fee',
    'tax',
    'net',
    'currency',
    'reporting_category',
    'source_id',
    'charge_id',
    'payment_intent_id',
    'automatic_payout_id',
    'trace_id',
    'created_utc',
    'created',
    'automatic_payout_effective_at_utc',
    'automatic_payout_effective_at',
  ],
  needed: ['balance_transaction_id', 'gross', 'net', 'currency', 'reporting_category'],
  rowsIn(document) {
    const data = isObject(document) ? document['data'] : document
    const rows = Array.isArray(data) ? data.filter(isObject) : isObject(document) ? [document] : []
    return rows.map((row) => (row['balance_transaction_id'] === undefined ? stripeRow(row) : row))
  },
  line,
}

/** docs.stripe.com/reports/reporting-categories; what is none of these is shown as it is told. */
const KINDS: ReadonlyMap<string, LineKind> = new Map([
  ['charge', 'payment'],
  ['payment', 'payment'],
  ['refund', 'refund'],
  ['partial_capture_reversal', 'refund'],
  ['refund_failure', 'refund_reversal'],
  ['transfer', 'transfer'],
  ['transfer_reversal', 'transfer_reversal'],
  ['dispute', 'dispute'],
  ['dispute_reversal', 'dispute_reversal'],
  ['other_adjustment', 'adjustment'],
  ['fee', 'fee'],
  ['tax', 'fee'],
])

/** A payout is what the lines come to; none of them. */
const SUMS: ReadonlySet<string> = new Set(['payout', 'payout_reversal'])

function line(row: number, cells: Cells, mapping: GatewayMapping): SettlementLine | null {
  const lineId = cellId('balance_transaction_id', cells.at('balance_transaction_id'))
  if (lineId === null) {
    throw new BadCell('balance_transaction_id', 'is empty')
  }
  const category = cells.at('reporting_category').trim().toLowerCase()
  if (SUMS.has(category)) {
    return null
  }
  const currency = cellCurrency('currency', cells.at('currency'))
  const money = (column: string) => amountOf(column, cells.at(column), currency, mapping)
  const [gross, net, fee] = [money('gross'), money('net'), money('fee')]
  if (gross === null || net === null) {
    throw new BadCell('net', 'or gross is empty')
  }
  const kind = KINDS.get(category) ?? 'other'
  return {
    row,
    lineId,
    kind,
    toldKind: kind === 'other' ? toldKindOf(category) : null,
    externalId: cellId('source_id', cells.at('source_id')) ?? lineId,
    paymentRef: cellId('charge_id', cells.at('charge_id')),
    orderRef: cellId('payment_intent_id', cells.at('payment_intent_id')),
    settlementRef: cellId('automatic_payout_id', cells.at('automatic_payout_id')),
    utr: normalReference(cellId('trace_id', cells.at('trace_id')) ?? ''),
    amount: gross < 0n ? -gross : gross,
    fee,
    tax: money('tax'),
    net,
    currency,
    occurredOn: dayAt(cells, 'created'),
    settledOn: dayAt(cells, 'automatic_payout_effective_at'),
  }
}

/** In the API's own units, which are not ISO 4217's for every currency, or in decimals. */
function amountOf(column: string, text: string, currency: string, { unit }: GatewayMapping) {
  const amount = cellAmount(column, text, decimalsOf(unit, currency))
  if (amount === null || unit === 'major') {
    return amount
  }
  try {
    return fromStripe(Number(amount), currency)
  } catch {
    throw new BadCell(column, `is finer than ${currency} is`)
  }
}

/** Where the file has both, the time in UTC counts; the other is in the account's own zone. */
function dayAt(cells: Cells, column: string) {
  return dayOfUtc(`${column}_utc`, cells.at(`${column}_utc`)) ?? dayOfUtc(column, cells.at(column))
}

/** A balance transaction of the API, and the payout that it is in where that is known. */
export function stripeRow(row: JsonObject, payout: JsonObject = {}): JsonObject {
  const expanded = objectAt(row, 'source')
  const source = expanded?.['id'] ?? row['source']
  const isCharge = typeof source === 'string' && /^(?:ch|py)_/.test(source)
  return {
    balance_transaction_id: row['id'] ?? null,
    gross: row['amount'] ?? null,
    fee: row['fee'] ?? null,
    tax: taxOf(row['fee_details']),
    net: row['net'] ?? null,
    currency: row['currency'] ?? null,
    reporting_category: row['reporting_category'] ?? row['type'] ?? null,
    source_id: source ?? null,
    charge_id: isCharge ? source : idIn(expanded?.['charge']),
    payment_intent_id: idIn(expanded?.['payment_intent']),
    automatic_payout_id: payout['id'] ?? null,
    trace_id: objectAt(payout, 'trace_id')?.['value'] ?? null,
    created_utc: row['created'] ?? null,
    automatic_payout_effective_at_utc: payout['arrival_date'] ?? null,
  }
}

function idIn(value: unknown): unknown {
  return (isObject(value) ? value['id'] : value) ?? null
}

/** What `fee_details` call tax, in the API's units; null where none is told. */
function taxOf(details: unknown): string | null {
  const taxes = (Array.isArray(details) ? details : [])
    .filter(isObject)
    .filter((detail) => detail['type'] === 'tax')
    .map((detail) => String(detail['amount']))
  return taxes.every((text) => /^-?\d{1,15}$/.test(text)) && taxes.length > 0
    ? String(taxes.reduce((sum, text) => sum + BigInt(text), 0n))
    : null
}
