/** What becomes of an error that comes when no test listens for it. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expectNoStrays } from './strays.ts'

const run = promisify(execFile)

describe('a stray error', () => {
  let folder: string
  let file: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bahi-strays-'))
    file = join(folder, 'strays')
  })

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  /** What a process says that lives on after this. */
  async function after(script: string): Promise<string> {
    const whole = `
      import { keepStrays } from ${JSON.stringify(import.meta.resolve('./strays.ts'))}
      keepStrays(${JSON.stringify(file)})
      ${script}
      setTimeout(() => process.stdout.write('alive'), 100)`
    const args = ['--input-type=module', '--eval', whole]
    return (await run(process.execPath, args)).stdout
  }

  it('does not end the process, and fails the run', async () => {
    await expectNoStrays(file)
    const said = await after(`
      setTimeout(() => { throw new Error('thrown late') })
      Promise.reject(new Error('rejected late'))
      Promise.reject(undefined)`)
    expect(said).to.equal('alive')
    const thrown = await expectNoStrays(file).catch(String)
    for (const text of ['thrown late', 'rejected late', 'undefined', 'test file was done']) {
      expect(thrown).to.contain(text)
    }
  })

  it('is nobody’s business but of those who listen', async () => {
    const said = await after(`
      process.on('uncaughtException', ({ message }) => process.stdout.write(message + ' '))
      setTimeout(() => { throw new Error('heard') })`)
    expect(said).to.equal('heard alive')
    expect(await readFile(file, 'utf8').catch(({ code }: NodeJS.ErrnoException) => code)).to.equal(
      'ENOENT',
    )
    await expectNoStrays(file)
  })
})
