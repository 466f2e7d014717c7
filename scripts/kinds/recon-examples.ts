/** Worked examples of the entries that reconciliations post. */
import type { EntryKind } from '../../src/ledger/core/entry.ts'
import { bankCredited } from '../../src/ledger/core/recon-rules.ts'
import type { Example } from './examples.ts'

export const RECON_EXAMPLES = {
  bank_credited: {
    posted: 'a line of a bank statement was matched with the settlements that came in it',
    story: 'HDFC Bank has Razorpay’s ₹3,492',
    draft: bankCredited({
      into: 'assets:bank:main',
      amount: 349_200n,
      currency: 'INR',
      on: '2026-03-28',
      naturalKey: 'bank:3f0e9c52-71d4-4a0b-9c1e-5b2f8d6a7e10:0:0',
      settlements: ['stl_01kp0settled000000000000a0'],
      actor: 'job:reconcile',
    }),
  },
} as const satisfies Partial<Record<EntryKind, Example>>
