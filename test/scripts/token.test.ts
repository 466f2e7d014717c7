/** npm run token: prints a token that the service takes, and says how it is used otherwise. */
import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROLES } from '../../src/http/permissions.ts'
import { run } from './run.ts'

const SECRET = 'a test secret of at least 32 characters'

describe('the token script', () => {
  let directory: string
  let env: Record<string, string>

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bahi-token-'))
    env = { DATA_DIR: directory, JWT_SECRET: SECRET }
  })

  after(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  function claimsOf(text: string, secret: string): jwt.JwtPayload {
    const claims = jwt.verify(text.trim(), secret, { issuer: 'bahi', audience: 'bahi-api' })
    return claims as jwt.JwtPayload
  }

  it('prints one of the role that is asked for, and nothing else', async () => {
    await Promise.all(
      ROLES.map(async (role) => {
        const { code, stdout, stderr } = await run('scripts/token.ts', ['--role', role], env)
        expect([code, stderr]).to.deep.equal([0, ''])
        expect(stdout).to.match(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
        const claims = claimsOf(stdout, SECRET)
        expect(claims).to.include({ role, org: 1 })
        expect((claims.exp ?? 0) - (claims.iat ?? 0)).to.equal(12 * 3600)
      }),
    )
  })

  it('prints one for another organisation and time', async () => {
    const { stdout } = await run('scripts/token.ts', ['--organisation', '7', '--hours', '1'], env)
    const claims = claimsOf(stdout, SECRET)
    expect(claims).to.include({ role: 'finance', org: 7 })
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).to.equal(3600)
  })

  it('makes the secrets of a development installation once, for their owner only', async () => {
    const own = { DATA_DIR: join(directory, 'fresh') }
    const [first, second] = [
      await run('scripts/token.ts', [], own),
      await run('scripts/token.ts', [], own),
    ]
    const file = join(own.DATA_DIR, 'dev-secrets.json')
    const secrets = JSON.parse(await readFile(file, 'utf8')) as { JWT_SECRET: string }
    expect(claimsOf(first.stdout, secrets.JWT_SECRET)).to.include({ org: 1 })
    expect(claimsOf(second.stdout, secrets.JWT_SECRET)).to.include({ org: 1 })
    expect((await stat(file)).mode & 0o077).to.equal(0)
  })

  it('takes an empty JWT_SECRET for one that is not set', async () => {
    const { code, stderr } = await run('scripts/token.ts', [], { ...env, JWT_SECRET: '' })
    expect([code, stderr]).to.deep.equal([0, ''])
  })

  it('ends with 2 and its usage where it is asked for something else', async () => {
    const wrong = [['--role', 'owner'], ['--colour', 'red'], ['--hours', '-1'], ['finance']]
    await Promise.all(
      wrong.map(async (args) => {
        const { code, stdout, stderr } = await run('scripts/token.ts', args, env)
        expect([code, stdout], args.join(' ')).to.deep.equal([2, ''])
        expect(stderr).to.contain(
          'npm run -s token -- [--role viewer|finance|approver|auditor|admin|service]',
        )
      }),
    )
  })
})
