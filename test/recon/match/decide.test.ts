/** Tests of what becomes of lines that name a record, or name one that is not there. */
import { expect } from 'chai'
import { decideGroup, type Group } from '../../../src/recon/match/decide.ts'
import { AGREES } from '../../../src/recon/match/kinds.ts'
import { DEFAULT_RULES, type Rules } from '../../../src/recon/match/rules.ts'
import { line, record } from './examples.ts'

function decide(group: Partial<Group>, rules: Rules = DEFAULT_RULES): string[] {
  const whole: Group = {
    lines: [line()],
    record: null,
    apartFrom: null,
    toldBefore: null,
    state: null,
    ...group,
  }
  const decided = decideGroup(whole, rules)
  return [
    ...decided.matches.map((one) => `${one.line.rowNo} ${one.rule}${one.whole ? '' : ' in part'}`),
    ...decided.breaks.map((one) => `${one.subject}: ${one.kind} ${one.amount}`),
    ...decided.unnamed.map((one) => `${one.rowNo} unnamed`),
  ]
}

describe('lines that name one thing', () => {
  it('are matched by the id where the amount is the same', () => {
    expect(decide({ record: record() })).to.deep.equal(['1 id'])
    const [match] = decideGroup(
      { lines: [line()], record: record(), apartFrom: null, toldBefore: null, state: null },
      DEFAULT_RULES,
    ).matches
    expect(match?.agrees).to.equal(
      Object.values(AGREES).reduce<number>((sum, bit) => sum + bit, 0) - AGREES.reference,
    )
  })

  it('are matched and held against the charge where only that differs', () => {
    expect(decide({ lines: [line({ fee: 1200n })], record: record() })).to.deep.equal([
      '1 id',
      'line 1 1: fee_variance 20',
    ])
    expect(decide({ lines: [line({ tax: 100n })], record: record() })).to.deep.equal([
      '1 id',
      'line 1 1: tax_variance 80',
    ])
    expect(decide({ lines: [line({ fee: null, tax: null })], record: record() })).to.deep.equal([
      '1 id',
      'line 1 1: fee_missing 1180',
    ])
    expect(decide({ record: record({ fee: null, tax: null }) })).to.deep.equal([
      '1 id',
      'line 1 1: fee_missing 1180',
    ])
    expect(
      decide({
        lines: [line({ fee: 0n, tax: 0n, net: 50_000n })],
        record: record({ fee: null, tax: null }),
      }),
    ).to.deep.equal(['1 id'])
    // What was kept back counts, whatever its fee says.
    expect(decide({ lines: [line({ net: 48_000n })], record: record() })).to.deep.equal([
      '1 id',
      'line 1 1: fee_variance 820',
    ])
  })

  it('are broken over the amount, the currency and the direction', () => {
    const broken = (more: Parameters<typeof line>[0]) =>
      decide({ lines: [line(more)], record: record() })
    expect(broken({ amount: 50_001n })).to.deep.equal(['line 1 1: amount_over 1'])
    expect(broken({ amount: 49_000n })).to.deep.equal(['line 1 1: amount_under 1000'])
    expect(broken({ currency: 'USD' })).to.deep.equal(['line 1 1: currency_mismatch 50000'])
    expect(broken({ net: -48_820n })).to.deep.equal(['line 1 1: direction_mismatch 50000'])
  })

  it('are let pass inside a tolerance, each side by its own', () => {
    const rules: Rules = {
      ...DEFAULT_RULES,
      tolerance: { below: 0n, above: 100n, basisPoints: 50n },
    }
    const told = (amount: bigint) =>
      decide({ lines: [line({ amount, net: amount - 1180n })], record: record() }, rules)
    expect(told(50_100n)).to.deep.equal(['1 id_tolerance'])
    expect(told(50_101n)).to.deep.equal(['line 1 1: amount_over 101'])
    expect(told(49_999n)).to.deep.equal(['line 1 1: amount_under 1'])
  })

  it('are matched in parts where they come to the amount, and never where they do not', () => {
    const part = (rowNo: number, amount: bigint) =>
      line({
        rowNo,
        amount,
        fee: 590n,
        tax: 90n,
        net: amount - 590n,
        settlementRef: `setl_${rowNo}`,
      })
    const parts = (...amounts: bigint[]) =>
      decide({ lines: amounts.map((amount, n) => part(n + 1, amount)), record: record() })
    expect(parts(20_000n, 30_000n)).to.deep.equal(['1 split in part', '2 split in part'])
    const [half, other] = [part(1, 20_000n), part(2, 30_000n)]
    expect(
      decide({ lines: [half, { ...other, fee: 600n, net: 29_400n }], record: record() }),
    ).to.include('line 1 1: fee_variance 10')
    expect(parts(20_000n, 29_999n)).to.deep.equal(['record pmt_1: split_incomplete 1'])
    expect(parts(20_000n, 31_000n)).to.deep.equal(['record pmt_1: split_mismatch 1000'])
  })

  it('come twice and count once', () => {
    const twice = [
      line(),
      line({ rowNo: 2, settlementRef: 'setl_2' }),
      line({ rowNo: 3, repeated: 1 }),
    ]
    expect(decide({ lines: twice, record: record() })).to.deep.equal([
      '1 id',
      'line 1 3: duplicate_external 50000',
      'line 1 2: duplicate_external 50000',
    ])
    expect(decide({ toldBefore: 'pmt_1' })).to.deep.equal(['line 1 1: duplicate_external 50000'])
  })

  it('are no match for a payment that never came', () => {
    expect(decide({ state: 'failed' })).to.deep.equal(['line 1 1: status_mismatch 50000'])
  })

  it('are left to the fallbacks where our books know nothing of them', () => {
    expect(decide({})).to.deep.equal(['1 unnamed'])
    expect(decide({ lines: [line({ kind: 'adjustment', net: -500n })] })).to.deep.equal([
      'line 1 1: missing_internal 500',
    ])
    expect(decide({ lines: [line({ kind: 'other', net: -500n })] })).to.deep.equal([
      'line 1 1: unknown_line 500',
    ])
  })
})
