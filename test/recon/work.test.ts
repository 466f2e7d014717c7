/** The work on exceptions over HTTP: whose, by when, what was said, attached, and what differs. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { loadRecon } from '../../jobs/load-recon.ts'
import { reconcile } from '../../jobs/reconcile.ts'
import { asOwner } from '../../scripts/stack.ts'
import { signToken } from '../../src/http/auth.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { testOrganisation } from '../support/organisation.ts'
import { addPerson, callWith, sessionOf, type Person } from '../support/people.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { breakAll, broken, today } from './broken.ts'
import { commit, gatewaySource, idOf, razorpayCsv, razorpayRow, uploadTo } from './files.ts'

const LIST = '/v1/recon/exceptions'
const rowsOf = ({ json }: Answer) => json['data'] as JsonObject[]

function cursorOf(row: JsonObject | undefined): string {
  const cursor = row?.['cursor']
  return typeof cursor === 'string' ? cursor : 'none'
}

describe('the work on exceptions', () => {
  let service: TestService
  let asha: Person
  let ravi: Person
  let session: string

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    asha = await addPerson(service, 'asha@example.org', 'finance')
    ravi = await addPerson(service, 'ravi@example.org', 'admin')
    session = await sessionOf(service, asha)
  })

  beforeEach(async () => {
    await service.rows(`update recon_exceptions set state = 'resolved', ended_at = now()
                         where state = 'open'`)
  })

  after(async () => {
    await service.stop()
  })

  const get = async (path: string) => await service.call('GET', path)
  const post = async (path: string, body?: unknown) => await service.call('POST', path, { body })
  const one = async (id: string, more = '') => (await get(`${LIST}/${id}${more}`)).json

  async function asOther(method: string, path: string, body?: unknown): Promise<Answer> {
    const who = { subject: 'other', orgId: 2, role: 'admin' } as const
    const token = signToken(who, service.config.jwtSecret, 600)
    const headers = { authorization: `Bearer ${token}` }
    return await service.call(method, path, { headers, ...(body === undefined ? {} : { body }) })
  }

  const hoursUntil = (at: unknown) => Math.round((Date.parse(String(at)) - Date.now()) / 3_600_000)

  it('shows both sides field by field, and the record and line behind them', async () => {
    for (const number of [1, 2]) {
      const id = `pay_T${String(number).padStart(13, '0')}`
      const payment = { id, orderId: `order_T${number}`, amount: 100_000, fee: 2360, tax: 360 }
      await service.deliver('razorpay', razorpayEvent('payment.captured', payment))
    }
    await service.runJobs()
    const rows = [
      razorpayRow(1, { amount: '1000.01', credit: '976.41' }),
      razorpayRow(2, { fee: '25.60' }),
      razorpayRow(3),
    ]
    const seen = await uploadTo(service, await gatewaySource(service), razorpayCsv(rows))
    await commit(service, seen.json)
    await loadRecon.run(service.jobParts)
    expect((await post('/v1/recon/runs', {})).status).to.equal(202)
    await reconcile.run(service.jobParts)
    const page = await get(`${LIST}?state=open&kind=amount_over,fee_variance&gateway=razorpay`)
    expect(rowsOf(page).map(({ kind }) => kind)).to.have.members(['amount_over', 'fee_variance'])
    const over = rowsOf(page).find(({ kind }) => kind === 'amount_over') ?? {}
    expect((over['differences'] as JsonObject[]).slice(0, 2)).to.deep.equal([
      { field: 'amount', ours: 100_000, theirs: 100_001, difference: 1 },
      { field: 'net', ours: 97_640, theirs: 97_641, difference: 1 },
    ])
    expect(over).to.include({ line: '1-2', bank_line: null, gateway: 'razorpay' })
    expect(over['record']).to.match(/^pmt_/)
    const whole = await one(idOf(over), '?expand=record,line')
    expect(whole['record']).to.include({ id: over['record'], kind: 'payment', state: 'captured' })
    expect(whole['line']).to.include({ id: '1-2', amount: 100_001 })
    const alone = rowsOf(await get(`${LIST}?kind=missing_internal&state=open`))
    const unknown = alone.find(({ line }) => line !== null) ?? {}
    expect(unknown).to.include({ record: null, line: '1-4' })
    expect((unknown['differences'] as JsonObject[]).map(({ ours }) => ours)).to.deep.equal(
      (unknown['differences'] as JsonObject[]).map(() => null),
    )
    const total = alone.find(({ line }) => line === null) ?? {}
    expect(total).to.include({ gateway: 'razorpay' })
    expect((total['differences'] as JsonObject[])[0]).to.deep.include({ field: 'net', ours: null })
  })

  it('is due by amount and by age, and another amount is judged anew', async () => {
    const [big = '', old = '', middling = '', small = ''] = await breakAll(service, [
      broken(1, { amount: 10_000_000n }),
      broken(2, { since: today(9) }),
      broken(3, { amount: 100_000n }),
      broken(4, { amount: 99_999n }),
    ])
    expect((await one(big))['severity']).to.equal('critical')
    expect(hoursUntil((await one(big))['due_at'])).to.equal(24)
    expect((await one(old))['severity']).to.equal('critical')
    expect(hoursUntil((await one(middling))['due_at'])).to.be.within(117, 120)
    expect(await one(middling)).to.include({ severity: 'medium' })
    // It grows old: after five days it has a day.
    expect(hoursUntil((await one(small))['due_at'])).to.be.within(119, 145)
    await breakAll(service, [broken(4, { amount: 20_000_000n })])
    expect(await one(small)).to.include({ severity: 'critical', amount: 20_000_000 })
    expect(hoursUntil((await one(small))['due_at'])).to.equal(24)
    const dollars = await breakAll(service, [broken(5, { amount: 10_000_000n, currency: 'USD' })])
    expect(await one(dollars[0] ?? '')).to.include({ severity: 'low' })
  })

  it('is narrowed, and listed by due date page by page, whatever moves', async () => {
    const ids = await breakAll(
      service,
      Array.from({ length: 7 }, (_one, n) => broken(100 + n, { amount: BigInt(n) * 1_000_000n })),
    )
    await post(`${LIST}/assign`, { ids: ids.slice(0, 3), owner: asha.id })
    const count = async (query: string) => rowsOf(await get(`${LIST}?${query}`)).length
    expect(await count('unowned=true')).to.equal(4)
    expect(await count(`owner=${asha.id}`)).to.equal(3)
    expect(await count(`owner=${ravi.id}`)).to.equal(0)
    expect(await count('severity=high')).to.equal(6)
    expect(await count('severity=critical,low')).to.equal(1)
    expect(await count('state=open&amount_from=2000000&amount_to=3000000')).to.equal(2)
    expect(await count(`state=open&since_from=${today()}`)).to.equal(7)
    expect(await count('state=open&currency=USD')).to.equal(0)
    expect(await count('overdue=true')).to.equal(0)
    expect(await count('state=open&subject=line%20900%20103')).to.equal(1)
    const seen: string[] = []
    for (let after = ''; ;) {
      const page = await get(`${LIST}?sort=due&limit=2${after}`)
      seen.push(...rowsOf(page).map(idOf))
      const last = rowsOf(page).at(-1) ?? {}
      // Whoever works through a page puts off what he has just seen.
      const due = new Date(Date.now() + 80 * 86_400_000).toISOString()
      await post(`${LIST}/${idOf(last)}/acknowledge`, { due_at: due })
      after = `&starting_after=${cursorOf(last)}`
      if (seen.length >= 7) {
        break
      }
    }
    expect(seen.slice(0, 7).toSorted()).to.deep.equal(ids.toSorted())
    for (const bad of [
      'kind=nonsense',
      'severity=low,low',
      'amount_from=-1',
      `owner=${asha.id}&unowned=true`,
      `sort=due&starting_after=${ids[0]}`,
      'starting_after=1.exc_x',
    ]) {
      expect((await get(`${LIST}?${bad}`)).status, bad).to.equal(400)
    }
  })

  it('is given to somebody, in bulk, and by a filter that fits as many', async () => {
    const ids = await breakAll(service, [broken(201), broken(202), broken(203)])
    const [first = '', second = '', third = ''] = ids
    const gone = `exc_${'0'.repeat(26)}`
    await service.rows(
      `update recon_exceptions set state = 'resolved', ended_at = now() where exception_id = $1`,
      [third],
    )
    const given = await post(`${LIST}/${first}/assign`, { owner: asha.id, note: 'yours' })
    expect(given.json['owner']).to.deep.equal({
      id: asha.id,
      name: 'Somebody finance',
      active: true,
    })
    const body = { ids: [first, second, third, gone], owner: asha.id }
    const bulk = await post(`${LIST}/assign`, body)
    expect(bulk.json['data']).to.deep.equal([
      { id: first, result: 'unchanged' },
      { id: second, result: 'done' },
      { id: third, result: 'ended' },
      { id: gone, result: 'unknown' },
    ])
    const filter = { owner: asha.id, kind: ['missing_internal'] }
    const wrong = await post(`${LIST}/assign`, { filter, expected: 3, owner: ravi.id })
    expect(wrong.json).to.include({ code: 'precondition_failed', moved: 'no' })
    const right = await post(`${LIST}/assign`, { filter, expected: 2, owner: ravi.id })
    expect(right.json).to.include({ done: 2 })
    const taken = await post(`${LIST}/${first}/assign`, { owner: null })
    expect(taken.json['owner']).to.equal(null)
    expect((await post(`${LIST}/${third}/assign`, { owner: ravi.id })).json['code']).to.equal(
      'exception_state',
    )
    const nobody = `usr_${'0'.repeat(26)}`
    const auditor = await addPerson(service, 'auditor@example.org', 'auditor')
    for (const owner of [nobody, auditor.id]) {
      const refused = await post(`${LIST}/assign`, { ids: [first], owner })
      expect(refused.json['code']).to.equal('unknown_owner')
    }
    const many = Array.from({ length: 501 }, (_one, n) => `exc_${String(n).padStart(26, '0')}`)
    expect((await post(`${LIST}/assign`, { ids: many, owner: null })).status).to.equal(400)
    expect((await post(`${LIST}/assign`, { ids: [], owner: null })).status).to.equal(400)
  })

  it('tells in its timeline what was done by whom, also by two at the same time', async () => {
    const [id = ''] = await breakAll(service, [broken(300)])
    const text = 'Asked the bank.\n=cmd|calc <b>₹</b>'
    const said = await callWith(service, session, 'POST', `${LIST}/${id}/comments`, { text })
    expect(said.status, said.text).to.equal(201)
    expect(said.json).to.deep.include({
      what: 'commented',
      by: `user:${asha.id}`,
      detail: { text },
    })
    const all = await Promise.all(
      Array.from({ length: 6 }, async (_one, n) =>
        n % 2 === 0
          ? await post(`${LIST}/${id}/comments`, { text: `${n}` })
          : await post(`${LIST}/${id}/assign`, { owner: n === 3 ? asha.id : ravi.id }),
      ),
    )
    expect(all.filter(({ status }) => status === 201)).to.have.length(3)
    expect(all.filter(({ status }) => status === 200)).to.have.length(3)
    await service.rows(
      `update recon_exceptions set state = 'resolved', ended_at = now() where exception_id = $1`,
      [id],
    )
    const late = await post(`${LIST}/${id}/comments`, { text: 'after the end' })
    expect(late.status).to.equal(201)
    const events = rowsOf(await get(`${LIST}/${id}/timeline`))
    const kinds = events.map(({ what }) => what)
    expect(kinds[0]).to.equal('found')
    expect(kinds.slice(-2)).to.deep.equal(['ended', 'commented'])
    expect(kinds.filter((what) => what === 'commented')).to.have.length(5)
    const paged: unknown[] = []
    for (let after = '', more = true; more;) {
      const page = await get(`${LIST}/${id}/timeline?limit=2${after}`)
      paged.push(...rowsOf(page))
      after = `&starting_after=${cursorOf(rowsOf(page).at(-1))}`
      more = page.json['has_more'] === true
    }
    expect(paged).to.deep.equal(events)
    for (const bad of ['', '  \n ', 'x'.repeat(4001), 'Aadhaar 2345 6789 0124', 'bell \u0007']) {
      expect((await post(`${LIST}/${id}/comments`, { text: bad })).status, bad).to.equal(400)
    }
    expect((await post(`${LIST}/${id}/comments`, { text: '₹'.repeat(4000) })).status).to.equal(201)
  })

  it('is acknowledged where it is overdue, or with another due date that is soon', async () => {
    const [id = ''] = await breakAll(service, [broken(400)])
    const path = `${LIST}/${id}/acknowledge`
    expect((await post(path, {})).json['code']).to.equal('exception_state')
    for (const due of ['2020-01-01T00:00:00Z', '2099-01-01T00:00:00Z', 'tomorrow']) {
      expect((await post(path, { due_at: due })).status, due).to.equal(400)
    }
    const due = new Date(Date.now() + 5 * 86_400_000).toISOString()
    expect((await post(path, { due_at: due })).json).to.include({ due_at: due, overdue: false })
    const viewer = await service.call('POST', path, { role: 'viewer', body: { due_at: due } })
    expect(viewer.status).to.equal(403)
  })

  async function attach(id: string, bytes: string | Buffer, name = 'advice.pdf') {
    const answer = await fetch(
      `${service.url}${LIST}/${id}/attachments?name=${encodeURIComponent(name)}`,
      {
        method: 'POST',
        headers: {
          authorization: `Bearer ${session}`,
          'content-type': 'application/octet-stream',
        },
        body: new Uint8Array(Buffer.from(bytes)),
      },
    )
    return { status: answer.status, json: (await answer.json()) as JsonObject }
  }

  it('keeps files sealed, known by their bytes, to be saved and not shown', async () => {
    const [id = ''] = await breakAll(service, [broken(500)])
    const pdf = Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(3_000_000, 7)])
    const kept = await attach(id, pdf, 'r"é\\sumé.html')
    expect(kept.status).to.equal(201)
    const sha256 = createHash('sha256').update(pdf).digest('hex')
    expect(kept.json).to.include({ media: 'application/pdf', bytes: pdf.length, sha256 })
    const twice = await Promise.all([attach(id, pdf), attach(id, pdf)])
    expect(twice.map(({ json }) => json['id'])).to.deep.equal([kept.json['id'], kept.json['id']])
    const file = await fetch(`${service.url}/v1/recon/attachments/${idOf(kept.json)}`, {
      headers: { authorization: `Bearer ${session}` },
    })
    expect(Buffer.from(await file.arrayBuffer()).equals(pdf)).to.equal(true)
    expect(file.headers.get('content-type')).to.equal('application/pdf')
    expect(file.headers.get('content-disposition')).to.match(/^attachment; filename=/)
    expect(file.headers.get('x-content-type-options')).to.equal('nosniff')
    expect(file.headers.get('content-security-policy')).to.contain('sandbox')
    expect(file.headers.get('etag')).to.equal(`"${sha256}"`)
    expect((await attach(id, '')).status).to.equal(415)
    expect((await attach(id, 'MZ\u0000')).json['code']).to.equal('unsupported_media_type')
    expect((await attach(id, Buffer.alloc(10 * 1024 * 1024 + 1, 65))).status).to.equal(413)
    expect((await attach(`exc_${'0'.repeat(26)}`, pdf)).status).to.equal(404)
    for (let number = 1; number < 20; number += 1) {
      expect((await attach(id, `note ${number}`, 'note.exe')).status).to.equal(201)
    }
    expect((await attach(id, 'one more')).json['code']).to.equal('limit_reached')
    const all = rowsOf(await get(`${LIST}/${id}/attachments`))
    expect(all).to.have.length(20)
    expect(all.slice(1).every(({ media }) => media === 'text/plain')).to.equal(true)
    const stolen = await asOther('GET', `/v1/recon/attachments/${idOf(kept.json)}`)
    expect(stolen.status).to.equal(404)
  })

  it('is summed up by age, kind and currency, of one instant', async () => {
    await breakAll(service, [
      broken(601),
      broken(602, { since: today(2) }),
      broken(603, { since: today(5), kind: 'unknown_line' }),
      broken(604, { since: today(40), currency: 'USD' }),
      broken(605, { since: today(400), amount: 9_007_199_254_740_993n }),
    ])
    const { json } = await get(`${LIST}/summary`)
    expect(json).to.include({ open: 5, overdue: 0, unowned: 5 })
    expect(json['by_severity']).to.deep.equal({ critical: 3, high: 0, medium: 1, low: 1 })
    expect((json['by_age'] as JsonObject[]).map((row) => Object.values(row))).to.deep.equal([
      ['under_24_hours', 'missing_internal', 'INR', 1, 5000],
      ['1_to_3_days', 'missing_internal', 'INR', 1, 5000],
      ['3_to_7_days', 'unknown_line', 'INR', 1, 5000],
      ['over_7_days', 'missing_internal', 'INR', 1, '9007199254740993'],
      ['over_7_days', 'missing_internal', 'USD', 1, 5000],
    ])
    const ends = (json['by_month_end_age'] as JsonObject[]).map(({ age }) => age)
    expect(ends).to.deep.equal(['0_to_30', '0_to_30', '31_to_60', 'over_90'])
    expect((await asOther('GET', `${LIST}/summary`)).json).to.include({ open: 0 })
  })

  it('goes to who a route says, by a policy that is kept version by version', async () => {
    const { json } = await get('/v1/recon/work-policy')
    expect(json['version']).to.equal(0)
    const policy = {
      ...(json['policy'] as JsonObject),
      routes: [
        { owner: asha.id, kinds: ['fee_variance'], currency: 'INR', amount_from: 6000 },
        { owner: ravi.id, kinds: ['fee_variance', 'tax_variance'] },
      ],
    }
    const set = async (changed: object) =>
      await service.call('POST', '/v1/recon/work-policy', {
        role: 'admin',
        body: { policy: { ...policy, ...changed }, reason: 'who does what' },
      })
    expect((await set({})).json).to.deep.equal({ version: 1, policy })
    const [high = '', low = '', other = ''] = await breakAll(service, [
      broken(701, { kind: 'fee_variance', amount: 6000n }),
      broken(702, { kind: 'fee_variance' }),
      broken(703),
    ])
    expect((await one(high))['owner']).to.include({ id: asha.id })
    expect((await one(low))['owner']).to.include({ id: ravi.id })
    expect((await one(other))['owner']).to.equal(null)
    const finance = await post('/v1/recon/work-policy', { policy, reason: 'x' })
    expect(finance.status).to.equal(403)
    const nobody = `usr_${'0'.repeat(26)}`
    expect((await set({ routes: [{ owner: nobody }] })).json['code']).to.equal('unknown_owner')
    for (const bad of [
      { due: [] },
      { routes: [{ owner: asha.id, amount_from: 5 }] },
      { reminders: { every_hours: 0, times: 1, addresses: [] } },
      { reminders: { every_hours: 1, times: 1, addresses: ['not an address'] } },
    ]) {
      expect((await set(bad)).status, JSON.stringify(bad)).to.equal(400)
    }
  })

  it('is new work when it is opened again, and nobody else’s', async () => {
    const [id = ''] = await breakAll(service, [broken(800)])
    const state = async (to: string) =>
      await service.rows(
        `update recon_exceptions set state = $2,
                ended_at = case when $2 = 'open' then null else now() end
          where exception_id = $1`,
        [id, to],
      )
    await service.rows(
      `update recon_cases set due_at = '2026-01-01', reminders = 3
                         where exception_id = $1`,
      [id],
    )
    await state('resolved')
    expect(await one(id)).to.include({ state: 'resolved', overdue: false })
    await state('open')
    expect(await one(id)).to.include({ state: 'open', overdue: false, reminders: 0 })
    const before = await one(id)
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['GET', '/timeline', undefined],
      ['GET', '/attachments', undefined],
      ['POST', '/assign', { owner: null }],
      ['POST', '/acknowledge', { due_at: new Date(Date.now() + 3_600_000).toISOString() }],
      ['POST', '/comments', { text: 'mine' }],
    ] as const) {
      expect((await asOther(method, `${LIST}/${id}${path}`, body)).status, path).to.equal(404)
    }
    const bulk = await asOther('POST', `${LIST}/assign`, { ids: [id], owner: null })
    expect(rowsOf(bulk)).to.deep.equal([{ id, result: 'unknown' }])
    const foreign = await asOther('POST', `${LIST}/assign`, { ids: [id], owner: asha.id })
    expect(foreign.json['code']).to.equal('unknown_owner')
    expect(await one(id)).to.deep.equal(before)
  })
})
