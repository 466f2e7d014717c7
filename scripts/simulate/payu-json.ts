/** PayU's webhooks of refunds and disputes: JSON, the first signed by nobody. */
import { createHash } from 'node:crypto'
import { formatDecimal } from '../../src/base/money.ts'

export interface WebhookCall {
  headers: Record<string, string>
  body: string
}

export interface PayuRefund {
  key: string
  mihpayid: string
  txnid: string
  requestId: string
  token: string
  /** Paise. */
  amount: bigint
  status: string
  bankRef: string | null
  arn: string | null
}

/** The id comes with blanks around it, and the ARN as a number, where there is one. */
export function payuRefundCall(refund: PayuRefund): WebhookCall {
  const body = JSON.stringify({
    additionalValue1: null,
    bank_arn: refund.arn === null ? null : Number(refund.arn),
    refund_mode: 'Back to Source',
    bank_ref_num: refund.bankRef,
    key: refund.key,
    amt: formatDecimal(refund.amount, 'INR'),
    remark: refund.status === 'failure' ? 'The account is closed' : null,
    status: refund.status,
    token: refund.token,
    mihpayid: ` ${refund.mihpayid} `,
    request_id: refund.requestId,
    merchantTxnId: refund.txnid,
    additionalValue2: null,
    action: 'refund',
  })
  return { headers: { 'content-type': 'application/json' }, body }
}

export interface PayuDispute {
  key: string
  disputeId: string
  mihpayid: string
  /** Paise. */
  amount: bigint
  status: string
  type: string
  at: Date
}

/** Signed with the salt; without a signature where it is null, as PayU does unless asked. */
export function payuDisputeCall(dispute: PayuDispute, salt: string | null): WebhookCall {
  const at = dispute.at.toISOString().replace('Z', '+00:00')
  const told = {
    type: 'payments',
    event: 'dispute',
    created_at: at,
    updated_at: at,
    mid: '8000001',
    cb_id: dispute.disputeId,
    txn_id: dispute.mihpayid,
    cb_type: dispute.type,
    due_date: new Date(dispute.at.getTime() + 7 * 24 * 3_600_000).toISOString().slice(0, 10),
    // One decimal where that is enough.
    cb_amount: formatDecimal(dispute.amount, 'INR').replace(/0$/, ''),
    cb_status: dispute.status,
    reason_code: 'Fraud - Card Absent Environment',
  }
  const status = told.cb_status.replaceAll(/\s+/g, '')
  const parts = [dispute.key, told.txn_id, told.cb_amount, told.cb_id, told.cb_type, status, salt]
  const signature = createHash('sha512').update(parts.join('|')).digest('hex')
  const signed = {
    'x-payu-dispute-webhook-signature-v2': signature,
    'x-payu-dispute-webhook-algorithm': 'SHA512',
  }
  const headers = { 'content-type': 'application/json', ...(salt === null ? {} : signed) }
  return { headers, body: JSON.stringify(told) }
}
