/** npm run bench -- posting: our engine against the usual design, on one server in one run. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openBatcher, type Batcher } from '../../src/ledger/posting/batcher.ts'
import { measureCallers, type Measured } from './callers.ts'
import { measureCopy } from './copy-limit.ts'
import { ACCOUNTS, draftBetween, hotPair, spreadPair, type Pair } from './drafts.ts'
import { fill } from './fill.ts'
import { CONNECTIONS, openBenchServer, ORG, type BenchServer } from './server.ts'
import { openUsualLedger, type UsualLedger } from './usual-ledger.ts'
import { measureVerify } from './verified.ts'

/** Every measurement is made this often, in turn with the others; medians are reported. */
const ROUNDS = 3
const SECONDS = 4
const WARM_UP_SECONDS = 1

const INTRODUCTION = `Entries of two lines a second; embedded Postgres, fsync on.
Ours: SERIALIZABLE, with organisation, idempotency key, balance and day balance after each line,
and hash chain. The usual design: one READ COMMITTED transaction an entry, both accounts locked in
order, none of these. ${ROUNDS} rounds, each measurement in turn; medians.
`

interface Run {
  key: string
  what: string
  measure(round: number): Promise<Measured>
}

/**
 * Prints what it compares, then one line of JSON. BENCH_ENTRIES fills the books with so many
 * entries in the end, measures ours again, and verifies all of it.
 */
export async function benchPosting(): Promise<void> {
  const server = await openBenchServer()
  try {
    // One for all, as a process has it.
    const batcher = openBatcher(server.db)
    const usual = await openUsualLedger(server.url, ACCOUNTS, CONNECTIONS)
    process.stdout.write(`${INTRODUCTION}\n`)
    await openAccounts(batcher)
    const results = await inTurn([
      usualRun(usual, 'usual_hot_64', 'usual, one hot account, 64 callers', 64, hotPair),
      ourRun(batcher, 'hot_64', 'ours, one hot account, 64 callers', 64, hotPair),
      usualRun(usual, 'usual_spread_64', 'usual, 1,000 accounts, 64 callers', 64, spreadPair),
      ourRun(batcher, 'spread_64', 'ours, 1,000 accounts, 64 callers', 64, spreadPair),
      ourRun(batcher, 'callers_256', 'ours, 1,000 accounts, 256 callers', 256, spreadPair),
      usualRun(usual, 'usual_single', 'usual, one caller', 1, spreadPair),
      ourRun(batcher, 'single', 'ours, one caller', 1, spreadPair),
      processesRun(server, 1, 'one_process', 'ours, one process with 128 callers'),
      processesRun(server, 2, 'two_processes', 'ours, two processes with 64 callers each'),
    ])
    const copyLimit = await measureCopy(server)
    process.stdout.write(`  ${'COPY of the same rows, the limit'.padEnd(44)} ${pad(copyLimit)}/s\n`)
    const filled = await measureFilled(server, batcher)
    const ratios = ratiosOf(results, copyLimit, filled)
    const line = { ...results, copy_limit_per_s: copyLimit, ...filled, ...ratios }
    process.stdout.write(`${JSON.stringify(line)}\n`)
    await batcher.close()
    await usual.close()
  } finally {
    await server.close()
  }
}

function usualRun(usual: UsualLedger, key: string, what: string, callers: number, pair: Pair): Run {
  const call = async (n: number): Promise<void> => {
    const [from, to] = pair(n)
    await usual.transfer(from, to, 100)
  }
  const measure = async () => await measureCallers({ ...TIMES, callers, call })
  return { key, what, measure }
}

const TIMES = { seconds: SECONDS, warmUpSeconds: WARM_UP_SECONDS }

function ourRun(batcher: Batcher, key: string, what: string, callers: number, pair: Pair): Run {
  return {
    key,
    what,
    async measure(round) {
      return await measureCallers({
        ...TIMES,
        callers,
        async call(n) {
          const draft = draftBetween(`${key}:${round}:${n}`, pair(n))
          const result = await batcher.post(ORG, draft)
          if (result.status !== 'posted') {
            throw new Error(`not posted: ${result.status}`)
          }
        },
      })
    },
  }
}

const run = promisify(execFile)

