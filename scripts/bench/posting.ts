/** npm run bench -- posting: our engine against the usual design, on one server in one run. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '../../db/migrate.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { demoOrganisation } from '../../db/seeds/demo.ts'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { startEmbeddedPostgres } from '../../src/base/embedded-postgres.ts'
import { openLog } from '../../src/base/log.ts'
import { openBatcher } from '../../src/ledger/batcher.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { asOwner } from '../stack.ts'
import { measureCallers, type Measured } from './callers.ts'
import { openUsualLedger } from './usual-ledger.ts'

const CONNECTIONS = 20
const ACCOUNTS = 1000
const SECONDS = 8
const WARM_UP_SECONDS = 2

/** An entry of two lines between the clearing account and one of `accounts` funds. */
function draftOf(key: string, fund: number): Draft {
  return {
    kind: 'donation_captured',
    effectiveOn: '2026-11-20',
    idempotencyKey: key,
    description: `Donation to fund ${fund}`,
    source: key,
    actor: 'bench',
    reverses: null,
    metadata: { fund: String(fund) },
    lines: [
      { account: 'assets:clearing:razorpay', direction: 'debit', amount: 100n, currency: 'INR' },
      { account: `income:donations:f${fund}`, direction: 'credit', amount: 100n, currency: 'INR' },
    ],
  }
}

async function measureOurs(
  db: Database,
  name: string,
  callers: number,
  accounts: number,
): Promise<Measured> {
  const batcher = openBatcher(db)
  const measured = await measureCallers({
    callers,
    seconds: SECONDS,
    warmUpSeconds: WARM_UP_SECONDS,
    async call(n) {
      const result = await batcher.post(1, draftOf(`${name}:${n}`, n % accounts))
      if (result.status !== 'posted') {
        throw new Error(`not posted: ${result.status}`)
      }
    },
  })
  await batcher.close()
  return measured
}

function say(what: string, measured: Measured): void {
  const { per_s: rate, p50_ms: p50, p99_ms: p99 } = measured
  process.stdout.write(
    `  ${what.padEnd(44)} ${String(rate).padStart(7)}/s  p50 ${p50} ms  p99 ${p99} ms\n`,
  )
}

/** Prints what it compares, then one line of JSON. */
export async function benchPosting(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bahi-bench-'))
  await chmod(directory, 0o755)
  const postgres = await startEmbeddedPostgres({ directory })
  try {
    await asOwner(postgres.adminUrl, async (client) => {
      await client.query('create database bench')
    })
    const url = postgres.urlOf('bench')
    await migrate(url)
    const keyring = { sealWith: 'bench', keys: new Map([['bench', Buffer.alloc(32)]]) }
    await asOwner(url, async (client) => {
      await createOrganisation(client, keyring, demoOrganisation('http://bench.test'))
    })
    const db = openDatabase({ url, poolSize: CONNECTIONS, log: openLog('warn', 'bench') })
    const usual = await openUsualLedger(url, ACCOUNTS, CONNECTIONS)
    process.stdout.write(
      'Entries of two lines a second; embedded Postgres, fsync on. Ours with idempotency, ' +
        'organisation,\nday balances and hash chain; the usual design (one READ COMMITTED ' +
        'transaction an entry) with none.\n\n',
    )
    const results: Record<string, Measured> = {}
    const usualCall = (accounts: number) => async (n: number) => {
      await usual.transfer(0, 1 + (n % accounts), 100)
    }
    const runs: [string, string, () => Promise<Measured>][] = [
      ['usual_hot_64', 'usual, one hot account, 64 callers', () => callers(64, usualCall(1))],
      ['hot_64', 'ours, one hot account, 64 callers', () => measureOurs(db, 'hot', 64, 1)],
      [
        'usual_spread_64',
        'usual, 1,000 accounts, 64 callers',
        () => callers(64, spreadCall(usual)),
      ],
      ['spread_64', 'ours, 1,000 accounts, 64 callers', () => measureOurs(db, 'sp', 64, ACCOUNTS)],
      [
        'callers_256',
        'ours, 1,000 accounts, 256 callers',
        () => measureOurs(db, 'c', 256, ACCOUNTS),
      ],
      ['usual_single', 'usual, one caller', () => callers(1, spreadCall(usual))],
      ['single', 'ours, one caller', () => measureOurs(db, 'one', 1, ACCOUNTS)],
    ]
    for (const [key, what, run] of runs) {
      const measured = await run()
      results[key] = measured
      say(what, measured)
    }
    process.stdout.write(`${JSON.stringify({ ...results, ...ratiosOf(results) })}\n`)
    await usual.close()
    await db.close()
  } finally {
    await postgres.destroy()
    await rm(directory, { recursive: true, force: true })
  }
}

async function callers(count: number, call: (n: number) => Promise<void>): Promise<Measured> {
  return await measureCallers({
    callers: count,
    seconds: SECONDS,
    warmUpSeconds: WARM_UP_SECONDS,
    call,
  })
}

/** Any two of the thousand accounts. */
function spreadCall(usual: { transfer(from: number, to: number, n: number): Promise<void> }) {
  return async (n: number) => {
    await usual.transfer(
      n % ACCOUNTS,
      (n * 7 + 1) % ACCOUNTS === n % ACCOUNTS ? ACCOUNTS : (n * 7 + 1) % ACCOUNTS,
      100,
    )
  }
}

function ratiosOf(results: Record<string, Measured>): Record<string, number> {
  const ratio = (one: number | undefined, other: number | undefined) =>
    Math.round(((one ?? 0) / (other ?? 1)) * 100) / 100
  return {
    ratio_hot: ratio(results['hot_64']?.per_s, results['usual_hot_64']?.per_s),
    ratio_spread: ratio(results['spread_64']?.per_s, results['usual_spread_64']?.per_s),
    ratio_single: ratio(results['single']?.p50_ms, results['usual_single']?.p50_ms),
  }
}
