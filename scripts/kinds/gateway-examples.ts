/** Worked examples of the entries that gateways cause, as the ledger's rules make them. */
import type { EntryKind } from '../../src/ledger/core/entry.ts'
import {
  disputeCredited,
  disputeDebited,
  disputeLost,
  gatewayFee,
  payoutProcessed,
  payoutReversed,
  refundCreated,
  refundFailed,
  refundProcessed,
  refundReturned,
  settled,
  settlementReturned,
  transferProcessed,
  transferReversed,
  type GatewayMoney,
} from '../../src/ledger/core/gateway-rules.ts'
import type { Example } from './examples.ts'

const RAZORPAY = 'rzp:acc_K1aT7Qe9dXyZ02'
const STRIPE = 'stripe:acct_1AshaTrustIN'
const EDUCATION = 'income:donations:education'

export const GATEWAY_EXAMPLES = {
  gateway_fee: {
    posted: 'the gateway says what it takes for a payment or a refund',
    story: '₹118 of the ₹5,000, ₹18 of it GST',
    draft: gatewayFee(of('pay_R8kQ2mZxT4nB1c', 'pay', 'fee', 0n), { fee: 11_800n, tax: 1800n }),
  },
  refund_created: {
    posted: 'a refund is begun: the payer is owed the money',
    story: '₹1,000 of it go back',
    draft: refundCreated(of('rfnd_R9aB3cDeFgHi4j', 'rfnd', 'created', 100_000n), EDUCATION),
  },
  refund_processed: {
    posted: 'the gateway paid it out of what it owes us',
    story: 'Razorpay pays the ₹1,000',
    draft: refundProcessed(of('rfnd_R9aB3cDeFgHi4j', 'rfnd', 'processed', 100_000n)),
  },
  refund_failed: {
    posted: 'a refund did not reach the payer',
    story: 'another ₹200 cannot be sent to a closed account',
    draft: refundFailed(of('rfnd_R9kL5mNoPqRs6t', 'rfnd', 'failed', 20_000n), EDUCATION),
  },
  refund_returned: {
    posted: 'a refund that was paid failed afterwards: the gateway has the money again',
    story: 'Stripe takes back ₹300 that a bank returned',
    draft: refundReturned(ofStripe('re_3QAshaRefund', 're', 'returned', 30_000n)),
  },
  dispute_debited: {
    posted: 'the gateway holds contested money back',
    story: 'a card holder contests ₹2,000; Stripe charges ₹1,500',
    draft: disputeDebited(ofStripe('du_1QAshaDispute', 'txn', '1QAshaOut', 200_000n), {
      fee: 150_000n,
      tax: 0n,
    }),
  },
  dispute_credited: {
    posted: 'the gateway gives it back',
    story: 'the bank decides for us, and the charge comes back too',
    draft: disputeCredited(ofStripe('du_1QAshaDispute', 'txn', '1QAshaBack', 200_000n), {
      fee: 150_000n,
      tax: 0n,
    }),
  },
  dispute_lost: {
    posted: 'contested money is lost',
    story: '₹390 are lost to a charge-back at Razorpay',
    draft: disputeLost(of('disp_RbCdEfGhIjKl7m', 'disp', 'lost', 39_000n), 'clearing'),
  },
  settled: {
    posted: 'the gateway sent to the bank what it owes us',
    story: 'Razorpay settles ₹3,492',
    draft: settled(of('setl_RcDeFgHiJkLm8n', 'setl', 'processed', 349_200n)),
  },
  settlement_returned: {
    posted: 'the bank did not take it',
    story: 'a settlement of Stripe fails',
    draft: settlementReturned(ofStripe('po_1QAshaPayout', 'po', 'failed', 95_000n)),
  },
  payout_processed: {
    posted: 'money was paid out of the balance at the gateway',
    story: '₹100 to a supplier, ₹1.18 of charges',
    draft: payoutProcessed(
      of('pout_RdEfGhIjKlMn9o', 'pout', 'processed', 10_000n),
      { fee: 118n, tax: 18n },
      'assets:unidentified-payments',
    ),
  },
  payout_reversed: {
    posted: 'a payout came back, charge and all',
    story: 'the supplier’s account was closed',
    draft: payoutReversed(
      of('pout_RdEfGhIjKlMn9o', 'pout', 'reversed', 10_000n),
      { fee: 118n, tax: 18n },
      'assets:unidentified-payments',
    ),
  },
  transfer_processed: {
    posted: 'a merchant’s part of a payment went to his own account at the gateway',
    story: '₹1,000 to a weaver, ₹2.96 of charges',
    draft: transferProcessed(of('trf_ReFgHiJkLmNo0p', 'trf', 'processed', 100_000n), {
      fee: 296n,
      tax: 46n,
    }),
  },
  transfer_reversed: {
    posted: 'a merchant’s part came back',
    story: '₹400 of it are taken back',
    draft: transferReversed(of('trf_ReFgHiJkLmNo0p', 'rvrsl', 'rvrsl_RfGhIjKlMnOp1q', 40_000n), {
      fee: 0n,
      tax: 0n,
    }),
  },
} as const satisfies Partial<Record<EntryKind, Example>>

function of(ref: string, object: string, fact: string, amount: bigint): GatewayMoney {
  return moneyOf('razorpay', `${RAZORPAY}:${object}:${ref}:${fact}`, ref, amount)
}

function ofStripe(ref: string, object: string, fact: string, amount: bigint): GatewayMoney {
  return moneyOf('stripe', `${STRIPE}:${object}:${ref}:${fact}`, ref, amount)
}

function moneyOf(gateway: string, factKey: string, ref: string, amount: bigint): GatewayMoney {
  const actor = 'job:process-inbox'
  return { gateway, ref, amount, currency: 'INR', on: '2026-04-12', factKey, actor }
}
