/** Trials and proposals over HTTP: what would be found, what may be meant, and nobody else's. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { loadRecon } from '../../jobs/load-recon.ts'
import { reconcile } from '../../jobs/reconcile.ts'
import { tryRecon } from '../../jobs/try-recon.ts'
import { signToken } from '../../src/http/auth.ts'
import { asOwner } from '../../scripts/stack.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { commit, gatewaySource, idOf, razorpayCsv, razorpayRow, uploadTo } from './files.ts'

describe('a trial over HTTP', () => {
  let service: TestService
  let rules: JsonObject

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    for (const number of [1, 2]) {
      const payment = {
        id: `pay_T${String(number).padStart(13, '0')}`,
        orderId: `order_T${number}`,
        amount: 100_000,
        fee: 2360,
        tax: 360,
      }
      const answer = await service.deliver('razorpay', razorpayEvent('payment.captured', payment))
      expect(answer.status).to.equal(200)
    }
    await service.runJobs()
    const source = await gatewaySource(service)
    const file = razorpayCsv([
      razorpayRow(1, { amount: '1000.01', credit: '976.41' }),
      // Mistyped at the end, where it was the second payment.
      razorpayRow(2, { entity_id: 'pay_T0000000000702', order_id: '' }),
    ])
    const seen = await uploadTo(service, source, file)
    expect((await commit(service, seen.json)).status).to.equal(200)
    await loadRecon.run(service.jobParts)
    rules = (await service.call('GET', '/v1/recon/rules')).json['rules'] as JsonObject
  })

  after(async () => {
    await service.stop()
  })

  const other = async (method: string, path: string, body?: JsonObject) => {
    const token = signToken(
      { subject: 'other', orgId: 2, role: 'admin' },
      service.config.jwtSecret,
      600,
    )
    const headers = { authorization: `Bearer ${token}` }
    return await service.call(method, path, { role: null, headers, ...(body && { body }) })
  }

  it('of the next run is a report and a file, and then it is run for real', async () => {
    const asked = await service.call('POST', '/v1/recon/runs', { body: { dry_run: true } })
    expect(asked.status, asked.text).to.equal(202)
    expect(asked.json).to.include({ what: 'run', state: 'waiting', report: null, file: null })
    const path = asked.headers.get('location') ?? ''
    expect((await service.call('GET', `${path}/file`)).status).to.equal(404)
    await tryRecon.run(service.jobParts)
    const done = (await service.call('GET', path)).json
    expect(done).to.include({ state: 'done', failure: null, step: 'end' })
    const report = done['report'] as JsonObject
    expect(report['lines']).to.deep.include({ all: 2, matched_after: 0, rate_after: '0.00' })
    expect(report['changes']).to.include({ exception_new: 3, match_new: 0 })
    const file = await service.call('GET', `${path}/file`)
    const { sha256, bytes } = done['file'] as JsonObject
    expect(createHash('sha256').update(file.text).digest('hex')).to.equal(sha256)
    expect(file.headers.get('content-length')).to.equal(`${bytes as number}`)
    expect(file.text).to.contain('exception_new,line 1 2,amount_over,,,,,1,INR')
    expect((await service.call('GET', '/v1/recon/runs')).json['data']).to.deep.equal([])
    await service.call('POST', '/v1/recon/runs', { body: {} })
    await reconcile.run(service.jobParts)
    const open = await service.call('GET', '/v1/recon/exceptions?state=open')
    expect(open.json['data']).to.have.length(3)
  })

  it('of rules says what they would match in a period, without setting them', async () => {
    const tolerance = { below: 0, above: 5, basis_points: 100 }
    const body = { rules: { ...rules, tolerance }, from: '2026-05-01', to: '2026-05-31' }
    const asked = await service.call('POST', '/v1/recon/rules/preview', { body })
    expect(asked.status, asked.text).to.equal(202)
    await tryRecon.run(service.jobParts)
    const done = (await service.call('GET', `/v1/recon/trials/${idOf(asked.json)}`)).json
    const report = done['report'] as JsonObject
    expect(report['lines']).to.deep.equal({
      all: 2,
      matched_before: 0,
      matched_after: 1,
      rate_before: '0.00',
      rate_after: '50.00',
    })
    expect(report['by_rule']).to.deep.equal([
      { side: 'line', rule: 'id_tolerance', before: 0, after: 1 },
    ])
    expect((await service.call('GET', '/v1/recon/rules')).json['version']).to.equal(0)
    for (const wrong of [
      { ...body, from: '2026-06-01' },
      { ...body, to: 'never' },
      { ...body, rules: { ...rules, due_after: 0 } },
    ]) {
      const refused = await service.call('POST', '/v1/recon/rules/preview', { body: wrong })
      expect(refused.status).to.equal(400)
    }
  })

  it('is listed, cancelled, and nobody else’s', async () => {
    const asked = await service.call('POST', '/v1/recon/runs', { body: { dry_run: true } })
    const path = `/v1/recon/trials/${idOf(asked.json)}`
    expect((await other('GET', path)).status).to.equal(404)
    expect((await other('POST', `${path}/cancel`, {})).status).to.equal(404)
    expect((await other('GET', '/v1/recon/trials')).json['data']).to.deep.equal([])
    const cancelled = await service.call('POST', `${path}/cancel`)
    expect(cancelled.json).to.include({ state: 'cancelled' })
    await tryRecon.run(service.jobParts)
    expect((await service.call('GET', path)).json).to.include({ state: 'cancelled' })
    const page = await service.call('GET', '/v1/recon/trials?limit=2')
    expect(page.json).to.include({ has_more: true })
    const [newest] = page.json['data'] as JsonObject[]
    expect(idOf(newest)).to.equal(idOf(asked.json))
  })

  it('of what may be meant finds the mistyped payment, and matches nothing', async () => {
    const [second] = await service.rows<{ payment_id: string }>(
      `select payment_id from payments where gateway_payment_id = 'pay_T0000000000002'`,
    )
    const all = await service.call('GET', '/v1/recon/proposals')
    expect(all.status, all.text).to.equal(200)
    const rows = all.json['data'] as JsonObject[]
    expect(rows.map(({ line }) => line)).to.deep.equal(['1-2', '1-3'])
    const [best] = (rows[1]?.['proposals'] ?? []) as JsonObject[]
    expect(best).to.deep.include({ id: second?.payment_id, reference: 'one_edit' })
    expect(best?.['parts']).to.deep.include({ reference: 40, amount: 30 })
    const one = await service.call('GET', '/v1/recon/proposals?of=1-3')
    expect(one.json['data']).to.deep.equal([rows[1]])
    const of = await service.call('GET', `/v1/recon/proposals?of=${second?.payment_id}`)
    const found = (of.json['data'] as JsonObject[]).map(({ proposals }) => proposals)
    expect(found.flat()).to.deep.include(best)
    expect((await service.call('GET', '/v1/recon/proposals?limit=1')).json['has_more']).to.equal(
      true,
    )
    const next = await service.call('GET', '/v1/recon/proposals?starting_after=1-2&limit=1')
    expect(next.json['data']).to.deep.equal([rows[1]])
    for (const path of ['?side=credit', '?of=9-9', '?side=credit&of=1-3']) {
      expect((await service.call('GET', `/v1/recon/proposals${path}`)).json['data']).to.deep.equal(
        [],
      )
    }
    expect((await other('GET', '/v1/recon/proposals')).json['data']).to.deep.equal([])
    expect((await service.call('GET', '/v1/recon/proposals?of=je_1')).status).to.equal(400)
    const matches = await service.rows('select 1 from recon_matches')
    expect(matches).to.deep.equal([])
  })
})
