/** Stripe's lists by time, page by page, and the lines of its payouts. */
import { expect } from 'chai'
import nock from 'nock'
import type { GatewayAccount } from '../../src/gateways/gateway.ts'
import { stripe } from '../../src/gateways/stripe.ts'
import { lists } from '../../src/gateways/stripe/lists.ts'
import { HOST, soon, withoutNetwork } from './calls.ts'
import { ACCOUNT, charge, dispute, payout, refund, txn, type Json } from './stripe-objects.ts'
import { rejectionOf } from './thrown.ts'

const STRIPE: GatewayAccount = {
  gateway: 'stripe',
  account: ACCOUNT,
  keyId: ACCOUNT,
  keySecret: 'sk_test_TESTBahi0000000000000001',
  apiUrl: HOST,
}
const RANGE = { from: new Date('2026-01-01T00:00:00Z'), to: new Date('2026-01-02T00:00:00.5Z') }

/** Answers one question about a path; gives the query that it came with. */
function page(path: string, data: unknown, hasMore = false): URLSearchParams {
  const seen = new URLSearchParams()
  nock(HOST)
    .get(`/v1/${path}`)
    .query(true)
    .reply((asked: Request) => {
      for (const [name, value] of new URL(asked.url).searchParams) {
        seen.append(name, value)
      }
      return [200, { object: 'list', data, has_more: hasMore }]
    })
  return seen
}

describe('Stripe’s lists', () => {
  withoutNetwork()

  it('give what each kind of object tells, within whole seconds', async () => {
    const kinds: [keyof typeof lists, string, Json, string][] = [
      ['payments', 'charges', charge(), 'payment_captured'],
      ['refunds', 'refunds', refund(), 'refund_processed'],
      ['disputes', 'disputes', dispute(), 'dispute_opened'],
      ['settlements', 'payouts', payout(), 'settled'],
    ]
    for (const [name, path, object, kind] of kinds) {
      const query = page(path, [object])
      const list = lists[name]
      if (list === undefined) {
        return expect.fail(`there is no list of ${name}`)
      }
      const { items, unreadable, next } = await list(STRIPE, RANGE, null, soon())
      expect([unreadable, next], name).to.deep.equal([[], null])
      expect(query.get('created[gte]')).to.equal('1767225600')
      expect(query.get('created[lt]')).to.equal('1767312001')
      expect(query.get('starting_after')).to.equal(null)
      const [told] = items
      if (told === undefined || !('event' in told)) {
        return expect.fail(`${name} told nothing`)
      }
      const { facts } = stripe.read(told.event, ACCOUNT, told.confirmation)
      expect(facts.map((fact) => fact.kind)).to.include(kind)
    }
  })

  it('decide a dispute that nobody told of by the time of the question', async () => {
    const lost = dispute({ status: 'lost', balance_transactions: [txn('txn_out', -250_000, 1500)] })
    page('disputes', [lost])
    const [told] = (await lists.disputes?.(STRIPE, RANGE, null, soon()))?.items ?? []
    if (told === undefined) {
      return expect.fail('nothing was told')
    }
    const { facts } = stripe.read(told.event, ACCOUNT, told.confirmation)
    const last = facts.at(-1)
    expect(last?.kind).to.equal('dispute_lost')
    expect(last?.occurredAt).to.deep.equal(told.event.receivedAt)
  })

  it('go on where a page ended, past rows that cannot be read', async () => {
    page('charges', [charge({ id: 'ch_1' }), charge({ id: 'a b' }), charge({ id: 'ch_2' })], true)
    const first = await lists.payments?.(STRIPE, RANGE, null, soon())
    expect(first?.items.map(({ id }) => id)).to.deep.equal(['ch_1', 'ch_2'])
    expect(first?.unreadable).to.have.length(1)
    expect(first?.next).to.equal('ch_2')
    const query = page('charges', [])
    const second = await lists.payments?.(STRIPE, RANGE, 'ch_2', soon())
    expect(query.get('starting_after')).to.equal('ch_2')
    expect(second).to.deep.equal({ items: [], unreadable: [], next: null })
  })

  it('are not taken for ended where more is said to come and no row leads there', async () => {
    for (const data of [[], [charge({ id: 'a b' })]]) {
      page('charges', data, true)
      const problem = await rejectionOf(
        lists.payments?.(STRIPE, RANGE, null, soon()) ?? Promise.resolve(),
      )
      expect(problem.code).to.equal('gateway_unavailable')
    }
  })

  it('are not taken for empty where the answer is no list', async () => {
    for (const data of [undefined, {}, [1]]) {
      page('charges', data)
      const problem = await rejectionOf(
        lists.payments?.(STRIPE, RANGE, null, soon()) ?? Promise.resolve(),
      )
      expect(problem.code).to.equal('gateway_unavailable')
    }
  })
})

