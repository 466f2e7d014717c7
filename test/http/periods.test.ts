/** Periods and years over HTTP: who may do what, and what is answered. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import { signToken } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/permissions.ts'
import { post } from '../../src/ledger/posting/post.ts'
import { BANK, credit, debit, draftOf } from '../ledger/books.ts'
import { testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { allPages, payUnasked, rowsOf, textIn } from './seeded.ts'

const REASON = { reason: 'Month end, reviewed by Asha' }

describe('periods over HTTP', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    for (const [index, day] of ['2024-02-10', '2024-03-31', '2024-04-10'].entries()) {
      await payUnasked(service, { id: `pay_TESTper${index}`, amount: 1000 + index, day })
    }
    await service.runJobs()
  })

  after(async () => {
    await service.stop()
  })

  async function change(
    path: string,
    body: object = REASON,
    role: Role | null = 'admin',
  ): Promise<Answer> {
    const answer = await service.call('POST', `/v1/${path}`, { role, body })
    expect(answer.json['moved'], answer.text).to.equal(answer.status < 400 ? undefined : 'no')
    return answer
  }

  async function changed(path: string, body: object, role: Role = 'admin'): Promise<JsonObject> {
    const answer = await change(path, body, role)
    expect(answer.status, answer.text).to.equal(200)
    return answer.json
  }

  function expectRefused(answer: Answer, status: number, code: string): void {
    expect([answer.status, answer.json['code']], answer.text).to.deep.equal([status, code])
  }

  it('lists every month from the first posting to now, newest first, over pages', async () => {
    const pages = await allPages(service, '/v1/periods', 7, 'month')
    const months = pages.flat().map((row) => textIn(row, 'month'))
    expect(months.at(-1)).to.equal('2024-02')
    expect(months).to.deep.equal([...months].sort().reverse())
    expect(new Set(months).size).to.equal(months.length)
    const [year, month] = (months[0] ?? '').split('-').map(Number)
    expect(months).to.have.length(((year ?? 0) - 2024) * 12 + (month ?? 0) - 1)
    expect(pages.flat().every((row) => row['state'] === 'open')).to.equal(true)
    const [past] = await allPages(service, '/v1/periods?starting_after=2024-02', 7, 'month')
    expect(past).to.deep.equal([])
  })

  it('lets nobody change a month who may not', async () => {
    for (const role of ['auditor', 'service'] as const) {
      for (const path of ['periods/2024-02/close', 'periods/2024-02/reopen']) {
        expectRefused(
          await change(path, { state: 'soft_closed', ...REASON }, role),
          403,
          'forbidden',
        )
      }
      expectRefused(await change('financial-years/2023-24/close', REASON, role), 403, 'forbidden')
    }
    for (const [path, body] of [
      ['periods/2024-02/close', { state: 'closed', ...REASON }],
      ['periods/2024-02/reopen', REASON],
      ['financial-years/2023-24/close', REASON],
    ] as const) {
      expectRefused(await change(path, body, 'finance'), 403, 'forbidden')
      expectRefused(await change(path, body, null), 401, 'unauthenticated')
    }
    expect((await service.call('GET', '/v1/periods', { role: 'service' })).status).to.equal(403)
    expect(await service.rows('select 1 from periods')).to.deep.equal([])
  })

  it('refuses what is no month, no year, no state and no reason', async () => {
    for (const month of ['2024-13', '2024', 'x', '2024-02-01', '%00']) {
      const body = { state: 'closed', ...REASON }
      expectRefused(await change(`periods/${month}/close`, body), 404, 'not_found')
      expectRefused(await change(`periods/${month}/reopen`), 404, 'not_found')
      const read = await service.call('GET', `/v1/periods/${month}`)
      expectRefused(read, 404, 'not_found')
    }
    expectRefused(await change('financial-years/2023/close'), 404, 'not_found')
    for (const reason of ['', '   ', 'x'.repeat(501), 'a\0b', 'a\nb', 'a\u001bb', '\ud800', 7]) {
      const body = { state: 'soft_closed', reason }
      expectRefused(await change('periods/2024-02/close', body), 400, 'invalid_request')
      expectRefused(await change('periods/2024-02/reopen', { reason }), 400, 'invalid_request')
      const year = await change('financial-years/2023-24/close', { reason })
      expectRefused(year, 400, 'invalid_request')
    }
    for (const body of [
      REASON,
      { state: 'open', ...REASON },
      { state: 'closed', ...REASON, x: 1 },
    ]) {
      expectRefused(await change('periods/2024-02/close', body), 400, 'invalid_request')
    }
    for (const query of ['starting_after=2024', 'limit=0', 'x=1']) {
      const list = await service.call('GET', `/v1/periods?${query}`)
      expectRefused(list, 400, 'invalid_request')
    }
  })

  it('closes softly and hard and reopens, and keeps who, why and which hash', async () => {
    const hostile = 'Reviewed; "बही" \' -- <b>'
    const soft = { state: 'soft_closed', reason: `  ${hostile} ` }
    const first = await changed('periods/2024-02/close', soft, 'finance')
    expect(first).to.include({ month: '2024-02', state: 'soft_closed', changed: true })
    expect((await changed('periods/2024-02/close', soft, 'finance'))['changed']).to.equal(false)
    await changed('periods/2024-02/close', { state: 'closed', ...REASON })
    const down = await change('periods/2024-02/close', soft, 'finance')
    expectRefused(down, 422, 'period_closed')
    await changed('periods/2024-02/reopen', REASON)
    const again = await changed('periods/2024-02/reopen', REASON)
    expect(again).to.include({ state: 'open', changed: false })
    await changed('periods/2024-02/close', { state: 'closed', ...REASON })
    await changed('periods/2024-02/reopen', { state: 'soft_closed', ...REASON })

    const { json } = await service.call('GET', '/v1/periods/2024-02?limit=3', { role: 'auditor' })
    expect(json).to.include({ state: 'soft_closed', trial_balance_agrees: true })
    const history = json['history'] as JsonObject
    expect(history['has_more']).to.equal(true)
    expect(rowsOf(history).map((row) => row['state'])).to.deep.equal([
      'soft_closed',
      'closed',
      'open',
    ])
    const rest = await service.call('GET', '/v1/periods/2024-02?starting_after=3')
    const [second, oldest] = rowsOf(rest.json['history'] as JsonObject)
    expect(second).to.include({ version: 2, state: 'closed', reason: REASON.reason })
    expect(oldest).to.include({ version: 1, reason: hostile, actor: 'test' })
    expect(oldest?.['journal_entry']).to.equal('je_3')

    const text = await service.call('GET', '/v1/periods/2024-02/history/1', { role: 'auditor' })
    expect(text.text).to.include('as_of=10:2024-02-29\naccount=')
    expect(text.headers.get('content-type')).to.match(/^text\/plain/)
    const sha256 = createHash('sha256').update(text.text).digest('hex')
    expect(oldest?.['trial_balance_sha256']).to.equal(sha256)
    for (const version of ['0', '6', 'x', '99999999999']) {
      const none = await service.call('GET', `/v1/periods/2024-02/history/${version}`)
      expectRefused(none, 404, 'not_found')
    }
  })

  it('says where the books no longer agree with what was stored', async () => {
    await changed('periods/2024-02/reopen', REASON)
    const agrees = async (): Promise<unknown> =>
      (await service.call('GET', '/v1/periods/2024-02')).json['trial_balance_agrees']
    expect(await agrees()).to.equal(true)
    await payUnasked(service, { id: 'pay_TESTperLate', amount: 77, day: '2024-01-10' })
    await service.runJobs()
    expect(await agrees()).to.equal(false)
  })

  it('refuses what is out of order or not over, and says what to do', async () => {
    const closed = { state: 'closed', ...REASON }
    const early = await change('periods/2024-04/close', closed)
    expectRefused(early, 422, 'period_order')
    expect(early.json).to.include({ moved: 'no' })
    expect(early.json['detail']).to.match(/^2024-0\d was posted to and is not closed so far/)
    const future = await change('periods/9999-12/close', closed)
    expectRefused(future, 422, 'period_not_over')
    expectRefused(await change('financial-years/9990-91/close'), 422, 'period_not_over')
  })

  it('closes a year, once', async () => {
    const gift = draftOf('gift', {
      effectiveOn: '2024-03-15',
      lines: [debit(BANK, 500n), credit('income:donations:general', 500n)],
    })
    await service.parts.db.transact(1, async (trx) => await post(trx, [gift]))
    const closing = await changed('financial-years/2023-24/close', REASON)
    const [id, ...others] = closing['journal_entries'] as string[]
    expect(others).to.deep.equal([])
    expect(closing).to.include({ financial_year: '2023-24', closed_as_of: '2024-03-31' })
    const entry = await service.call('GET', `/v1/journal-entries/${id}`)
    expect(entry.json).to.include({
      kind: 'year_closed',
      effective_on: '2024-03-31',
      actor: 'test',
    })
    const again = await changed('financial-years/2023-24/close', REASON)
    expect(closing['changed']).to.equal(true)
    expect(again).to.deep.equal({ ...closing, changed: false })
  })

  it('shows and changes the caller’s own organisation only', async () => {
    const principal = { subject: 'other', orgId: 2, role: 'admin' } as const
    const authorization = `Bearer ${signToken(principal, service.config.jwtSecret, 60)}`
    const asOther = async (method: string, path: string, body?: object) =>
      await service.call(method, `/v1/${path}`, { headers: { authorization }, body })
    const list = await asOther('GET', 'periods')
    expect(list.json).to.deep.equal({ data: [], has_more: false })
    const one = await asOther('GET', 'periods/2024-02')
    expect(one.json).to.deep.equal({
      month: '2024-02',
      state: 'open',
      last_change: null,
      trial_balance_agrees: null,
      reconciliation: {
        last_run: null,
        exceptions: {
          count: 0,
          sums: [],
          list: '/v1/recon/exceptions?state=open&since_from=2024-02-01&since_to=2024-02-29',
          earlier: 0,
        },
        clearing: [],
        in_transit: [],
      },
      history: { data: [], has_more: false },
    })
    expect((await asOther('GET', 'periods/2024-02/history/1')).status).to.equal(404)
    const closed = await asOther('POST', 'periods/2024-05/close', { state: 'closed', ...REASON })
    expect(closed.status, closed.text).to.equal(200)
    const own = await service.call('GET', '/v1/periods/2024-05')
    expect(own.json['state']).to.equal('open')
  })
})
