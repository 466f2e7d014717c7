/** Files over HTTP: seen first, loaded once, whoever sends them and whenever the worker dies. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { loadRecon } from '../../jobs/load-recon.ts'
import { asOwner } from '../../scripts/stack.ts'
import { signToken } from '../../src/http/auth.ts'
import { takeFile } from '../../src/recon/files/file-turns.ts'
import { loadTaken } from '../../src/recon/files/load-file.ts'
import { testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import {
  bankSource,
  commit,
  gatewaySource,
  HDFC,
  idOf,
  razorpayCsv,
  razorpayRow,
  uploadTo,
} from './files.ts'

describe('files of lines', () => {
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

  const load = async () => await loadRecon.run(service.jobParts)
  const file = async (id: unknown) =>
    (await service.call('GET', `/v1/recon/files/${idOf({ id: id as string })}`)).json
  const count = async (source: JsonObject) => {
    const path = `/v1/recon/settlement-lines?source=${idOf(source)}&limit=100`
    return ((await service.call('GET', path)).json['data'] as JsonObject[]).length
  }

  it('are seen before anything is loaded, and then loaded', async () => {
    const source = await gatewaySource(service)
    const rows = [razorpayRow(1), razorpayRow(2, { amount: 'many' }), razorpayRow(3)]
    const seen = await uploadTo(service, source, razorpayCsv(rows), { name: 'May 2026.csv' })
    expect(seen.status, seen.text).to.equal(201)
    expect(seen.json).to.deep.include({
      state: 'previewed',
      name: 'May 2026.csv',
      lines: 2,
      refused: 1,
      faults: 1,
      first_day: '2026-05-06',
      same_bytes: null,
    })
    expect(seen.json['totals']).to.deep.equal([
      { currency: 'INR', lines: 2, credits: 195_280, debits: 0, fees: 4720, taxes: 720 },
    ])
    expect(await count(source)).to.equal(0)
    const faults = await service.call('GET', `/v1/recon/files/${idOf(seen.json)}/faults`)
    expect(faults.json['data']).to.deep.equal([
      { number: 1, row: 3, column: 'amount', reason: '"many" is no amount' },
    ])
    expect((await commit(service, seen.json)).json['state']).to.equal('loading')
    await load()
    expect(await file(seen.json['id'])).to.include({
      state: 'loaded',
      fresh: 2,
      known: 0,
      lines: 2,
    })
    expect(await count(source)).to.equal(2)
    expect((await commit(service, seen.json)).json['state'], 'again').to.equal('loaded')
  })

  it('of the same bytes are loaded once for a source, and named', async () => {
    const source = await gatewaySource(service, { account: 'acc_same' })
    const csv = razorpayCsv([razorpayRow(10)])
    const [first, second] = [
      (await uploadTo(service, source, csv)).json,
      (await uploadTo(service, source, csv)).json,
    ]
    const answers = await Promise.all([commit(service, first), commit(service, second)])
    const statuses = answers.map(({ status }) => status).sort((one, other) => one - other)
    expect(statuses, answers.map(({ text }) => text).join()).to.deep.equal([200, 409])
    await load()
    const third = await uploadTo(service, source, csv)
    expect(third.json['same_bytes']).to.match(/^rfl_/)
    expect(third.json['preview']).to.deep.include({ looked_at: 1, known: 1 })
    const refused = await commit(service, third.json)
    expect(refused.json).to.include({ code: 'recon_file_known', moved: 'no' })
    expect(refused.json['detail']).to.contain(JSON.stringify(third.json['same_bytes']).slice(1, -1))
    expect(await count(source)).to.equal(1)
  })

  it('bring only lines that no file brought, and those that stand twice in one twice', async () => {
    const source = await gatewaySource(service, { account: 'acc_known' })
    const twice = razorpayRow(20)
    for (const [rows, fresh, known] of [
      [[twice, twice, razorpayRow(21)], 3, 0],
      [[razorpayRow(22), twice, twice], 1, 2],
      [[twice, twice, twice], 1, 2],
    ] as const) {
      const seen = await uploadTo(service, source, razorpayCsv(rows))
      await commit(service, seen.json)
      await load()
      expect(await file(seen.json['id'])).to.include({ state: 'loaded', fresh, known })
    }
    expect(await count(source)).to.equal(5)
  })

  it('whose last line alone is known bring all the others', async () => {
    const source = await gatewaySource(service, { account: 'acc_last' })
    const rows = Array.from({ length: 1500 }, (_, number) => razorpayRow(5000 + number))
    for (const [some, fresh, known] of [
      [rows.slice(-1), 1, 0],
      [rows, 1499, 1],
    ] as const) {
      const seen = await uploadTo(service, source, razorpayCsv(some))
      await commit(service, seen.json)
      await load()
      expect(await file(seen.json['id'])).to.include({ state: 'loaded', fresh, known })
    }
  })

  it('of two workers at once are loaded once, and after a killed one again', async () => {
    const source = await gatewaySource(service, { account: 'acc_killed' })
    const seen = await uploadTo(service, source, razorpayCsv([razorpayRow(30), razorpayRow(31)]))
    await commit(service, seen.json)
    const { db } = service.parts
    const taken = await takeFile(db, 'loading')
    expect(await takeFile(db, 'loading'), 'nobody else has it meanwhile').to.equal(null)
    // Killed with the file in hand: nothing of it is there, and it is taken again after its lease.
    await service.rows(
      `update recon_files set leased_until = now() - interval '1 second'
      where file_id = $1`,
      [seen.json['id']],
    )
    await Promise.all([load(), load()])
    expect(await file(seen.json['id'])).to.include({ state: 'loaded', fresh: 2 })
    if (taken === null) {
      expect.fail('there was a file to load')
    }
    // The frozen one wakes up.
    await loadTaken(service.jobParts, taken)
    expect(await file(seen.json['id'])).to.include({ state: 'loaded', fresh: 2, known: 0 })
    expect(await count(source)).to.equal(2)
  })

  it('that are no such file are refused with what is missing, and not loaded', async () => {
    const source = await gatewaySource(service)
    const bad = await uploadTo(service, source, 'a,b\n1,2\n')
    expect(bad.json).to.include({ state: 'refused', lines: 0 })
    expect(bad.json['problem']).to.contain('entity_id')
    const answer = await commit(service, bad.json)
    expect(answer.json).to.include({ code: 'recon_file_state' })
    const empty = await uploadTo(service, source, '')
    expect(empty.json['state']).to.equal('refused')
    const headers = { 'content-type': 'image/png' }
    expect((await uploadTo(service, source, 'x', { headers })).status).to.equal(415)
  })

  it('of a bank say where their balances disagree, and are found by a UTR', async () => {
    const source = await bankSource(service)
    const seen = await uploadTo(service, source, HDFC)
    expect(seen.json, seen.text).to.deep.include({ state: 'previewed', lines: 2, faults: 0 })
    await commit(service, seen.json)
    await load()
    const path = `/v1/recon/bank-lines?source=${idOf(source)}`
    const found = await service.call('GET', `${path}&utr=axiscn1153863727`)
    expect(found.json['data']).to.have.length(1)
    expect((found.json['data'] as JsonObject[])[0]).to.deep.include({
      amount: 54_056_000,
      booked_on: '2026-05-04',
      reference: '426577771111',
      tokens: ['426577771111', 'AXISCN1153863727'],
    })
    expect((await service.call('GET', `${path}&amount=-4000000`)).json['data']).to.have.length(1)
    const odd = HDFC.replace('"6,00,560.00"', '"6,00,561.00"')
    const disagreeing = await uploadTo(service, source, odd)
    expect(disagreeing.json).to.include({ state: 'previewed', lines: 2, refused: 0, faults: 1 })
    expect(disagreeing.json['preview']).to.deep.include({ looked_at: 2, known: 1 })
  })

  it('page through, newest file first', async () => {
    const source = await gatewaySource(service, { account: 'acc_pages' })
    for (const start of [40, 50]) {
      const rows = [0, 1, 2].map((more) => razorpayRow(start + more))
      const seen = await uploadTo(service, source, razorpayCsv(rows))
      await commit(service, seen.json)
    }
    await load()
    const ids: unknown[] = []
    const path = `/v1/recon/settlement-lines?source=${idOf(source)}&limit=2`
    for (let after = ''; ;) {
      const { json } = await service.call('GET', path + after)
      ids.push(...(json['data'] as JsonObject[]).map((one) => one['external_id']))
      if (json['has_more'] !== true) {
        break
      }
      after = `&starting_after=${idOf((json['data'] as JsonObject[]).at(-1))}`
    }
    expect(ids.map((id) => Number(String(id).slice(5)))).to.deep.equal([50, 51, 52, 40, 41, 42])
    const narrowed = `${path}&kind=refund&utr=axis-cn0000000001&settlement_ref=setl_T1`
    expect((await service.call('GET', narrowed)).json['data']).to.deep.equal([])
    const days = `${path}&from=2026-05-07`
    expect((await service.call('GET', days)).json['data']).to.deep.equal([])
  })

  it('of another organisation are not there, and number their lines for themselves', async () => {
    const token = signToken(
      { subject: 'other', orgId: 2, role: 'admin' },
      service.config.jwtSecret,
      600,
    )
    const headers = { authorization: `Bearer ${token}` }
    const [mine] = (await service.call('GET', '/v1/recon/files')).json['data'] as JsonObject[]
    for (const path of ['', '/faults', '/commit']) {
      const method = path === '/commit' ? 'POST' : 'GET'
      const url = `/v1/recon/files/${idOf(mine)}${path}`
      expect((await service.call(method, url, { headers })).status, path).to.equal(404)
    }
    const body = { side: 'gateway', name: 'Theirs', gateway: 'razorpay', account: 'acc_same' }
    const made = await service.call('POST', '/v1/recon/sources', { headers, body })
    const csv = razorpayCsv([razorpayRow(10)])
    const url = `/v1/recon/sources/${idOf(made.json)}/files`
    const seen = await service.call('POST', url, {
      headers: { ...headers, 'content-type': 'text/csv' },
      body: csv,
    })
    expect(seen.json['preview'], seen.text).to.deep.include({ looked_at: 1, known: 0 })
    await service.call('POST', `/v1/recon/files/${idOf(seen.json)}/commit`, { headers })
    await load()
    const lines = await service.call('GET', '/v1/recon/settlement-lines', { headers })
    expect((lines.json['data'] as JsonObject[]).map((one) => one['id'])).to.deep.equal(['1-2'])
    const stranger = `/v1/recon/sources/${idOf(made.json)}/files`
    const refused = await service.call('POST', stranger, {
      body: csv,
      headers: { 'content-type': 'text/csv' },
    })
    expect(refused.status).to.equal(404)
  })

  it('of an archived source are not taken, and what it has stays', async () => {
    const source = await gatewaySource(service)
    const path = `/v1/recon/sources/${idOf(source)}`
    const archived = await service.call('PATCH', path, { body: { archived: true } })
    expect(archived.json['archived_at'], archived.text).to.be.a('string')
    const refused = await uploadTo(service, source, razorpayCsv([]))
    expect(refused.json).to.include({ code: 'switched_off' })
    const again = { side: 'gateway', gateway: 'razorpay', account: 'x', name: source['name'] }
    expect((await service.call('POST', '/v1/recon/sources', { body: again })).status).to.equal(201)
    const twice = await service.call('POST', '/v1/recon/sources', { body: again })
    expect(twice.json).to.include({ code: 'recon_source_exists' })
  })

  it('keep the mapping with which they were read when the source has another', async () => {
    const source = await gatewaySource(service, {
      account: 'acc_mapped',
      mapping: { unit: 'minor', headers: { entity_id: 'Transaction Id' } },
    })
    const csv = razorpayCsv([
      razorpayRow(60, { amount: '5000', credit: '5000', fee: '0', tax: '' }),
    ]).replace('entity_id', 'transaction-id')
    const seen = await uploadTo(service, source, csv)
    expect(seen.json['totals'], seen.text).to.deep.include.members([
      { currency: 'INR', lines: 1, credits: 5000, debits: 0, fees: 0, taxes: 0 },
    ])
    const path = `/v1/recon/sources/${idOf(source)}`
    const reading = { format: 'csv', mapping: { unit: 'major' } }
    const changed = await service.call('PATCH', path, { body: { reading } })
    expect(changed.json, changed.text).to.deep.include({ version: 2, mapping: { unit: 'major' } })
    await commit(service, seen.json)
    await load()
    expect(await file(seen.json['id'])).to.include({ state: 'loaded', mapping_version: 1 })
    const lines = await service.call('GET', `/v1/recon/settlement-lines?source=${idOf(source)}`)
    expect((lines.json['data'] as JsonObject[])[0]).to.include({ amount: 5000 })
    const wrong = { format: 'mt940', mapping: {} }
    expect((await service.call('PATCH', path, { body: { reading: wrong } })).status).to.equal(400)
  })
})
