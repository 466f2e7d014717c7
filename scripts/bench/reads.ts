/** npm run bench -- reads: balances on both time axes, on empty books and on full ones. */
import type { Trx } from '../../src/base/db.ts'
import { balanceOf, trialBalance } from '../../src/ledger/reading/balances.ts'
import { statement } from '../../src/ledger/reading/statements.ts'
import { measureCallers, type Measured } from './callers.ts'
import {
  ACCOUNTS,
  AMOUNT,
  BATCH,
  BATCH_MS,
  DAYS,
  fillBooks,
  FIRST_DAY,
  FIRST_POSTED_AT,
  HOT_ID,
  withBooks,
  type BenchBooks,
} from './filled-books.ts'

const ENTRIES = 200_000
const SECONDS = 3
const WARM_UP_SECONDS = 1
const PAGE = 50

/** One kind of read; `n` counts the calls, so that each asks for something else. */
type Read = (trx: Trx, n: number, entries: number) => Promise<unknown>

const READS: Readonly<Record<string, [what: string, read: Read]>> = {
  balance_now: ['balance, any account', (trx, n) => balanceOf(trx, anyOf(n), NOW)],
  balance_as_of: [
    'balance as of a day',
    (trx, n) => balanceOf(trx, anyOf(n), { asOf: dayOf(n), knownAt: null }),
  ],
  hot_as_of: [
    'hot account’s balance as of a day',
    (trx, n) => balanceOf(trx, HOT_ID, { asOf: dayOf(n), knownAt: null }),
  ],
  balance_known_at: [
    'balance as of a day, known at an instant',
    (trx, n, entries) =>
      balanceOf(trx, anyOf(n), { asOf: dayOf(n), knownAt: instantOf(n, entries) }),
  ],
  hot_known_at: [
    'hot account’s balance, the same',
    (trx, n, entries) => balanceOf(trx, HOT_ID, { asOf: dayOf(n), knownAt: instantOf(n, entries) }),
  ],
  trial_balance_now: ['trial balance', (trx) => trialBalance(trx, NOW)],
  trial_balance_as_of: [
    'trial balance as of a day',
    (trx, n) => trialBalance(trx, { asOf: dayOf(n), knownAt: null }),
  ],
  trial_balance_known_at: [
    'trial balance as of a day, known at an instant',
    (trx, n, entries) => trialBalance(trx, { asOf: dayOf(n), knownAt: instantOf(n, entries) }),
  ],
  statement_page: [
    'statement of any account, first page',
    (trx, n) => statement(trx, { ...STATEMENT, accountId: anyOf(n), from: dayOf(n) }),
  ],
  hot_statement_page: [
    'statement of the hot account, first page',
    (trx, n) => statement(trx, { ...STATEMENT, accountId: HOT_ID, from: dayOf(n) }),
  ],
  hot_statement_known_at: [
    'the same, inside a day and known at an instant',
    (trx, n, entries) => {
      const after = { effectiveOn: dayOf(n), entryNo: BigInt(n % entries), lineNo: 1 }
      const knownAt = instantOf(n, entries)
      return statement(trx, { ...STATEMENT, accountId: HOT_ID, from: FIRST_DAY, after, knownAt })
    },
  ],
}

const NOW = { asOf: null, knownAt: null }
const STATEMENT = { to: '2026-12-31', limit: PAGE, after: null, knownAt: null }

/** Numbers without a pattern from counting up. */
function scattered(n: number, count: number): number {
  return (n * 7919) % count
}

function anyOf(n: number): number {
  return HOT_ID + 1 + scattered(n, ACCOUNTS - 1)
}

function dayOf(n: number): string {
  const day = Date.parse(FIRST_DAY) + scattered(n, DAYS) * 86_400_000
  return new Date(day).toISOString().slice(0, 10)
}

/** An instant at which some of the entries were there, never all. */
function instantOf(n: number, entries: number): Date {
  const batches = Math.max(1, Math.floor(entries / BATCH) - 1)
  return new Date(FIRST_POSTED_AT.getTime() + scattered(n, batches) * BATCH_MS)
}

async function measureReads(books: BenchBooks, entries: number): Promise<Record<string, Measured>> {
  const measured: Record<string, Measured> = {}
  for (const [key, [what, read]] of Object.entries(READS)) {
    measured[key] = await measureCallers({
      callers: 1,
      seconds: SECONDS,
      warmUpSeconds: WARM_UP_SECONDS,
      async call(n) {
        await books.db.read(1, async (trx) => await read(trx, n, entries))
      },
    })
    const { p50_ms: p50, p99_ms: p99 } = measured[key]
    process.stdout.write(`  ${what.padEnd(50)} p50 ${p50} ms  p99 ${p99} ms\n`)
  }
  return measured
}

/** What was filled in is what is read back, or the times say nothing. */
async function checkFilled(books: BenchBooks, entries: number): Promise<void> {
  const { lines, totals } = await books.db.read(1, async (trx) => await trialBalance(trx, NOW))
  const all = AMOUNT * BigInt(entries)
  const knownAt = instantOf(entries - 1, entries)
  const through = ((knownAt.getTime() - FIRST_POSTED_AT.getTime()) / BATCH_MS + 1) * BATCH
  const known = await books.db.read(
    1,
    async (trx) => await balanceOf(trx, HOT_ID, { asOf: null, knownAt }),
  )
  if (lines.length !== ACCOUNTS || totals[0]?.debit !== all || totals[0].credit !== all) {
    throw new Error(`the books do not hold ${entries} entries`)
  }
  if (known !== AMOUNT * BigInt(through)) {
    throw new Error(`${through} entries were known, the balance says ${known}`)
  }
}

function entriesWanted(): number {
  const text = process.env['BENCH_ENTRIES'] ?? String(ENTRIES)
  const wanted = Number(text)
  if (!Number.isInteger(wanted) || wanted < ACCOUNTS || wanted > 50_000_000) {
    throw new Error(`BENCH_ENTRIES is a whole number from ${ACCOUNTS} to 50000000, not ${text}`)
  }
  return wanted
}

/** Prints what it compares, then one line of JSON. */
export async function benchReads(): Promise<void> {
  const entries = entriesWanted()
  process.stdout.write(
    `Milliseconds a read, one caller, a transaction each; embedded Postgres. ${ACCOUNTS} ` +
      `accounts, ${DAYS} days,\na hot account that is in each entry; pages of ${PAGE} lines.\n\n` +
      'Empty books\n',
  )
  await withBooks(async (books) => {
    const empty = await measureReads(books, entries)
    const start = performance.now()
    await fillBooks(books, entries, (done) => {
      process.stderr.write(`filled ${done} of ${entries}\n`)
    })
    await checkFilled(books, entries)
    const seconds = Math.round((performance.now() - start) / 1000)
    process.stdout.write(`\n${entries} entries (filled in ${seconds} s), no statistics yet\n`)
    const fresh = await measureReads(books, entries)
    await books.own('vacuum analyze')
    process.stdout.write(`\n${entries} entries, vacuumed and analyzed\n`)
    const analyzed = await measureReads(books, entries)
    process.stdout.write(`${JSON.stringify({ entries, empty, fresh, analyzed })}\n`)
  })
}
