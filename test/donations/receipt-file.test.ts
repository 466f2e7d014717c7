/** Tests of a receipt's PDF: kept encrypted, always the same bytes, made again where it is lost. */
import { expect } from 'chai'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../src/base/crypto.ts'
import { issueReceipts } from '../../src/donations/receipts.ts'
import type { NewDonor } from '../../src/donations/donors.ts'
import { signToken } from '../../src/http/auth.ts'
import { readPdf } from '../reports/read-pdf.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { captured, openFor, record } from './facts.ts'

describe('the PDF of a receipt', () => {
  let service: TestService
  let donations = 0

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function receiptFor(donor: Partial<NewDonor> = {}): Promise<string> {
    donations += 1
    const order = `order_${donations}`
    const books = { db: service.parts.db, keyring: service.parts.keyring }
    const donationId = await openFor(books, { order, donor })
    await record(books, [captured({ payment: `pay_${donations}`, order })])
    await issueReceipts(service.parts.db, 1, service.parts.keyring, new Date())
    const [row] = await service.rows<{ receipt_id: string }>(
      'select receipt_id from receipts where donation_id = $1',
      [donationId],
    )
    return row?.receipt_id ?? ''
  }

  async function download(receiptId: string): Promise<{ status: number; bytes: Buffer }> {
    const principal = { subject: 'test', orgId: 1, role: 'auditor' } as const
    const token = signToken(principal, service.config.jwtSecret, 60)
    const response = await fetch(`${service.url}/v1/receipts/${receiptId}/pdf`, {
      headers: { authorization: `Bearer ${token}` },
    })
    return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) }
  }

  const pathOf = (receiptId: string) =>
    join(service.config.filesDir, 'receipts', '1', `${receiptId}.pdf.sealed`)

  async function recordedHash(receiptId: string): Promise<string | undefined> {
    const [row] = await service.rows<{ hash: string }>(
      `select encode(pdf_sha256, 'hex') as hash from receipts where receipt_id = $1`,
      [receiptId],
    )
    return row?.hash
  }

  it('has the hash that is recorded when it is first made', async () => {
    const receiptId = await receiptFor()
    const { status, bytes } = await download(receiptId)
    expect(status).to.equal(200)
    expect(bytes.subarray(0, 5).toString()).to.equal('%PDF-')
    expect(await recordedHash(receiptId)).to.equal(sha256(bytes).toString('hex'))
  })

  it('is the same bytes after the kept file is gone, and is kept again', async () => {
    const receiptId = await receiptFor()
    const first = await download(receiptId)
    await rm(pathOf(receiptId))
    const again = await download(receiptId)
    expect(again.bytes.equals(first.bytes)).to.equal(true)
    expect((await stat(pathOf(receiptId))).size).to.be.greaterThan(first.bytes.length)
  })

  it('is made again where a byte of the kept file was changed, or the file was cut', async () => {
    for (const damage of [
      (kept: Buffer) => {
        kept[kept.length - 5] = (kept[kept.length - 5] ?? 0) ^ 1
        return kept
      },
      (kept: Buffer) => kept.subarray(0, 10),
      () => Buffer.alloc(0),
      () => Buffer.from('%PDF-1.7 not sealed at all'),
    ]) {
      const receiptId = await receiptFor()
      const first = await download(receiptId)
      await writeFile(pathOf(receiptId), damage(await readFile(pathOf(receiptId))))
      const again = await download(receiptId)
      expect(again.status, damage.toString()).to.equal(200)
      expect(again.bytes.equals(first.bytes)).to.equal(true)
    }
  })

  it('is made again where the kept file is another document, rightly sealed', async () => {
    const receiptId = await receiptFor()
    const first = await download(receiptId)
    await service.parts.files.put(`receipts/1/${receiptId}.pdf`, Buffer.from('%PDF- forged'))
    const again = await download(receiptId)
    expect(again.bytes.equals(first.bytes)).to.equal(true)
    const kept = await service.parts.files.get(`receipts/1/${receiptId}.pdf`)
    expect(kept?.equals(first.bytes)).to.equal(true)
  })

  it('is not another receipt’s, though somebody swapped the files', async () => {
    const [one, other] = [await receiptFor(), await receiptFor({ name: 'Ravi' })]
    const first = await download(one)
    await download(other)
    await writeFile(pathOf(one), await readFile(pathOf(other)))
    const again = await download(one)
    expect(again.status).to.equal(200)
    expect(again.bytes.equals(first.bytes)).to.equal(true)
  })

  it('is one and the same when many ask for it for the first time', async () => {
    const receiptId = await receiptFor()
    const all = await Promise.all(Array.from({ length: 6 }, async () => await download(receiptId)))
    expect(all.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200, 200, 200])
    expect(new Set(all.map(({ bytes }) => sha256(bytes).toString('hex')))).to.deep.equal(
      new Set([await recordedHash(receiptId)]),
    )
  })

  it('is not given out where it does not render to its recorded bytes', async () => {
    const receiptId = await receiptFor()
    await service.rows(
      `update receipts set pdf_sha256 = decode(repeat('ab', 32), 'hex') where receipt_id = $1`,
      [receiptId],
    )
    expect((await download(receiptId)).status).to.equal(500)
  })

  it('shows a PAN in full, and of an Aadhaar number the last four digits only', async () => {
    const pan = readPdf((await download(await receiptFor())).bytes)
    expect(pan.text).to.include('ABCPK1234F')
    const aadhaar = { type: 'aadhaar', value: '234123412346' } as const
    const masked = readPdf((await download(await receiptFor({ taxId: aadhaar }))).bytes)
    expect(masked.text).to.include('2346')
    expect(masked.text.replaceAll(/\s/g, '')).to.not.include('234123412346')
  })

  it('lies on disk encrypted, under no name that tells anything', async () => {
    await download(await receiptFor())
    const folder = join(service.config.filesDir, 'receipts', '1')
    const names = await readdir(folder)
    expect(names).to.not.have.length(0)
    for (const name of names) {
      expect(name).to.match(/^rcp_[0-9a-z]{26}\.pdf\.sealed$/)
      const bytes = await readFile(join(folder, name))
      expect(bytes.includes('%PDF-') || bytes.includes('ABCPK1234F')).to.equal(false)
    }
  })
})
