/** Golden rows: how every kind of entry is booked, fact in and lines out. */
import { expect } from 'chai'
import { templateOf, type AccountType, type Direction } from '../../src/ledger/core/chart.ts'
import { assertPostable, type Draft, type EntryKind } from '../../src/ledger/core/entry.ts'
import {
  donationCaptured,
  unidentifiedCaptured,
  type CapturedMoney,
} from '../../src/ledger/core/rules.ts'

const MONEY: CapturedMoney = {
  gateway: 'payu',
  gatewayPaymentId: '403993715531077182',
  amount: 100_001n,
  currency: 'INR',
  capturedOn: '2026-03-31',
  factKey: 'payu:TestKy:pay:403993715531077182:captured',
  actor: 'job:process-inbox',
}

/** What all entries made from captured money share. */
const CAPTURED = {
  effectiveOn: '2026-03-31',
  idempotencyKey: 'payu:TestKy:pay:403993715531077182:captured',
  source: 'payu:TestKy:pay:403993715531077182:captured',
  actor: 'job:process-inbox',
  reverses: null,
}

/** One row a kind; a new kind without its row does not compile. */
const GOLDEN: Record<EntryKind, { made: Draft; expected: Draft }> = {
  donation_captured: {
    made: donationCaptured(MONEY, { donationId: 'don_1', fund: 'education' }),
    expected: {
      ...CAPTURED,
      kind: 'donation_captured',
      description: 'Donation through payu, payment 403993715531077182',
      metadata: { donation_id: 'don_1', gateway_payment_id: '403993715531077182' },
      lines: [
        {
          account: 'assets:clearing:payu',
          direction: 'debit',
          amount: 100_001n,
          currency: 'INR',
        },
        {
          account: 'income:donations:education',
          direction: 'credit',
          amount: 100_001n,
          currency: 'INR',
        },
      ],
    },
  },
  unidentified_captured: {
    made: unidentifiedCaptured({ ...MONEY, gateway: 'razorpay', currency: 'USD' }),
    expected: {
      ...CAPTURED,
      kind: 'unidentified_captured',
      description: 'Unidentified receipt through razorpay, payment 403993715531077182',
      metadata: { gateway_payment_id: '403993715531077182' },
      lines: [
        {
          account: 'assets:clearing:razorpay',
          direction: 'debit',
          amount: 100_001n,
          currency: 'USD',
        },
        {
          account: 'liabilities:unidentified-receipts',
          direction: 'credit',
          amount: 100_001n,
          currency: 'USD',
        },
      ],
    },
  },
}

describe('the rule of each kind of entry', () => {
  for (const [kind, { made, expected }] of Object.entries(GOLDEN)) {
    it(`books ${kind} as its golden row says`, () => {
      expect(made).to.deep.equal(expected)
    })

    it(`makes a ${kind} that may be posted, to accounts of the chart`, () => {
      assertPostable(made)
      expect(made.kind).to.equal(kind)
      for (const line of made.lines) {
        expect(templateOf(line.account), line.account).to.deep.include({ code: line.account })
      }
    })
  }
})

describe('the chart of accounts', () => {
  const accounts: [code: string, type: AccountType, normal: Direction][] = [
    ['assets:bank:main', 'asset', 'debit'],
    ['assets:bank:in-transit', 'asset', 'debit'],
    ['assets:clearing:razorpay', 'asset', 'debit'],
    ['assets:clearing:payu', 'asset', 'debit'],
    ['liabilities:unidentified-receipts', 'liability', 'credit'],
    ['equity:general-fund', 'equity', 'credit'],
    ['income:donations:general', 'income', 'credit'],
    ['expenses:gateway-fees', 'expense', 'debit'],
  ]
  for (const [code, type, normal] of accounts) {
    it(`has ${code}, which grows on the ${normal} side`, () => {
      expect(templateOf(code)).to.include({ code, type, normal, floor: null })
    })
  }

  const strangers = [
    '',
    'assets',
    'assets:bank',
    'assets:bank:other',
    'assets:clearing:',
    'assets:clearing:Razorpay',
    'assets:clearing:razorpay:more',
    'income:donations:9',
    `income:donations:${'f'.repeat(41)}`,
    'income:donations:general\n',
    'ASSETS:BANK:MAIN',
    'constructor',
    '__proto__',
  ]
  for (const code of strangers) {
    it(`does not have ${JSON.stringify(code)}`, () => {
      expect(templateOf(code)).to.equal(undefined)
    })
  }
})
