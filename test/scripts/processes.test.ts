/** The processes from outside: what they refuse to start with, what they log, how they end. */
import { expect } from 'chai'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { signToken } from '../../src/http/auth.ts'
import { donationRequest } from '../support/bodies.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { run } from './run.ts'

const GOOD = {
  DATABASE_URL: 'postgres://bahi:pa55word@127.0.0.1:1/bahi',
  AWS_REGION: 'ap-south-1',
  JWT_SECRET: 'hushhush hushhush hushhush hushhush',
  DATA_KEYS: `k1:${Buffer.alloc(32, 9).toString('base64')}`,
}

for (const script of ['src/server.ts', 'jobs/worker.ts']) {
  describe(`${script} with a configuration that is`, () => {
    it('missing ends with 1 and names what it needs', async () => {
      const { code, stdout, stderr } = await run(script)
      expect([code, stdout]).to.deep.equal([1, ''])
      for (const name of ['DATABASE_URL', 'JWT_SECRET', 'DATA_KEYS']) {
        expect(stderr).to.contain(`${name} is missing`)
      }
    })

    it('wrong ends with 1 and names each variable, without its value', async () => {
      const wrong = {
        PORT: 'http',
        JWT_SECRET: 'hush',
        DATA_KEYS: 'k1:aHVzaA==',
        DATABASE_URL: 'pa55word',
        REDIS_URL: 'pa55word',
      }
      const { code, stderr } = await run(script, [], { ...GOOD, ...wrong })
      expect(code).to.equal(1)
      for (const name of Object.keys(wrong)) {
        expect(stderr).to.match(new RegExp(`^  ${name} \\S`, 'm'))
      }
      expect(stderr).to.not.match(/hush|pa55word|aHVzaA|\bat .*:\d+/)
    })

    it('without a way to send mail ends with 1 and names AWS_REGION', async () => {
      const { code, stderr } = await run(script, [], { ...GOOD, AWS_REGION: '' })
      expect(code).to.equal(1)
      expect(stderr).to.contain('AWS_REGION is missing')
    })
  })
}

describe('npm start with a wrong configuration', () => {
  it('ends with 1 and names the variable before anything is started', async () => {
    const { code, stderr, stdout } = await run('scripts/up.ts', [], { PORT: 'http' })
    expect([code, stdout]).to.deep.equal([1, ''])
    expect(stderr).to.contain('PORT must be a whole number')
  })

  it('makes nothing up in production', async () => {
    const { code, stderr } = await run('scripts/up.ts', [], { NODE_ENV: 'production' })
    expect(code).to.equal(1)
    for (const name of ['DATABASE_URL', 'JWT_SECRET', 'DATA_KEYS']) {
      expect(stderr).to.contain(`${name} is missing`)
    }
  })
})

describe('npm install’s stand-in', () => {
  it('does nothing, and that at once, where everything is installed', async () => {
    const start = Date.now()
    const ended = await run('scripts/install.mjs')
    expect(ended).to.deep.equal({ code: 0, stdout: '', stderr: '' })
    expect(Date.now() - start).to.be.lessThan(5000)
  })
})

describe('the API as a process of its own', () => {
  let service: TestService
  let child: ChildProcess
  let said = ''

  before(async () => {
    // A Razorpay that refuses connections, so that a failure is logged too.
    service = await startTestService({ gatewaysUrl: 'http://127.0.0.1:1' })
    const env = { ...service.env, LOG_LEVEL: 'debug', PORT: '0', PATH: process.env['PATH'] }
    const script = fileURLToPath(new URL('../../src/server.ts', import.meta.url))
    child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await until(() => said.includes('"listening"') || child.exitCode !== null)
  })

  after(async () => {
    child.kill('SIGKILL')
    await service.stop()
  })

  it('logs no id, name, address or token of anybody, whatever becomes of a request', async () => {
    const [, url = ''] = /"url":"([^"]+)"/.exec(said) ?? []
    const principal = { subject: 'test', orgId: 1, role: 'admin' } as const
    const token = signToken(principal, service.config.jwtSecret, 60)
    const statuses: number[] = []
    const refusals: string[] = []
    const byPan = { tax_id: { type: 'pan', value: 'ABCPK1234F' } }
    for (const [path, body] of [
      ['/v1/donations', donationRequest({ gateway: 'payu' })],
      ['/v1/donations', donationRequest()],
      ['/v1/donations', donationRequest({ amount: 1 })],
      ['/v1/donations?pan=ABCPK1234F', donationRequest({ gateway: 'payu' })],
      ['/v1/nothing/ABCPK1234F', {}],
      ['/v1/donors/search', byPan],
      ['/v1/donors/search', { ...byPan, ABCPK1234F: 1 }],
      ['/v1/donors/ABCPK1234F/reveal', { reason: 'ABCPK1234F' }],
    ] as const) {
      const answer = await fetch(url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      statuses.push(answer.status)
      refusals.push(answer.status < 400 ? '' : await answer.text())
    }
    expect(statuses.slice(0, 3)).to.deep.equal([201, 503, 400])
    await until(() => said.split('"msg":"request"').length > statuses.length)
    expect(refusals.join('\n')).to.not.contain('ABCPK1234F')
    expect(said).to.not.match(/ABCPK1234F|आशा|asha@|Tilak/)
    expect(said).to.not.contain(token.slice(0, 30))
  })

  it('ends with 0 when it is asked to', async () => {
    child.kill('SIGTERM')
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    expect([code, signal]).to.deep.equal([0, null])
    expect(said).to.contain('"ending"')
  })
})
