/** Golden entries: each kind's worked example line by line, and that ARCHITECTURE.md has them. */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { kindsTable } from '../../scripts/kinds-table.ts'
import { EXAMPLES } from '../../scripts/kinds/examples.ts'
import { templateOf } from '../../src/ledger/core/chart.ts'
import { assertPostable, type EntryKind } from '../../src/ledger/core/entry.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { openBooks, ORG, outcomes } from './books.ts'
import { GOLDEN_GATEWAYS, type Golden } from './golden-gateways.ts'
import { GOLDEN_OFFLINE } from './golden-offline.ts'
import { GOLDEN_RECON } from './golden-recon.ts'

/** Written out by hand; a new kind without its row does not compile. */
const GOLDEN: Readonly<Record<EntryKind, Golden>> = {
  donation_captured: {
    effectiveOn: '2026-02-14',
    idempotencyKey: 'rzp:acc_K1aT7Qe9dXyZ02:pay:pay_R8kQ2mZxT4nB1c:captured',
    description: 'Donation through razorpay, payment pay_R8kQ2mZxT4nB1c',
    source: 'rzp:acc_K1aT7Qe9dXyZ02:pay:pay_R8kQ2mZxT4nB1c:captured',
    actor: 'job:process-inbox',
    metadata: {
      donation_id: 'don_01kham8v2tq7w9x4y5z6a7b8c9',
      gateway_payment_id: 'pay_R8kQ2mZxT4nB1c',
    },
    lines: [
      'debit assets:clearing:razorpay 500000 INR',
      'credit income:donations:education 500000 INR',
    ],
  },
  unidentified_captured: {
    effectiveOn: '2026-02-20',
    idempotencyKey: 'payu:AshaTr:pay:403993715531077182:captured',
    description: 'Unidentified receipt through payu, payment 403993715531077182',
    source: 'payu:AshaTr:pay:403993715531077182:captured',
    actor: 'job:process-inbox',
    metadata: { gateway_payment_id: '403993715531077182' },
    lines: [
      'debit assets:clearing:payu 125050 INR',
      'credit liabilities:unidentified-receipts 125050 INR',
    ],
  },
  manual: {
    effectiveOn: '2026-02-28',
    idempotencyKey: 'api:JV-2026-02-17',
    description: 'Bank charges of February, HDFC Bank',
    source: 'tally:JV-2026-02-17',
    actor: 'meera.iyer@asha-trust.org',
    metadata: { voucher: 'JV-2026-02-17' },
    lines: ['debit expenses:bank-charges 35400 INR', 'credit assets:bank:main 35400 INR'],
  },
  reversal: {
    effectiveOn: '2026-03-02',
    idempotencyKey: 'reverse:je_3',
    description: 'Reversal of je_3: entered twice',
    source: 'je_3',
    actor: 'meera.iyer@asha-trust.org',
    metadata: { reason: 'entered twice' },
    reverses: 3n,
    lines: ['credit expenses:bank-charges 35400 INR', 'debit assets:bank:main 35400 INR'],
  },
  adjustment: {
    effectiveOn: '2026-03-05',
    idempotencyKey: 'api:JV-2026-03-02',
    description: 'Adjustment of je_1: ₹500 of it were meant for health',
    source: 'je_1',
    actor: 'meera.iyer@asha-trust.org',
    metadata: { reason: '₹500 of it were meant for health' },
    adjusts: 1n,
    lines: [
      'debit income:donations:education 50000 INR',
      'credit income:donations:health 50000 INR',
    ],
  },
  exchange: {
    effectiveOn: '2026-03-10',
    idempotencyKey: 'api:FX-88213',
    description: 'Exchange of USD for INR',
    source: 'api:FX-88213',
    actor: 'meera.iyer@asha-trust.org',
    metadata: {
      from_currency: 'USD',
      to_currency: 'INR',
      rate: '83.25',
      rate_source: 'HDFC Bank, advice FX-88213',
    },
    lines: [
      'credit assets:bank:main 100000 USD',
      'debit equity:trading:usd 100000 USD',
      'debit assets:bank:main 8325000 INR',
      'credit equity:trading:inr 8325000 INR',
    ],
  },
  year_closed: {
    effectiveOn: '2026-03-31',
    idempotencyKey: 'year_closed:2025-26:je_6:1',
    description: 'Closing of the year 2025-26, part 1 of 1',
    source: 'year_closed:2025-26:je_6',
    actor: 'meera.iyer@asha-trust.org',
    metadata: { financial_year: '2025-26', reason: 'accounts approved by the trustees' },
    lines: [
      'debit income:donations:education 450000 INR',
      'credit equity:funds:education 450000 INR',
      'debit income:donations:health 50000 INR',
      'credit equity:funds:health 50000 INR',
    ],
  },
  ...GOLDEN_GATEWAYS,
  ...GOLDEN_OFFLINE,
  ...GOLDEN_RECON,
}

describe('the worked example of each kind of entry', () => {
  for (const [kind, { reverses, adjusts, lines, ...golden }] of Object.entries(GOLDEN)) {
    it(`makes of ${kind} what its golden row says, and what may be posted`, () => {
      const { draft } = EXAMPLES[kind as EntryKind]
      const written = draft.lines.map(
        (line) => `${line.direction} ${line.account} ${line.amount} ${line.currency}`,
      )
      expect({ ...draft, lines: written }).to.deep.equal({
        ...golden,
        kind,
        reverses: reverses ?? null,
        adjusts: adjusts ?? null,
        lines,
      })
      assertPostable(draft)
      for (const { account, currency } of draft.lines) {
        expect(templateOf(account, currency), account).to.not.equal(undefined)
      }
    })
  }

  it('is posted with the others as one book, in their order', async () => {
    const books = await openBooks()
    const drafts = Object.values(EXAMPLES).map(({ draft }) => draft)
    const results: string[] = []
    for (const draft of drafts) {
      results.push(...outcomes(await books.post([draft])))
    }
    expect(results).to.deep.equal(drafts.map((_draft, index) => `posted ${index + 1}`))
    const { findings } = await verifyLedger(books.db, ORG, () => undefined)
    expect(findings).to.deep.equal([])
    await books.close()
  })

  it('stands in ARCHITECTURE.md as it is', () => {
    const text = readFileSync(new URL('../../ARCHITECTURE.md', import.meta.url), 'utf8')
    const [block] = /<!-- kinds -->[^]*<!-- \/kinds -->/.exec(text) ?? []
    const todo = 'put what `node scripts/kinds-table.ts` prints into ARCHITECTURE.md'
    expect(block, todo).to.equal(kindsTable())
  })

  it('is a row of the table with rupees as India writes them', () => {
    const table = kindsTable()
    for (const kind of Object.keys(GOLDEN)) {
      expect(table).to.match(new RegExp(`^\\| \`${kind}\` \\|(?: [^|]+ \\|){4}$`, 'm'))
    }
    expect(table).to.contain('`assets:bank:main` ₹83,250.00')
    expect(table).to.contain('`assets:bank:main` USD 1000.00')
  })
})
