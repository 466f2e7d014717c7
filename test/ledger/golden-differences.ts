/** Golden rows of the entries by which differences are resolved, written out by hand. */
import type { Golden } from './golden-gateways.ts'

export const GOLDEN_DIFFERENCES = {
  difference_written_off: golden('a', {
    description:
      'Written off: batch_total_mismatch, settlement razorpay acc_K1aT7Qe9dXyZ02 setl_AshaMay',
    reason: 'below what asking costs',
    lines: [
      'debit expenses:reconciliation-differences 250 INR',
      'credit assets:clearing:razorpay 250 INR',
    ],
  }),
  difference_adjusted: golden('b', {
    description: 'Adjusted: missing_external, credit of stl_01kp0asha00000000000000000',
    reason: 'HDFC charges for NEFT, advice 88213',
    lines: ['debit expenses:bank-charges 11800 INR', 'credit assets:bank:in-transit 11800 INR'],
  }),
  gateway_adjusted: golden('c', {
    description: 'Charge of razorpay, fee_AshaMay',
    reason: 'instant settlement of 4 May',
    lines: [
      'debit expenses:gateway-fees 5000 INR',
      'debit assets:input-gst 900 INR',
      'credit assets:clearing:razorpay 5900 INR',
    ],
  }),
} as const satisfies Record<string, Golden>

function golden(
  last: string,
  row: { description: string; reason: string; lines: string[] },
): Golden {
  const resolution = `rsl_01kp0asha0000000000000000${last}`
  const exception = `exc_01kp0asha0000000000000000${last}`
  return {
    effectiveOn: '2026-05-08',
    idempotencyKey: `resolution:${resolution}`,
    description: row.description,
    source: exception,
    actor: 'meera.iyer@asha-trust.org',
    metadata: { reason: row.reason, resolution, exception },
    lines: row.lines,
  }
}
