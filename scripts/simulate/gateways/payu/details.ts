/** Payments and requests as PayU's API shows them. */
import { formatDecimal } from '../../../../src/base/money.ts'
import { indianWallClock } from '../../payu-bodies.ts'
import type { KnownPayment, PayuBooks, Request } from './books.ts'

type Details = Record<string, string | null>

/** A payment as `verify_payment` shows it; absent values are null here and empty there. */
export function detailsOf(payment: KnownPayment): Details {
  const debit = payment.net_amount_debit ?? payment.amount
  const told = (name: string, otherwise = ''): string => payment[name] ?? otherwise
  return {
    mihpayid: payment.mihpayid,
    request_id: '',
    bank_ref_num: told('bank_ref_num') === '' ? null : told('bank_ref_num'),
    amt: payment.amount,
    transaction_amount: payment.amount,
    txnid: payment.txnid,
    additional_charges: told('additional_charges', '0.00'),
    productinfo: told('productinfo'),
    firstname: told('firstname'),
    bankcode: told('bankcode'),
    udf1: told('udf1'),
    udf2: told('udf2'),
    udf3: told('udf3'),
    udf4: told('udf4'),
    udf5: told('udf5'),
    field2: null,
    field9: told('field9'),
    error_code: told('error_code', 'E000'),
    addedon: told('addedon', '0000-00-00 00:00:00'),
    payment_source: 'payu',
    card_type: null,
    error_Message: told('error_Message', 'NO ERROR'),
    net_amount_debit: payment.mode === 'UPI' ? `number:${debit}` : debit,
    disc: '0.00',
    mode: payment.mode ?? 'UPI',
    PG_TYPE: told('PG_TYPE'),
    card_no: '',
    status: payment.status,
    unmappedstatus: payment.unmappedstatus,
    Merchant_UTR: null,
    Settled_At: '0000-00-00 00:00:00',
    card_token: null,
    offerAvailed: null,
  }
}

/** PayU writes an amount as a JSON number with its decimals, for UPI at least. */
export function jsonOf(answer: unknown): string {
  return JSON.stringify(answer).replaceAll(/"number:(\d+(?:\.\d+)?)"/g, '$1')
}

/** A request as `check_action_status` shows it: a capture shouts its success. */
export function actionOf(books: PayuBooks, request: Request): Details {
  const settlement = books.settlements.find(request.settlementId ?? '')
  const mode = books.payments.find(request.mihpayid)?.mode ?? 'UPI'
  const isShouted = request.action === 'capture'
  return {
    mihpayid: request.mihpayid,
    bank_ref_num: request.bankRef,
    request_id: request.requestId,
    amt: formatDecimal(request.amount, 'INR'),
    mode,
    action: request.action,
    token: request.token,
    status: isShouted ? request.status.toUpperCase() : request.status,
    bank_arn: request.arn,
    settlement_id: request.settlementId,
    amount_settled: settlement === undefined ? null : formatDecimal(request.amount, 'INR'),
    UTR_no: settlement?.utr ?? null,
    value_date: settlement === undefined ? null : indianWallClock(settlement.at).slice(0, 10),
    refund_mode: isShouted ? '-' : 'Back to Source',
  }
}
