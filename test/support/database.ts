/** A database of its own for a test file, made from the migrated template. */
import { randomBytes } from 'node:crypto'
import { asOwner } from '../../scripts/stack.ts'
import { LOGIN, TEMPLATE } from './global.ts'

export interface TestDatabase {
  /** The application's login: no superuser, owner of nothing. */
  url: string
  ownerUrl: string
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
  return {
    url: url.href,
    ownerUrl: ownerUrl.href,
    async drop() {
      await asOwner(adminUrl, async (client) => {
        await client.query(`drop database ${name} with (force)`)
      })
    },
  }
}
