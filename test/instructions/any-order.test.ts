/** Any order of asking, sending, dying, lost answers, webhooks: money moves once, books agree. */
import { expect } from 'chai'
import fc from 'fast-check'
import { confirmPayments } from '../../jobs/confirm-payments.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { gateways } from '../../src/gateways/registry.ts'
import { storeTold } from '../../src/inbox/told.ts'
import { sendDue, type SendingParts } from '../../src/instructions/sending/send.ts'
import type { JsonObject } from '../support/service.ts'
import type { Mishap } from './razorpay-server.ts'
import { openShop, PAYOUT, type Shop } from './shop.ts'

/** `BAHI_MONEY_RUNS=300 BAHI_MONEY_SEED=7` makes it a long one. */
const RUNS = Number(process.env['BAHI_MONEY_RUNS'] ?? 10)
const SEED = Number(process.env['BAHI_MONEY_SEED'] ?? 20_261_121)
const PAID = 10_000

type Step =
  | { do: 'refund' | 'transfer' | 'payout'; amount: number }
  | { do: 'work' | 'later' | 'two workers' | 'die before' | 'die after' | 'cancel' }
  | { do: 'webhook'; which: number; times: number }
  | { do: 'mishap'; mishap: Mishap }

const amount = fc.integer({ min: 1, max: 6000 })

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('refund' as const), amount }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('transfer' as const), amount }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('payout' as const),
      amount: fc.integer({ min: 100, max: 9000 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(
        ...(['work', 'later', 'two workers', 'die before', 'die after', 'cancel'] as const),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('webhook' as const),
      which: fc.nat(20),
      times: fc.constantFrom(1, 2),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('mishap' as const),
      mishap: fc.constantFrom<Mishap>('answer_lost', 'request_lost', 'bad_gateway', 'refused'),
    }),
  },
)

describe('money that is told to move, in any order of events', () => {
  let shop: Shop
  let runs = 0

  before(async () => {
    shop = await openShop()
  })

  after(async () => {
    await shop.close()
  })

  function partsWith(more: Partial<SendingParts>): SendingParts {
    const { db, keyring, out, log } = shop.service.parts
    return { db, keyring, out, log, gateways, storeTold, ...more }
  }

  const send = async (more: Partial<SendingParts> = {}) => await sendDue(partsWith(more), 1)

  const takeIn = async () => {
    await confirmPayments.run(shop.service.jobParts)
    await processInbox.run(shop.service.jobParts)
  }

  async function play(one: Step, payment: string): Promise<void> {
    switch (one.do) {
      case 'refund':
        await shop.post(`/v1/payments/${payment}/refunds`, { amount: one.amount, reason: 'x' })
        return
      case 'transfer': {
        const transfers = [{ account: 'acc_WEAVER', amount: one.amount }]
        await shop.post(`/v1/payments/${payment}/transfers`, { transfers, reason: 'x' })
        return
      }
      case 'payout':
        await shop.post('/v1/payouts', { ...PAYOUT, amount: one.amount })
        return
      case 'work':
        await send()
        await takeIn()
        return
      case 'two workers':
        await Promise.all([send(), send(), takeIn()])
        return
      case 'later':
        await shop.later()
        return
      case 'die before':
        // No key opens the account: it ends between the note and the call.
        await send({ keyring: { sealWith: 'none', keys: new Map() } })
        return
      case 'die after':
        await send({ storeTold: () => Promise.reject(new Error('killed')) })
        return
      case 'cancel': {
        const [row] = await shop.service.rows<{ id: string }>(
          `select instruction_id as id from instructions where state = 'intended' limit 1`,
        )
        if (row !== undefined) {
          await shop.post(`/v1/instructions/${row.id}/cancel`, { reason: 'x' })
        }
        return
      }
      case 'webhook': {
        const { moved } = shop.razorpay
        const told = moved[one.which % Math.max(moved.length, 1)]
        if (told !== undefined) {
          const entity = shop.razorpay.entity(told.kind, told.reference)
          for (let time = 0; time < one.times; time += 1) {
            await shop.webhook(`${told.kind}.processed`, { [told.kind]: { entity } })
          }
        }
        return
      }
      case 'mishap':
        shop.razorpay.mishaps.push(one.mishap)
        return
      default:
        one satisfies never
    }
  }

  /** Until nothing is on its way any more. */
  async function toTheEnd(): Promise<void> {
    shop.razorpay.mishaps.length = 0
    for (let round = 0; round < 12; round += 1) {
      await shop.later()
      await shop.work()
    }
  }

  it('moves once, never above what was paid, and is booked as it moved', async function () {
    this.timeout(Math.max(this.timeout(), RUNS * 20_000))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        runs += 1
        const payment = await shop.paid(PAID, `pay_ANY${runs}`)
        for (const one of steps) {
          await play(one, payment)
        }
        await toTheEnd()
        await compare(payment)
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    )
    const { findings } = await verifyBooks(shop.service.parts.db, () => undefined)
    const odd = findings.filter(({ finding }) => !/ of which nobody knows/.test(finding.check))
    expect(odd.map(({ finding }) => `${finding.check}: ${finding.detail}`)).to.deep.equal(
      // A transfer whose call was lost is asked about for an hour.
      [],
    )
  })

  async function compare(payment: string): Promise<void> {
    const { moved } = shop.razorpay
    const references = moved.map(({ reference }) => reference)
    expect(new Set(references).size, 'each reference moved once').to.equal(references.length)
    const list = await shop.service.call('GET', `/v1/instructions?payment=${payment}&limit=100`)
    const payouts = await shop.service.call('GET', '/v1/instructions?kind=payout&limit=100')
    const all = [...(list.json['data'] as JsonObject[]), ...(payouts.json['data'] as JsonObject[])]
    for (const { reference, state, kind, amount: asked } of all) {
      const own = moved.filter((one) => one.reference === reference)
      if (state === 'done') {
        expect(own.map((one) => one.amount)).to.deep.equal([asked])
      } else if (kind === 'transfer' && state === 'sending') {
        expect(own).to.have.length(0)
      } else {
        expect(state).to.be.oneOf(['refused', 'cancelled'])
        expect(own, JSON.stringify([kind, state])).to.have.length(0)
      }
    }
    const sumOf = (kind: string) =>
      BigInt(moved.filter((one) => one.kind === kind).reduce((sum, one) => sum + one.amount, 0))
    const refundedHere = (list.json['data'] as JsonObject[])
      .filter(({ kind, state }) => kind === 'refund' && state === 'done')
      .reduce((sum, one) => sum + Number(one['amount']), 0)
    expect(refundedHere).to.be.at.most(PAID)
    const count = moved.filter(({ kind }) => kind === 'payout').length
    const balances = await shop.balances()
    const paid = BigInt(PAID * runs)
    expect(balances['liabilities:unidentified-receipts']).to.equal(paid - sumOf('refund'))
    expect(balances['assets:clearing:razorpay']).to.equal(
      paid - sumOf('refund') - sumOf('transfer'),
    )
    expect(balances['assets:payout-balance:razorpay'] ?? 0n).to.equal(
      -sumOf('payout') - BigInt(590 * count),
    )
    expect(balances).to.not.have.property('assets:unidentified-payments')
  }
})
