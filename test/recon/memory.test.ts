/** A large file in a process of its own: read and loaded, and its memory stays as it was. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { readKeyring } from '../../src/base/crypto.ts'
import { testOrganisation } from '../support/organisation.ts'
import { GATEWAYS_URL } from '../support/service.ts'

const LINES = 300_000
const GROWTH_MAX_MB = 150
const LOADER = fileURLToPath(new URL('loader.ts', import.meta.url))

describe('a file of 300,000 lines', () => {
  let database: TestDatabase

  before(async () => {
    database = await createTestDatabase()
    const keyring = readKeyring(`t1:${Buffer.alloc(32, 7).toString('base64')}`)
    await database.asOwner(
      async (client) => await createOrganisation(client, keyring, testOrganisation(GATEWAYS_URL)),
    )
  })

  after(async () => {
    await database.drop()
  })

  it('is loaded in constant memory', async function () {
    this.timeout(120_000)
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, [LOADER, database.url, String(LINES)])
    const { loaded, growth_mb: growth } = JSON.parse(stdout) as {
      loaded: { fresh: number; known: number }
      growth_mb: number
    }
    expect(loaded).to.deep.equal({ fresh: LINES, known: 0 })
    expect(growth).to.be.below(GROWTH_MAX_MB)
  })
})
