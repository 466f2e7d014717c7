/** Once for the whole run: a real Postgres with a migrated template, and a local mailbox. */
import sesLocal from 'aws-ses-v2-local'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '../../db/migrate.ts'
import {
  freePort,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../src/base/embedded-postgres.ts'
import { asOwner } from '../../scripts/stack.ts'

export const TEMPLATE = 'bahi_template'
export const LOGIN = { user: 'bahi_test', password: 'bahi_test' }

let postgres: EmbeddedPostgres | undefined
let mailbox: Server | undefined
let directory: string | undefined

type StartMailbox = (options: { host: string; port: number }) => Promise<Server>

export async function mochaGlobalSetup(): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), 'bahi-test-'))
  // As root, Postgres runs as an account without rights, which has to get in.
  await chmod(directory, 0o755)
  postgres = await startEmbeddedPostgres({ directory, fsync: false })
  await asOwner(postgres.adminUrl, async (client) => {
    await client.query(`create database ${TEMPLATE}`)
    await client.query(`create role ${LOGIN.user} login noinherit password '${LOGIN.password}'`)
  })
  await migrate(postgres.urlOf(TEMPLATE))
  await asOwner(postgres.adminUrl, async (client) => {
    await client.query(`grant bahi_app to ${LOGIN.user}`)
  })
  const port = await freePort()
  mailbox = await (sesLocal as unknown as { default: StartMailbox }).default({
    host: '127.0.0.1',
    port,
  })
  process.env['BAHI_TEST_POSTGRES'] = postgres.adminUrl
  process.env['BAHI_TEST_SES'] = `http://127.0.0.1:${port}`
}

export async function mochaGlobalTeardown(): Promise<void> {
  mailbox?.closeAllConnections()
  mailbox?.close()
  await postgres?.destroy()
  if (directory !== undefined) {
    await rm(directory, { recursive: true, force: true })
  }
}
