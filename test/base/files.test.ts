/** Documents on disk: whole or not there, sealed, and only where they belong. */
import { expect } from 'chai'
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readKeyring } from '../../src/base/crypto.ts'
import { openFiles, type Files } from '../../src/base/files.ts'
import { rejection } from './thrown.ts'

const keyring = readKeyring(`k1:${Buffer.alloc(32, 1).toString('base64')}`)
const TEXT = Buffer.from('%PDF- ABCPK1234F आशा')

describe('a stored document', () => {
  let directory: string
  let files: Files

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bahi-files-test-'))
    files = openFiles(directory, keyring)
  })

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  it('comes back as it was put, from every process that shares the folder', async () => {
    await files.put('receipts/1/rcp_1.pdf', TEXT)
    const [here, there] = await Promise.all(
      [files, openFiles(directory, keyring)].map(
        async (one) => await one.get('receipts/1/rcp_1.pdf'),
      ),
    )
    expect(here?.equals(TEXT)).to.equal(true)
    expect(there?.equals(TEXT)).to.equal(true)
    expect(await files.get('receipts/1/rcp_2.pdf')).to.equal(undefined)
  })

  it('is replaced as a whole, and leaves no half-written file behind', async () => {
    await Promise.all([
      files.put('a.pdf', TEXT),
      files.put('a.pdf', TEXT),
      files.put('a.pdf', TEXT),
    ])
    await files.put('a.pdf', Buffer.from('new'))
    expect((await files.get('a.pdf'))?.toString()).to.equal('new')
    expect(await readdir(directory)).to.deep.equal(['a.pdf.sealed'])
  })

  it('cannot be read on the disk', async () => {
    await files.put('a.pdf', TEXT)
    const bytes = await readFile(join(directory, 'a.pdf.sealed'))
    for (const plain of ['%PDF', 'ABCPK1234F', 'आशा']) {
      expect(bytes.includes(plain), plain).to.equal(false)
    }
  })

  it('does not open under another name, nor after its bytes were touched', async () => {
    await files.put('a.pdf', TEXT)
    await rename(join(directory, 'a.pdf.sealed'), join(directory, 'b.pdf.sealed'))
    expect(await files.get('b.pdf')).to.equal(undefined)
    await files.put('c.pdf', TEXT)
    const path = join(directory, 'c.pdf.sealed')
    const bytes = await readFile(path)
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
    await writeFile(path, bytes)
    expect(await files.get('c.pdf')).to.equal(undefined)
  })

  it('has no key that leads out of the folder', async () => {
    for (const key of [
      '../a.pdf',
      'a/../../b.pdf',
      '/etc/passwd',
      'a//b.pdf',
      './a.pdf',
      'a\\b.pdf',
      'a.pdf/..',
      'a\0.pdf',
      'a.pdf\n',
      'a',
      '',
      '%2e%2e/a.pdf',
    ]) {
      const problem = await rejection(files.put(key, TEXT))
      expect(problem.message, JSON.stringify(key)).to.contain('is no file key')
      expect((await rejection(files.get(key))).message).to.contain('is no file key')
    }
    expect(await readdir(directory)).to.deep.equal([])
  })
})
