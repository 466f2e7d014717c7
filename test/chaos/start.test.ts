/** npm start on a bare machine: up on embedded parts, down without a trace, up with its data. */
import { expect } from 'chai'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asOwner } from '../../scripts/stack.ts'
import { startEmbeddedPostgres } from '../../src/base/embedded-postgres.ts'
import { isAlive, startScript, type TestProcess } from '../support/process.ts'
import { until } from '../support/until.ts'

interface Running {
  api_url: string
  token: string
}

describe('npm start', () => {
  const folders: string[] = []
  const started: TestProcess[] = []

  after(async () => {
    await Promise.all(started.map((one) => one.end('SIGKILL')))
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
  })

  async function folder(): Promise<string> {
    const made = await mkdtemp(join(tmpdir(), 'bahi-start-'))
    // Root hands Postgres to an account without rights, which has to get in.
    await chmod(made, 0o755)
    folders.push(made)
    return made
  }

  async function up(dataDir: string): Promise<{ process: TestProcess; running: Running }> {
    const one = startScript('scripts/up.ts', { DATA_DIR: dataDir, LOG_LEVEL: 'warn' })
    started.push(one)
    await one.says('Ctrl-C ends it.')
    const text = await readFile(join(dataDir, 'running.json'), 'utf8')
    return { process: one, running: JSON.parse(text) as Running }
  }

  async function openDonation(running: Running): Promise<number> {
    const answer = await fetch(`${running.api_url}/v1/donations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${running.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        gateway: 'razorpay',
        amount: 100_000,
        currency: 'INR',
        fund: 'general',
        donor: { name: 'Asha', email: 'asha@example.org', citizenship: 'indian' },
      }),
    })
    return answer.status
  }

  async function postgresPid(dataDir: string): Promise<number> {
    const file = join(dataDir, 'postgres', 'instance', 'cluster', 'postmaster.pid')
    return Number((await readFile(file, 'utf8')).split('\n')[0])
  }

  /** What the running database knows of the service's login. */
  async function loginOf(dataDir: string): Promise<string | undefined> {
    const shared = await startEmbeddedPostgres({
      directory: join(dataDir, 'postgres'),
      share: true,
    })
    return await asOwner(shared.adminUrl, async (client) => {
      const { rows } = await client.query<{ rolpassword: string }>(
        `select rolpassword from pg_authid where rolname = 'bahi'`,
      )
      return rows[0]?.rolpassword
    })
  }

  it('runs twice beside itself, ends with exit 0 and leaves no process behind', async () => {
    const [one, other] = await Promise.all([folder(), folder()])
    const [first, second] = await Promise.all([up(one), up(other)])
    expect(first.running.api_url).not.to.equal(second.running.api_url)
    expect(await openDonation(first.running)).to.equal(201)
    const pids = await Promise.all([postgresPid(one), postgresPid(other)])
    expect(pids.every(isAlive)).to.equal(true)
    expect(await first.process.end('SIGTERM')).to.equal(0)
    expect(await second.process.end('SIGINT')).to.equal(0)
    expect(pids.some(isAlive)).to.equal(false)

    // Once more in the first folder: what was there is there.
    const again = await up(one)
    const { token } = again.running
    expect(token).to.be.a('string')
    const login = await loginOf(one)
    const secrets = { JWT_SECRET: 'x'.repeat(32), DATA_KEYS: `k:${'A'.repeat(43)}=` }
    const verify = startScript('scripts/verify-books.ts', { DATA_DIR: one, ...secrets })
    await verify.says('The books agree')
    expect(await loginOf(one), 'verify leaves the running service its login').to.equal(login)
    expect(await again.process.end('SIGTERM')).to.equal(0)
  })

  it('ends with its npm when that is told to end', async () => {
    const dataDir = await folder()
    const npm = spawn('npm', ['start'], {
      env: { ...process.env, DATA_DIR: dataDir, LOG_LEVEL: 'warn', REDIS_URL: '' },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let output = ''
    npm.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    await until(() => output.includes('Ctrl-C ends it.'))
    const pid = await postgresPid(dataDir)
    npm.kill('SIGTERM')
    await until(() => !isAlive(pid))
  })

  it('lets one of two starts in one fresh folder win, and the next one up again', async () => {
    const dataDir = await folder()
    const both = [0, 1].map(() =>
      startScript('scripts/up.ts', { DATA_DIR: dataDir, LOG_LEVEL: 'warn' }),
    )
    started.push(...both)
    await until(() => both.some((one) => one.output().includes('Ctrl-C ends it.')))
    await until(() => both.some((one) => one.child.exitCode === 1))
    for (const one of both) {
      await one.end('SIGTERM')
    }
    const again = await up(dataDir)
    expect(await again.process.end('SIGTERM')).to.equal(0)
  })

  it('ends by itself when its Postgres does', async () => {
    const dataDir = await folder()
    const { process: service } = await up(dataDir)
    process.kill(await postgresPid(dataDir), 'SIGKILL')
    expect(await service.ended()).to.equal(1)
    expect(service.output()).to.include('the embedded Postgres ended by itself')
  })

  it('takes its Postgres along when it is killed with kill -9', async () => {
    const one = await folder()
    const { process: service } = await up(one)
    const pid = await postgresPid(one)
    await service.end('SIGKILL')
    await until(() => !isAlive(pid))
  })

  it('names the variable when PORT is taken or wrong', async () => {
    const wrong = startScript('scripts/up.ts', { DATA_DIR: await folder(), PORT: 'eighty' })
    started.push(wrong)
    expect(await wrong.ended()).to.equal(1)
    expect(wrong.output()).to.include('PORT')
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const { port } = blocker.address() as AddressInfo
    const taken = startScript('scripts/up.ts', { DATA_DIR: await folder(), PORT: String(port) })
    started.push(taken)
    expect(await taken.ended()).to.equal(1)
    expect(taken.output()).to.include(`PORT ${port} is taken`)
    blocker.close()
  })
})
