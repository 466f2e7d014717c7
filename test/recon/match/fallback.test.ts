/** Tests of lines whose id is not in our books: matched by reference or proof, or not at all. */
import { expect } from 'chai'
import { decideFallbacks, windowOf, type Wanting } from '../../../src/recon/match/fallback.ts'
import { DEFAULT_RULES } from '../../../src/recon/match/rules.ts'
import { line, record } from './examples.ts'

function decide(...wanting: Wanting[]): string[] {
  const decided = decideFallbacks(wanting)
  return [
    ...decided.matches.map((one) => `${one.line.rowNo} ${one.rule} ${one.record.recordId}`),
    ...decided.breaks.map((one) => `${one.subject}: ${one.kind}`),
  ]
}

const nameless = (rowNo: number) => line({ rowNo, externalId: null, orderRef: null })
const byOrder = (rowNo: number) => line({ rowNo, externalId: null })

describe('a line whose payment our books do not know', () => {
  it('is matched by its order where it names no payment', () => {
    expect(
      decide({
        line: byOrder(1),
        byOrder: [record()],
        byBank: [],
        byPayment: [],
        byAmount: [record()],
      }),
    ).to.deep.equal(['1 order pmt_1'])
    const two = [record(), record({ recordId: 'pmt_2' })]
    expect(
      decide({ line: byOrder(1), byOrder: two, byBank: [], byPayment: [], byAmount: two }),
    ).to.deep.equal(['line 1 1: ambiguous'])
  })

  it('is matched by its amount only where nothing else can be meant', () => {
    const one = record()
    expect(
      decide({ line: nameless(1), byOrder: [], byBank: [], byPayment: [], byAmount: [one] }),
    ).to.deep.equal(['1 unique pmt_1'])
    expect(
      decide({
        line: nameless(1),
        byOrder: [],
        byBank: [],
        byPayment: [],
        byAmount: [one, record({ recordId: 'pmt_2' })],
      }),
    ).to.deep.equal(['line 1 1: ambiguous'])
    expect(
      decide(
        { line: nameless(1), byOrder: [], byBank: [], byPayment: [], byAmount: [one] },
        { line: nameless(2), byOrder: [], byBank: [], byPayment: [], byAmount: [one] },
      ),
    ).to.deep.equal(['line 1 1: ambiguous', 'line 1 2: ambiguous'])
    expect(
      decide(
        { line: nameless(1), byOrder: [], byBank: [], byPayment: [], byAmount: [one] },
        { line: byOrder(2), byOrder: [one], byBank: [], byPayment: [], byAmount: [one] },
      ),
    ).to.deep.equal(['2 order pmt_1', 'line 1 1: ambiguous'])
  })

  it('is matched by a bank reference that one payment and one line have, in that sum', () => {
    const [one, two] = [record(), record({ recordId: 'pmt_2' })]
    const rest = { byOrder: [], byPayment: [], byAmount: [one, two] }
    expect(decide({ line: nameless(1), byBank: [two], ...rest })).to.deep.equal([
      '1 reference pmt_2',
    ])
    expect(
      decide(
        { line: nameless(1), byBank: [two], ...rest },
        { line: nameless(2), byBank: [two], ...rest },
      ),
    ).to.deep.equal(['line 1 1: ambiguous', 'line 1 2: ambiguous'])
    expect(decide({ line: nameless(1), byBank: [one, two], ...rest })).to.deep.equal([
      'line 1 1: ambiguous',
    ])
    for (const other of [record({ amount: 1n }), record({ currency: 'USD' })]) {
      const asked = { byBank: [other], byOrder: [], byPayment: [], byAmount: [one] }
      expect(decide({ line: nameless(1), ...asked })).to.deep.equal([
        'line 1 1: reference_mismatch',
      ])
    }
    // What names an order is about that one, whatever else it says.
    expect(decide({ line: byOrder(1), byBank: [two], ...rest })).to.deep.equal([
      'line 1 1: missing_internal',
    ])
  })

  it('is never matched where it names another payment or order', () => {
    const named = line({ externalId: 'pay_other' })
    expect(
      decide({ line: named, byOrder: [record()], byBank: [], byPayment: [], byAmount: [record()] }),
    ).to.deep.equal(['line 1 1: reference_mismatch'])
    expect(
      decide({ line: byOrder(1), byOrder: [], byBank: [], byPayment: [], byAmount: [record()] }),
    ).to.deep.equal(['line 1 1: reference_mismatch'])
    expect(
      decide({ line: named, byOrder: [], byBank: [], byPayment: [], byAmount: [] }),
    ).to.deep.equal(['line 1 1: missing_internal'])
  })

  it('is matched by the payment where it is a dispute, which gateways name in two ways', () => {
    const dispute = line({ kind: 'dispute', externalId: 'request_7', net: -51_180n })
    const one = record({ recordId: 'dsp_1', externalId: 'CB7' })
    expect(
      decide({ line: dispute, byOrder: [], byBank: [], byPayment: [one], byAmount: [one] }),
    ).to.deep.equal(['1 reference dsp_1'])
    expect(
      decide({ line: dispute, byOrder: [], byBank: [], byPayment: [one, one], byAmount: [one] }),
    ).to.deep.equal(['line 1 1: missing_internal'])
  })

  it('looks so many business days around itself', () => {
    // Saturday 13 June 2026 is a second Saturday.
    const window = windowOf(line({ occurredOn: '2026-06-15' }), DEFAULT_RULES)
    expect(window).to.deep.equal({ from: '2026-06-08', to: '2026-06-16' })
    expect(windowOf(line({ occurredOn: null }), DEFAULT_RULES)).to.equal(null)
  })
})
