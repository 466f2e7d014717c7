/** Tests of credits at the bank: whose settlement came in them, and what is never guessed. */
import { expect } from 'chai'
import fc from 'fast-check'
import { decideBank, type BankLine, type OpenSettlement } from '../../../src/recon/match/bank.ts'
import { Below } from '../../../src/recon/match/below.ts'
import { DEFAULT_RULES } from '../../../src/recon/match/rules.ts'
import { subsetOf } from '../../../src/recon/match/subset.ts'
import { credit, settlement } from './examples.ts'

function decide(
  lines: readonly BankLine[],
  settlements: readonly OpenSettlement[],
  until: string | null = '2026-06-12',
): string[] {
  const decided = decideBank(lines, settlements, {
    before: [],
    apart: new Set(),
    rules: DEFAULT_RULES,
    until,
  })
  return [
    ...decided.matches.map((one) => `${one.line.rowNo} ${one.rule} ${one.settlement.settlementId}`),
    ...decided.breaks.map((one) => `${one.subject}: ${one.kind} ${one.amount}`),
  ]
}

describe('a credit at the bank', () => {
  it('is matched by its UTR, whatever the bank wrote around it', () => {
    const line = credit({ tokens: ['NEFT12', 'AXISCN1153863727'], gateways: [] })
    expect(decide([line], [settlement()])).to.deep.equal(['1 utr stl_1'])
  })

  it('is matched with several settlements of one UTR by their sum', () => {
    const line = credit({ tokens: ['AXISCN1153863727'], amount: 1_500_000n })
    const two = [settlement(), settlement({ settlementId: 'stl_2', amount: 500_000n })]
    expect(decide([line], two)).to.deep.equal(['1 sum_by_utr stl_1', '1 sum_by_utr stl_2'])
  })

  it('is a break where only the UTR is right, and is not matched otherwise', () => {
    const line = credit({ tokens: ['AXISCN1153863727'], amount: 999_900n })
    const other = settlement({ settlementId: 'stl_2', utr: null, amount: 999_900n })
    expect(decide([line], [settlement(), other])).to.deep.equal([
      'bank 2 1: batch_total_mismatch 100',
    ])
  })

  it('comes a second time under the same UTR', () => {
    const line = credit({ tokens: ['AXISCN1153863727'] })
    expect(decide([line, { ...line, rowNo: 2 }], [settlement()])).to.deep.equal([
      '1 utr stl_1',
      'bank 2 2: duplicate_external 1000000',
    ])
  })

  it('without a UTR is matched if it speaks of the gateway and only one settlement fits', () => {
    const nameless = settlement({ utr: null })
    expect(decide([credit()], [nameless])).to.deep.equal(['1 unique stl_1'])
    expect(decide([credit({ gateways: [] })], [nameless])).to.deep.equal([])
    expect(decide([credit({ gateways: ['payu'] })], [nameless])).to.deep.equal([
      'bank 2 1: missing_internal 1000000',
    ])
    expect(decide([credit({ bookedOn: '2026-06-22' })], [nameless])).to.deep.equal([
      'bank 2 1: missing_internal 1000000',
    ])
  })

  it('is ambiguous where two settlements or two credits are the same', () => {
    const twin = settlement({ settlementId: 'stl_2' })
    expect(decide([credit()], [settlement(), twin])).to.deep.equal(['bank 2 1: ambiguous 1000000'])
    expect(decide([credit(), credit({ rowNo: 2 })], [settlement()])).to.deep.equal([
      'bank 2 1: ambiguous 1000000',
      'bank 2 2: ambiguous 1000000',
    ])
  })

  it('is matched with the only sum of several settlements, unless chance could make it', () => {
    const parts = [700_000n, 300_000n, 111_111n].map((amount, n) =>
      settlement({ settlementId: `stl_${n}`, utr: null, amount }),
    )
    expect(decide([credit()], parts)).to.deep.equal(['1 subset stl_0', '1 subset stl_1'])
    const many = Array.from({ length: 12 }, (_none, n) =>
      settlement({
        settlementId: `stl_${String(n).padStart(2, '0')}`,
        utr: null,
        amount: 100_000n + BigInt(n),
      }),
    )
    expect(decide([credit()], many)).to.deep.equal(['bank 2 1: search_cap 1000000'])
  })

  it('is missing when the statements go beyond the day on which it was due', () => {
    expect(decide([], [settlement()], '2026-06-12')).to.deep.equal([])
    expect(decide([], [settlement()], null)).to.deep.equal([])
    expect(decide([], [settlement()], '2026-06-20')).to.deep.equal([
      'credit of stl_1: missing_external 1000000',
    ])
  })
})

