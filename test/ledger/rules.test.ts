/** How facts and requests are booked: fact in, draft out, field by field. */
import { expect } from 'chai'
import { templateOf, type AccountType, type Direction } from '../../src/ledger/core/chart.ts'
import { assertPostable, type Draft } from '../../src/ledger/core/entry.ts'
import {
  donationCaptured,
  manualEntry,
  unidentifiedCaptured,
  type AskedEntry,
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
  adjusts: null,
}

const CONTENT = {
  idempotencyKey: 'voucher 17',
  effectiveOn: '2026-03-31',
  description: 'Rent of March',
  source: 'api:voucher 17',
  actor: 'user:meera',
  metadata: { voucher: '17' },
  lines: [
    { account: 'expenses:rent', direction: 'debit', amount: 5n, currency: 'INR' },
    { account: 'assets:bank:main', direction: 'credit', amount: 5n, currency: 'INR' },
  ],
} as const

const ASKED: AskedEntry = { ...CONTENT, lateReason: null }

const GOLDEN: Record<string, { made: Draft; expected: Draft }> = {
  'a captured donation': {
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
  'captured money that nobody asked for': {
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
  'an entry that was asked for': {
    made: manualEntry(ASKED),
    expected: { ...CONTENT, kind: 'manual', reverses: null, adjusts: null },
  },
  'a late entry that was asked for': {
    made: manualEntry({ ...ASKED, lateReason: 'the bill was late' }),
    expected: {
      ...CONTENT,
      kind: 'manual',
      reverses: null,
      adjusts: null,
      metadata: { voucher: '17', late_reason: 'the bill was late' },
    },
  },
}

describe('the rule', () => {
  for (const [title, { made, expected }] of Object.entries(GOLDEN)) {
    it(`of ${title} books it as its row says, so that it may be posted`, () => {
      expect(made).to.deep.equal(expected)
      assertPostable(made)
    })
  }

  it('of captured money books to accounts that open on demand', () => {
    for (const made of [
      donationCaptured(MONEY, { donationId: 'don_1', fund: 'education' }),
      unidentifiedCaptured(MONEY),
    ]) {
      for (const line of made.lines) {
        expect(templateOf(line.account), line.account).to.deep.include({ code: line.account })
      }
    }
  })

  it('of an entry that was asked for lets nobody’s metadata speak for the late reason', () => {
    const asked = { ...ASKED, metadata: { late_reason: 'mine' } }
    expect(manualEntry({ ...asked, lateReason: 'ours' }).metadata).to.deep.equal({
      late_reason: 'ours',
    })
  })
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
