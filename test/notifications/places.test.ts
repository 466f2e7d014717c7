/** Places: what one organisation or one slow receiver can take from others. */
import { expect } from 'chai'
import fc from 'fast-check'
import { choose, PLACES, type Candidate, type Due } from '../../src/notifications/places.ts'

let made = 0

function candidate(more: Partial<Candidate> = {}): Candidate {
  made += 1
  return {
    orgId: 1,
    deliveryId: `d${made}`,
    subscriptionId: 's',
    isFailing: false,
    elsewhere: 0,
    ...more,
  }
}

const many = (count: number, more: (index: number) => Partial<Candidate>): Candidate[] =>
  Array.from({ length: count }, (_none, index) => candidate(more(index)))

describe('the places of webhooks', () => {
  it('are ten, two for one subscription, one for one that fails', () => {
    expect(
      choose(
        many(5, () => ({})),
        [],
      ),
    ).to.have.length(2)
    expect(
      choose(
        many(5, () => ({ isFailing: true })),
        [],
      ),
    ).to.have.length(1)
    const all = many(50, (index) => ({ orgId: index, subscriptionId: `s${index}` }))
    expect(choose(all, [])).to.have.length(PLACES)
    expect(choose(all, all.slice(0, 7))).to.have.length(3)
    expect(choose(all, all.slice(0, PLACES))).to.have.length(0)
  })

  it('are counted with those that other workers have', () => {
    expect(choose([candidate({ elsewhere: 1 }), candidate({ elsewhere: 1 })], [])).to.have.length(1)
    expect(choose([candidate({ elsewhere: 2 })], [])).to.have.length(0)
    const one = candidate()
    expect(choose([candidate()], [one, candidate()])).to.have.length(0)
  })

  it('are left for others by an organisation with many, and by receivers that fail', () => {
    const greedy = many(30, (index) => ({ subscriptionId: `s${index}` }))
    const other = candidate({ orgId: 2 })
    expect(choose([...greedy, other], [])).to.include(other)
    const failing = many(30, (index) => ({
      orgId: index,
      subscriptionId: `s${index}`,
      isFailing: true,
    }))
    const chosen = choose([...failing, other], [])
    expect(chosen).to.include(other)
    expect(chosen.filter((one) => one.isFailing)).to.have.length(4)
  })

  it('are never more than they are, whoever asks', () => {
    const anyone = fc.record({
      orgId: fc.integer({ min: 1, max: 4 }),
      subscriptionId: fc.constantFrom('a', 'b', 'c'),
      isFailing: fc.boolean(),
      elsewhere: fc.integer({ min: 0, max: 2 }),
    })
    fc.assert(
      fc.property(
        fc.array(anyone, { maxLength: 60 }),
        fc.array(anyone, { maxLength: 9 }),
        (a, b) => {
          const candidates = a.map((one) => candidate(one))
          const inHand: Due[] = b.map((one) => candidate(one))
          const chosen = choose(candidates, inHand)
          const all = [...inHand, ...chosen]
          expect(chosen.length === 0 || all.length <= PLACES).to.equal(true)
          for (const one of chosen) {
            const same = all.filter(
              ({ orgId, subscriptionId }) =>
                orgId === one.orgId && subscriptionId === one.subscriptionId,
            )
            expect(same.length).to.be.at.most(2)
            expect(all.filter(({ orgId }) => orgId === one.orgId).length).to.be.at.most(6)
          }
          expect(new Set(chosen).size).to.equal(chosen.length)
        },
      ),
    )
  })
})
