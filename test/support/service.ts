/** The whole service for a test: its own database and organisation, real server, jobs at hand. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { confirmPayments } from '../../jobs/confirm-payments.ts'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import type { JobParts } from '../../jobs/job.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { sendReceipts } from '../../jobs/send-receipts.ts'
import { readConfig, type Config } from '../../src/base/config.ts'
import { openMailer } from '../../src/base/mail.ts'
import { openParts, type Parts } from '../../src/base/parts.ts'
import type { GatewayName } from '../../src/gateways/fact.ts'
import { signToken } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/permissions.ts'
import { startServer } from '../../src/server.ts'
import { contractOf, type ContractCheck } from './contract.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { testOrganisation } from './organisation.ts'
import type { SignedWebhook } from './sign.ts'

/** Where the gateways' own APIs are in tests: a name that only nock answers for. */
export const GATEWAYS_URL = 'http://gateways.test'

export interface Answer {
  status: number
  headers: Headers
  text: string
  /** The body as JSON; tests read it as they expect it. */
  json: JsonObject
}

export type Json = string | number | boolean | null | Json[] | JsonObject
export interface JsonObject {
  [key: string]: Json
}

type SentWebhook = Omit<SignedWebhook, 'receivedAt' | 'signedBy'>

export interface TestService {
  url: string
  orgId: number
  config: Config
  env: Record<string, string>
  parts: Parts
  jobParts: JobParts
  database: TestDatabase
  endpoints: ReadonlyMap<GatewayName, string>
  /** Calls the API as somebody with that role; null for nobody. */
  call(
    method: string,
    path: string,
    more?: { role?: Role | null; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>
  /** Sends a webhook as the gateway would. */
  deliver(gateway: GatewayName, webhook: SentWebhook): Promise<Answer>
  /** Runs every job once, in the order of the way, without a queue. */
  runJobs(): Promise<void>
  /** Rows of one query, as the owner sees them. */
  rows<Row extends object>(sql: string, params?: unknown[]): Promise<Row[]>
  stop(): Promise<void>
}

export interface ServiceOptions {
  gatewaysUrl?: string
  /** Another way to the same database, for example through a proxy that can be cut. */
  databaseUrl?: (url: string) => string
  env?: Record<string, string>
}

export async function startTestService(options: ServiceOptions = {}): Promise<TestService> {
  const database = await createTestDatabase()
  const filesDir = await mkdtemp(join(tmpdir(), 'bahi-files-'))
  const env: Record<string, string> = {
    NODE_ENV: 'test',
    DATABASE_URL: options.databaseUrl?.(database.url) ?? database.url,
    DATABASE_OWNER_URL: database.ownerUrl,
    SES_ENDPOINT: process.env['BAHI_TEST_SES'] ?? '',
    JWT_SECRET: 'a test secret of at least 32 characters',
    DATA_KEYS: `t1:${Buffer.alloc(32, 7).toString('base64')}`,
    FILES_DIR: filesDir,
    LOG_LEVEL: process.env['BAHI_TEST_LOG'] ?? 'silent',
    REDIS_URL: process.env['REDIS_URL'] ?? '',
    RATE_LIMITS: 'all=1000000',
    // A test's failing calls are not to stand in the way of the next test's.
    GATEWAY_BREAKER_MS: '0',
    REDIS_PREFIX: `test-${randomBytes(4).toString('hex')}`,
    ...options.env,
  }
  const config = readConfig(env)
  const endpoints = await database.asOwner(
    async (client) =>
      await createOrganisation(
        client,
        config.dataKeys,
        testOrganisation(options.gatewaysUrl ?? GATEWAYS_URL),
      ),
  )
  const parts = openParts(config, 'bahi test')
  const server = await startServer(parts, 0)
  const check = await contractOf(server.url)
  const mailer = openMailer(config.ses)
  const jobParts: JobParts = { ...parts, mailer, shouldStop: () => false }
  return {
    url: server.url,
    orgId: 1,
    config,
    env,
    parts,
    jobParts,
    database,
    endpoints,
    call: async (method, path, more = {}) =>
      await callApi(server.url, config.jwtSecret, { method, path, ...more }, check),
    deliver: async (gateway, webhook) =>
      await readAnswer(
        await fetch(`${server.url}/webhooks/${gateway}/${endpoints.get(gateway) ?? ''}`, {
          method: 'POST',
          headers: webhook.headers,
          body: new Uint8Array(webhook.body),
        }),
      ),
    async runJobs() {
      for (const job of [confirmPayments, processInbox, issueReceiptsJob, sendReceipts]) {
        await job.run(jobParts)
      }
    },
    rows: async <Row extends object>(sql: string, params: unknown[] = []) =>
      await database.asOwner(async (client) => (await client.query<Row>(sql, params)).rows),
    async stop() {
      await server.close()
      mailer.close()
      await parts.close()
      await database.drop()
      await rm(filesDir, { recursive: true, force: true })
    },
  }
}

async function callApi(
  url: string,
  secret: string,
  call: {
    method: string
    path: string
    role?: Role | null
    body?: unknown
    headers?: Record<string, string>
  },
  check: ContractCheck,
): Promise<Answer> {
  const headers: Record<string, string> = { ...call.headers }
  if (call.role !== null) {
    const role = call.role ?? 'finance'
    headers['authorization'] ??=
      `Bearer ${signToken({ subject: 'test', orgId: 1, role }, secret, 60)}`
  }
  if (call.body !== undefined) {
    headers['content-type'] ??= 'application/json'
  }
  const body = typeof call.body === 'string' ? call.body : JSON.stringify(call.body)
  const answer = await readAnswer(
    await fetch(url + call.path, {
      method: call.method,
      headers,
      ...(call.body === undefined ? {} : { body }),
    }),
  )
  check({ ...answer, method: call.method, path: call.path })
  return answer
}

async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? (JSON.parse(text) as JsonObject) : {},
  }
}
