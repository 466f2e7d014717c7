/** A Postgres of the benchmark's own with migrated tables and one organisation. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '../../db/migrate.ts'
import { demoOrganisation } from '../../db/seeds/demo.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { startEmbeddedPostgres } from '../../src/base/embedded-postgres.ts'
import { openLog } from '../../src/base/log.ts'
import { asOwner } from '../stack.ts'

/** The organisation that is posted to. */
export const ORG = 1
/** What a service would give its pool, the same for every design that is compared. */
export const CONNECTIONS = 20

export interface BenchServer {
  /** The owner's address. */
  url: string
  /** A folder that the server may read and write. */
  directory: string
  /** Where Razorpay's webhooks of the organisation come in, and what signs them. */
  webhook: { path: string; secret: string; account: string }
  /** DATA_KEYS of a process that works on this database. */
  dataKeys: string
  /** `settings` go over the embedded server's own, to see what is inside. */
  db: Database
  close(): Promise<void>
}

/** Embedded Postgres with fsync on; all of it is removed by `close`. */
export async function openBenchServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchServer> {
  const directory = await mkdtemp(join(tmpdir(), 'bahi-bench-'))
  // Postgres runs as another user where we are root.
  await chmod(directory, 0o777)
  const postgres = await startEmbeddedPostgres({ directory: join(directory, 'postgres'), settings })
  const url = postgres.urlOf('bench')
  await asOwner(postgres.adminUrl, async (client) => {
    await client.query('create database bench')
  })
  await migrate(url)
  const keyring = { sealWith: 'bench', keys: new Map([['bench', Buffer.alloc(32)]]) }
  const organisation = demoOrganisation('http://bench.test')
  const endpoints = await asOwner(
    url,
    async (client) => await createOrganisation(client, keyring, organisation),
  )
  const razorpay = organisation.gateways.find(({ gateway }) => gateway === 'razorpay')
  const db = openDatabase({ url, poolSize: CONNECTIONS, log: openLog('warn', 'bench') })
  return {
    url,
    directory,
    webhook: {
      path: `/webhooks/razorpay/${endpoints.get('razorpay') ?? ''}`,
      secret: razorpay?.webhookSecret ?? '',
      account: razorpay?.account ?? '',
    },
    dataKeys: `bench:${Buffer.alloc(32).toString('base64')}`,
    db,
    async close() {
      await db.close()
      await postgres.destroy()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
