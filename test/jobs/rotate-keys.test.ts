/** Rotation of data keys: every sealed column, the index and the PDFs, in steps, nothing lost. */
import { expect } from 'chai'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import { rotateKeysJob } from '../../jobs/rotate-keys.ts'
import { sweep } from '../../jobs/sweep.ts'
import { readKeyring, unseal, type Keyring } from '../../src/base/crypto.ts'
import type { Database } from '../../src/base/db.ts'
import { openFiles } from '../../src/base/files.ts'
import type { JobName } from '../../src/base/queue.ts'
import { donorsByTaxId, openTaxId } from '../../src/donations/donor-records.ts'
import { insertDonor } from '../../src/donations/donors.ts'
import { loadGatewayAccount } from '../../src/organisations/account-keys.ts'
import { findReceipt, receiptFile, receiptPdf } from '../../src/donations/receipt-file.ts'
import { organisationsToRotate, rowsUnderOtherKeys } from '../../src/keys/rotate.ts'
import { SEALED_COLUMNS } from '../../src/keys/sealed-columns.ts'
import { describeVerification, verifyBooks } from '../../scripts/verify-books.ts'
import { captured, DONOR, openFor, record } from '../donations/facts.ts'
import { startTestService, type TestService } from '../support/service.ts'

const keyText = (id: string, byte: number) => `${id}:${Buffer.alloc(32, byte).toString('base64')}`
const OLD = keyText('t1', 7)
const NEW = keyText('t2', 8)