/** 128 callers spread over processes that post to the same hot account. */
function processesRun(server: BenchServer, processes: number, key: string, what: string): Run {
  const script = fileURLToPath(new URL('poster.ts', import.meta.url))
  const callers = String(128 / processes)
  return {
    key,
    what,
    async measure(round) {
      const said = await Promise.all(
        Array.from({ length: processes }, async (_, index) => {
          const name = `${key}-${index}:${round}`
          const args = [script, server.url, name, callers, String(SECONDS)]
          const { stdout } = await run(process.execPath, args)
          return JSON.parse(stdout) as Measured
        }),
      )
      return {
        per_s: said.reduce((sum, one) => sum + one.per_s, 0),
        p50_ms: Math.max(...said.map((one) => one.p50_ms)),
        p99_ms: Math.max(...said.map((one) => one.p99_ms)),
      }
    },
  }
}

/** Every account is there before anything is measured. */
async function openAccounts(batcher: Batcher): Promise<void> {
  await Promise.all(
    Array.from({ length: ACCOUNTS }, async (_, n) => {
      await batcher.post(ORG, draftBetween(`open:${n}`, [n, n + 1]))
    }),
  )
}

async function inTurn(runs: readonly Run[]): Promise<Record<string, Measured>> {
  const measured = new Map<string, Measured[]>(runs.map(({ key }) => [key, []]))
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const { key, measure } of runs) {
      measured.get(key)?.push(await measure(round))
    }
  }
  const results: Record<string, Measured> = {}
  for (const { key, what } of runs) {
    const result = medianOf(measured.get(key) ?? [])
    results[key] = result
    process.stdout.write(
      `  ${what.padEnd(44)} ${pad(result.per_s)}/s  p50 ${result.p50_ms} ms  ` +
        `p99 ${result.p99_ms} ms\n`,
    )
  }
  return results
}

function medianOf(all: readonly Measured[]): Measured {
  const median = (of: (one: Measured) => number): number =>
    all.map(of).sort((one, other) => one - other)[Math.floor(all.length / 2)] ?? 0
  return {
    per_s: median((one) => one.per_s),
    p50_ms: median((one) => one.p50_ms),
    p99_ms: median((one) => one.p99_ms),
  }
}

async function measureFilled(
  server: BenchServer,
  batcher: Batcher,
): Promise<Record<string, Measured | number>> {
  const entries = Number(process.env['BENCH_ENTRIES'] ?? 0)
  if (entries === 0) {
    return {}
  }
  const seconds = await fill(server, entries)
  const speed = Math.round(entries / seconds)
  process.stdout.write(`\nWith ${entries} entries (posted at ${speed}/s):\n`)
  const results = await inTurn([
    ourRun(batcher, 'filled_hot_64', 'ours, one hot account, 64 callers', 64, hotPair),
    ourRun(batcher, 'filled_spread_64', 'ours, 1,000 accounts, 64 callers', 64, spreadPair),
    ourRun(batcher, 'filled_256', 'ours, 1,000 accounts, 256 callers', 256, spreadPair),
  ])
  return {
    ...results,
    filled_entries: entries,
    fill_per_s: speed,
    ...(await measureVerify(server)),
  }
}

function ratiosOf(
  results: Readonly<Record<string, Measured>>,
  copyLimit: number,
  filled: Readonly<Record<string, Measured | number>>,
): Record<string, number> {
  const ratio = (one: number | undefined, other: number | undefined) =>
    Math.round(((one ?? 0) / (other ?? 1)) * 100) / 100
  const filledRate = (key: string) => {
    const measured = filled[key]
    return typeof measured === 'object' ? measured.per_s : undefined
  }
  const ratios = {
    ratio_hot: ratio(results['hot_64']?.per_s, results['usual_hot_64']?.per_s),
    ratio_spread: ratio(results['spread_64']?.per_s, results['usual_spread_64']?.per_s),
    ratio_copy: ratio(results['callers_256']?.per_s, copyLimit),
    ratio_single: ratio(results['single']?.p50_ms, results['usual_single']?.p50_ms),
    ratio_processes: ratio(results['two_processes']?.per_s, results['one_process']?.per_s),
  }
  return filled['filled_entries'] === undefined
    ? ratios
    : {
        ...ratios,
        ratio_filled_hot: ratio(filledRate('filled_hot_64'), results['hot_64']?.per_s),
        ratio_filled_spread: ratio(filledRate('filled_spread_64'), results['spread_64']?.per_s),
        ratio_filled_256: ratio(filledRate('filled_256'), results['callers_256']?.per_s),
      }
}

function pad(rate: number): string {
  return String(rate).padStart(7)
}
