/** Golden rows of the entries of money that comes past the gateways, written out by hand. */
import type { Golden } from './golden-gateways.ts'

const CASH = 'ofp_01kp0cash0000000000000000a'
const FIRST = 'ofp_01kp0cheque00471100000000a'
const OTHER = 'ofp_01kp0cheque00004200000000a'

export const GOLDEN_OFFLINE = {
  donation_received: golden(CASH, 'offline:cash:2026-27:cv-17:received', {
    description: 'Donation, cash, voucher CV-17',
    lines: ['debit assets:cash 150000 INR', 'credit income:donations:health 150000 INR'],
  }),
  cheque_received: golden(FIRST, 'offline:cheque:004711:HDFC0000123:2500000:received', {
    description: 'Received, cheque 004711',
    lines: [
      'debit assets:cheques-in-hand 2500000 INR',
      'credit liabilities:cheques-unrealised 2500000 INR',
    ],
  }),
  cheque_realised: golden(FIRST, 'offline:cheque:004711:HDFC0000123:2500000:realised', {
    description: 'Realised, cheque 004711',
    lines: [
      'debit assets:bank:main 2500000 INR',
      'credit assets:cheques-in-hand 2500000 INR',
      'debit liabilities:cheques-unrealised 2500000 INR',
      'credit income:donations:education 2500000 INR',
    ],
  }),
  cheque_bounced: golden(OTHER, 'offline:cheque:000042:HDFC0000123:400000:bounced', {
    description: 'Bounced, cheque 000042',
    lines: [
      'debit liabilities:cheques-unrealised 400000 INR',
      'credit assets:cheques-in-hand 400000 INR',
      'debit expenses:bank-charges 29500 INR',
      'credit assets:bank:main 29500 INR',
    ],
  }),
  cheque_returned: golden(FIRST, 'offline:cheque:004711:HDFC0000123:2500000:returned', {
    description: 'Returned after credit, cheque 004711',
    lines: [
      'debit income:donations:education 2500000 INR',
      'credit assets:bank:main 2500000 INR',
      'debit expenses:bank-charges 29500 INR',
      'credit assets:bank:main 29500 INR',
    ],
  }),
} as const satisfies Record<string, Golden>

function golden(
  offlineId: string,
  idempotencyKey: string,
  { description, lines }: Pick<Golden, 'description' | 'lines'>,
): Golden {
  return {
    effectiveOn: '2026-04-20',
    idempotencyKey,
    description,
    source: `offline:${offlineId}`,
    actor: 'user:usr_01k9meera',
    metadata: {
      offline_payment_id: offlineId,
      donation_id: 'don_01kham8v2tq7w9x4y5z6a7b8c9',
    },
    lines,
  }
}
