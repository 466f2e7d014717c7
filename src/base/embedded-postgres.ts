/** A real Postgres from an npm package, for a machine that has none: made, started and stopped. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import {
  clusterDirectory,
  exists,
  packagedBinaries,
  reachable,
  unprivileged,
  type RunAs,
} from './postgres-home.ts'
import { messageOf } from './problem.ts'

export interface EmbeddedPostgres {
  /** Superuser's address, database `postgres`. */
  adminUrl: string
  /** The same with another database name, login and password. */
  urlOf(database: string, login?: { user: string; password: string }): string
  stop(): Promise<void>
  /** Resolves where it ends without having been stopped. */
  died: Promise<void>
  /** Stops it and removes the cluster: for tests and the demo. */
  destroy(): Promise<void>
}

export interface EmbeddedOptions {
  /** Where the cluster lives; made if it is not there. */
  directory: string
  /** false only for throw-away test clusters: faster, and a crash of the machine may lose data. */
  fsync?: boolean
  settings?: Readonly<Record<string, string>>
  /** A free one unless told. */
  port?: number
  /** Where a running service uses the cluster: share it, and leave it running on `stop`. */
  share?: boolean
}

const START_TIMEOUT_MS = 60_000
const run = promisify(execFile)

/** Starts the cluster in `directory` on a free port of 127.0.0.1, making it first if needed. */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const runAs = await unprivileged()
  const binaries = await reachable(await packagedBinaries(), runAs)
  const directory = await clusterDirectory(resolve(options.directory), runAs)
  const password = await ensureCluster(directory, binaries, runAs)
  const used = await portInUse(directory)
  if (used !== null && options.share !== true) {
    throw new Error(
      "This folder's database is in use by a running service: " +
        'stop that one first, or set DATABASE_URL',
    )
  }
  const port = used ?? options.port ?? (await freePort())
  const urlOf = (database: string, login = { user: 'postgres', password }) =>
    `postgres://${login.user}:${login.password}@127.0.0.1:${port}/${database}`
  const adminUrl = urlOf('postgres')
  if (used !== null) {
    const left = () => Promise.resolve()
    return { adminUrl, urlOf, stop: left, destroy: left, died: new Promise(() => undefined) }
  }
  const guard = startServer({ options, directory, binaries, runAs, port })
  await waitUntilReady(adminUrl, guard)
  let isStopping = false
  const stop = async () => {
    isStopping = true
    await stopGuard(guard)
    // A guard that was killed could not take Postgres along.
    await portInUse(directory)
  }
  return {
    adminUrl,
    urlOf,
    died: new Promise((resolve) => guard.once('exit', () => isStopping || resolve())),
    stop,
    async destroy() {
      await stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(0, '127.0.0.1', done)
  })
  const address = server.address()
  await new Promise((done) => server.close(done))
  if (address === null || typeof address === 'string') {
    throw new Error('no free port')
  }
  return address.port
}

/**
 * Makes the cluster and its superuser's password once, and publishes both by one rename: of two
 * starts at the same time one wins, and the other finds what the winner made.
 */
async function ensureCluster(
  directory: string,
  binaries: string,
  runAs: RunAs | null,
): Promise<string> {
  const instance = join(directory, 'instance')
  if (!(await exists(join(instance, 'password')))) {
    const fresh = await makeCluster(directory, binaries, runAs)
    try {
      await rename(fresh, instance)
    } catch (error) {
      await rm(fresh, { recursive: true, force: true })
      if (!(await exists(join(instance, 'password')))) {
        throw error
      }
    }
  }
  return (await readFile(join(instance, 'password'), 'utf8')).trim()
}

