/** npm run bench -- pipeline: signed webhooks until they are posted, fast and evenly. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from '../../src/base/embedded-postgres.ts'
import { asOwner } from '../stack.ts'
import { end, environment, sendLoad, start, type Started } from './processes.ts'
import { openBenchServer, ORG, type BenchServer } from './server.ts'
import type { Mix } from './razorpay-events.ts'
import type { Load } from './webhook-load.ts'

const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 60)
const EVEN_SECONDS = 20
const EVEN_PER_SECOND = 300
const SOCKETS = 64
/** What cannot be posted in this time after the last webhook is lost. */
const DRAIN_MS = 180_000
const LOOK_MS = 100

const INTRODUCTION = `Signed Razorpay webhooks through intake, inbox, facts, entries and outbox; an
API process, a worker, embedded Postgres with fsync, and the load beside them. Lives: of each
payment come payment.authorized, payment.captured and order.paid, in no sure order, and one event
in 30 twice. Captures: nothing but payment.captured. Each captured payment pays an open donation and
has a fee: two entries, a paid donation and the promise of a receipt, which is not made meanwhile.
events_per_s counts from the first one sent until the last one is posted. Lag: from receipt to the
commit of the entry (track_commit_timestamp), at ${EVEN_PER_SECOND} events/s of lives.
`

interface Result {
  /** Of lives. */
  events_per_s: number
  /** Where nothing but captures comes. */
  captures_per_s: number
  /** Captured payments of both runs with an entry; told and without one; with one too many. */
  posted: number
  lost: number
  double: number
  lag_p50_ms: number
  lag_p99_ms: number
}

/** Prints what it does, then one line of JSON: on the embedded queue, and on Redis if there. */
export async function benchPipeline(): Promise<void> {
  process.stdout.write(`${INTRODUCTION}\n`)
  const embedded = await measure('embedded queue', '')
  const redis = await onRedis()
  process.stdout.write(`${JSON.stringify({ embedded, redis })}\n`)
}

/** null where there is no redis-server on this machine. */
async function onRedis(): Promise<Result | null> {
  const port = String(await freePort())
  const child = spawn('redis-server', ['--port', port, '--save', '', '--bind', '127.0.0.1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const isThere = await Promise.race([
    once(child, 'error').then(() => false),
    once(child.stdout, 'data').then(() => true),
  ])
  if (!isThere) {
    process.stdout.write('  no redis-server here\n')
    return null
  }
  try {
    return await measure('Redis', `redis://127.0.0.1:${port}`)
  } finally {
    child.kill()
  }
}

async function measure(what: string, redisUrl: string): Promise<Result> {
  const server = await openBenchServer({ track_commit_timestamp: 'on' })
  const started: Started[] = []
  try {
    const env = environment(server, redisUrl)
    const api = await start('intake-server.ts', [], env)
    started.push(api, await start('pipeline-worker.ts', [], env))
    const { path, secret, account } = server.webhook
    const load = (run: string, mix: Mix): Load => ({
      port: Number(api.said),
      path,
      secret,
      account,
      sockets: SOCKETS,
      seconds: SECONDS,
      warmUpSeconds: 0,
      run,
      mix,
    })
    await openDonations(server, 'warm', 20_000)
    await sendAndDrain(server, { ...load('warm', 'lives'), seconds: 3 })
    await openDonations(server, 'lives', SECONDS * 2500)
    const lives = await sendAndDrain(server, load('lives', 'lives'))
    await openDonations(server, 'captures', SECONDS * 7500)
    const captures = await sendAndDrain(server, load('captures', 'captures'))
    await openDonations(server, 'even', EVEN_SECONDS * EVEN_PER_SECOND * 2)
    await sendAndDrain(server, {
      ...load('even', 'lives'),
      seconds: EVEN_SECONDS,
      perSecond: EVEN_PER_SECOND,
    })
    const result = {
      events_per_s: lives.perSecond,
      captures_per_s: captures.perSecond,
      posted: lives.posted + captures.posted,
      lost: lives.lost + captures.lost,
      double: lives.double + captures.double,
      ...(await lags(server)),
    }
    process.stdout.write(
      `  ${what.padEnd(16)} ${result.events_per_s}/s of lives, ` +
        `${result.captures_per_s}/s of captures, ${result.posted} posted, ` +
        `${result.lost} lost, ${result.double} double; ` +
        `lag p50 ${result.lag_p50_ms} ms, p99 ${result.lag_p99_ms} ms\n`,
    )
    return result
  } finally {
    await end(started.map(({ process: child }) => child))
    await server.close()
  }
}

