/** Where a storm takes place: a Postgres and a Redis of its own, gone when it is over. */
import { Redis } from 'ioredis'
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '../../db/migrate.ts'
import {
  freePort,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../src/base/embedded-postgres.ts'
import { asOwner } from '../stack.ts'

export interface Field {
  directory: string
  /** null where this machine has no redis-server. */
  redisUrl: string | null
  /** The owner's address of a database, and that of the application, which has few rights. */
  ownerUrl(database: string): string
  applicationUrl(database: string): string
  /** Makes a migrated database, or a copy of one that nobody is connected to. */
  makeDatabase(name: string, copyOf?: string): Promise<void>
  /** Ends Postgres as a crash of all its processes does, and starts it again. */
  crashPostgres(): Promise<void>
  flushRedis(): Promise<void>
  /** What has to end before the field does, the last one first; at once where it is closed. */
  endWith(end: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

const LOGIN = { user: 'storm', password: randomBytes(16).toString('hex') }

/** `fsync: false` saves the waiting for the disk; what a process committed outlives it anyway. */
export async function openField({ fsync }: { fsync: boolean }): Promise<Field> {
  const directory = await mkdtemp(join(tmpdir(), 'bahi-storm-'))
  // Postgres runs as another user where we are root.
  await chmod(directory, 0o755)
  const settings: Record<string, string> = fsync ? {} : { fsync: 'off', full_page_writes: 'off' }
  const port = await freePort()
  const start = async () =>
    await startEmbeddedPostgres({ directory: join(directory, 'postgres'), port, settings })
  let postgres = await start()
  const redis = await startRedis()
  const endings: (() => Promise<void>)[] = []
  let isClosed = false
  await asOwner(postgres.adminUrl, async (client) => {
    await client.query(
      `create role ${LOGIN.user} login noinherit password ${client.escapeLiteral(LOGIN.password)}`,
    )
  })
  return {
    directory,
    redisUrl: redis?.url ?? null,
    ownerUrl: (database) => postgres.urlOf(database),
    applicationUrl: (database) => postgres.urlOf(database, LOGIN),
    async makeDatabase(name, copyOf) {
      await asOwner(postgres.adminUrl, async (client) => {
        const template = copyOf === undefined ? '' : ` template ${client.escapeIdentifier(copyOf)}`
        await client.query(`create database ${client.escapeIdentifier(name)}${template}`)
      })
      if (copyOf === undefined) {
        await migrate(postgres.urlOf(name))
        await asOwner(postgres.adminUrl, async (client) => {
          await client.query(`grant bahi_app to ${LOGIN.user}`)
        })
      }
    },
    async crashPostgres() {
      process.kill(await postmasterOf(postgres), 'SIGQUIT')
      await postgres.died
      postgres = await start()
    },
    async flushRedis() {
      if (redis !== null) {
        const client = new Redis(redis.url)
        await client.flushall()
        client.disconnect()
      }
    },
    async endWith(end) {
      endings.push(end)
      if (isClosed) {
        await end()
        throw new Error('The field is closed.')
      }
    },
    async close() {
      isClosed = true
      for (const end of endings.splice(0).reverse()) {
        await end()
      }
      await redis?.stop()
      await postgres.destroy()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function postmasterOf({ adminUrl }: EmbeddedPostgres): Promise<number> {
  const folder = await asOwner(adminUrl, async (client) => {
    const { rows } = await client.query<{ data_directory: string }>('show data_directory')
    return rows[0]?.data_directory ?? ''
  })
  const [pid] = (await readFile(join(folder, 'postmaster.pid'), 'utf8')).split('\n')
  return Number(pid)
}

/** null where there is no redis-server on this machine. */
async function startRedis(): Promise<{ url: string; stop(): Promise<void> } | null> {
  const port = String(await freePort())
  const child: ChildProcess = spawn(
    'redis-server',
    ['--port', port, '--save', '', '--bind', '127.0.0.1'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const isThere = await new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false))
    child.once('exit', () => resolve(false))
    let said = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      said += said.length < 100_000 ? chunk.toString() : ''
      if (said.includes('Ready to accept connections')) {
        resolve(true)
      }
    })
  })
  if (!isThere) {
    return null
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}
