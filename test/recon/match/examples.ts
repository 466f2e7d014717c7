/** Lines and records for the tests of matching, right unless a test says otherwise. */
import type { BankLine, OpenSettlement } from '../../../src/recon/match/bank.ts'
import type { Line, OpenRecord } from '../../../src/recon/match/decide.ts'

export function line(more: Partial<Line> = {}): Line {
  return {
    fileNo: 1,
    rowNo: 1,
    repeated: 0,
    gateway: 'razorpay',
    account: 'acc_1',
    kind: 'payment',
    externalId: 'pay_1',
    orderRef: 'order_1',
    settlementRef: 'setl_1',
    amount: 50_000n,
    fee: 1180n,
    tax: 180n,
    net: 48_820n,
    currency: 'INR',
    occurredOn: '2026-06-10',
    ...more,
  }
}

export function record(more: Partial<OpenRecord> = {}): OpenRecord {
  return {
    recordId: 'pmt_1',
    reversal: false,
    externalId: 'pay_1',
    orderRef: 'order_1',
    amount: 50_000n,
    fee: 1180n,
    tax: 180n,
    currency: 'INR',
    occurredOn: '2026-06-10',
    ...more,
  }
}

export function credit(more: Partial<BankLine> = {}): BankLine {
  return {
    fileNo: 2,
    rowNo: 1,
    repeated: 0,
    bookedOn: '2026-06-11',
    amount: 1_000_000n,
    currency: 'INR',
    tokens: [],
    gateways: ['razorpay'],
    ...more,
  }
}

export function settlement(more: Partial<OpenSettlement> = {}): OpenSettlement {
  return {
    settlementId: 'stl_1',
    gateway: 'razorpay',
    utr: 'AXISCN1153863727',
    amount: 1_000_000n,
    currency: 'INR',
    settledOn: '2026-06-10',
    ...more,
  }
}
