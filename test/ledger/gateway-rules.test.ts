/** How what gateways do is booked where no worked example reaches: no charge, all of it tax. */
import { expect } from 'chai'
import { assertPostable, type Draft } from '../../src/ledger/core/entry.ts'
import {
  disputeCredited,
  disputeDebited,
  disputeLost,
  gatewayFee,
  payoutProcessed,
  payoutReversed,
  refundCreated,
  refundFailed,
  refundProcessed,
  refundReturned,
  settled,
  settlementReturned,
  transferProcessed,
  transferReversed,
  type GatewayMoney,
} from '../../src/ledger/core/gateway-rules.ts'

const MONEY: GatewayMoney = {
  gateway: 'payu',
  ref: 'x_1',
  amount: 1001n,
  currency: 'USD',
  on: '2026-03-31',
  factKey: 'payu:TestKy:x:x_1',
  actor: 'job:process-inbox',
}
const FREE = { fee: 0n, tax: 0n }
const CHARGED = { fee: 118n, tax: 18n }
const INCOME = 'income:donations:health'

const linesOf = ({ lines }: Draft) =>
  lines.map(({ direction, account, amount }) => `${direction} ${account} ${amount}`)

/** Debits less credits of all these entries, without accounts that come out even. */
function sumOf(...drafts: Draft[]): Record<string, bigint> {
  const sums = new Map<string, bigint>()
  for (const { account, direction, amount } of drafts.flatMap(({ lines }) => lines)) {
    const signed = direction === 'debit' ? amount : -amount
    sums.set(account, (sums.get(account) ?? 0n) + signed)
  }
  return Object.fromEntries([...sums].filter(([, sum]) => sum !== 0n))
}

describe('the rules of gateways', () => {
  const all: Record<string, Draft> = {
    'a fee': gatewayFee(MONEY, CHARGED),
    'a refund': refundCreated(MONEY, INCOME),
    'a paid refund': refundProcessed(MONEY),
    'a failed refund': refundFailed(MONEY, INCOME),
    'a returned refund': refundReturned(MONEY),
    'money held back': disputeDebited(MONEY, FREE),
    'money given back': disputeCredited(MONEY, FREE),
    'lost money': disputeLost(MONEY, 'debited'),
    'a settlement': settled(MONEY),
    'a returned settlement': settlementReturned(MONEY),
    'a payout': payoutProcessed(MONEY, FREE, 'assets:unidentified-payments'),
    'a returned payout': payoutReversed(MONEY, CHARGED, 'assets:unidentified-payments'),
    'a transfer': transferProcessed(MONEY, FREE),
    'a returned transfer': transferReversed(MONEY, CHARGED),
  }
  for (const [what, draft] of Object.entries(all)) {
    it(`book ${what} in its own currency, once for its fact, so that it may be posted`, () => {
      assertPostable(draft)
      expect(draft).to.include({
        idempotencyKey: MONEY.factKey,
        source: MONEY.factKey,
        effectiveOn: MONEY.on,
        reverses: null,
        adjusts: null,
      })
      expect(new Set(draft.lines.map(({ currency }) => currency))).to.deep.equal(new Set(['USD']))
      expect(draft.lines.every(({ amount }) => amount > 0n)).to.equal(true)
    })
  }

  it('leave out what is not charged, and the part that is no tax where all of it is', () => {
    expect(linesOf(disputeDebited(MONEY, FREE))).to.deep.equal([
      'debit assets:disputed:payu 1001',
      'credit assets:clearing:payu 1001',
    ])
    expect(linesOf(gatewayFee(MONEY, { fee: 18n, tax: 18n }))).to.deep.equal([
      'debit assets:input-gst 18',
      'credit assets:clearing:payu 18',
    ])
    expect(linesOf(gatewayFee(MONEY, { fee: 238n, tax: 0n }))).to.deep.equal([
      'debit expenses:gateway-fees 238',
      'credit assets:clearing:payu 238',
    ])
  })

  it('take lost money from where it is', () => {
    expect(linesOf(disputeLost(MONEY, 'clearing'))[1]).to.equal('credit assets:clearing:payu 1001')
    expect(linesOf(disputeLost(MONEY, 'debited'))[1]).to.equal('credit assets:disputed:payu 1001')
  })

  it('come out even where money goes and comes back', () => {
    expect(sumOf(refundCreated(MONEY, INCOME), refundFailed(MONEY, INCOME))).to.deep.equal({})
    expect(
      sumOf(
        refundCreated(MONEY, INCOME),
        refundProcessed(MONEY),
        refundFailed(MONEY, INCOME),
        refundReturned(MONEY),
      ),
    ).to.deep.equal({})
    expect(sumOf(disputeDebited(MONEY, CHARGED), disputeCredited(MONEY, CHARGED))).to.deep.equal({})
    expect(sumOf(settled(MONEY), settlementReturned(MONEY))).to.deep.equal({})
    const paidFor = 'liabilities:merchants-payable'
    expect(
      sumOf(payoutProcessed(MONEY, CHARGED, paidFor), payoutReversed(MONEY, CHARGED, paidFor)),
    ).to.deep.equal({})
    expect(
      sumOf(transferProcessed(MONEY, CHARGED), transferReversed(MONEY, CHARGED)),
    ).to.deep.equal({})
  })
})