const MANY = 3000
/** Of each settlement: sorting takes a few dozen, looking at all for each credit thousands. */
const LOOKS = 100

/** As many settlements of one day as credits: none is looked at often, and each break fits. */
function decideMany(of: (at: number) => { credit: Partial<BankLine>; sent: bigint; utr?: string }) {
  let looks = 0
  const lines = Array.from({ length: MANY }, (_none, at) =>
    credit({ rowNo: at + 1, ...of(at).credit }),
  )
  const settlements = Array.from({ length: MANY }, (_none, at): OpenSettlement => {
    const { sent, utr = null } = of(at)
    const one = settlement({ settlementId: `stl_${String(at).padStart(4, '0')}`, utr })
    return Object.defineProperty(one, 'amount', {
      get() {
        looks += 1
        return sent
      },
    })
  })
  const known = { before: [], apart: new Set<string>(), rules: DEFAULT_RULES, until: '2026-06-12' }
  const { matches, breaks } = decideBank(lines, settlements, known)
  expect(looks / MANY).to.be.within(1, LOOKS)
  for (const { detail } of breaks) {
    const text = JSON.stringify(detail, (_name, value: unknown) => {
      return typeof value === 'bigint' ? value.toString() : value
    })
    // As much as a row of an exception takes.
    expect(text.length).to.be.below(20_000)
  }
  return { matches: matches.length, breaks: new Set(breaks.map(({ kind }) => kind)) }
}

describe('thousands of credits and settlements of one day', () => {
  it('are decided without holding each against each, and told in a few names', () => {
    const each = (at: number) => BigInt(1_000_000 + at)
    const none: string[] = []
    expect(
      decideMany((at) => ({ credit: { amount: each(at) }, sent: each(MANY - 1 - at) })),
    ).to.deep.equal({ matches: MANY, breaks: new Set(none) })
    expect(decideMany(() => ({ credit: { amount: 500n }, sent: 500n }))).to.deep.equal({
      matches: 0,
      breaks: new Set(['ambiguous']),
    })
    expect(
      decideMany((at) => ({ credit: { amount: 9n * each(at) }, sent: each(at) })),
    ).to.deep.equal({ matches: 0, breaks: new Set(['search_cap']) })
    expect(decideMany((at) => ({ credit: { amount: 7n }, sent: each(at) }))).to.deep.equal({
      matches: 0,
      breaks: new Set(['missing_internal']),
    })
    const named = { credit: { tokens: ['UTR1'] }, utr: 'UTR1', sent: 500n }
    expect(decideMany(() => named)).to.deep.equal({ matches: 0, breaks: new Set(['search_cap']) })
  })

  it('find what is below an amount as going through all of it does', () => {
    const amounts = fc.array(fc.bigInt(0n, 9n), { maxLength: 20 })
    fc.assert(
      fc.property(amounts, fc.array(fc.nat(25)), fc.bigInt(0n, 10n), (all, gone, bound) => {
        const below = new Below(all)
        const places = gone.filter((place) => place < all.length)
        places.forEach((place) => below.remove(place))
        const found: number[] = []
        for (let at = below.next(0, bound); at !== -1; at = below.next(at + 1, bound)) {
          found.push(at)
        }
        expect(found).to.deep.equal(
          all.flatMap((amount, at) => (amount < bound && !places.includes(at) ? [at] : [])),
        )
      }),
    )
  })
})

describe('a sum of some amounts', () => {
  it('is found as trying all of them finds it', () => {
    const amounts = fc.array(fc.bigInt(1n, 60n), { maxLength: 9 })
    fc.assert(
      fc.property(amounts, fc.bigInt(1n, 200n), (all, sum) => {
        const ways = Array.from({ length: 2 ** all.length }, (_none, mask) =>
          all.map((_amount, place) => place).filter((place) => (mask >> place) % 2 === 1),
        ).filter((way) => way.reduce((total, place) => total + (all[place] ?? 0n), 0n) === sum)
        const found = subsetOf(all, sum, 1_000_000)
        if (ways.length === 1) {
          expect(found).to.deep.equal({ how: 'one', items: ways[0] })
        } else {
          expect(found.how).to.equal(ways.length === 0 ? 'none' : 'several')
        }
      }),
    )
  })

  it('is given up after so many steps, and says so', () => {
    const amounts = Array.from({ length: 30 }, (_none, n) => BigInt(2 * (1000 + n)))
    expect(subsetOf(amounts, 20_101n, 10_000)).to.deep.equal({ how: 'cap' })
  })
})
