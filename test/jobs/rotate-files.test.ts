/** Rotation of data keys on disk: statements, attachments and exports outlive the old key. */
import { expect } from 'chai'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeExports } from '../../jobs/make-exports.ts'
import { rotateKeysJob } from '../../jobs/rotate-keys.ts'
import { keyIdOf, readKeyring, type Keyring } from '../../src/base/crypto.ts'
import { openFiles } from '../../src/base/files.ts'
import { STORED_FILES } from '../../src/keys/stored-files.ts'
import { breakAll, broken } from '../recon/broken.ts'
import { gatewaySource, razorpayCsv, razorpayRow, uploadTo } from '../recon/files.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'

const keyText = (id: string, byte: number) => `${id}:${Buffer.alloc(32, byte).toString('base64')}`

describe('the rotation of data keys on disk', () => {
  let service: TestService
  const both = readKeyring(`${keyText('t2', 8)},${keyText('t1', 7)}`)
  const newOnly = readKeyring(keyText('t2', 8))
  let pieces: string[] = []

  const filesWith = (keyring: Keyring) => openFiles(service.config.filesDir, keyring)
  const rotate = async (keyring: Keyring) => {
    await rotateKeysJob.run({ ...service.jobParts, keyring, files: filesWith(keyring) })
  }
  const keysOnDisk = async () =>
    await Promise.all(
      pieces.map(async (piece) =>
        keyIdOf(await readFile(join(service.config.filesDir, `${piece}.sealed`))),
      ),
    )
  const bytesWith = async (keyring: Keyring) =>
    await Promise.all(pieces.map(async (piece) => await filesWith(keyring).get(piece)))

  before(async () => {
    service = await startTestService()
    const source = await gatewaySource(service)
    const sent = await uploadTo(service, source, razorpayCsv([razorpayRow(1)]))
    expect(sent.status, sent.text).to.equal(201)
    const [exception = ''] = await breakAll(service, [broken(1)])
    const attached = await service.call(
      'POST',
      `/v1/recon/exceptions/${exception}/attachments?name=advice.txt`,
      { body: 'as the bank says', headers: { 'content-type': 'application/octet-stream' } },
    )
    expect(attached.status, attached.text).to.equal(201)
    const asked = await service.call('POST', '/v1/exports', {
      body: { report: 'journal' },
      headers: { 'idempotency-key': 'export' },
    })
    expect(asked.status, asked.text).to.equal(202)
    await makeExports.run(service.jobParts)
    pieces = (await readdir(service.config.filesDir, { recursive: true }))
      .filter((name) => name.endsWith('.part.sealed'))
      .map((name) => name.slice(0, -'.sealed'.length))
      .sort()
  })

  after(async () => {
    await service.stop()
  })

  it('knows every table whose rows have pieces', async () => {
    const rows = await service.rows<{ name: string }>(
      `select table_name as name from information_schema.columns
        where table_schema = 'public' and column_name = 'pieces' order by 1`,
    )
    expect(STORED_FILES.map(({ table }) => table)).to.have.members(rows.map(({ name }) => name))
  })

  it('tells where only the new key is there, and touches nothing', async () => {
    expect(pieces).to.have.length(3)
    await rotate(newOnly)
    const [row] = await service.rows<JsonObject>('select rows_left from key_rotations')
    expect(Number(row?.['rows_left'])).to.be.greaterThan(2)
    expect(await keysOnDisk()).to.deep.equal(['t1', 't1', 't1'])
    await service.rows("update key_rotations set checked_at = checked_at - interval '1 hour'")
  })

  it('leaves nothing under the old key, and every byte as it was', async () => {
    const before = await bytesWith(both)
    expect(before).to.not.include(undefined)
    expect(await bytesWith(newOnly)).to.deep.equal([undefined, undefined, undefined])
    await rotate(both)
    expect(await keysOnDisk()).to.deep.equal(['t2', 't2', 't2'])
    expect(await bytesWith(newOnly)).to.deep.equal(before)
    const [row] = await service.rows<JsonObject>(
      `select rows_left::integer, (select count(*)::integer from kept_answers) as answers
         from key_rotations where key_id = 't2'`,
    )
    // Answers that are kept run out within a day.
    expect(row?.['rows_left']).to.equal(row?.['answers'])
  })
})
