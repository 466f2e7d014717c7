/** The plan of a run: the same seed plays the same lives, and the shares come out as asked. */
import { expect } from 'chai'
import { donorFrom } from '../../scripts/simulate/people.ts'
import { endsCaptured, planLives } from '../../scripts/simulate/lives.ts'
import {
  countOfShare,
  digitsFrom,
  idFrom,
  randomFrom,
  shares,
} from '../../scripts/simulate/random.ts'

const both = { seed: 7, payments: 200, gateways: ['razorpay', 'payu'] } as const

describe('chance from a seed', () => {
  it('repeats itself for the same text and differs for another', () => {
    const draw = (text: string): string => randomFrom(text).digits(40)
    expect(draw('1/places')).to.equal(draw('1/places'))
    expect(draw('1/places')).to.not.equal(draw('2/places'))
  })

  it('spreads evenly', () => {
    const random = randomFrom('evenly')
    const counts = Array.from({ length: 10 }, () => 0)
    for (let draw = 0; draw < 20_000; draw += 1) {
      const bucket = random.below(10)
      counts[bucket] = (counts[bucket] ?? 0) + 1
    }
    for (const count of counts) {
      expect(count).to.be.within(1800, 2200)
    }
  })

  it('shuffles without losing or doubling anybody', () => {
    const members = Array.from({ length: 100 }, (_, index) => index)
    const shuffled = randomFrom('shuffle').shuffle(members)
    expect(shuffled).to.not.deep.equal(members)
    expect(shuffled).to.have.members(members)
  })

  it('refuses to pick from nothing', () => {
    expect(() => randomFrom('pick').pick([])).to.throw(RangeError)
  })

  it('divides a total in the given proportion, to the last one', () => {
    const members = shares(10, [
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ])
    expect(members.join('')).to.equal('aaaabbbccc')
    expect(shares(0, [['a', 1]])).to.deep.equal([])
  })

  it('takes nobody for no share, and at least one for any other', () => {
    expect(countOfShare(0, 500)).to.equal(0)
    expect(countOfShare(0.0001, 500)).to.equal(1)
    expect(countOfShare(0.1, 500)).to.equal(50)
    expect(countOfShare(1, 500)).to.equal(500)
    expect(countOfShare(0.5, 0)).to.equal(0)
  })

  it('makes ids of the shape of the gateways', () => {
    expect(idFrom('a')).to.match(/^[0-9A-Za-z]{14}$/)
    expect(digitsFrom('a', 16)).to.match(/^\d{16}$/)
    expect(idFrom('a')).to.not.equal(idFrom('b'))
  })
})

describe('the plan of a run', () => {
  it('is the same for the same seed and another for another', () => {
    expect(planLives(both)).to.deep.equal(planLives(both))
    expect(planLives(both)).to.not.deep.equal(planLives({ ...both, seed: 8 }))
  })

  for (const payments of [1, 5, 6, 7, 16, 26, 200, 1001]) {
    it(`has exactly ${payments} captured of ${payments} asked for, and 85 % or more in all`, () => {
      const lives = planLives({ ...both, payments })
      const captured = lives.filter((life) => endsCaptured(life.outcome)).length
      expect(captured).to.equal(payments)
      expect(captured / lives.length).to.be.at.least(0.85)
    })
  }

  it('has every kind of life in it', () => {
    const kinds = new Set(planLives(both).map((life) => `${life.request.gateway} ${life.outcome}`))
    expect([...kinds]).to.have.members([
      'razorpay captured',
      'razorpay failed_then_captured',
      'razorpay late_captured',
      'razorpay failed',
      'razorpay refunded',
      'razorpay dispute_won',
      'razorpay dispute_lost',
      'payu captured',
      'payu failed_then_captured',
      'payu pending_then_captured',
      'payu authorised_only',
      'payu failed',
      'payu refunded',
      'payu dispute_won',
      'payu dispute_lost',
    ])
  })

  it('keeps to the gateway asked for', () => {
    const lives = planLives({ ...both, gateways: ['payu'] })
    expect(lives.every((life) => life.request.gateway === 'payu')).to.equal(true)
  })

  it('asks for whole paise, and gives what a corpus donation and a grant need', () => {
    for (const { request } of planLives({ ...both, payments: 500 })) {
      expect(request.amount > 0n).to.equal(true)
      expect(request.corpus_direction !== undefined).to.equal(request.nature === 'corpus')
      expect(request.purpose !== undefined).to.equal(request.nature === 'specific_grant')
    }
  })
})

describe('the donors', () => {
  const donors = Array.from({ length: 1000 }, (_, number) => donorFrom(3, number))

  it('give PAN and address together, about seven of ten', () => {
    const withPan = donors.filter((donor) => donor.tax_id !== undefined)
    expect(withPan.length).to.be.within(650, 750)
    expect(donors.filter((donor) => donor.address !== undefined)).to.deep.equal(withPan)
  })

  it('have values of the real shapes', () => {
    for (const { address, email, phone, tax_id: taxId } of donors) {
      expect(email).to.match(/^[a-z.]+\.\d+@example\.(org|in)$/)
      expect(phone).to.match(/^\+91[6-9]\d{9}$/)
      expect(taxId?.value ?? 'ABCPD1234Z').to.match(/^[A-Z]{3}P[A-Z]\d{4}[A-Z]$/)
      expect(address?.pin ?? '400001').to.match(/^[1-9]\d{5}$/)
    }
  })

  it('write their names in Latin letters, Devanagari and Tamil, never with a pipe', () => {
    const names = donors.map((donor) => donor.name)
    expect(names.some((name) => /\p{Script=Devanagari}/u.test(name))).to.equal(true)
    expect(names.some((name) => /\p{Script=Tamil}/u.test(name))).to.equal(true)
    expect(names.some((name) => name.includes('|'))).to.equal(false)
  })
})
