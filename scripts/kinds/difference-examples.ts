/** Worked examples of the entries by which the reconciliation's differences are resolved. */
import {
  differenceAdjusted,
  differenceWrittenOff,
  gatewayAdjusted,
  type Resolved,
} from '../../src/ledger/core/difference-rules.ts'
import type { DraftLine, EntryKind } from '../../src/ledger/core/entry.ts'
import type { Example } from './examples.ts'

export const DIFFERENCE_EXAMPLES = {
  difference_written_off: {
    posted: 'nobody will ever explain what an account shows too much, or too little',
    story: 'Razorpay settles ₹2.50 less than its lines come to',
    draft: differenceWrittenOff(of('a', 'below what asking costs'), {
      account: 'assets:clearing:razorpay',
      excess: 250n,
      currency: 'INR',
      what: 'batch_total_mismatch, settlement razorpay acc_K1aT7Qe9dXyZ02 setl_AshaMay',
    }),
  },
  difference_adjusted: {
    posted: 'somebody says what a difference was',
    story: 'the bank kept ₹118 of a settlement for itself',
    draft: differenceAdjusted(of('b', 'HDFC charges for NEFT, advice 88213'), {
      what: 'missing_external, credit of stl_01kp0asha00000000000000000',
      lines: [
        line('debit', 'expenses:bank-charges', 11_800n),
        line('credit', 'assets:bank:in-transit', 11_800n),
      ],
    }),
  },
  gateway_adjusted: {
    posted: 'a settlement has a line of the gateway’s own: a charge, or what nobody can name yet',
    story: 'Razorpay takes ₹59 for instant settlement, ₹9 of it GST',
    draft: gatewayAdjusted(of('c', 'instant settlement of 4 May'), {
      gateway: 'razorpay',
      ref: 'fee_AshaMay',
      isFee: true,
      net: -5900n,
      tax: 900n,
      currency: 'INR',
    }),
  },
} as const satisfies Partial<Record<EntryKind, Example>>

function of(last: string, reason: string): Resolved {
  return {
    resolutionId: `rsl_01kp0asha0000000000000000${last}`,
    exceptionId: `exc_01kp0asha0000000000000000${last}`,
    effectiveOn: '2026-05-08',
    reason,
    actor: 'meera.iyer@asha-trust.org',
    lateReason: null,
  }
}

function line(
  direction: DraftLine['direction'],
  account: DraftLine['account'],
  amount: bigint,
): DraftLine {
  return { direction, account, amount, currency: 'INR' }
}
