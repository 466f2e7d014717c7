/** Once for the whole run: a real Postgres with a migrated template a worker, and a mailbox. */
import sesLocal from 'aws-ses-v2-local'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrate } from '../../db/migrate.ts'
import {
  freePort,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../src/base/embedded-postgres.ts'
import { asOwner } from '../../scripts/stack.ts'
import mocharc from '../../.mocharc.json' with { type: 'json' }
import { expectNoStrays, keepStrays } from './strays.ts'

export const TEMPLATE = 'bahi_template'
export const LOGIN = { user: 'bahi_test', password: 'bahi_test' }

type StartMailbox = (options: { host: string; port: number }) => Promise<Server>

const clusters: EmbeddedPostgres[] = []
let mailbox: Server | undefined
let directory: string | undefined

/** The admin URLs of all clusters; a worker takes the one with its number. */
const CLUSTERS = 'BAHI_TEST_CLUSTERS'
/** The file of the errors that come between two test files. */
const STRAYS = 'BAHI_TEST_STRAYS'

// What a process has compiled, the next one takes: a start costs half the time.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(
  new URL('../../node_modules/.cache/node', import.meta.url),
)

const worker = process.env['MOCHA_WORKER_ID']
if (worker !== undefined) {
  const urls = JSON.parse(process.env[CLUSTERS] ?? '[]') as string[]
  process.env['BAHI_TEST_POSTGRES'] = urls[Number(worker) % urls.length]
  keepStrays(process.env[STRAYS] ?? '')
}

/** What is needed of mocha's runner. */
interface Runner {
  isParallelMode(): boolean
  on(event: 'fail', listener: (test: { title: string; titlePath?: () => string[] }) => void): void
}

/**
 * Runs in mocha's own process, before its workers start. Each worker has a cluster for itself, so
 * that what one test file sees of the server (sessions, locks, load) never is another one's.
 */
export async function mochaGlobalSetup(this: Runner): Promise<void> {
  // Until mocha says how it went: a run that ends in silence is none that passed.
  process.exitCode = 1
  // What fails outside all tests of a worker comes without it, and no report is written then.
  this.on('fail', (test) => {
    test.titlePath ??= () => [test.title]
  })
  const parent = await mkdtemp(join(tmpdir(), 'bahi-test-'))
  directory = parent
  process.env[STRAYS] = join(parent, 'strays')
  // As root, Postgres runs as an account without rights, which has to get in.
  await chmod(parent, 0o755)
  const count = this.isParallelMode() ? mocharc.jobs : 1
  const folders = Array.from({ length: count }, (_, number) => join(parent, String(number)))
  clusters.push(...(await Promise.all(folders.map(startPostgres))))
  const urls = clusters.map(({ adminUrl }) => adminUrl)
  process.env[CLUSTERS] = JSON.stringify(urls)
  process.env['BAHI_TEST_POSTGRES'] = urls[0]
  const port = await freePort()
  mailbox = await (sesLocal as unknown as { default: StartMailbox }).default({
    host: '127.0.0.1',
    port,
  })
  process.env['BAHI_TEST_SES'] = `http://127.0.0.1:${port}`
}

async function startPostgres(folder: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ directory: folder, fsync: false })
  await asOwner(postgres.adminUrl, async (client) => {
    // Tests open thousands of connections; guessing passwords is not what they are about.
    await client.query('set scram_iterations = 1')
    const { password } = new URL(postgres.adminUrl)
    await client.query(`alter role postgres password ${client.escapeLiteral(password)}`)
    await client.query(`create database ${TEMPLATE}`)
    await client.query(`create role ${LOGIN.user} login noinherit password '${LOGIN.password}'`)
  })
  await migrate(postgres.urlOf(TEMPLATE))
  await asOwner(postgres.adminUrl, async (client) => {
    await client.query(`grant bahi_app to ${LOGIN.user}`)
  })
  return postgres
}

export async function mochaGlobalTeardown(): Promise<void> {
  mailbox?.closeAllConnections()
  mailbox?.close()
  await Promise.all(clusters.map(async (postgres) => await postgres.destroy()))
  if (directory !== undefined) {
    try {
      await expectNoStrays(join(directory, 'strays'))
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
}
