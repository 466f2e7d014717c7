/** Books for a test file: a database of its own with two organisations, and drafts to post. */
import pg from 'pg'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { readKeyring, type Keyring } from '../../src/base/crypto.ts'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import type { AccountCode } from '../../src/ledger/core/chart.ts'
import type { Draft, DraftLine } from '../../src/ledger/core/entry.ts'
import { closePeriod, reopenPeriod } from '../../src/ledger/closing/period-changes.ts'
import type { PeriodState } from '../../src/ledger/periods/periods.ts'
import { post, type PostResult } from '../../src/ledger/posting/post.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { testOrganisation } from '../support/organisation.ts'
import { GATEWAYS_URL } from '../support/service.ts'

export const ORG = 1
export const OTHER_ORG = 2

export interface Books {
  db: Database
  database: TestDatabase
  keyring: Keyring
  /** Posts in one transaction of an organisation, ORG where none is named. */
  post(drafts: readonly Draft[], orgId?: number): Promise<PostResult[]>
  /** Reads as the application does; amounts are bigint. */
  read<Row extends object>(sql: string, params?: unknown[], orgId?: number): Promise<Row[]>
  /** Closes a month, YYYY-MM, or opens it again, as somebody of the organisation would. */
  closeMonth(month: string, state: PeriodState, orgId?: number): Promise<void>
  /** What only the owner of the tables may do. */
  own(sql: string): Promise<void>
  /** Another organisation in the same database. */
  addOrganisation(orgId: number): Promise<void>
  close(): Promise<void>
}

/** `poolSize` bounds how many transactions run at once. */
export async function openBooks(poolSize = 8): Promise<Books> {
  const database = await createTestDatabase()
  const keyring = readKeyring(`t1:${Buffer.alloc(32, 7).toString('base64')}`)
  const db = openDatabase({ url: database.url, poolSize, log: openLog('silent', 'bahi test') })
  const books: Books = {
    db,
    database,
    keyring,
    post: async (drafts, orgId = ORG) =>
      await db.transact(orgId, async (trx) => await post(trx, drafts), { queue: 'journal' }),
    read: async <Row extends object>(sql: string, params: unknown[] = [], orgId = ORG) =>
      await db.read(orgId, async (trx) => await trx.query<Row>(sql, params)),
    async closeMonth(month, state, orgId = ORG) {
      const how = { month, reason: 'test', actor: 'test', today: '2030-01-01' }
      await db.transact(
        orgId,
        async (trx) =>
          state === 'open'
            ? await reopenPeriod(trx, { ...how, state })
            : await closePeriod(trx, { ...how, state }),
        { queue: 'journal' },
      )
    },
    async own(sql) {
      await database.asOwner(async (client) => {
        await client.query(sql)
      })
    },
    async addOrganisation(orgId) {
      const spec = testOrganisation(GATEWAYS_URL, { orgId, slug: `test-${orgId}` })
      const endpoints = await database.asOwner(
        async (client) => await createOrganisation(client, keyring, spec),
      )
      if (endpoints.size === 0) {
        throw new Error('the organisation has no gateways')
      }
    },
    async close() {
      await db.close()
      await database.drop()
    },
  }
  await books.addOrganisation(ORG)
  await books.addOrganisation(OTHER_ORG)
  return books
}

/** A connection of the application's role, as somebody at psql would have it. */
export async function typingClient(books: Books, orgId: number | null): Promise<pg.Client> {
  const scope = orgId === null ? '' : ` -c bahi.org_id=${orgId}`
  const client = new pg.Client({
    connectionString: books.database.url,
    options: `-c role=bahi_app${scope}`,
  })
  await client.connect()
  return client
}

export function debit(account: string, amount: bigint, currency = 'INR'): DraftLine {
  return { account: account as AccountCode, direction: 'debit', amount, currency }
}

export function credit(account: string, amount: bigint, currency = 'INR'): DraftLine {
  return { account: account as AccountCode, direction: 'credit', amount, currency }
}

export const BANK = 'assets:bank:main'
export const TRANSIT = 'assets:bank:in-transit'
export const FUND = 'equity:general-fund'

/** A draft that may be posted: ₹1 from the fund into the bank, unless `more` says otherwise. */
export function draftOf(key: string, more: Partial<Draft> = {}): Draft {
  return {
    kind: 'donation_captured',
    effectiveOn: '2026-05-04',
    idempotencyKey: key,
    description: `Entry ${key}`,
    source: `test:${key}`,
    actor: 'test',
    reverses: null,
    adjusts: null,
    metadata: {},
    lines: [debit(BANK, 100n), credit(FUND, 100n)],
    ...more,
  }
}

/** The statuses of results, or the code of the problem where one was refused. */
export function outcomes(results: readonly PostResult[]): string[] {
  return results.map((result) =>
    result.status === 'refused' ? result.problem.code : `${result.status} ${result.entryNo}`,
  )
}
