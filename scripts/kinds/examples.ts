/** One worked example a kind of entry, as the ledger's rules make it; together they are a book. */
import { adjustment, reversal } from '../../src/ledger/core/corrections.ts'
import type { Draft, DraftLine, EntryKind } from '../../src/ledger/core/entry.ts'
import { exchanged } from '../../src/ledger/core/exchange.ts'
import { donationCaptured, manualEntry, unidentifiedCaptured } from '../../src/ledger/core/rules.ts'
import { yearClosed } from '../../src/ledger/core/year-end.ts'
import { GATEWAY_EXAMPLES } from './gateway-examples.ts'
import { OFFLINE_EXAMPLES } from './offline-examples.ts'
import { RECON_EXAMPLES } from './recon-examples.ts'

export interface Example {
  /** When an entry of that kind is posted. */
  posted: string
  /** What happened in the example. */
  story: string
  draft: Draft
}

const ACCOUNTANT = 'meera.iyer@asha-trust.org'

const donation = donationCaptured(
  {
    gateway: 'razorpay',
    gatewayPaymentId: 'pay_R8kQ2mZxT4nB1c',
    amount: 500_000n,
    currency: 'INR',
    capturedOn: '2026-02-14',
    factKey: 'rzp:acc_K1aT7Qe9dXyZ02:pay:pay_R8kQ2mZxT4nB1c:captured',
    actor: 'job:process-inbox',
  },
  { donationId: 'don_01kham8v2tq7w9x4y5z6a7b8c9', fund: 'education' },
)

const unidentified = unidentifiedCaptured({
  gateway: 'payu',
  gatewayPaymentId: '403993715531077182',
  amount: 125_050n,
  currency: 'INR',
  capturedOn: '2026-02-20',
  factKey: 'payu:AshaTr:pay:403993715531077182:captured',
  actor: 'job:process-inbox',
})

const charges = manualEntry({
  idempotencyKey: 'api:JV-2026-02-17',
  effectiveOn: '2026-02-28',
  description: 'Bank charges of February, HDFC Bank',
  source: 'tally:JV-2026-02-17',
  actor: ACCOUNTANT,
  metadata: { voucher: 'JV-2026-02-17' },
  lateReason: null,
  lines: [
    line('debit', 'expenses:bank-charges', 35_400n),
    line('credit', 'assets:bank:main', 35_400n),
  ],
})

const takenBack = reversal(
  { entryNo: 3n, kind: charges.kind, effectiveOn: charges.effectiveOn, lines: charges.lines },
  { reason: 'entered twice', effectiveOn: '2026-03-02', actor: ACCOUNTANT, lateReason: null },
)

const corrected = adjustment(
  { entryNo: 1n, kind: donation.kind, effectiveOn: donation.effectiveOn, lines: donation.lines },
  {
    reason: '₹500 of it were meant for health',
    effectiveOn: '2026-03-05',
    actor: ACCOUNTANT,
    lateReason: null,
    idempotencyKey: 'api:JV-2026-03-02',
    description: null,
    lines: [
      line('debit', 'income:donations:education', 50_000n),
      line('credit', 'income:donations:health', 50_000n),
    ],
  },
)

const exchange = exchanged({
  from: { account: 'assets:bank:main', currency: 'USD', amount: 100_000n },
  to: { account: 'assets:bank:main', currency: 'INR' },
  rate: '83.25',
  rateSource: 'HDFC Bank, advice FX-88213',
  effectiveOn: '2026-03-10',
  idempotencyKey: 'api:FX-88213',
  lateReason: null,
  source: 'api:FX-88213',
  actor: ACCOUNTANT,
})

const [closing] = yearClosed({
  year: '2025-26',
  lastDay: '2026-03-31',
  balances: [
    { account: 'income:donations:education', currency: 'INR', debit: 0n, credit: 450_000n },
    { account: 'income:donations:health', currency: 'INR', debit: 0n, credit: 50_000n },
  ],
  entryNo: 6n,
  reason: 'accounts approved by the trustees',
  actor: ACCOUNTANT,
  isLate: false,
})

if (closing === undefined) {
  throw new Error('a year with income has an entry that closes it')
}

/** In the order in which they are posted, from je_1 on; a kind without a row does not compile. */
export const EXAMPLES: Readonly<Record<EntryKind, Example>> = {
  donation_captured: {
    posted: 'a donor’s payment was captured',
    story: 'Asha Verma gives ₹5,000 to education',
    draft: donation,
  },
  unidentified_captured: {
    posted: 'money came that no open donation asked for',
    story: '₹1,250.50 come through PayU from nobody known',
    draft: unidentified,
  },
  manual: {
    posted: 'somebody posts it in so many words, over the API or by hand',
    story: 'HDFC Bank takes ₹354 of charges',
    draft: charges,
  },
  reversal: {
    posted: 'an entry is taken back: its exact opposite',
    story: 'je_3 was entered twice',
    draft: takenBack,
  },
  adjustment: {
    posted: 'an entry is corrected by the difference',
    story: '₹500 of je_1 were meant for health',
    draft: corrected,
  },
  exchange: {
    posted: 'one currency is exchanged for another, through a trading account in each',
    story: 'USD 1,000 are sold to the bank at 83.25',
    draft: exchange,
  },
  year_closed: {
    posted: 'a financial year is closed: income and expenses go to their funds',
    story: '2025-26 ends with ₹4,500 for education and ₹500 for health',
    draft: closing,
  },
  ...GATEWAY_EXAMPLES,
  ...OFFLINE_EXAMPLES,
  ...RECON_EXAMPLES,
}

function line(
  direction: DraftLine['direction'],
  account: DraftLine['account'],
  amount: bigint,
): DraftLine {
  return { account, direction, amount, currency: 'INR' }
}
