/** npm run demo: the main job on real input, in its own database; --once ends when it is done. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { startWorker } from '../jobs/worker.ts'
import { systemClock } from '../src/base/clock.ts'
import { openParts, type Parts } from '../src/base/parts.ts'
import { messageOf } from '../src/base/problem.ts'
import { formatRupees } from '../reports/indian-number.ts'
import { startServer } from '../src/server.ts'
import { DEMO_ORG_ID } from '../db/seeds/demo.ts'
import { describeRunning, seedDemo } from './demo-organisation.ts'
import {
  countRows,
  drained,
  entryText,
  mismatches,
  someReceipt,
  trialBalanceText,
  type Counts,
} from './demo-report.ts'
import { startTestGateways } from './simulate/gateway-server.ts'
import { play, type SimulationSummary } from './simulate/play.ts'
import { describeVerification, verifyBooks } from './verify-books.ts'
import { startStack } from './stack.ts'

const USAGE = 'npm run demo -- [--once] [--payments 200] [--seed 1]'
const SHARES = { duplicates: 0.1, reorder: 0.2, badSignatures: 0.03 }
const DRAIN_MS = 180_000

interface Options {
  once: boolean
  payments: number
  seed: number
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      payments: { type: 'string', default: '200' },
      seed: { type: 'string', default: '1' },
    },
  })
  if (!/^[1-9]\d{0,5}$/.test(values.payments) || !/^\d{1,9}$/.test(values.seed)) {
    throw new Error('--payments and --seed are whole numbers')
  }
  return { once: values.once, payments: Number(values.payments), seed: Number(values.seed) }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Parts that were started, ended in the opposite order whatever happens. */
const stops: (() => Promise<void>)[] = []

async function stopAll(): Promise<void> {
  for (const stop of stops.splice(0).reverse()) {
    await stop()
  }
}

/** How it went, and the result as one line of JSON. */
interface Outcome {
  isGood: boolean
  line: string
}

/** Resolves when somebody wants it to end; more wishes of that kind change nothing. */
const asked = new Promise<void>((resolve) => {
  process.on('SIGINT', resolve)
  process.on('SIGTERM', resolve)
})
let isWaiting = false
let isInterrupted = false
/** What a shell expects of a program that Ctrl-C ended. */
const INTERRUPTED = 130

async function demo(options: Options): Promise<Outcome> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bahi-demo-'))
  // As root, Postgres runs as an account without rights, which has to get in.
  await chmod(dataDir, 0o755)
  stops.push(async () => await rm(dataDir, { recursive: true, force: true }))
  // Its own database, whatever is configured: the demo never touches anybody's books.
  const env = {
    LOG_LEVEL: 'warn',
    ...process.env,
    DATABASE_URL: '',
    DATABASE_OWNER_URL: '',
    REDIS_PREFIX: basename(dataDir),
  }
  const stack = await startStack({ env, dataDir, throwAway: true })
  stops.push(stack.stop)
  const gateways = await startTestGateways({ port: 0 })
  stops.push(gateways.close)
  await seedDemo(stack.config, gateways.url)
  const parts = openParts(stack.config, 'bahi demo')
  stops.push(parts.close)
  const worker = startWorker(parts)
  stops.push(worker.close)
  const server = await startServer(parts, 0)
  stops.push(server.close)
  say(`API on ${server.url}, mailbox on ${stack.mailboxUrl ?? 'AWS SES'}, embedded Postgres.`)

  const running = await describeRunning(stack.config, server.url, gateways.url)
  say(`Playing ${options.payments} captured payments and what goes wrong around them …`)
  const summary = await play({
    running,
    payments: options.payments,
    rate: 0,
    ...SHARES,
    seed: options.seed,
    gateways: ['razorpay', 'payu', 'stripe'],
    clock: systemClock,
  })
  const settled = await drained(parts.db, DRAIN_MS)
  return await report({ parts, summary, settled, mailboxUrl: stack.mailboxUrl, options })
}

async function report(done: {
  parts: Parts
  summary: SimulationSummary
  settled: boolean
  mailboxUrl: string | null
  options: Options
}): Promise<Outcome> {
  const { parts, summary } = done
  say('\nOne of the journal entries:\n')
  say(await entryText(parts.db, DEMO_ORG_ID))
  const receipt = await someReceipt(parts, DEMO_ORG_ID)
  if (receipt !== null) {
    const folder = join('data', 'demo')
    await mkdir(folder, { recursive: true })
    const path = join(folder, `receipt-${receipt.number.replaceAll('/', '-')}.pdf`)
    await writeFile(path, receipt.bytes)
    say(`\nReceipt ${receipt.number} for ${formatRupees(receipt.amount)}: ${path}`)
  }
  const counts = await countRows(parts.db, DEMO_ORG_ID)
  const inMailbox = await mailboxCount(done.mailboxUrl)
  say(`Mailbox ${done.mailboxUrl ?? 'AWS SES'}: ${inMailbox ?? '?'} emails`)
  say('\nTrial balance:\n')
  const balance = await trialBalanceText(parts.db, DEMO_ORG_ID)
  say(balance.text)
  const verification = await verifyBooks(parts.db, () => undefined)
  say(`\n${describeVerification(verification).join('\n')}`)
  const problems = [
    ...(done.settled ? [] : ['not everything was done in time']),
    ...(await mismatches(parts.db, DEMO_ORG_ID, summary)),
    ...(inMailbox === null || inMailbox === counts.emails
      ? []
      : [`the mailbox has ${inMailbox} emails, ${counts.emails} were recorded as sent`]),
  ]
  for (const problem of problems) {
    say(`NOT AS EXPECTED: ${problem}`)
  }
  const isGood = problems.length === 0 && balance.zero && verification.findings.length === 0
  await stayUp(done.options, isGood)
  const verified = verification.findings.length === 0
  return { isGood, line: JSON.stringify(resultOf(counts, summary, balance.zero, verified)) }
}

/** Without --once the demo can be looked at until Ctrl-C. */
async function stayUp(options: Options, isGood: boolean): Promise<void> {
  if (options.once || !isGood) {
    return
  }
  say('\nStill up; Ctrl-C ends it.')
  isWaiting = true
  await asked
}

function resultOf(counts: Counts, summary: SimulationSummary, zero: boolean, verified: boolean) {
  return {
    webhooks_accepted: counts.events,
    duplicates: counts.duplicates,
    rejected: summary.rejected,
    entries: counts.entries,
    receipts: counts.receipts,
    emails: counts.emails,
    trial_balance_zero: zero,
    verified,
  }
}

async function mailboxCount(url: string | null): Promise<number | null> {
  if (url === null) {
    return null
  }
  const answer = await fetch(`${url}/store`)
  const store = (await answer.json()) as { emails: unknown[] }
  return store.emails.length
}

async function main(): Promise<number> {
  let options: Options
  try {
    options = readOptions()
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${USAGE}\n`)
    return 2
  }
  try {
    void asked.then(async () => {
      if (!isWaiting) {
        isInterrupted = true
        await stopAll().finally(() => process.exit(INTERRUPTED))
      }
    })
    const outcome = await demo(options)
    await stopAll()
    // The last line: what ends later has nothing to say.
    say(outcome.line)
    return outcome.isGood ? 0 : 1
  } catch (error) {
    if (isInterrupted) {
      return INTERRUPTED
    }
    process.stderr.write(`The demo failed: ${messageOf(error)}\n`)
    return 1
  } finally {
    await stopAll()
  }
}

process.exitCode = await main()
