/** Everything that the service needs to run on this machine: what is not configured is embedded. */
import sesLocal from 'aws-ses-v2-local'
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { migrate } from '../db/migrate.ts'
import { sha256 } from '../src/base/crypto.ts'
import { ConfigError, readConfig, type Config } from '../src/base/config.ts'
import {
  freePort,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../src/base/embedded-postgres.ts'
import { exists } from '../src/base/postgres-home.ts'
import { messageOf } from '../src/base/problem.ts'

export interface Stack {
  config: Config
  /** The page of the local mailbox, where it is the one that gets the mail. */
  mailboxUrl: string | null
  /** Resolves where the embedded database ends without having been stopped. */
  died: Promise<void>
  stop(): Promise<void>
}

export interface StackOptions {
  env: Readonly<Record<string, string | undefined>>
  /** Where the embedded database, documents and development secrets live. */
  dataDir: string
  /** Where only the embedded database lives, if elsewhere. */
  databaseDir?: string
  fsync?: boolean
  /** Removes the embedded database on `stop`. */
  throwAway?: boolean
  /** For a script that only reads the books: shares a running database, starts nothing else. */
  databaseOnly?: boolean
}

const LOGIN = 'bahi'
const DATABASE = 'bahi'

/**
 * Starts what the environment does not name: Postgres, the local mailbox, development secrets. In
 * production nothing is made up: a missing variable is named in a `ConfigError`.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const env: Record<string, string | undefined> = Object.fromEntries(
    Object.entries(options.env).filter(([, value]) => value !== ''),
  )
  const running: { stop(): Promise<void> }[] = []
  const stop = async () => {
    for (const part of running.splice(0).reverse()) {
      await part.stop()
    }
  }
  let mailboxUrl: string | null = null
  let died: Promise<void> = new Promise(() => undefined)
  try {
    if (env['NODE_ENV'] !== 'production') {
      await developmentSecrets(env, options.dataDir)
      env['FILES_DIR'] ??= join(options.dataDir, 'files')
      // A simulation and a fuzzer call as often as a thousand callers; who signs in is a person.
      env['RATE_LIMITS'] ??= 'read=100000,write=100000,money=600000,export=10000,wrong_token=100000'
      if (options.databaseOnly === true) {
        env['AWS_REGION'] ??= 'ap-south-1'
      }
      if (env['AWS_REGION'] === undefined && env['SES_ENDPOINT'] === undefined) {
        const mailbox = await startMailbox(env['HOST'], env['MAILBOX_PORT'])
        running.push(mailbox)
        mailboxUrl = mailbox.url
        env['SES_ENDPOINT'] = mailbox.url
      }
      // Everything else is checked before a database is started for nothing.
      readConfig({ ...env, DATABASE_URL: env['DATABASE_URL'] ?? 'postgres://embedded' })
      if (env['DATABASE_URL'] === undefined) {
        const postgres = await startEmbeddedPostgres({
          directory: options.databaseDir ?? join(options.dataDir, 'postgres'),
          fsync: options.fsync ?? true,
          share: options.databaseOnly ?? false,
        })
        running.push(
          options.throwAway === true ? { stop: async () => await postgres.destroy() } : postgres,
        )
        died = postgres.died
        await ensureDatabase(postgres, env)
      }
    }
    const config = readConfig(env)
    if (options.databaseOnly !== true) {
      await migrate(config.databaseOwnerUrl).catch((error: unknown) => {
        const name = env['DATABASE_OWNER_URL'] === undefined ? 'DATABASE_URL' : 'DATABASE_OWNER_URL'
        throw new Error(`${name}: ${messageOf(error)}`, { cause: error })
      })
    }
    if (env['BAHI_EMBEDDED_LOGIN'] !== undefined) {
      await ensureMembership(config.databaseOwnerUrl)
    }
    return { config, mailboxUrl, died, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Fills in the secrets of a development installation: made once, readable to their owner only. */
export async function developmentSecrets(
  env: Record<string, string | undefined>,
  dataDir: string,
): Promise<void> {
  if ((env['JWT_SECRET'] ?? '') !== '' && (env['DATA_KEYS'] ?? '') !== '') {
    return
  }
  const file = join(dataDir, 'dev-secrets.json')
  const secrets = (await readSecrets(file)) ?? (await makeSecrets(file, dataDir))
  for (const [name, value] of Object.entries(secrets)) {
    env[name] = (env[name] ?? '') === '' ? value : env[name]
  }
}

async function readSecrets(file: string): Promise<Record<string, string> | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return undefined
    }
    throw error
  })
  if (text === undefined) {
    return undefined
  }
  try {
    return JSON.parse(text) as Record<string, string>
  } catch (error) {
    throw new Error(`${file} is damaged: put it back, or remove ${dirname(file)} to start anew`, {
      cause: error,
    })
  }
}

