/** Synthetic webhook bodies of the gateways' shape, and the donation that they pay for. */
import { PAYU, RAZORPAY } from './organisation.ts'
import { payuWebhook, razorpayWebhook, type SignedWebhook } from './sign.ts'

export interface RazorpayPayment {
  id: string
  orderId: string | null
  /** Paise. */
  amount: number
  fee?: number | null
  tax?: number | null
  createdAt?: number
}

/** A signed Razorpay event about one payment. */
export function razorpayEvent(
  event: 'payment.authorized' | 'payment.captured' | 'payment.failed' | 'order.paid',
  payment: RazorpayPayment,
  eventId = `evt_${event.replace('.', '')}${payment.id}`,
): SignedWebhook {
  const status = { 'payment.authorized': 'authorized', 'payment.failed': 'failed' }[event as string]
  const createdAt = payment.createdAt ?? 1_795_000_000
  const entity = {
    id: payment.id,
    entity: 'payment',
    amount: payment.amount,
    currency: 'INR',
    status: status ?? 'captured',
    order_id: payment.orderId,
    invoice_id: null,
    international: false,
    method: 'upi',
    amount_refunded: 0,
    refund_status: null,
    captured: status === undefined,
    description: null,
    email: 'donor@example.org',
    contact: '+919900000000',
    notes: [],
    fee: payment.fee ?? null,
    tax: payment.tax ?? null,
    error_code: status === 'failed' ? 'BAD_REQUEST_ERROR' : null,
    error_description: status === 'failed' ? 'Payment failed' : null,
    acquirer_data: { rrn: '412345678901' },
    created_at: createdAt - 5,
  }
  return razorpayWebhook(
    {
      entity: 'event',
      account_id: RAZORPAY.account,
      event,
      contains: event === 'order.paid' ? ['payment', 'order'] : ['payment'],
      payload: {
        payment: { entity },
        ...(event === 'order.paid'
          ? { order: { entity: { id: payment.orderId, amount: payment.amount, status: 'paid' } } }
          : {}),
      },
      created_at: createdAt,
    },
    RAZORPAY.webhookSecret,
    eventId,
  )
}

/** A signed PayU callback; `fields` override what a captured UPI payment has. */
export function payuCallback(fields: Readonly<Record<string, string>>): SignedWebhook {
  return payuWebhook(
    {
      mihpayid: '403993715531077182',
      mode: 'UPI',
      status: 'success',
      unmappedstatus: 'captured',
      key: PAYU.account,
      addedon: '2026-11-20 14:46:14',
      productinfo: 'Donation General fund',
      firstname: 'Asha',
      email: 'asha@example.org',
      error: 'E000',
      error_Message: 'No Error',
      ...fields,
    },
    PAYU.salt,
  )
}

/** What PayU answers to verify_payment about one transaction. */
export function payuVerified(txnid: string, fields: Readonly<Record<string, string>>): object {
  return {
    status: 1,
    msg: '1 out of 1 Transactions Fetched Successfully',
    transaction_details: {
      [txnid]: {
        mihpayid: '403993715531077182',
        status: 'success',
        unmappedstatus: 'captured',
        txnid,
        mode: 'UPI',
        bank_ref_num: '412345678902',
        addedon: '2026-11-20 14:46:14',
        ...fields,
      },
    },
  }
}

/** A donation request with everything that a tax receipt needs. */
export function donationRequest(more: object = {}): Record<string, unknown> {
  return {
    gateway: 'razorpay',
    amount: 250_050,
    currency: 'INR',
    fund: 'education',
    donor: {
      name: 'आशा कुलकर्णी',
      email: 'asha@example.org',
      citizenship: 'indian',
      address: { line1: '7 Tilak Road', city: 'Pune', state: 'Maharashtra', pin: '411030' },
      tax_id: { type: 'pan', value: 'ABCPK1234F' },
    },
    ...more,
  }
}
