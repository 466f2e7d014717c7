/** What is told to whoever closes a month that is not reconciled: what is open, and where it is. */
import { expect } from 'chai'
import type { Fact } from '../../src/gateways/fact.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { textIn } from '../http/seeded.ts'
import { breakAll, broken } from './broken.ts'
import { captured, refunded, report, runOver, settled, tell, type ToldBooks } from './told.ts'

const MAY = '/v1/periods/2026-05'
const WHY = { reason: 'Seen' }

describe('a month that is closed before it is reconciled', () => {
  let service: TestService
  let books: ToldBooks

  before(async () => {
    service = await startTestService()
    const { db } = service.parts
    books = { db, database: service.database, read: service.rows.bind(service) }
  })

  after(async () => {
    await service.stop()
  })

  const openIn = async (month = MAY) =>
    (await service.call('GET', month)).json['reconciliation'] as JsonObject

  const at = (fact: Fact, day: string): Fact => ({ ...fact, occurredAt: new Date(day) })

  it('says so where nothing was ever reconciled', async () => {
    expect(await openIn()).to.deep.equal({
      last_run: null,
      exceptions: {
        count: 0,
        sums: [],
        list: '/v1/recon/exceptions?state=open&since_from=2026-05-01&since_to=2026-05-31',
        earlier: 0,
      },
      clearing: [],
      in_transit: [],
    })
  })

  it('tells what no report and no statement told of, by the days of India', async () => {
    await tell(books, captured('pay_a', 1000n), captured('pay_b', 5000n))
    await tell(books, ...refunded('rfnd_a', 'pay_b', 300n))
    await tell(books, at(captured('pay_c', 70n), '2026-06-01T00:00:00+05:30'))
    await tell(
      books,
      at(settled('setl_a', 900n, null), '2026-05-31T23:59:59+05:30'),
      at(settled('setl_b', 20n, null), '2026-06-01T00:00:00+05:30'),
      at(settled('setl_c', 10n, null), '2026-04-30T23:59:59+05:30'),
    )
    await report(books, 1, [{ id: 'pay_a', amount: 1000n, settlement: 'setl_a' }])
    await runOver(books, [1], '2026-06-01')
    expect((await openIn())['last_run']).to.include({ as_of: '2026-06-01' })
    expect(await openIn()).to.deep.include({
      clearing: [{ currency: 'INR', count: 2, amount: 4700 }],
      in_transit: [{ currency: 'INR', count: 1, amount: 900 }],
    })
  })

  it('counts exceptions of its days by currency, and names the list that has them', async () => {
    await service.rows(`update recon_exceptions set state = 'resolved', ended_at = now()
                         where state = 'open'`)
    await breakAll(service, [
      broken(1, { since: '2026-05-01', amount: 700n }),
      broken(2, { since: '2026-05-31', amount: -300n }),
      broken(3, { since: '2026-05-10', currency: 'USD', amount: 50n }),
      broken(4, { since: '2026-04-30' }),
      broken(5, { since: '2026-06-01' }),
    ])
    const { exceptions } = await openIn()
    expect(exceptions).to.deep.include({
      count: 3,
      earlier: 1,
      sums: [
        { currency: 'INR', count: 2, amount: 1000 },
        { currency: 'USD', count: 1, amount: 50 },
      ],
    })
    const { list } = exceptions as { list: string }
    const listed = (await service.call('GET', list)).json['data'] as JsonObject[]
    expect(listed.map(({ line }) => line)).to.have.members(['900-1', '900-2', '900-3'])
  })

  it('is closed all the same, and the answer tells it', async () => {
    const open = await openIn()
    // Its postings of April are in the way of the order of months, and told of there.
    const april = { role: 'admin', body: { state: 'closed', ...WHY } } as const
    await service.call('POST', '/v1/periods/2026-04/close', april)
    for (const [state, changed] of [
      ['soft_closed', true],
      ['soft_closed', false],
      ['closed', true],
    ] as const) {
      const close = { role: 'admin', body: { state, ...WHY } } as const
      const answer = await service.call('POST', `${MAY}/close`, close)
      expect(answer.status, answer.text).to.equal(200)
      expect(answer.json).to.include({ state, changed })
      expect(answer.json['reconciliation']).to.deep.equal(open)
    }
    const back = await service.call('POST', `${MAY}/reopen`, { role: 'admin', body: WHY })
    expect(back.json).to.not.have.property('reconciliation')
  })

  it('says nothing of it to a key that may not see it', async () => {
    const body = { name: 'Tally', role: 'admin', permissions: ['books.read', 'periods.close'] }
    const made = await service.call('POST', '/v1/api-keys', { role: 'admin', body })
    const headers = {
      authorization: `Bearer ${textIn(made.json, 'secret')}`,
      'idempotency-key': 'narrow',
    }
    expect((await service.call('GET', MAY, { headers })).json['reconciliation']).to.equal(null)
    const close = { headers, body: { state: 'soft_closed', ...WHY } }
    const closed = await service.call('POST', `${MAY}/close`, close)
    expect(closed.json, closed.text).to.include({ state: 'soft_closed', reconciliation: null })
  })
})