async function makeSecrets(file: string, dataDir: string): Promise<Record<string, string>> {
  if (await exists(join(dataDir, 'postgres', 'instance'))) {
    throw new Error(
      `${file} is gone, and with it the key of the database beside it: ` +
        `put it back, or remove ${dataDir} to start anew`,
    )
  }
  const secrets = {
    JWT_SECRET: randomBytes(32).toString('hex'),
    DATA_KEYS: `dev:${randomBytes(32).toString('base64')}`,
  }
  await mkdir(dirname(file), { recursive: true })
  const fresh = `${file}.${randomBytes(4).toString('hex')}`
  await writeFile(fresh, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 })
  try {
    // A link, unlike a rename, does not replace what another start has just made.
    await link(fresh, file)
    return secrets
  } catch (error) {
    const others = await readSecrets(file)
    if (others === undefined) {
      throw error
    }
    return others
  } finally {
    await rm(fresh, { force: true })
  }
}

/** The database and a login without rights of its own: the application is never a superuser. */
async function ensureDatabase(
  postgres: EmbeddedPostgres,
  env: Record<string, string | undefined>,
): Promise<void> {
  // Made from the cluster's own, so that whoever shares a running cluster changes nothing.
  const password = sha256(`${LOGIN} ${new URL(postgres.adminUrl).password}`).toString('hex')
  await asOwner(postgres.adminUrl, async (client) => {
    const { rows } = await client.query('select 1 from pg_database where datname = $1', [DATABASE])
    if (rows.length === 0) {
      await client.query(`create database ${DATABASE}`)
    }
    const { rows: roles } = await client.query('select 1 from pg_roles where rolname = $1', [LOGIN])
    if (roles.length === 0) {
      await client.query(
        `create role ${LOGIN} login noinherit password ${client.escapeLiteral(password)}`,
      )
    }
  })
  env['DATABASE_URL'] = postgres.urlOf(DATABASE, { user: LOGIN, password })
  env['DATABASE_OWNER_URL'] = postgres.urlOf(DATABASE)
  env['BAHI_EMBEDDED_LOGIN'] = LOGIN
}

async function ensureMembership(ownerUrl: string): Promise<void> {
  await asOwner(ownerUrl, async (client) => {
    await client.query(`grant bahi_app to ${LOGIN}`)
  })
}

/** Runs `work` on one connection of the owner. */
export async function asOwner<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** On MAILBOX_PORT where it is set, else on a free one. */
async function startMailbox(
  host = '127.0.0.1',
  wanted?: string,
): Promise<{ url: string; stop(): Promise<void> }> {
  const port = wanted === undefined ? await freePort() : Number(wanted)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ConfigError(['MAILBOX_PORT must be from 1 to 65535'])
  }
  const server: Server = await mailboxServer({ host, port })
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type StartMailbox = (options: { host: string; port: number }) => Promise<Server>

/** The package is CommonJS: its default export arrives one level down. */
const mailboxServer: StartMailbox = (sesLocal as unknown as { default: StartMailbox }).default
