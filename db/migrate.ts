/** Brings a database up to the newest schema: the .sql files beside this one, forward only. */
import knexModule, { type Knex } from 'knex'
import pg from 'pg'
import { runMigrations } from 'bullmq'
import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../src/base/problem.ts'
import { JOBS } from '../src/base/queue.ts'

const FOLDER = new URL('migrations/', import.meta.url)

const source: Knex.MigrationSource<string> = {
  async getMigrations() {
    return (await readdir(FOLDER)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort()
  },
  getMigrationName: (name) => name,
  async getMigration(name) {
    const sql = await readFile(new URL(name, FOLDER), 'utf8')
    return {
      up: async (trx) => {
        // Through the driver's connection, because knex rewrites question marks in raw SQL.
        const connection: pg.Client = await trx.client.acquireConnection()
        await connection.query(sql)
      },
      down: () => Promise.reject(new Error('Migrations only go forward.')),
    }
  },
}

/** Migrates with the owner's login; gives the names of the migrations that were run. */
export async function migrate(ownerUrl: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: ownerUrl })
  await client.connect()
  try {
    // One at a time: knex' own lock does not cover the first run, nor the grants.
    await client.query(`select pg_advisory_lock(${MIGRATION_LOCK})`)
    return await migrateAlone(ownerUrl, client)
  } finally {
    await client.end()
  }
}

const MIGRATION_LOCK = 0x6261_6868

async function migrateAlone(ownerUrl: string, client: pg.Client): Promise<string[]> {
  const db = knexModule({
    client: 'pg',
    connection: ownerUrl,
    pool: { min: 0, max: 2 },
    migrations: { migrationSource: source, tableName: 'migrations' },
    // What fails is thrown; knex need not print it as well.
    log: { warn: () => undefined, error: () => undefined },
  })
  try {
    const [, names] = (await db.migrate.latest()) as [number, string[]]
    await afterwards(client)
    return names
  } finally {
    await db.destroy()
  }
}

/**
 * BullMQ's own tables, for an installation without Redis, and what the application may do there.
 * BullMQ would make a sequence for each queue when it is first used: they are made here, so that
 * the application may create nothing in any schema, and puts nothing in the way of a guard.
 */
async function afterwards(client: pg.Client): Promise<void> {
  await runMigrations(client, 'bullmq')
  const { rows } = await client.query<{ make: string }>(
    `select format('create sequence if not exists bullmq.%I', bullmq.job_id_seq_name(name)) as make
       from unnest($1::text[]) as name`,
    [Object.keys(JOBS)],
  )
  for (const { make } of rows) {
    await client.query(make)
  }
  await client.query(`
    grant select on migrations to bahi_app;
    revoke create on schema bullmq from bahi_app;
    grant usage on schema bullmq to bahi_app;
    grant select, insert, update, delete on all tables in schema bullmq to bahi_app;
    grant usage on all sequences in schema bullmq to bahi_app;
    grant execute on all functions in schema bullmq to bahi_app;`)
}

/** The migrations that the database has not seen. */
export async function pendingMigrations(pool: pg.Pool): Promise<string[]> {
  const wanted = await source.getMigrations([])
  const { rows } = await pool.query<{ name: string }>('select name from migrations')
  const done = new Set(rows.map((row) => row.name))
  return wanted.filter((name) => !done.has(name))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const url = process.env['DATABASE_OWNER_URL'] ?? process.env['DATABASE_URL']
  if (url === undefined) {
    process.stderr.write('DATABASE_OWNER_URL (or DATABASE_URL) is missing\n')
    process.exit(1)
  }
  try {
    const names = await migrate(url)
    process.stdout.write(names.length === 0 ? 'up to date\n' : `${names.join('\n')}\n`)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    process.exit(1)
  }
}