describe('the rotation of data keys', () => {
  let service: TestService
  const both = readKeyring(`${NEW},${OLD}`)
  const newOnly = readKeyring(NEW)

  beforeEach(async () => {
    service = await startTestService()
  })

  afterEach(async () => {
    await service.stop()
  })

  const partsWith = (keyring: Keyring) => ({
    ...service.jobParts,
    keyring,
    files: openFiles(service.config.filesDir, keyring),
  })

  const left = async (keyId = 't2') => await rowsUnderOtherKeys(service.parts.db, 1, keyId)
  const sum = (rows: Record<string, bigint>) =>
    Object.values(rows).reduce((all, one) => all + one, 0n)

  /** Donors enough for several steps, and a receipt whose PDF nobody has asked for. */
  async function fill(): Promise<{ donorId: string; receiptId: string }> {
    const { db, keyring } = service.parts
    const donorId = await db.transact(1, async (trx) => {
      for (let count = 0; count < 250; count += 1) {
        await insertDonor(trx, keyring, DONOR)
      }
      return await insertDonor(trx, keyring, {
        ...DONOR,
        taxId: { type: 'pan', value: 'AAAPB1111C' },
      })
    })
    const order = 'order_1'
    await openFor({ db, keyring }, { order })
    await record({ db }, [captured({ payment: 'pay_1', order })])
    await issueReceiptsJob.run(service.jobParts)
    const [row] = await service.rows<{ receipt_id: string }>('select receipt_id from receipts')
    return { donorId, receiptId: row?.receipt_id ?? '' }
  }

  it('knows every sealed column that there is', async () => {
    const rows = await service.rows<{ name: string }>(
      `select table_name || '.' || column_name as name from information_schema.columns
        where table_schema = 'public' and column_name like '%sealed' and data_type = 'bytea'
          and table_name <> 'kept_answers' order by 1`,
    )
    expect(SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`)).to.have.members(
      rows.map(({ name }) => name),
    )
  })

  it('leaves nothing under the old key, so that it can be taken away', async () => {
    const { donorId, receiptId } = await fill()
    const { db } = service.parts
    expect(await organisationsToRotate(db, 't2')).to.deep.equal([1])
    expect((await left()).donors).to.equal(504n)
    await rotateKeysJob.run(partsWith(both))
    expect(sum(await left())).to.equal(0n)
    expect(await organisationsToRotate(db, 't2')).to.deep.equal([])
    await db.read(1, async (trx) => {
      expect((await openTaxId(trx, newOnly, donorId))?.value).to.equal('AAAPB1111C')
      const asked = { type: 'pan', value: 'AAAPB1111C' } as const
      const found = await donorsByTaxId(trx, newOnly, asked, { limit: 9, before: null })
      expect(found.map((one) => one.donor_id)).to.deep.equal([donorId])
      expect((await loadGatewayAccount(trx, newOnly, 'razorpay')).keySecret).to.have.length.above(3)
    })
    const secrets = await service.rows<{ secret_id: string; secret_sealed: Buffer }>(
      'select secret_id, secret_sealed from webhook_secrets',
    )
    expect(secrets.length).to.be.greaterThan(0)
    for (const { secret_id: id, secret_sealed: sealed } of secrets) {
      expect(unseal(newOnly, sealed, id).toString()).to.match(/^test_/)
    }
    const files = openFiles(service.config.filesDir, newOnly)
    expect(await files.get(receiptFile(1, receiptId))).to.not.equal(undefined)
    const receipt = await db.read(1, async (trx) => await findReceipt(trx, receiptId))
    if (receipt === undefined) {
      throw new Error('the receipt is there')
    }
    expect(receipt.pdf_sha256).to.not.equal(null)
    const path = join(service.config.filesDir, `${receiptFile(1, receiptId)}.sealed`)
    expect((await readFile(path)).subarray(1, 3).toString()).to.equal('t2')
    const none = openFiles(join(service.config.filesDir, 'empty'), newOnly)
    const pdf = await receiptPdf(receipt, 1, none, newOnly)
    expect(pdf.sha256).to.deep.equal(receipt.pdf_sha256)
  })

  it('finds donors by tax id at every moment of it', async () => {
    const { donorId } = await fill()
    const { db } = service.parts
    const find = async () =>
      await db.read(1, async (trx) => {
        const asked = { type: 'pan', value: 'AAAPB1111C' } as const
        return (await donorsByTaxId(trx, both, asked, { limit: 9, before: null })).length
      })
    expect(await find()).to.equal(1)
    const found: number[] = []
    const watched: Database = {
      ...db,
      // Between any two steps of it.
      async read(scope, work) {
        found.push(await find())
        return await db.read(scope, work)
      },
    }
    await rotateKeysJob.run({ ...partsWith(both), db: watched })
    expect(found.length, donorId).to.be.greaterThan(10)
    expect(new Set(found)).to.deep.equal(new Set([1]))
  })

  it('goes on where it was stopped, and two at once do no harm', async () => {
    await fill()
    let steps = 0
    const stopping = { ...partsWith(both), shouldStop: () => (steps += 1) > 12 }
    await rotateKeysJob.run(stopping)
    const some = sum(await left())
    expect(some > 0n && some < 504n, String(some)).to.equal(true)
    await service.rows("update key_rotations set checked_at = now() - interval '11 minutes'")
    await Promise.all([rotateKeysJob.run(partsWith(both)), rotateKeysJob.run(partsWith(both))])
    expect(sum(await left())).to.equal(0n)
  })

  it('leaves what no key opens as it is, and says that it is there', async () => {
    const { donorId } = await fill()
    await service.rows('alter table donors disable trigger guard')
    await service.rows('update donors set tax_id_sealed = $2 where donor_id = $1', [
      donorId,
      Buffer.concat([Buffer.from([2]), Buffer.from('t0'), Buffer.alloc(40)]),
    ])
    await service.rows('alter table donors enable trigger guard')
    await rotateKeysJob.run(partsWith(both))
    expect(await left()).to.include({ donors: 2n, receipts: 0n })
    const said = describeVerification(
      await verifyBooks(service.parts.db, () => undefined, { sealWith: 't2' }),
    )
    expect(said.join('\n')).to.contain('2 rows are not sealed with the data key "t2"')
  })

  it('is rung for when the first key changes, and not before', async () => {
    await rotateKeysJob.run(service.jobParts)
    const rungWith = async (keyring: Keyring): Promise<JobName[]> => {
      const rung: JobName[] = []
      const bells = { ...service.parts.bells, ring: (name: JobName) => void rung.push(name) }
      await sweep({ ...service.parts, keyring, bells })
      return rung
    }
    expect(await rungWith(service.parts.keyring)).to.not.include('rotate-keys')
    expect(await rungWith(both)).to.include('rotate-keys')
  })

  it('puts no other document in the place of an issued one', async () => {
    await fill()
    const change = async (sealed: string) => {
      const doing = service.parts.db.transact(1, async (trx) =>
        trx.query(`update receipts set document_sealed = ${sealed}`),
      )
      return await doing.then(
        () => 'done',
        (error: unknown) => String(error),
      )
    }
    const other = String.raw`'\x027432ff'::bytea`
    expect(await change(other), 'no PDF yet').to.contain('never changed')
    await rotateKeysJob.run(partsWith(both))
    expect(await change(other), 'the same key').to.contain('never changed')
    const longer = String.raw`'\x027431'::bytea || substring(document_sealed from 4) || '\x00'`
    expect(await change(longer), 'another length').to.contain('never changed')
    expect(await change(String.raw`'\x00'::bytea`), 'no key').to.contain('never changed')
  })
})
