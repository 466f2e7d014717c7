/** npm run schema: writes db/schema.sql, the tables as all migrations leave them. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { migrate } from '../db/migrate.ts'
import { startEmbeddedPostgres } from '../src/base/embedded-postgres.ts'
import { readCatalog } from './schema/catalog.ts'
import { readRemarks } from './schema/remarks.ts'
import { schemaText } from './schema/written.ts'
import { asOwner } from './stack.ts'

export const SCHEMA_FILE = fileURLToPath(new URL('../db/schema.sql', import.meta.url))

/** The schema of a database, as SQL. */
export async function schemaOf(client: pg.Client): Promise<string> {
  return schemaText(await readCatalog(client), await readRemarks())
}

/** Migrates a database that is thrown away again, and writes down what that made. */
async function writeSchema(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bahi-schema-'))
  // Postgres runs as another user where we are root.
  await chmod(directory, 0o777)
  const postgres = await startEmbeddedPostgres({
    directory: join(directory, 'postgres'),
    fsync: false,
  })
  try {
    await asOwner(postgres.adminUrl, async (client) => {
      await client.query('create database bahi')
    })
    await migrate(postgres.urlOf('bahi'))
    await writeFile(SCHEMA_FILE, await asOwner(postgres.urlOf('bahi'), schemaOf))
  } finally {
    await postgres.destroy()
    await rm(directory, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeSchema()
}
