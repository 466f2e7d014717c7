/** Files of payments: looked at with nothing moved, recorded once, gone on with after a death. */
import { expect } from 'chai'
import { commitImports } from '../../jobs/commit-imports.ts'
import { forgetOld } from '../../jobs/forget-old.ts'
import { sweep } from '../../jobs/sweep.ts'
import { messageOf } from '../../src/base/problem.ts'
import type { JobName } from '../../src/base/queue.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { FILE_BYTES_MAX, ROWS_MAX, templateCsv } from '../../src/offline/file.ts'
import { ROWS_TOGETHER } from '../../src/offline/imports.ts'
import { verifyOffline } from '../../src/offline/verify.ts'
import { allPages, rowsOf, textIn } from '../http/seeded.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { balances, cash, cashCells, csvOf, DONOR, record, upload, type Cells } from './asked.ts'

describe('a file of payments', () => {
  let service: TestService

  beforeEach(async () => {
    service = await startTestService()
  })

  afterEach(async () => {
    const findings = [
      ...(await verifyDonations(service.parts.db, 1)),
      ...(await verifyOffline(service.parts.db, 1)),
    ]
    await service.stop()
    expect(findings).to.deep.equal([])
  })

  async function previewed(rows: readonly Cells[]): Promise<JsonObject> {
    const answer = await upload(service, csvOf(rows))
    expect(answer.status, answer.text).to.equal(201)
    return answer.json
  }

  const commit = async (one: JsonObject) =>
    (await service.call('POST', `/v1/offline-imports/${textIn(one, 'id')}/commit`)).json

  const now = async (one: JsonObject) =>
    (await service.call('GET', `/v1/offline-imports/${textIn(one, 'id')}`)).json

  const rowsIn = async (one: JsonObject, query = '') =>
    rowsOf(
      (await service.call('GET', `/v1/offline-imports/${textIn(one, 'id')}/rows${query}`)).json,
    )

  const count = async (table: string) =>
    (await service.rows<{ n: number }>(`select count(*)::integer as n from ${table}`))[0]?.n

  it('moves nothing when it is looked at, and says what would become of each row', async () => {
    const known = await record(
      service,
      cash({ voucher_number: 'KNOWN', donor: { name: 'Ravi Nair' } }),
    )
    const before = await balances(service)
    const one = await previewed([
      cashCells(),
      cashCells({ reference: 'KNOWN' }),
      cashCells({ reference: 'KNOWN', amount: '1,501' }),
      cashCells({ reference: 'TWICE' }),
      cashCells({ reference: 'twice ' }),
      cashCells({ amount: '1,00' }),
      cashCells({ fund: 'moon' }),
      cashCells({ amount: '2,00,000' }),
      cashCells({ channel: 'barter' }),
      cashCells({ amount: '2,500', donor_name: 'Leela', pan: 'ABCPK1234F' }),
      cashCells({
        channel: 'Cheque',
        reference: '4711',
        cheque_date: '2-5-2026',
        ifsc: 'hdfc0000123',
      }),
    ])
    expect(one).to.include({ state: 'previewed', made_by: 'test', committed_by: null })
    expect(one['rows']).to.deep.equal({ ready: 4, duplicate: 2, refused: 5, recorded: 0 })
    expect(one['channels']).to.deep.equal([
      { channel: 'cash', rows: 3, amount: 550_000 },
      { channel: 'cheque', rows: 1, amount: 150_000 },
    ])
    const rows = await rowsIn(one)
    const brief = rows.map((row) => {
      const [fault] = row['faults'] as JsonObject[]
      const [warning] = row['warnings'] as JsonObject[]
      return [row['line'], row['state'], fault?.['column'], fault?.['code'], warning?.['code']]
    })
    expect(brief).to.deep.equal([
      [2, 'ready', undefined, undefined, undefined],
      [3, 'duplicate', undefined, undefined, undefined],
      [4, 'refused', null, 'reference_used', undefined],
      [5, 'ready', undefined, undefined, undefined],
      [6, 'duplicate', null, 'reference_used', undefined],
      [7, 'refused', 'amount', 'invalid_request', undefined],
      [8, 'refused', 'fund', 'unknown_fund', undefined],
      [9, 'refused', null, 'cash_limit', undefined],
      [10, 'refused', 'channel', 'invalid_request', undefined],
      [11, 'ready', undefined, undefined, 'cash_not_deductible'],
      [12, 'ready', undefined, undefined, undefined],
    ])
    expect(rows[1]).to.include({ offline_payment: known.json['id'] ?? '' })
    expect(rows[9]).to.include({ donor_name: 'Leela', tax_id: '•••••••34F', amount: 250_000 })
    expect(rows[10]).to.include({ reference: '004711', received_on: '2026-05-04' })
    expect(await balances(service)).to.deep.equal(before)
    expect(await count('donations')).to.equal(1)
  })

  it('is recorded once, whoever says so how often, and so is a file that overlaps it', async () => {
    const rows = Array.from({ length: 5 }, (_none, n) => cashCells({ reference: `OV-${n}` }))
    const [one, two] = [await previewed(rows), await previewed(rows)]
    const done = await Promise.all([commit(one), commit(one), commit(two), commit(two)])
    for (const json of done) {
      expect(json['state']).to.equal('committed')
    }
    const counts = [(await now(one))['rows'], (await now(two))['rows']] as JsonObject[]
    expect(counts.map((own) => own['recorded'])).to.have.members([0, 5])
    const more = await previewed([...rows, cashCells({ reference: 'OV-9' })])
    expect(more['rows']).to.deep.equal({ ready: 1, duplicate: 5, refused: 0, recorded: 0 })
    await commit(more)
    expect(await count('offline_payments')).to.equal(6)
    expect(await balances(service)).to.deep.equal({
      'assets:cash': 900_000,
      'income:donations:education': 900_000,
    })
    const [first] = await rowsIn(
      one.id === done[0]?.['id'] && counts[0]?.['recorded'] === 5 ? one : two,
    )
    const id = textIn(first, 'offline_payment')
    const { json } = await service.call('GET', `/v1/offline-payments/${id}`)
    expect(json).to.include({ reference: 'OV-0', received_by: 'test' })
  })

  it('goes on part by part after the first, found by the sweep, whatever died', async () => {
    const many = ROWS_TOGETHER * 2 + 3
    const one = await previewed(Array.from({ length: many }, () => cashCells({ amount: '10' })))
    const begun = await commit(one)
    expect(begun).to.include({ state: 'committing', committed_by: 'test' })
    expect(begun['rows']).to.include({ recorded: ROWS_TOGETHER })
    const rung: JobName[] = []
    const bells = { ring: (name: JobName) => void rung.push(name), close: async () => undefined }
    await sweep({ ...service.parts, bells })
    expect(rung).to.include('commit-imports')
    // One part, and then the worker is asked to end.
    let parts = 0
    const shouldStop = () => (parts += 1) > 1
    await commitImports.run({ ...service.jobParts, shouldStop })
    expect((await now(one))['rows']).to.include({ recorded: ROWS_TOGETHER * 2 })
    // A part that fails is undone as a whole.
    await service.rows(
      `alter table offline_payments add constraint away check (amount <> 1000) not valid`,
    )
    const failed = await commitImports.run(service.jobParts).catch(messageOf)
    expect(failed).to.include('away')
    expect((await now(one))['rows']).to.include({ recorded: ROWS_TOGETHER * 2 })
    await service.rows('alter table offline_payments drop constraint away')
    await Promise.all([1, 2, 3].map(async () => await commitImports.run(service.jobParts)))
    expect(await now(one)).to.include({ state: 'committed' })
    expect(await count('offline_payments')).to.equal(many)
    expect(await balances(service)).to.include({ 'assets:cash': many * 1000 })
    rung.length = 0
    await sweep({ ...service.parts, bells })
    expect(rung).to.not.include('commit-imports')
  })

  it('refuses alone what has become wrong since it was looked at', async () => {
    const one = await previewed([cashCells({ reference: 'A' }), cashCells({ reference: 'B' })])
    await record(service, cash({ voucher_number: 'A', amount: 777 }))
    await commit(one)
    const rows = await rowsIn(one)
    expect(rows.map((row) => row['state'])).to.deep.equal(['refused', 'recorded'])
    expect(rows[0]).to.have.nested.property('faults[0].code', 'reference_used')
  })

  it('takes a tax id for the same donor, and adds who is new once', async () => {
    const asha = { donor_name: 'Asha Kulkarni', pan: 'abcpk 1234f' }
    const one = await previewed([
      cashCells(asha),
      cashCells({ ...asha, donor_email: DONOR.email, reference: 'E-1' }),
      cashCells({ ...asha, received_on: '2026-05-05' }),
      cashCells({ donor_name: 'Another One', pan: asha.pan }),
    ])
    await commit(one)
    const donors = await service.rows<{ name: string; email: string | null }>(
      'select name, email from donors order by donor_id',
    )
    expect(donors).to.deep.include({ name: 'Another One', email: null })
    // The second says more of herself than the first did, so that she is somebody new to us.
    expect(donors).to.have.length(3)
  })

  it('keeps nobody’s tax id in clear, nor whom it names once it is done', async () => {
    const rows = [
      cashCells({ pan: 'ABCPK1234F', donor_name: 'Sealed Person' }),
      cashCells({ pan: 'ABCPK1234F', donor_name: 'Sealed Person', fund: 'moon' }),
    ]
    const one = await previewed(rows)
    for (const text of ['ABCPK1234F', 'Sealed Person']) {
      const [hit] = await service.rows(
        'select 1 from offline_import_rows t where to_jsonb(t)::text like $1',
        [`%${text}%`],
      )
      expect(hit, text).to.equal(undefined)
    }
    expect((await rowsIn(one)).map((row) => row['donor_name'])).to.deep.equal([
      'Sealed Person',
      'Sealed Person',
    ])
    await commit(one)
    expect(await rowsIn(one)).to.have.nested.property('[1].donor_name', null)
    const left = await service.rows(
      'select 1 from offline_import_rows where content_sealed is not null',
    )
    expect(left).to.deep.equal([])
  })

  it('is forgotten when nobody records it for a month', async () => {
    const [old, young] = [await previewed([cashCells()]), await previewed([cashCells()])]
    await service.rows(
      `update offline_imports set made_at = now() - interval '31 days' where import_id = $1`,
      [old['id']],
    )
    await service.rows(`update forgetting set begun_at = '-infinity'`)
    await forgetOld.run(service.jobParts)
    expect((await now(old))['code']).to.equal('not_found')
    expect(await now(young)).to.include({ state: 'previewed' })
    expect(await count('offline_import_rows')).to.equal(1)
  })

  it('is read as spreadsheets write it', async () => {
    const template = await service.call('GET', '/v1/offline-imports/template')
    expect(template.text).to.equal(templateCsv())
    for (const csv of [
      template.text,
      `\ufeff${template.text}`,
      template.text.replaceAll('\r\n', '\n'),
      template.text.replace('received_on', ' Received On '),
      `${template.text},,,\r\n\r\n`,
    ]) {
      const answer = await upload(service, csv)
      expect(answer.json['rows'], answer.text).to.deep.equal({
        ready: 4,
        duplicate: 0,
        refused: 0,
        recorded: 0,
      })
    }
    const lines = await previewed([
      cashCells({ donor_name: `=cmd|'/C calc'!A0`, purpose: '+1, "quoted"' }),
      cashCells({ donor_name: 'two\nlines' }),
      cashCells({ donor_name: '@SUM(A1)' }),
    ])
    const rows = await rowsIn(lines)
    expect(rows.map((row) => [row['line'], row['state']])).to.deep.equal([
      [2, 'ready'],
      [3, 'refused'],
      [5, 'ready'],
    ])
    expect(rows[0]).to.include({ donor_name: `=cmd|'/C calc'!A0` })
  })

  it('is refused as a whole where it is no such file', async () => {
    const files: [csv: string, status: number][] = [
      ['', 400],
      [' ', 400],
      ['a,b\r\n1,2', 400],
      ['channel,amount,received_on\r\ncash,1,2026-05-04', 400],
      ['channel,amount,received_on,fund', 400],
      ['channel,amount,received_on,fund,fund\r\ncash,1,2,3,4', 400],
      ['channel;amount;received_on;fund\r\ncash;1;2;3', 400],
      ['channel,amount,received_on,fund\r\n"cash,1,2,3', 400],
      [`channel,amount,received_on,fund,donor_name\r\ncash,1,2,3,${'x'.repeat(30_000)}`, 400],
      ['channel,amount,received_on,fund\r\n' + 'cash,1,2026-05-04,x\r\n'.repeat(ROWS_MAX + 1), 400],
      ['x'.repeat(FILE_BYTES_MAX + 1), 413],
    ]
    for (const [csv, status] of files) {
      const answer = await upload(service, csv)
      expect(answer.status, `${csv.slice(0, 60)} ${answer.text}`).to.equal(status)
    }
    const headers = { 'content-type': 'application/json' }
    const json = await service.call('POST', '/v1/offline-imports', { body: {}, headers })
    expect(json.status).to.equal(415)
    expect(await count('offline_imports')).to.equal(0)
  })

  it('of five thousand rows is looked at within seconds, and read page by page', async function () {
    this.timeout(120_000)
    const rows = Array.from({ length: ROWS_MAX }, (_none, n) =>
      cashCells({
        donor_name: `Donor ${n}x`,
        amount: '1,99,999',
        pan: n % 2 === 0 ? 'ABCPK1234F' : '',
      }),
    )
    const began = performance.now()
    const one = await previewed(rows)
    expect(performance.now() - began).to.be.below(20_000)
    // One tax id, one person: all but one of those are too much cash for a day.
    expect(one['rows']).to.deep.equal({ ready: 2501, duplicate: 0, refused: 2499, recorded: 0 })
    const path = `/v1/offline-imports/${textIn(one, 'id')}/rows?state=refused`
    const [page] = rowsOf((await service.call('GET', `${path}&limit=100`)).json)
    expect(page).to.include({ line: 4 })
    const next = rowsOf((await service.call('GET', `${path}&limit=1&starting_after=4`)).json)
    expect(next[0]).to.include({ line: 6 })
    const lists = await allPages(service, '/v1/offline-imports', 1)
    expect(lists).to.have.length(1)
  })
})
