/** Facts in any order, repeated, in any batches: the end is the same. */
import { expect } from 'chai'
import fc from 'fast-check'
import type { Fact } from '../../src/gateways/fact.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { openBooks, type Books } from '../ledger/books.ts'
import { authorized, captured, failed, NOON, openFor, record } from './facts.ts'

const minutes = (count: number): Date => new Date(NOON.getTime() + count * 60_000)

/** One payment's whole life: it failed, was authorised late, captured, and told twice of that. */
function life(payment: string, order: string): Fact[] {
  return [
    failed({ payment, order, at: minutes(0) }),
    authorized({ payment, order, at: minutes(1) }),
    // What payment.captured says …
    captured({ payment, order, at: minutes(2) }),
    // … and what order.paid says of the same capture.
    captured({ payment, order, at: minutes(2) }, { bankReference: '412345678901' }),
  ]
}

function permutations<Item>(items: readonly Item[]): Item[][] {
  return items.length === 0
    ? [[]]
    : items.flatMap((item, place) =>
        permutations([...items.slice(0, place), ...items.slice(place + 1)]).map((rest) => [
          item,
          ...rest,
        ]),
      )
}

describe('the facts of one payment', () => {
  let books: Books
  let org = 600

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  async function newOrganisation(...orders: string[]): Promise<void> {
    org += 1
    await books.addOrganisation(org)
    for (const order of orders) {
      await openFor(books, { order, orgId: org })
    }
  }

  /** All that can be seen afterwards, without ids and times that are made up on the way. */
  async function endState(): Promise<unknown> {
    const ledger = await verifyLedger(books.db, org, () => undefined)
    return {
      payments: await books.read(
        `select p.gateway_payment_id, p.state, p.amount, p.currency, p.fee, p.tax, p.method,
                p.bank_reference, p.order_ref, p.authorized_at, p.captured_at, p.failed_at,
                p.failure_reason, d.order_ref as donation
           from payments p left join donations d using (org_id, donation_id)
          order by p.gateway_payment_id`,
        [],
        org,
      ),
      donations: await books.read(
        `select d.order_ref, d.state, d.paid_at, p.gateway_payment_id, count(o.subject) as promises
           from donations d left join payments p using (org_id, payment_id)
           left join outbox o on o.org_id = d.org_id and o.subject = d.donation_id
          group by 1, 2, 3, 4 order by 1`,
        [],
        org,
      ),
      facts: await books.read('select fact_key, kind from facts order by 1', [], org),
      entries: await books.read(
        `select e.kind, e.effective_on, e.idempotency_key, e.description, a.code, p.direction,
                p.amount
           from journal_entries e
           join postings p using (org_id, entry_no) join accounts a using (org_id, account_id)
          order by e.idempotency_key, p.line_no`,
        [],
        org,
      ),
      findings: [...ledger.findings, ...(await verifyDonations(books.db, org))],
    }
  }

  it('lead to the same end in each of their orders, one by one and all at once', async () => {
    const ends: unknown[] = []
    for (const order of permutations(life('pay_1', 'order_1'))) {
      for (const batches of [order.map((fact) => [fact]), [order]]) {
        await newOrganisation('order_1')
        for (const batch of batches) {
          expect(await record(books, batch, org)).to.deep.equal(batch.map(() => null))
        }
        ends.push(await endState())
      }
    }
    expect(ends).to.have.length(48)
    expect(ends[0]).to.deep.nested.include({
      'payments[0].state': 'captured',
      'payments[0].bank_reference': '412345678901',
      'donations[0].state': 'paid',
      'donations[0].promises': 1n,
      findings: [],
    })
    for (const end of ends) {
      expect(end).to.deep.equal(ends[0])
    }
  })

  it('lead to the same end among other payments, repeated and cut into any batches', async () => {
    const orders = ['order_1', 'order_2', 'order_3']
    const all = orders.flatMap((order, index) => life(`pay_${index}`, order))
    await newOrganisation(...orders)
    await record(books, all, org)
    const expected = await endState()
    const story = fc
      .tuple(
        fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }),
        fc.array(fc.constantFrom(...all), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 20, maxLength: 20 }),
      )
      .map(([shuffled, repeated, sizes]) => ({ told: [...shuffled, ...repeated], sizes }))
    await fc.assert(
      fc.asyncProperty(story, async ({ told, sizes }) => {
        await newOrganisation(...orders)
        const rest = [...told]
        for (const size of sizes) {
          const batch = rest.splice(0, size)
          expect(await record(books, batch, org)).to.deep.equal(batch.map(() => null))
        }
        expect(rest).to.deep.equal([])
        expect(await endState()).to.deep.equal(expected)
      }),
      { numRuns: 25 },
    )
  })

  for (const overtaken of [false, true]) {
    const how = overtaken ? 'after the capture' : 'before it'
    it(`show what was captured where more was authorised, told ${how}`, async () => {
      await newOrganisation('order_1')
      const told = { payment: 'pay_1', order: 'order_1' }
      const facts = [
        authorized({ ...told, amount: 50_000n, at: minutes(1) }),
        captured({ ...told, amount: 40_000n, at: minutes(2) }),
      ]
      for (const fact of overtaken ? facts.toReversed() : facts) {
        await record(books, [fact], org)
      }
      // The receipt says what stands with the payment, so it must be what the entry says.
      expect(await verifyDonations(books.db, org)).to.deep.equal([])
    })
  }

  it('post once when many workers bring the same ones at the same time', async () => {
    await newOrganisation('order_1')
    const facts = life('pay_1', 'order_1')
    await Promise.all(
      Array.from({ length: 6 }, async (_, index) => {
        await record(books, index % 2 === 0 ? facts : facts.toReversed(), org)
      }),
    )
    const one = await endState()
    await newOrganisation('order_1')
    await record(books, facts, org)
    expect(one).to.deep.equal(await endState())
  })
})
