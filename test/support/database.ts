/** A database of its own for a test file, made from the migrated template. */
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { asOwner } from '../../scripts/stack.ts'
import { LOGIN, TEMPLATE } from './global.ts'

export interface TestDatabase {
  /** The application's login: no superuser, owner of nothing. */
  url: string
  ownerUrl: string
  /** Works as the owner of the tables, each time in a session that is as good as a new one. */
  asOwner<T>(work: (client: pg.Client) => Promise<T>): Promise<T>
  drop(): Promise<void>
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const adminUrl = process.env['BAHI_TEST_POSTGRES']
  if (adminUrl === undefined) {
    throw new Error('test/support/global.ts did not run: start tests with mocha')
  }
  const name = `bahi_test_${randomBytes(6).toString('hex')}`
  await asOwner(adminUrl, async (client) => {
    await client.query(`create database ${name} template ${TEMPLATE}`)
  })
  const ownerUrl = new URL(adminUrl)
  ownerUrl.pathname = `/${name}`
  const url = new URL(ownerUrl)
  url.username = LOGIN.user
  url.password = LOGIN.password
  const sessions = openSessions(ownerUrl.href)
  return {
    url: url.href,
    ownerUrl: ownerUrl.href,
    asOwner: sessions.use,
    async drop() {
      await sessions.close()
      await asOwner(adminUrl, async (client) => {
        await client.query(`drop database ${name} with (force)`)
      })
    },
  }
}

interface Sessions {
  use<T>(work: (client: pg.Client) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Sessions that are kept for the next one: opening one costs as much as fifty small statements. */
function openSessions(url: string): Sessions {
  const idle = new Set<pg.Client>()

  const open = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url })
    // Where the test ends the server or the session, the next one opens another.
    client.on('error', () => idle.delete(client))
    await client.connect()
    return client
  }

  return {
    async use(work) {
      const [kept] = idle
      const client = kept ?? (await open())
      idle.delete(client)
      try {
        const result = await work(client)
        await client.query('discard all')
        idle.add(client)
        return result
      } finally {
        if (!idle.has(client)) {
          await client.end()
        }
      }
    },
    async close() {
      await Promise.all([...idle].map(async (client) => await client.end()))
    },
  }
}
