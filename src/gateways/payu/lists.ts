/** PayU's own lists by time: payments, settlements and their lines; of the rest it has none. */
import { indianDate } from '../../base/clock.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import type { Lists, Page, SettlementLine, SettlementRow, TimeRange, Told } from '../asked.ts'
import type { CallOptions, Confirmation, GatewayAccount } from '../gateway.ts'
import { isObject, objectAt, type JsonObject } from '../json.ts'
import { idOf, textOf } from '../text.ts'
import { ask, kept, no, report, toldOf, unusable } from './ask.ts'
import { askAboutOrders, toldOfPayment } from './confirm.ts'
import { hasFee, lineMoney } from './settlements.ts'
import { bankReferenceOf, CURRENCY, instantOf, malformed } from './values.ts'

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS
const IST_MS = 5.5 * HOUR_MS
const ORDERS_PER_CALL = 20
const ROWS_PER_PAGE = 1000

/** What decides about a settlement and a line of it, and what is kept of them as evidence. */
const KEPT_OF_SETTLEMENT = [
  'settlementId',
  'settlementCompletedDate',
  'settlementAmount',
  'utrNumber',
  'merchantId',
] as const

const KEPT_OF_LINE = [
  'action',
  'payuId',
  'parentPayuId',
  'requestId',
  'requestDate',
  'transactionAmount',
  'merchantServiceFee',
  'merchantServiceTax',
  'merchantNetAmount',
  'merchantTransactionId',
  'mode',
  'transactionCurrency',
] as const

export const list: Lists = { payments, settlements, settlementLines, settlementRows }

/**
 * What was paid in a range, an hour a page (get_transaction_info), each with PayU's word on it
 * (verify_payment): the list itself says less than that.
 */
