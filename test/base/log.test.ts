/** The log: what it hides and what it leaves out, seen on a real process's standard output. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The lines that a process writes which runs `statements` with an open `log`. */
async function logged(level: string, statements: string): Promise<Record<string, unknown>[]> {
  const url = new URL('../../src/base/log.ts', import.meta.url)
  const script = `import { openLog } from '${url.href}'
    const log = openLog('${level}', 'bahi test')
    ${statements}`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script])
  return stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('the log', () => {
  it('writes one JSON line a record, with the time, at its level and above', async () => {
    const lines = await logged('info', "log.debug('no'); log.info({ a: 1 }, 'yes'); log.error('!')")
    expect(lines.map(({ msg, name }) => [msg, name])).to.deep.equal([
      ['yes', 'bahi test'],
      ['!', 'bahi test'],
    ])
    expect(lines[0]?.['time']).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    expect(await logged('silent', "log.fatal('no')")).to.deep.equal([])
  })

  it('hides secrets and personal ids, at any depth', async () => {
    const names = [
      'authorization',
      'cookie',
      'password',
      'secret',
      'token',
      'pan',
      'taxId',
      'tax_id',
      'aadhaar',
      'keySecret',
      'hash',
    ]
    const record = Object.fromEntries(names.map((name) => [name, 'hushhush']))
    const [line] = await logged(
      'info',
      `const record = ${JSON.stringify(record)}
       const two = { a: { b: { deep: record } } }
       log.info({ ...record, one: [record], two, kept: 'kept' }, 'x')`,
    )
    const text = JSON.stringify(line)
    expect(text).to.not.contain('hushhush')
    expect(text.split('[hidden]')).to.have.length(names.length * 3 + 1)
    expect(line?.['kept']).to.equal('kept')
  })

  it('has no PAN in a message or a stack, and takes what refers to itself', async () => {
    const lines = await logged(
      'info',
      `const self = { name: 'me' }
       self.self = self
       log.info({ self }, 'of ABCPE1234F')
       log.error({ err: new Error('donor abcpe1234f') }, 'failed')`,
    )
    const text = JSON.stringify(lines)
    expect(lines).to.have.length(2)
    expect(text)
      .to.contain('of ABC•••••••')
      .and.to.not.match(/pe1234f/i)
  })

  it('keeps of an error only its name, code, message and stack', async () => {
    const [line] = await logged(
      'info',
      `const error = Object.assign(new RangeError('boom'), {
         code: '23505',
         client: { password: 'hushhush' },
         connection: { secret: 'hushhush' },
         detail: 'Failing row contains (hushhush)',
         where: 'hushhush',
       })
       log.error({ err: error }, 'failed')`,
    )
    expect(JSON.stringify(line)).to.not.contain('hushhush')
    const err = line?.['err'] as Record<string, unknown>
    expect(Object.keys(err)).to.have.members(['type', 'code', 'message', 'stack'])
    expect(err).to.include({ type: 'RangeError', code: '23505', message: 'boom' })
  })

  it('takes whatever was thrown', async () => {
    const [text, nothing] = await logged(
      'info',
      "log.error({ err: 'just text' }, 'a'); log.error({ err: null }, 'b')",
    )
    expect(text?.['err']).to.deep.equal({ message: 'just text' })
    expect(nothing?.['msg']).to.equal('b')
  })
})
