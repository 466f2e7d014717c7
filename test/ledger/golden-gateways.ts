/** Golden rows of the entries that gateways cause, written out by hand. */
import type { Draft } from '../../src/ledger/core/entry.ts'

export interface Golden extends Pick<
  Draft,
  'effectiveOn' | 'idempotencyKey' | 'description' | 'source' | 'actor' | 'metadata'
> {
  reverses?: bigint
  adjusts?: bigint
  lines: string[]
}

const RAZORPAY = 'rzp:acc_K1aT7Qe9dXyZ02'
const STRIPE = 'stripe:acct_1AshaTrustIN'

export const GOLDEN_GATEWAYS = {
  gateway_fee: golden(`${RAZORPAY}:pay:pay_R8kQ2mZxT4nB1c:fee`, 'pay_R8kQ2mZxT4nB1c', {
    description: 'Fee of razorpay, pay_R8kQ2mZxT4nB1c',
    lines: [
      'debit expenses:gateway-fees 10000 INR',
      'debit assets:input-gst 1800 INR',
      'credit assets:clearing:razorpay 11800 INR',
    ],
  }),
  refund_created: golden(`${RAZORPAY}:rfnd:rfnd_R9aB3cDeFgHi4j:created`, 'rfnd_R9aB3cDeFgHi4j', {
    description: 'Refund through razorpay, rfnd_R9aB3cDeFgHi4j',
    lines: [
      'debit income:donations:education 100000 INR',
      'credit liabilities:refunds-payable:razorpay 100000 INR',
    ],
  }),
  refund_processed: golden(
    `${RAZORPAY}:rfnd:rfnd_R9aB3cDeFgHi4j:processed`,
    'rfnd_R9aB3cDeFgHi4j',
    {
      description: 'Refund paid by razorpay, rfnd_R9aB3cDeFgHi4j',
      lines: [
        'debit liabilities:refunds-payable:razorpay 100000 INR',
        'credit assets:clearing:razorpay 100000 INR',
      ],
    },
  ),
  refund_failed: golden(`${RAZORPAY}:rfnd:rfnd_R9kL5mNoPqRs6t:failed`, 'rfnd_R9kL5mNoPqRs6t', {
    description: 'Refund failed at razorpay, rfnd_R9kL5mNoPqRs6t',
    lines: [
      'debit liabilities:refunds-payable:razorpay 20000 INR',
      'credit income:donations:education 20000 INR',
    ],
  }),
  refund_returned: golden(`${STRIPE}:re:re_3QAshaRefund:returned`, 're_3QAshaRefund', {
    description: 'Refund returned to stripe, re_3QAshaRefund',
    lines: [
      'debit assets:clearing:stripe 30000 INR',
      'credit liabilities:refunds-payable:stripe 30000 INR',
    ],
  }),
  dispute_debited: golden(`${STRIPE}:txn:du_1QAshaDispute:1QAshaOut`, 'du_1QAshaDispute', {
    description: 'Dispute at stripe, du_1QAshaDispute',
    lines: [
      'debit assets:disputed:stripe 200000 INR',
      'debit expenses:gateway-fees 150000 INR',
      'credit assets:clearing:stripe 350000 INR',
    ],
  }),
  dispute_credited: golden(`${STRIPE}:txn:du_1QAshaDispute:1QAshaBack`, 'du_1QAshaDispute', {
    description: 'Dispute money back from stripe, du_1QAshaDispute',
    lines: [
      'debit assets:clearing:stripe 350000 INR',
      'credit assets:disputed:stripe 200000 INR',
      'credit expenses:gateway-fees 150000 INR',
    ],
  }),
  dispute_lost: golden(`${RAZORPAY}:disp:disp_RbCdEfGhIjKl7m:lost`, 'disp_RbCdEfGhIjKl7m', {
    description: 'Dispute lost at razorpay, disp_RbCdEfGhIjKl7m',
    lines: ['debit expenses:dispute-losses 39000 INR', 'credit assets:clearing:razorpay 39000 INR'],
  }),
  settled: golden(`${RAZORPAY}:setl:setl_RcDeFgHiJkLm8n:processed`, 'setl_RcDeFgHiJkLm8n', {
    description: 'Settlement by razorpay, setl_RcDeFgHiJkLm8n',
    lines: [
      'debit assets:bank:in-transit 349200 INR',
      'credit assets:clearing:razorpay 349200 INR',
    ],
  }),
  settlement_returned: golden(`${STRIPE}:po:po_1QAshaPayout:failed`, 'po_1QAshaPayout', {
    description: 'Settlement returned to stripe, po_1QAshaPayout',
    lines: ['debit assets:clearing:stripe 95000 INR', 'credit assets:bank:in-transit 95000 INR'],
  }),
  payout_processed: golden(
    `${RAZORPAY}:pout:pout_RdEfGhIjKlMn9o:processed`,
    'pout_RdEfGhIjKlMn9o',
    {
      description: 'Payout through razorpay, pout_RdEfGhIjKlMn9o',
      lines: [
        'debit assets:unidentified-payments 10000 INR',
        'debit expenses:gateway-fees 100 INR',
        'debit assets:input-gst 18 INR',
        'credit assets:payout-balance:razorpay 10118 INR',
      ],
    },
  ),
  payout_reversed: golden(`${RAZORPAY}:pout:pout_RdEfGhIjKlMn9o:reversed`, 'pout_RdEfGhIjKlMn9o', {
    description: 'Payout returned to razorpay, pout_RdEfGhIjKlMn9o',
    lines: [
      'debit assets:payout-balance:razorpay 10118 INR',
      'credit assets:unidentified-payments 10000 INR',
      'credit expenses:gateway-fees 100 INR',
      'credit assets:input-gst 18 INR',
    ],
  }),
  transfer_processed: golden(`${RAZORPAY}:trf:trf_ReFgHiJkLmNo0p:processed`, 'trf_ReFgHiJkLmNo0p', {
    description: 'Transfer through razorpay, trf_ReFgHiJkLmNo0p',
    lines: [
      'debit liabilities:merchants-payable 100000 INR',
      'debit expenses:gateway-fees 250 INR',
      'debit assets:input-gst 46 INR',
      'credit assets:clearing:razorpay 100296 INR',
    ],
  }),
  transfer_reversed: golden(
    `${RAZORPAY}:rvrsl:trf_ReFgHiJkLmNo0p:rvrsl_RfGhIjKlMnOp1q`,
    'trf_ReFgHiJkLmNo0p',
    {
      description: 'Transfer returned to razorpay, trf_ReFgHiJkLmNo0p',
      lines: [
        'debit assets:clearing:razorpay 40000 INR',
        'credit liabilities:merchants-payable 40000 INR',
      ],
    },
  ),
} as const satisfies Record<string, Golden>

function golden(key: string, ref: string, more: Pick<Golden, 'description' | 'lines'>): Golden {
  return {
    effectiveOn: '2026-04-12',
    idempotencyKey: key,
    source: key,
    actor: 'job:process-inbox',
    metadata: { gateway_ref: ref },
    ...more,
  }
}
