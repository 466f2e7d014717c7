/** Reconciliation over HTTP: a captured payment, the gateway's report, a run, and what it found. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { loadRecon } from '../../jobs/load-recon.ts'
import { reconcile } from '../../jobs/reconcile.ts'
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
import { commit, gatewaySource, razorpayCsv, razorpayRow, uploadTo } from './files.ts'

const idOf = (one?: JsonObject): string => one?.['id'] as string

describe('a reconciliation over HTTP', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
  })

  after(async () => {
    await service.stop()
  })

  async function capture(number: number): Promise<void> {
    const payment = {
      id: `pay_T${String(number).padStart(13, '0')}`,
      orderId: `order_T${number}`,
      amount: 100_000,
      fee: number === 1 ? null : 2360,
      tax: number === 1 ? null : 360,
    }
    const answer = await service.deliver('razorpay', razorpayEvent('payment.captured', payment))
    expect(answer.status).to.equal(200)
    await service.runJobs()
  }

  async function load(...rows: string[]): Promise<void> {
    const source = await gatewaySource(service)
    const seen = await uploadTo(service, source, razorpayCsv(rows))
    expect((await commit(service, seen.json)).status).to.equal(200)
    await loadRecon.run(service.jobParts)
  }

  async function run(body: JsonObject = {}): Promise<JsonObject> {
    const asked = await service.call('POST', '/v1/recon/runs', { body })
    expect(asked.status, asked.text).to.equal(202)
    expect(asked.json).to.include({ state: 'waiting', step: 'lines' })
    const second = await service.call('POST', '/v1/recon/runs', { body })
    expect(second.status).to.equal(409)
    await reconcile.run(service.jobParts)
    return (await service.call('GET', `/v1/recon/runs/${idOf(asked.json)}`)).json
  }

  it('ties what is there on both sides, and says of the rest what it is', async () => {
    await capture(1)
    await capture(2)
    await load(
      razorpayRow(1),
      razorpayRow(2, { amount: '1000.01', credit: '976.41' }),
      razorpayRow(3),
    )
    const done = await run()
    expect(done).to.deep.include({ state: 'done', lines: 3, matched: 1, problem: null })
    expect(done['files']).to.have.length(1)
    const broken = await service.call('GET', '/v1/recon/exceptions?state=open')
    const rows = (broken.json['data'] as JsonObject[]).map(
      ({ kind, amount }) => `${kind as string} ${amount as number}`,
    )
    expect(rows.toSorted()).to.deep.equal([
      'amount_over 1',
      'fee_missing 2360',
      'missing_internal 100000',
      'missing_internal 292921',
    ])
    const [payment] = await service.rows<{ payment_id: string }>(
      `select payment_id from payments where gateway_payment_id = 'pay_T0000000000001'`,
    )
    const matches = await service.call('GET', `/v1/recon/matches?of=${payment?.payment_id}`)
    expect(matches.json['data']).to.deep.equal([
      {
        line: '1-2',
        record: payment?.payment_id,
        reversal: false,
        whole: true,
        amount: 100_000,
        rule: 'id',
        rules_version: 0,
        agrees: ['id', 'order', 'amount', 'currency', 'net'],
        candidates: 1,
        run: done['id'],
      },
    ])
    const same = await service.call('GET', '/v1/recon/matches?of=1-2')
    expect(same.json['data']).to.deep.equal(matches.json['data'])
    const [first] = broken.json['data'] as JsonObject[]
    const one = await service.call('GET', `/v1/recon/exceptions/${idOf(first)}`)
    expect(one.json).to.deep.equal(first)
  })

  it('follows rules that are kept version by version', async () => {
    const now = await service.call('GET', '/v1/recon/rules')
    expect(now.json['version']).to.equal(0)
    const rules = {
      ...(now.json['rules'] as JsonObject),
      tolerance: { below: 0, above: 5, basis_points: 100 },
    }
    const body = { rules, reason: 'Razorpay rounds up' }
    const set = await service.call('POST', '/v1/recon/rules', { body })
    expect(set.status, set.text).to.equal(201)
    expect(set.json).to.deep.equal({ version: 1, rules })
    const done = await run()
    expect(done).to.include({ rules_version: 1, lines: 0, matched: 1 })
    const gone = await service.call('GET', '/v1/recon/exceptions?kind=amount_over')
    expect((gone.json['data'] as JsonObject[])[0]).to.include({ state: 'gone' })
    const bad = await service.call('POST', '/v1/recon/rules', {
      body: { rules: { ...rules, due_after: 0 }, reason: 'x' },
    })
    expect(bad.status).to.equal(400)
  })

  it('shows another organisation nothing of it', async () => {
    const token = signToken(
      { subject: 'other', orgId: 2, role: 'admin' },
      service.config.jwtSecret,
      600,
    )
    const headers = { authorization: `Bearer ${token}` }
    const ask = async (path: string) => await service.call('GET', path, { role: null, headers })
    for (const path of ['/v1/recon/runs', '/v1/recon/exceptions', '/v1/recon/matches?of=1-2']) {
      expect((await ask(path)).json['data'], path).to.deep.equal([])
    }
    const runs = await service.call('GET', '/v1/recon/runs')
    const [newest] = runs.json['data'] as JsonObject[]
    expect((await ask(`/v1/recon/runs/${idOf(newest)}`)).status).to.equal(404)
  })
})
