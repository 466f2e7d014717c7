/** A few lives of `npm run storm`: books that went through a storm are those of a quiet day. */
import { expect } from 'chai'
import { differences } from '../../scripts/storm/books.ts'
import { donationOf, planOf, tellingsOf, type Endpoints } from '../../scripts/storm/lives.ts'
import { readOptions } from '../../scripts/storm/options.ts'
import { describeStorm, isClean, summaryOf } from '../../scripts/storm/report.ts'
import { playStorm } from '../../scripts/storm/run.ts'
import { stormOf, wavesOf } from '../../scripts/storm/sending.ts'

const LIVES = 200
/** Before mocha gives up, so that nothing is left running. */
const LIMIT_MS = 200_000

/** Every run another storm; the seed of one that failed stands in its message. */
const seed = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000_000)

describe('a storm of webhooks', function () {
  this.timeout(LIMIT_MS + 40_000)

  it(`leaves the books of a quiet day behind (seed ${seed})`, async () => {
    const result = await playStorm(
      {
        lives: LIVES,
        seed,
        duplicates: 0.3,
        badSignatures: 0.02,
        fsync: false,
        drainMs: 90_000,
        signal: AbortSignal.timeout(LIMIT_MS),
      },
      () => undefined,
    )
    expect(isClean(result), `seed ${seed}\n${describeStorm(result)}`).to.equal(true)
    expect(summaryOf(result)).to.deep.include({
      lives: LIVES,
      worker_kills: 2,
      postgres_restarts: 1,
      redis_flushes: result.redis ? 1 : 0,
      differences: 0,
    })
    // Postgres was away in the middle, and not afterwards.
    expect(result.sent.sentAgain).to.be.greaterThan(0)
    expect(result.sent.duplicates).to.be.greaterThan(LIVES / 2)
    expect(result.sent.badSignatures).to.be.greaterThan(5)
    expect(result.receipts).to.be.greaterThan(LIVES / 2)
  })
})

const endpoint = { path: '/webhooks/x/y', account: 'BahiDm', secret: 'hush' }
const endpoints: Endpoints = { razorpay: endpoint, payu: endpoint, stripe: endpoint }

function tellings(lives: number) {
  const { donations, others } = planOf(lives, 7)
  const opened = donations.map((life) => donationOf(life, 7, endpoints))
  return tellingsOf(opened, others, { seed: 7, now: new Date('2026-05-20T06:30:00Z'), endpoints })
}

describe('the order of a storm', () => {
  const shares = { seed: 7, duplicates: 0.3, badSignatures: 0.02, endpoints }

  it('has every webhook, some of them twice and some forged, and is the same each time', () => {
    const { lives, settlements } = tellings(200)
    const told = [...lives, ...settlements]
    const all = told.flatMap(({ deliveries }) => deliveries)
    const storm = stormOf(told, shares)
    const count = (kind: string) => storm.filter((call) => call.kind === kind).length
    expect(lives).to.have.length(200)
    expect(settlements).to.have.length(2)
    expect(count('genuine')).to.equal(all.length)
    expect(count('duplicate')).to.equal(Math.round(all.length * 0.3))
    expect(count('forged')).to.equal(Math.round(all.length * 0.02))
    const bodies = (calls: readonly { body: string }[]) => calls.map(({ body }) => body)
    const genuine = storm.filter(({ kind }) => kind === 'genuine')
    expect(bodies(genuine)).to.have.members(bodies(all)).and.not.deep.equal(bodies(all))
    expect(bodies(stormOf(tellings(200).lives, shares))).to.deep.equal(
      bodies(stormOf(lives, shares)),
    )
  })

  it('is the life\u2019s own in the plain run', () => {
    const { lives } = tellings(100)
    const waves = wavesOf(lives)
    for (const { number, deliveries } of lives) {
      const told = waves.flatMap((wave) => wave.filter(({ life }) => life === number))
      expect(told).to.deep.equal(deliveries)
    }
  })

  it('holds so many lives as were asked for', () => {
    for (const lives of [20, 21, 33, 300, 1001]) {
      const { donations, others } = planOf(lives, 1)
      expect(donations.length + others, String(lives)).to.equal(lives)
    }
  })
})

describe('books that are not the same', () => {
  const books = (rows: Record<string, object>) =>
    new Map([
      ['entries', new Map(Object.entries(rows).map(([key, row]) => [key, JSON.stringify(row)]))],
    ])

  it('are told by key, with what is different of it', () => {
    const before = books({ a: { kind: 'settled', amount: 1 }, b: { kind: 'settled' }, c: {} })
    const after = books({ a: { kind: 'settled', amount: 2 }, c: {}, d: { kind: 'manual' } })
    expect(differences(before, after)).to.deep.equal([
      { section: 'entries', key: 'a', plain: '{"amount":1}', storm: '{"amount":2}' },
      { section: 'entries', key: 'b', plain: '{"kind":"settled"}', storm: null },
      { section: 'entries', key: 'd', plain: null, storm: '{"kind":"manual"}' },
    ])
    expect(differences(before, before)).to.deep.equal([])
  })
})

describe('the options of a storm', () => {
  it('are 20,000 lives and any seed unless they are told', () => {
    expect(readOptions([]).lives).to.equal(20_000)
    expect(readOptions(['--lives', '20', '--seed', '0'])).to.deep.equal({ lives: 20, seed: 0 })
  })

  it('are refused by name where they are wrong', () => {
    for (const [name, value] of [
      ['--lives', '19'],
      ['--lives', '1e3'],
      ['--lives', '200001'],
      ['--lives', ''],
      ['--seed', '0x1'],
      ['--seed', '1000000000'],
      ['--lifes', '30'],
    ] as const) {
      expect(() => readOptions([name, value]), `${name} ${value}`).to.throw(name)
    }
  })
})