/** Donations that the run's payments pay, as the checkout leaves them. */
async function openDonations(server: BenchServer, run: string, count: number): Promise<void> {
  await asOwner(server.url, async (client) => {
    await client.query(`set bahi.org_id = '${ORG}'`)
    await client.query(
      `insert into donors (org_id, donor_id, name, email)
       values ($1, $2, 'Asha', 'asha@example.org')`,
      [ORG, `dnr_${run}`],
    )
    await client.query(
      `insert into donations (org_id, donation_id, donor_id, gateway, order_ref, amount, currency,
         fund, nature)
       select $1, 'don_' || $2 || n, 'dnr_' || $2, 'razorpay',
              'order_' || $2 || lpad(n::text, 10, '0'), 50000, 'INR', f.fund, 'general'
         from generate_series(1, $3::integer) n,
              (select fund from funds where org_id = $1 order by fund limit 1) f`,
      [ORG, run, count],
    )
    await client.query('analyze donations')
  })
}

interface Drained {
  /** Events a second until the last one was posted. */
  perSecond: number
  posted: number
  lost: number
  double: number
}

async function sendAndDrain(server: BenchServer, load: Load): Promise<Drained> {
  const sent = await sendLoad(load)
  await drained(server)
  const seconds = (Date.now() - sent.began_at) / 1000
  const { payments, entries } = await postedOf(server, load.run)
  return {
    perSecond: Math.round(sent.accepted / seconds),
    posted: payments,
    lost: sent.captured - payments,
    double: entries - payments,
  }
}

/** Looks until nothing waits in the inbox. */
async function drained(server: BenchServer): Promise<void> {
  const end = performance.now() + DRAIN_MS
  for (;;) {
    const [row] = await server.db.statement<{ waits: boolean }>(
      `select exists (
         select from inbox_events
          where org_id = ${ORG} and lane = 'money' and state = 'waiting' and held_at is null
            and (not needs_confirmation or confirmation is not null)
          order by next_try_at) as waits`,
    )
    if (row?.waits !== true || performance.now() > end) {
      return
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

async function postedOf(
  server: BenchServer,
  run: string,
): Promise<{ payments: number; entries: number }> {
  return await asOwner(server.url, async (client) => {
    await client.query(`set bahi.org_id = '${ORG}'`)
    const { rows } = await client.query<{ payments: number; entries: number }>(
      `select count(distinct metadata ->> 'gateway_payment_id')::integer as payments,
              count(*)::integer as entries
         from journal_entries
        where org_id = $1 and kind in ('donation_captured', 'unidentified_captured')
          and idempotency_key like $2`,
      [ORG, `%:pay:pay_${run}%`],
    )
    return rows[0] ?? { payments: 0, entries: 0 }
  })
}

/** From receipt of the even run's webhooks to the commit of their captures' entries. */
async function lags(server: BenchServer): Promise<Pick<Result, 'lag_p50_ms' | 'lag_p99_ms'>> {
  return await asOwner(server.url, async (client) => {
    await client.query(`set bahi.org_id = '${ORG}'`)
    const { rows } = await client.query<{ p50: number; p99: number }>(
      `select percentile_cont(0.5) within group (order by lag) as p50,
              percentile_cont(0.99) within group (order by lag) as p99
         from (select extract(epoch from pg_xact_commit_timestamp(j.xmin) - e.received_at) * 1000
                        as lag
                 from facts f
                 join inbox_events e on e.org_id = f.org_id and e.event_id = f.event_id
                 join journal_entries j
                   on j.org_id = f.org_id and j.idempotency_key = f.fact_key
                where f.org_id = $1 and f.kind = 'payment_captured'
                  and f.fact_key like '%:pay:pay_even%') lags`,
      [ORG],
    )
    const rounded = (ms: number | undefined) => Math.round((ms ?? 0) * 10) / 10
    return { lag_p50_ms: rounded(rows[0]?.p50), lag_p99_ms: rounded(rows[0]?.p99) }
  })
}
