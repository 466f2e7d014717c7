/** Golden rows of the entries that reconciliations post, written out by hand. */
import type { Golden } from './golden-gateways.ts'

export const GOLDEN_RECON = {
  bank_credited: {
    effectiveOn: '2026-03-28',
    idempotencyKey: 'bank:3f0e9c52-71d4-4a0b-9c1e-5b2f8d6a7e10:0:0',
    description: 'Credited by the bank, settlement stl_01kp0settled000000000000a0',
    source: 'bank:3f0e9c52-71d4-4a0b-9c1e-5b2f8d6a7e10:0:0',
    actor: 'job:reconcile',
    metadata: { settlements: 'stl_01kp0settled000000000000a0' },
    lines: ['debit assets:bank:main 349200 INR', 'credit assets:bank:in-transit 349200 INR'],
  },
} as const satisfies Record<string, Golden>