describe('The lines of Stripe’s payouts', () => {
  withoutNetwork()

  const one = payout({ id: 'po_1', amount: 90_650 })

  async function lines(cursor: string | null) {
    const given = await lists.settlementLines?.(STRIPE, RANGE, cursor, soon())
    return given ?? expect.fail('there is no such list')
  }

  it('come page by page and payout by payout, and sum up to each', async () => {
    const days = page('payouts', [one])
    const itemised = page(
      'balance_transactions',
      [
        txn('txn_po', -90_650, 0, { type: 'payout', source: payout({ id: 'po_1' }) }),
        txn('txn_1', 100_000, 3540, { source: charge() }, 540),
        txn('txn_2', -5000, 0, {
          reporting_category: 'refund',
          source: refund({ charge: 'ch_0' }),
        }),
      ],
      true,
    )
    const first = await lines(null)
    expect(days.get('arrival_date[gte]')).to.equal('1767225600')
    expect(itemised.get('payout')).to.equal('po_1')
    expect(first.next).to.equal('/po_1/txn_2')
    nock(HOST).get('/v1/payouts/po_1').reply(200, one)
    const more = page('balance_transactions', [
      txn('txn_3', 0, 810, { reporting_category: 'fee', source: null }),
    ])
    const second = await lines(first.next)
    expect(more.get('starting_after')).to.equal('txn_2')
    expect(second.next).to.equal('po_1//')
    const rest = page('payouts', [])
    expect(await lines(second.next)).to.deep.equal({ items: [], unreadable: [], next: null })
    expect(rest.get('starting_after')).to.equal('po_1')
    const all = [...first.items, ...second.items]
    expect(all.map((line) => [line.type, line.entityId, line.gatewayPaymentId])).to.deep.equal([
      ['charge', 'ch_TESTBahi1', 'ch_TESTBahi1'],
      ['refund', 're_TESTBahi1', 'ch_0'],
      ['fee', 'txn_3', null],
    ])
    expect(all[0]).to.include({ fee: 3540n, tax: 540n, credit: 96_460n, utr: 'UTR0000000001' })
    expect(all[0]).to.include({ orderRef: 'r0000000000000000000001', settlementId: 'po_1' })
    const sum = all.reduce((total, line) => total + line.credit - line.debit, 0n)
    expect(sum).to.equal(90_650n)
  })

  it('are not had of a payout by hand, nor of one that is not reconciled yet', async () => {
    for (const change of [{ automatic: false }, { reconciliation_status: 'in_progress' }]) {
      page('payouts', [payout({ id: 'po_1', ...change })])
      const { items, unreadable, next } = await lines(null)
      expect(items).to.deep.equal([])
      expect(unreadable.map(({ id }) => id)).to.deep.equal(['po_1'])
      expect(next).to.equal('po_1//')
    }
  })

  it('name a line that does not add up, and give the others', async () => {
    page('payouts', [one])
    const odd = { ...txn('txn_odd', 100, 5), net: 100 }
    page('balance_transactions', [odd, txn('txn_1', 100, 0, { source: 'ch_1' })])
    const { items, unreadable } = await lines(null)
    expect(items.map(({ entityId }) => entityId)).to.deep.equal(['ch_1'])
    expect(unreadable.map(({ id }) => id)).to.deep.equal(['txn_odd'])
  })
})