async function makeCluster(
  directory: string,
  binaries: string,
  runAs: RunAs | null,
): Promise<string> {
  const fresh = join(directory, `new.${randomBytes(4).toString('hex')}`)
  const passwordFile = join(fresh, 'password')
  await mkdir(fresh, { mode: 0o700 })
  await writeFile(passwordFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 })
  if (runAs !== null) {
    await chown(fresh, runAs.uid, runAs.gid)
    await chown(passwordFile, runAs.uid, runAs.gid)
  }
  await run(
    join(binaries, 'bin', 'initdb'),
    [
      `--pgdata=${join(fresh, 'cluster')}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
    ],
    { ...runAs, cwd: '/', env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' } },
  )
  return fresh
}

/**
 * The port of the Postgres that a running service has in this folder, or null. One that was left
 * over because its guard was killed too is ended first.
 */
async function portInUse(directory: string): Promise<number | null> {
  const cluster = clusterOf(directory)
  const pidFile = join(cluster, 'postmaster.pid')
  const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n')
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0 || !(await commandOf(pid)).includes(cluster)) {
    return null
  }
  if ((await commandOf(await parentOf(pid))).includes('postgres-guard')) {
    return Number(lines[3])
  }
  process.kill(pid, 'SIGINT')
  const deadline = Date.now() + START_TIMEOUT_MS
  while ((await exists(pidFile)) && Date.now() < deadline) {
    await new Promise((done) => setTimeout(done, 50))
  }
  return null
}

function clusterOf(directory: string): string {
  return join(directory, 'instance', 'cluster')
}

async function commandOf(pid: number): Promise<string> {
  const { stdout } = await run('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }))
  return stdout
}

async function parentOf(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'ppid=', '-p', String(pid)])
  return Number(stdout.trim())
}

function startServer(start: {
  options: EmbeddedOptions
  directory: string
  binaries: string
  runAs: RunAs | null
  port: number
}): ChildProcess {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(start.port),
    unix_socket_directories: '',
    max_connections: '120',
    shared_buffers: `${sharedBuffersMb()}MB`,
    max_wal_size: '2GB',
    // Files that are kept need not be filled with zeroes again.
    min_wal_size: '512MB',
    log_timezone: 'UTC',
    timezone: 'UTC',
    log_min_messages: 'fatal',
    ...(start.options.fsync === false
      ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
      : {}),
    ...start.options.settings,
  }
  const guard = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(new URL('postgres-guard.ts', import.meta.url)),
      start.runAs === null ? '-' : String(start.runAs.uid),
      start.runAs === null ? '-' : String(start.runAs.gid),
      join(start.binaries, 'bin', 'postgres'),
      '-D',
      clusterOf(start.directory),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    { stdio: ['pipe', 'ignore', 'pipe'], detached: true },
  )
  return guard
}

/** An eighth of the machine's memory, from 128 to 512 MB: it is not Postgres' alone. */
function sharedBuffersMb(): number {
  return Math.max(128, Math.min(512, Math.floor(totalmem() / 2 ** 20 / 8)))
}

async function waitUntilReady(adminUrl: string, guard: ChildProcess): Promise<void> {
  let said = ''
  guard.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000)
  })
  const deadline = Date.now() + START_TIMEOUT_MS
  for (;;) {
    if (guard.exitCode !== null) {
      throw new Error(`Postgres did not start: ${said.trim()}`)
    }
    const client = new pg.Client({ connectionString: adminUrl })
    try {
      await client.connect()
      await client.query('select 1')
      return
    } catch (error) {
      if (Date.now() > deadline) {
        guard.stdin?.end()
        throw new Error(`Postgres does not answer: ${messageOf(error)}; ${said.trim()}`, {
          cause: error,
        })
      }
      await new Promise((done) => setTimeout(done, 30))
    } finally {
      await client.end().catch(() => undefined)
    }
  }
}

async function stopGuard(guard: ChildProcess): Promise<void> {
  if (guard.exitCode !== null || guard.signalCode !== null) {
    return
  }
  const ended = new Promise((done) => guard.once('exit', done))
  guard.stdin?.end()
  await ended
}