async function payments(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<Page<Told>> {
  const from = cursor === null ? range.from : new Date(cursor)
  if (Number.isNaN(from.getTime())) {
    throw new Problem('internal', { detail: 'This cursor is none of a list of payments.' })
  }
  const to = new Date(Math.min(from.getTime() + HOUR_MS, range.to.getTime()))
  // PayU counts whole seconds and takes the last one in.
  const vars = [indianTime(from), indianTime(new Date(to.getTime() - 1))]
  const answer = await ask(account, { command: 'get_transaction_info', vars }, options)
  const rows: unknown = answer['Transaction_details'] ?? answer['transaction_details']
  if (!Array.isArray(rows)) {
    if (answer['status'] !== '1' && !/\bno\b.*\bfound\b/i.test(textOf(answer['msg']) ?? '')) {
      throw no(account, answer)
    }
  }
  const orders = new Set<string>()
  const unreadable: Page<Told>['unreadable'] = []
  for (const row of Array.isArray(rows) ? rows : []) {
    const orderRef = isObject(row) ? textOf(row['txnid']) : null
    if (orderRef === null || orderRef.includes('|')) {
      const id = isObject(row) ? textOf(row['id']) : null
      unreadable.push({ id, reason: 'The row has no usable txnid.' })
    } else {
      orders.add(orderRef)
    }
  }
  const items = await paymentsOf(account, [...orders], options)
  return { items, unreadable, next: to < range.to ? to.toISOString() : null }
}

async function paymentsOf(
  account: GatewayAccount,
  orderRefs: readonly string[],
  options: CallOptions,
): Promise<Told[]> {
  const found: Told[] = []
  for (let start = 0; start < orderRefs.length; start += ORDERS_PER_CALL) {
    const some = orderRefs.slice(start, start + ORDERS_PER_CALL)
    const answers = await askAboutOrders(account, some, options)
    found.push(...[...answers.values()].flatMap((one) => toldOfPayment(account, one) ?? []))
  }
  return found
}

async function settlements(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<Page<Told>> {
  const { rows, next } = await settlementsAt(account, range, cursor, options)
  return { ...readEach(rows, (row) => toldOfSettlement(account, row)), next }
}

async function settlementLines(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<Page<SettlementLine>> {
  const { rows, next } = await settlementsAt(account, range, cursor, options)
  const read = ([settlement, line]: readonly [unknown, unknown]) =>
    lineOf(account, isObject(settlement) ? settlement : {}, isObject(line) ? line : {})
  return { ...readEach(linesIn(rows), read), next }
}

async function settlementRows(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<Page<SettlementRow>> {
  const { rows, next } = await settlementsAt(account, range, cursor, options)
  const items = linesIn(rows).map(([settlement, line]) => ({
    settlement: isObject(settlement) ? settlement : {},
    line: isObject(line) ? line : {},
  }))
  return { items, unreadable: [], next }
}

/** Each line with the settlement that it is of. */
function linesIn(settlementsOfPage: readonly unknown[]): (readonly [unknown, unknown])[] {
  return settlementsOfPage.flatMap((settlement) => {
    const of: unknown = isObject(settlement) ? settlement['transaction'] : undefined
    return (Array.isArray(of) ? of : []).map((line: unknown) => [settlement, line] as const)
  })
}

/** A page of the settlements of one day; a cursor is the day and the page's number. */
async function settlementsAt(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<{ rows: unknown[]; next: string | null }> {
  const [day = '', number = ''] = (cursor ?? `${indianDate(range.from)} 1`).split(' ')
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || !/^\d{1,6}$/.test(number)) {
    throw new Problem('internal', { detail: 'This cursor is none of a list of settlements.' })
  }
  const page = Number(number)
  const query = new URLSearchParams({
    dateFrom: day,
    dateTo: day,
    pageSize: String(ROWS_PER_PAGE),
    page: number,
  })
  const answer = await report(account, `/settlement/range?${query.toString()}`, options)
  // Here 0 is success and 1 an error, unlike everywhere else at PayU.
  if (answer['status'] !== '0') {
    throw no(account, answer)
  }
  const result = objectAt(answer, 'result')
  const rows: unknown = result?.['data']
  if (!Array.isArray(rows)) {
    throw unusable('a list of settlements', false)
  }
  const total = Number(textOf(result?.['totalCount']) ?? '0')
  if (rows.length > 0 && total > page * ROWS_PER_PAGE) {
    return { rows, next: `${day} ${page + 1}` }
  }
  const tomorrow = indianDate(new Date(Date.parse(`${day}T12:00:00+05:30`) + DAY_MS))
  const last = indianDate(new Date(range.to.getTime() - 1))
  return { rows, next: tomorrow > last ? null : `${tomorrow} 1` }
}

function toldOfSettlement(account: GatewayAccount, row: unknown): Told {
  const settlement = kept(isObject(row) ? row : {}, KEPT_OF_SETTLEMENT)
  const id = idOf(settlement['settlementId'])
  if (id === undefined) {
    throw malformed('The settlement has no usable settlementId.')
  }
  return toldOf(account, id, { ...settlement, event: 'settlement' }, settlement)
}

function lineOf(account: GatewayAccount, settlement: JsonObject, line: JsonObject): SettlementLine {
  const { settlementId, utrNumber, settlementCompletedDate } = kept(settlement, KEPT_OF_SETTLEMENT)
  const row: Confirmation = {
    ...kept(line, KEPT_OF_LINE),
    settlementId: settlementId ?? '',
    settlementCompletedDate: settlementCompletedDate ?? '',
  }
  const money = lineMoney(row)
  const { requestId, paymentId, action } = money
  const entityId = requestId ?? paymentId
  if (settlementId === undefined || entityId === undefined) {
    throw malformed('The line has no usable id, or its settlement has none.')
  }
  const fields = { ...row, event: 'settlement_line' }
  return {
    settlementId,
    utr: bankReferenceOf(utrNumber),
    type: action,
    entityId,
    gatewayPaymentId: paymentId ?? null,
    gatewayDisputeId: null,
    orderRef: row['merchantTransactionId'] ?? null,
    currency: CURRENCY,
    amount: money.amount,
    fee: money.fee,
    tax: money.tax,
    credit: money.credit,
    debit: money.debit,
    settledAt: instantOf([settlementCompletedDate]) ?? null,
    description: null,
    told: hasFee(money) ? toldOf(account, entityId, fields, row) : null,
  }
}

function readEach<Row, Item>(
  rows: readonly Row[],
  read: (row: Row) => Item,
): Omit<Page<Item>, 'next'> {
  const items: Item[] = []
  const unreadable: Page<Item>['unreadable'] = []
  for (const row of rows) {
    try {
      items.push(read(row))
    } catch (error) {
      const [settlement, line] = Array.isArray(row) ? (row as unknown[]) : [row]
      const named = isObject(line) ? line : isObject(settlement) ? settlement : {}
      const id = textOf(named['requestId']) ?? textOf(named['settlementId'])
      unreadable.push({ id, reason: messageOf(error) })
    }
  }
  return { items, unreadable }
}

/** An instant as PayU writes it: `YYYY-MM-DD HH:mm:ss` in India. */
function indianTime(instant: Date): string {
  return new Date(instant.getTime() + IST_MS).toISOString().slice(0, 19).replace('T', ' ')
}
