/** PayU's reports: payments of a time, settlements of a range of days, of one day or one UTR. */
import { indianDate, isIsoDate } from '../../../../src/base/clock.ts'
import { formatDecimal } from '../../../../src/base/money.ts'
import { indianWallClock } from '../../payu-bodies.ts'
import { reply, type Json, type Reply } from '../wire.ts'
import { type PayuBooks, type Request, type Settlement } from './books.ts'
import { chargeOf, netOf } from './life.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Payments between two instants of India's clock, both of them in the range. */
export function listTransactions(
  books: PayuBooks,
  [from = '', to = '']: readonly string[],
  key: string,
): Reply {
  const rows = books.payments
    .all()
    .filter((payment) => payment.key === key)
    .filter(({ addedon = '' }) => addedon >= from && addedon <= to)
    .map((payment) => ({
      id: payment.mihpayid,
      txnid: payment.txnid,
      status: payment.unmappedstatus,
      amount: payment.amount,
      addedon: payment['addedon'] ?? null,
    }))
  return rows.length === 0
    ? reply(200, { status: 0, msg: 'No transactions found' })
    : reply(200, { status: 1, msg: 'Transactions fetched', Transaction_details: rows })
}

/** Here 0 is success and 1 an error, unlike everywhere else at PayU. */
export function settlementRange(books: PayuBooks, query: URLSearchParams): Reply {
  const [from, to] = [query.get('dateFrom') ?? '', query.get('dateTo') ?? '']
  const [size, page] = [query.get('pageSize') ?? '100', query.get('page') ?? '1']
  if (!isIsoDate(from) || !isIsoDate(to) || Date.parse(to) - Date.parse(from) > 3 * DAY_MS) {
    return wrong('The range must be of at most 3 days')
  }
  if (!/^\d{1,6}$/.test(size) || Number(size) < 1 || Number(size) > 50_000) {
    return wrong("Page size can't be more that 50000")
  }
  const all = books.settlements
    .all()
    .filter(({ at }) => indianDate(at) >= from && indianDate(at) <= to)
  const start = (Math.max(1, Number(page)) - 1) * Number(size)
  const some = all.slice(start, start + Number(size))
  const data = some.map((settlement) => settlementView(books, settlement))
  const result = { page: Number(page), size: data.length, totalCount: all.length, data }
  return reply(200, { status: 0, result })
}

function wrong(message: string): Reply {
  return reply(200, { message, status: 1, result: message })
}

function settlementView(books: PayuBooks, settlement: Settlement): Json {
  return {
    settlementId: settlement.id,
    settlementCompletedDate: indianWallClock(settlement.at),
    settlementAmount: formatDecimal(settlement.amount, 'INR'),
    merchantId: 8_000_001,
    utrNumber: settlement.utr,
    transaction: settlement.requests.map((request) => lineView(books, request)),
  }
}

function lineView(books: PayuBooks, request: Request): Json {
  const payment = books.payments.find(request.mihpayid)
  const { fee, tax } = chargeOf(request)
  const amount = formatDecimal(request.amount, 'INR')
  return {
    action: request.action,
    payuId: request.mihpayid,
    requestId: request.requestId,
    transactionAmount: amount,
    merchantServiceFee: `${formatDecimal(fee, 'INR')}00`,
    merchantServiceTax: `${formatDecimal(tax, 'INR')}00`,
    merchantNetAmount: formatDecimal(netOf(request), 'INR'),
    sgst: '0.00000',
    cgst: '0.00000',
    igst: `${formatDecimal(tax, 'INR')}000`,
    merchantTransactionId: payment?.txnid ?? '',
    mode: payment?.mode ?? 'UPI',
    paymentStatus: payment?.unmappedstatus ?? 'captured',
    transactionDate: payment?.['addedon'] ?? '',
    requestDate: indianWallClock(request.at),
    requestedAmount: amount,
    bankName: 'TESTPGNB',
    transactionCurrency: 'INR',
    settlementCurrency: 'INR',
  }
}

/** The older report: of a day, or of a UTR. */
export function getSettlementDetails(
  books: PayuBooks,
  [dayOrUtr = '', page = '1', size = '2000']: readonly string[],
): Reply {
  const isDay = isIsoDate(dayOrUtr)
  const rows = books.settlements
    .all()
    .filter(({ at, utr }) => (isDay ? indianDate(at) === dayOrUtr : utr === dayOrUtr))
    .flatMap((settlement) => settlement.requests.map((one) => [settlement, one] as const))
  const start = (Math.max(1, Number(page) || 1) - 1) * (Number(size) || 2000)
  const some = rows.slice(start, start + (Number(size) || 2000))
  const details = some.map(([settlement, one], index) => {
    const payment = books.payments.find(one.mihpayid)
    const { fee, tax } = chargeOf(one)
    const row = {
      payuid: one.mihpayid,
      txnid: payment?.txnid ?? '',
      txndate: payment?.['addedon'] ?? '',
      mode: payment?.mode ?? 'UPI',
      amount: payment?.amount ?? '',
      requestid: one.requestId,
      requestdate: indianWallClock(one.at),
      requestaction: one.action,
      requestamount: formatDecimal(one.amount, 'INR'),
      mer_utr: settlement.utr,
      mer_service_fee: `${formatDecimal(fee, 'INR')}00`,
      mer_service_tax: `${formatDecimal(tax, 'INR')}00`,
      mer_net_amount: `${formatDecimal(netOf(one), 'INR')}00`,
      token: one.token,
    }
    return [String(index + 1), row] as const
  })
  const msg = `${rows.length} transactions settled on ${dayOrUtr}`
  return reply(200, { status: 1, msg, Txn_details: Object.fromEntries(details) })
}
