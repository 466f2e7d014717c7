/** Worked examples of the entries of money that comes past the gateways. */
import type { EntryKind } from '../../src/ledger/core/entry.ts'
import {
  chequeBounced,
  chequeRealised,
  chequeReceived,
  chequeReturned,
  donationReceived,
  type OfflineMoney,
} from '../../src/ledger/core/offline-rules.ts'
import type { Example } from './examples.ts'

const BANK = 'assets:bank:main'

export const OFFLINE_EXAMPLES = {
  donation_received: {
    posted: 'a gift came in cash, by bank transfer or by UPI',
    story: 'Ravi Nair gives ₹1,500 in cash for health',
    draft: donationReceived(
      of('ofp_01kp0cash0000000000000000a', 'cash, voucher CV-17', 'cash:2026-27:cv-17', 150_000n),
      'assets:cash',
      'health',
    ),
  },
  cheque_received: {
    posted: 'a cheque came, which no bank has honoured yet',
    story: 'Leela Menon writes one of ₹25,000',
    draft: chequeReceived(cheque('004711', 2_500_000n)),
  },
  cheque_realised: {
    posted: 'the bank credited a cheque',
    story: 'it is honoured: income of education',
    draft: chequeRealised(cheque('004711', 2_500_000n), BANK, 'education'),
  },
  cheque_bounced: {
    posted: 'a cheque came back before it was credited',
    story: 'another of ₹4,000 is not paid; the bank charges ₹295',
    draft: chequeBounced(cheque('000042', 400_000n), { amount: 29_500n, from: BANK }),
  },
  cheque_returned: {
    posted: 'the bank took back what it had credited for a cheque',
    story: 'that one comes back after all; the bank charges ₹295',
    draft: chequeReturned(cheque('004711', 2_500_000n), BANK, 'education', {
      amount: 29_500n,
      from: BANK,
    }),
  },
} as const satisfies Partial<Record<EntryKind, Example>>

function cheque(number: string, amount: bigint): OfflineMoney {
  const key = `cheque:${number}:HDFC0000123:${amount}`
  return of(`ofp_01kp0cheque${number}00000000a`, `cheque ${number}`, key, amount)
}

function of(offlineId: string, title: string, naturalKey: string, amount: bigint): OfflineMoney {
  const donationId = 'don_01kham8v2tq7w9x4y5z6a7b8c9'
  const actor = 'user:usr_01k9meera'
  return {
    offlineId,
    donationId,
    title,
    naturalKey,
    amount,
    currency: 'INR',
    on: '2026-04-20',
    actor,
  }
}
