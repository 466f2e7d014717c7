/** Rotation of data keys on disk: statements, attachments and exports outlive the old key. */
import { expect } from 'chai'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeExports } from '../../jobs/make-exports.ts'
import { rotateKeysJob } from '../../jobs/rotate-keys.ts'
import { keyIdOf, readKeyring, type Keyring } from '../../src/base/crypto.ts'
import { openFiles } from '../../src/base/files.ts'
import { organisationsToRotate } from '../../src/keys/rotate.ts'
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

  const old = readKeyring(keyText('t1', 7))
  /** Answers that are kept run out within a day. */
  const ANSWERS = 'select count(*)::integer as n from kept_answers'

  /** A run, a day later; gives what it leaves. */
  const rowsLeft = async () => {
    await service.rows("update key_rotations set checked_at = checked_at - interval '2 days'")
    return async (more: Partial<typeof service.jobParts> = {}) => {
      await rotateKeysJob.run({
        ...service.jobParts,
        keyring: both,
        files: filesWith(both),
        ...more,
      })
      const [row] = await service.rows<{ left: number }>(
        `select rows_left::integer - (${ANSWERS}) as left from key_rotations where key_id = 't2'`,
      )
      return row?.left
    }
  }

  /** As an old process does after the rotation. */
  const sealOld = async () => {
    for (const piece of pieces) {
      await filesWith(old).put(piece, (await filesWith(both).get(piece)) ?? Buffer.alloc(0))
    }
  }

  it('that is cut short leaves what it did not look at, and the next goes on', async () => {
    for (let most = 1; most < 60; most += 1) {
      await sealOld()
      const run = await rowsLeft()
      let asked = 0
      const left = await run({ shouldStop: () => (asked += 1) > most })
      const under = (await keysOnDisk()).filter((key) => key === 't1').length
      expect(left, `after ${most} looks`).to.be.at.least(under)
      if (under === 0) {
        break
      }
    }
    expect(await (await rowsLeft())()).to.equal(0)
    expect(await keysOnDisk()).to.deep.equal(['t2', 't2', 't2'])
  })

  it('finds the next day what an old process sealed after it was done', async () => {
    await sealOld()
    expect(await organisationsToRotate(service.parts.db, 't2')).to.deep.equal([])
    const run = await rowsLeft()
    expect(await organisationsToRotate(service.parts.db, 't2')).to.deep.equal([1])
    await Promise.all([run(), run()])
    expect(await keysOnDisk()).to.deep.equal(['t2', 't2', 't2'])
    expect(await bytesWith(newOnly)).to.not.include(undefined)
  })

  it('brings nothing back that is forgotten meanwhile, and does not call it lost', async () => {
    for (const when of ['sealedWith', 'get'] as const) {
      await sealOld()
      const run = await rowsLeft()
      const files = filesWith(both)
      const [gone = ''] = pieces
      const bytes = (await files.get(gone)) ?? Buffer.alloc(0)
      const forgetful = {
        ...files,
        async sealedWith(key: string) {
          const id = await files.sealedWith(key)
          await (key === gone && when === 'sealedWith' ? files.remove(key) : null)
          return id
        },
        async get(key: string) {
          const kept = await files.get(key)
          await (key === gone ? files.remove(key) : null)
          return kept
        },
      }
      expect(await run({ files: forgetful }), when).to.equal(0)
      expect(await files.sealedWith(gone), when).to.equal(undefined)
      await files.put(gone, bytes)
    }
    const names = await readdir(service.config.filesDir, { recursive: true })
    expect(names.filter((name) => /sealed\../.test(name))).to.deep.equal([])
  })

  it('counts what is garbage, goes on, and counts whom it could not read', async () => {
    const [first = '', second = '', third = ''] = pieces
    const path = (piece: string) => join(service.config.filesDir, `${piece}.sealed`)
    await sealOld()
    const whole = await readFile(path(second))
    for (const bad of [Buffer.alloc(0), Buffer.from([255, 1]), whole.subarray(0, 9)]) {
      await sealOld()
      await writeFile(path(second), bad)
      expect(await (await rowsLeft())()).to.equal(1)
      expect([
        await filesWith(both).sealedWith(first),
        await filesWith(both).sealedWith(third),
      ]).to.deep.equal(['t2', 't2'])
      await writeFile(path(second), whole)
    }
    await sealOld()
    await rm(path(second))
    await mkdir(path(second))
    expect(await (await rowsLeft())()).to.equal(1)
    expect(await filesWith(both).sealedWith(third)).to.equal('t2')
    await rm(path(second), { recursive: true })
    await writeFile(path(second), whole)
    const run = await rowsLeft()
    const broken = {
      ...service.parts.db,
      read: async () => await Promise.reject(new Error('away')),
    }
    await run({ db: broken })
    const { text } = await service.call('GET', '/metrics', { role: null })
    const [answers] = await service.rows<{ n: number }>(ANSWERS)
    const told = Number(/^bahi_rows_under_old_keys (\d+)$/m.exec(text)?.[1])
    expect(told - (answers?.n ?? 0)).to.equal(2)
    expect(await (await rowsLeft())()).to.equal(0)
  })
})
