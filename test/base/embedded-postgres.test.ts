/** The embedded Postgres: keeps its data, serves one service at a time, outlives nobody. */
import { expect } from 'chai'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import {
  freePort,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../src/base/embedded-postgres.ts'
import { asOwner } from '../../scripts/stack.ts'
import { until } from '../support/until.ts'
import { rejection } from './thrown.ts'

const run = promisify(execFile)

/** False for a process that has ended, also where nobody has collected it yet. */
async function isAlive(pid: number): Promise<boolean> {
  const { stdout } = await run('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }))
  return /^[^Z\s]/.test(stdout.trim())
}

async function ask(url: string, sql: string): Promise<unknown[]> {
  return await asOwner(url, async (client) => (await client.query<object>(sql)).rows)
}

describe('the embedded Postgres', () => {
  let directory: string
  let first: EmbeddedPostgres

  before(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'bahi-embedded-')), 'postgres')
    first = await startEmbeddedPostgres({ directory, fsync: false })
  })

  after(async () => {
    await first.stop()
    await rm(join(directory, '..'), { recursive: true, force: true })
  })

  async function pidOf(): Promise<number> {
    const rows = await ask(
      first.adminUrl,
      "select pg_read_file('postmaster.pid') as text, current_setting('data_directory') as home",
    )
    const [{ text }] = rows as [{ text: string; home: string }]
    return Number(text.split('\n')[0])
  }

  it('answers on this machine only, with a password, in UTF-8', async () => {
    const [settings] = await ask(
      first.adminUrl,
      `select current_setting('listen_addresses') as listens,
              current_setting('server_encoding') as encoding,
              current_setting('TimeZone') as zone`,
    )
    expect(settings).to.deep.equal({ listens: '127.0.0.1', encoding: 'UTF8', zone: 'UTC' })
    const url = new URL(first.adminUrl)
    url.password = 'wrong'
    const client = new pg.Client({ connectionString: url.href })
    const refused = await rejection(client.connect())
    expect(refused.message).to.contain('password authentication failed')
    expect(new URL(first.urlOf('books', { user: 'u', password: 'p' })).pathname).to.equal('/books')
  })

  it('is refused to a second service that starts in the same folder', async () => {
    const refused = await rejection(startEmbeddedPostgres({ directory, fsync: false }))
    expect(refused.message).to.contain('in use by a running service')
  })

  it('is shared with a script that only wants to read, which leaves it running', async () => {
    const shared = await startEmbeddedPostgres({ directory, share: true })
    expect(shared.adminUrl).to.equal(first.adminUrl)
    await shared.stop()
    expect(await ask(first.adminUrl, 'select 1 as one')).to.deep.equal([{ one: 1 }])
  })

  it('ends when it is stopped, and keeps its data for the next start', async () => {
    await ask(first.adminUrl, 'create table kept as select 42 as answer')
    const pid = await pidOf()
    await first.stop()
    expect(await isAlive(pid)).to.equal(false)
    await first.stop()
    first = await startEmbeddedPostgres({ directory, fsync: false })
    expect(await ask(first.adminUrl, 'select answer from kept')).to.deep.equal([{ answer: 42 }])
    await first.stop()
  })

  it('ends when the process that started it is killed, and starts again', async () => {
    const { child, pid, port } = await startInChild(directory)
    expect(await isAlive(pid)).to.equal(true)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await until(async () => !(await isAlive(pid)))
    first = await startEmbeddedPostgres({ directory, fsync: false })
    expect(first.adminUrl).to.not.contain(`:${port}/`)
    expect(await ask(first.adminUrl, 'select answer from kept')).to.deep.equal([{ answer: 42 }])
    await first.stop()
  })

  it('is ended and started anew where it was left over without its guard', async () => {
    const { child, pid } = await startInChild(directory)
    const { stdout } = await run('ps', ['-o', 'ppid=', '-p', String(pid)])
    const guard = Number(stdout)
    process.kill(guard, 'SIGKILL')
    child.kill('SIGKILL')
    await once(child, 'exit')
    await until(async () => !(await isAlive(guard)))
    expect(await isAlive(pid)).to.equal(true)
    first = await startEmbeddedPostgres({ directory, fsync: false })
    expect(await isAlive(pid)).to.equal(false)
    expect(await ask(first.adminUrl, 'select answer from kept')).to.deep.equal([{ answer: 42 }])
    await first.stop()
  })

  it('says why it does not start', async () => {
    const failed = await rejection(
      startEmbeddedPostgres({ directory, settings: { shared_buffers: 'much' } }),
    )
    expect(failed.message).to.match(/did not start[^]*shared_buffers/)
  })
})

describe('a free port', () => {
  it('is one that can be listened on, and not the same for everybody', async () => {
    const ports = await Promise.all([freePort(), freePort(), freePort()])
    expect(new Set(ports).size).to.be.greaterThan(1)
    expect(ports.every((port) => port > 1023 && port < 65_536)).to.equal(true)
  })
})

/** A process of its own that starts the cluster and then only waits. */
async function startInChild(
  directory: string,
): Promise<{ child: ChildProcess; pid: number; port: string }> {
  const url = new URL('../../src/base/embedded-postgres.ts', import.meta.url)
  const script = `import { startEmbeddedPostgres } from '${url.href}'
    const postgres = await startEmbeddedPostgres({
      directory: ${JSON.stringify(directory)},
      fsync: false,
    })
    process.stdout.write(postgres.adminUrl + '\\n')
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  await until(() => said.includes('\n') || child.exitCode !== null)
  const adminUrl = said.trim()
  const rows = await ask(adminUrl, "select pg_read_file('postmaster.pid') as text")
  const [{ text }] = rows as [{ text: string }]
  return { child, pid: Number(text.split('\n')[0]), port: new URL(adminUrl).port }
}
