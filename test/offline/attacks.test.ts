/** Payments past the gateways under attack: files and texts that nobody writes by mistake. */
import { expect } from 'chai'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { ROWS_MAX } from '../../src/offline/file.ts'
import { verifyOffline } from '../../src/offline/verify.ts'
import { rowsOf, textIn } from '../http/seeded.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { cash, cashCells, cheque, csvOf, record, upload, type Cells } from './asked.ts'

describe('money past the gateways, attacked', () => {
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

  it('takes names of banks and vouchers that grow when they are compared', async () => {
    const wide = '\ufdfa'
    const ofBank = (bank: string): JsonObject => {
      const { ifsc: _ifsc, ...rest } = cheque({ bank })
      return rest
    }
    for (const body of [
      cash({ voucher_number: wide.repeat(40) }),
      cash({ voucher_number: 'İ'.repeat(40) }),
      ofBank(wide.repeat(80)),
      ofBank('İ'.repeat(80)),
    ]) {
      const first = await record(service, body)
      expect(first.status, first.text).to.equal(201)
      expect((await record(service, body)).status).to.equal(200)
    }
    const one = await previewed([
      cashCells({ reference: wide.repeat(39) }),
      cashCells({
        channel: 'cheque',
        reference: '4711',
        cheque_date: '02/05/2026',
        bank: 'İ'.repeat(79),
      }),
      cashCells(),
    ])
    await service.call('POST', `/v1/offline-imports/${textIn(one, 'id')}/commit`)
    const path = `/v1/offline-imports/${textIn(one, 'id')}/rows`
    const rows = rowsOf((await service.call('GET', path)).json)
    expect(rows.map((row) => row['state'])).to.deep.equal(['recorded', 'recorded', 'recorded'])
  })

  it('reads lines that end each in another way', async () => {
    const lines = csvOf([cashCells(), cashCells(), cashCells()])
    const mixed = lines.replace('\r\n', '\r').replace('\r\n', '\n')
    for (const csv of [lines.replaceAll('\r\n', '\r'), mixed, lines.replace(/\r\n$/, '\n')]) {
      const answer = await upload(service, csv)
      expect(answer.status, answer.text).to.equal(201)
      expect(answer.json['rows']).to.include({ ready: 3, refused: 0 })
      const path = `/v1/offline-imports/${textIn(answer.json, 'id')}/rows`
      const rows = rowsOf((await service.call('GET', path)).json)
      expect(rows.map((row) => row['line'])).to.deep.equal([2, 3, 4])
    }
  })

  it('keeps no tax id in clear that stands in the column of the fund', async () => {
    const one = await previewed([cashCells({ fund: 'ABCPK1234F' }), cashCells()])
    await service.call('POST', `/v1/offline-imports/${textIn(one, 'id')}/commit`)
    const kept = await service.rows<{ row: string }>(
      'select to_jsonb(r)::text as row from offline_import_rows r order by line',
    )
    expect(kept[0]?.row).to.contain('unknown_fund').and.not.contain('ABCPK1234F')
  })

  it('of one tax id and five thousand names is looked at within seconds', async function () {
    this.timeout(120_000)
    const rows = Array.from({ length: ROWS_MAX }, (_none, n) =>
      cashCells({
        channel: 'upi',
        reference: `9${String(n).padStart(11, '0')}`,
        donor_name: `Donor ${n}x`,
        pan: 'ABCPK1234F',
      }),
    )
    const began = performance.now()
    const one = await previewed(rows)
    expect(performance.now() - began).to.be.below(20_000)
    expect(one['rows']).to.include({ ready: ROWS_MAX })
  })
})
