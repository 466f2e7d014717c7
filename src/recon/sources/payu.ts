/** PayU's settlement report (/settlement/range): rows of its API, and a CSV with the same names. */
import { isObject, type JsonObject } from '../../gateways/json.ts'
import { cellAmount, cellCurrency, cellDay, cellId, decimalsOf } from './cells.ts'
import type { GatewayForm, GatewayMapping } from './gateway-file.ts'
import { normalReference, type LineKind, type SettlementLine } from './line.ts'
import type { Cells } from './named.ts'
import { toldKindOf } from './razorpay.ts'
import { BadCell } from './reading.ts'

const OF_SETTLEMENT = ['settlementId', 'settlementCompletedDate', 'utrNumber'] as const
const OF_LINE = [
  'action',
  'payuId',
  'requestId',
  'transactionAmount',
  'merchantServiceFee',
  'merchantServiceTax',
  'merchantNetAmount',
  'merchantTransactionId',
  'transactionDate',
  'requestDate',
  'transactionCurrency',
] as const

/** Here the fee excludes its tax. PayU's own net is kept, whatever the formula says. */
export const PAYU_FORM: GatewayForm = {
  columns: [...OF_SETTLEMENT, ...OF_LINE],
  needed: ['action', 'payuId', 'transactionAmount'],
  rowsIn: payuRows,
  line,
}

const CREDIT = 1n
const DEBIT = -1n

/** Which way an action moves the money: how PayU signs what it takes, nobody has seen. */
const ACTIONS: ReadonlyMap<string, { kind: LineKind; sign: bigint }> = new Map([
  ['capture', { kind: 'payment', sign: CREDIT }],
  ['refund', { kind: 'refund', sign: DEBIT }],
  ['cancel', { kind: 'refund', sign: DEBIT }],
  ['refundreversal', { kind: 'refund_reversal', sign: CREDIT }],
  ['chargeback', { kind: 'dispute', sign: DEBIT }],
  ['chargebackreversal', { kind: 'dispute_reversal', sign: CREDIT }],
  ['adjustmentcredit', { kind: 'adjustment', sign: CREDIT }],
  ['adjustmentdebit', { kind: 'adjustment', sign: DEBIT }],
])

function line(row: number, cells: Cells, mapping: GatewayMapping): SettlementLine {
  const action = cells.at('action').trim()
  const known = ACTIONS.get(action.toLowerCase().replaceAll(/[\s_-]+/g, ''))
  const paymentId = cellId('payuId', cells.at('payuId'))
  const requestId = cellId('requestId', cells.at('requestId'))
  const id = requestId ?? paymentId
  if (id === null) {
    throw new BadCell('payuId', 'is empty, and so is requestId')
  }
  const currency = cellCurrency('transactionCurrency', cells.at('transactionCurrency') || 'INR')
  const decimals = decimalsOf(mapping.unit, currency)
  const money = (column: string) => cellAmount(column, cells.at(column), decimals)
  const told = money('transactionAmount')
  if (told === null) {
    throw new BadCell('transactionAmount', 'is empty')
  }
  const tax = money('merchantServiceTax')
  const bare = money('merchantServiceFee')
  const fee = bare === null || mapping.feeHasTax ? bare : bare + (tax ?? 0n)
  const isPayment = known?.kind === 'payment'
  const dates = isPayment ? ['transactionDate', 'requestDate'] : ['requestDate', 'transactionDate']
  const amount = magnitude(told)
  return {
    row,
    lineId: `${id} ${action}`,
    kind: known?.kind ?? 'other',
    toldKind: known === undefined ? toldKindOf(action) : null,
    externalId: isPayment ? paymentId : id,
    paymentRef: paymentId,
    orderRef: cellId('merchantTransactionId', cells.at('merchantTransactionId')),
    settlementRef: cellId('settlementId', cells.at('settlementId')),
    utr: bankReference(cells.at('utrNumber')),
    amount,
    fee,
    tax,
    net: netOf(money('merchantNetAmount'), { amount, fee: fee ?? 0n, told, sign: known?.sign }),
    currency,
    occurredOn: firstDay(cells, dates),
    settledOn: cellDay('settlementCompletedDate', cells.at('settlementCompletedDate')),
  }
}

/** Of an action that is not known, the sign that PayU wrote counts. */
function netOf(
  net: bigint | null,
  {
    amount,
    fee,
    told,
    sign,
  }: { amount: bigint; fee: bigint; told: bigint; sign: bigint | undefined },
): bigint {
  if (sign === undefined) {
    return net ?? told
  }
  return sign * (net === null ? amount - sign * fee : magnitude(net))
}

function magnitude(amount: bigint): bigint {
  return amount < 0n ? -amount : amount
}

/** PayU writes "null" and "0" for none. */
function bankReference(text: string): string | null {
  const utr = normalReference(cellId('utrNumber', text) ?? '')
  return utr === 'NULL' ? null : utr
}

function firstDay(cells: Cells, columns: readonly string[]) {
  const days = columns.map((column) => cellDay(column, cells.at(column)))
  return days.find((day) => day !== null) ?? null
}

/** A row for each line of each settlement, with what the settlement itself says. */
function payuRows(document: unknown): JsonObject[] {
  if (isObject(document) && document['action'] !== undefined) {
    return [document]
  }
  const result = isObject(document) ? document['result'] : document
  const data = isObject(result) ? result['data'] : result
  return (Array.isArray(data) ? data : []).filter(isObject).flatMap((settlement) => {
    const lines = settlement['transaction']
    return (Array.isArray(lines) ? lines : [])
      .filter(isObject)
      .map((one) => payuRow(settlement, one))
  })
}

/** The members of a line and of its settlement that are read, and nothing else of them. */
export function payuRow(settlement: JsonObject, one: JsonObject): JsonObject {
  return Object.fromEntries([
    ...OF_SETTLEMENT.map((name) => [name, settlement[name] ?? null]),
    ...OF_LINE.map((name) => [name, one[name] ?? null]),
  ])
}
