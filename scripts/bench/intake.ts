/** npm run bench -- intake: the webhook route against a bare one, and against an insert a call. */
import type { ChildProcess } from 'node:child_process'
import { asOwner } from '../stack.ts'
import type { Measured } from './callers.ts'
import { end, environment, sendLoad, start } from './processes.ts'
import { openBenchServer } from './server.ts'
import type { Load } from './webhook-load.ts'

const ROUNDS = 9
/** As many as keep each of them busy to the full; and few, who wait for each commit together. */
const SOCKETS = 256
const FEW_SOCKETS = 64
const SECONDS = 3
const WARM_UP_SECONDS = 1

const INTRODUCTION = `Signed Razorpay webhooks a second over ${SOCKETS} sockets, then over
${FEW_SOCKETS}, each an event of its own; embedded Postgres, fsync on; the load comes from a process
beside it. Bare: Express that verifies the HMAC and answers. Insert each: the same with one insert
and commit a call. Ours is the service: limits, dedupe by event and body, stored and committed
before 200. ${ROUNDS} rounds in turn; medians, also of the ratios within a round.
`

interface Target {
  key: string
  what: string
  path: string
  process: ChildProcess
  port: number
}

/** Prints what it compares, then one line of JSON. */
export async function benchIntake(): Promise<void> {
  const server = await openBenchServer()
  const targets: Target[] = []
  try {
    await asOwner(server.url, async (client) => {
      await client.query(
        'create table plain_events (event_id text primary key, body_sha256 bytea, body bytea)',
      )
    })
    const { secret } = server.webhook
    for (const [key, what, kind] of [
      ['bare', 'bare: HMAC and 200', 'bare'],
      ['insert_each', 'HMAC, one insert a call', 'insert-each'],
    ] as const) {
      const { process: child, said } = await start(
        'webhook-servers.ts',
        [kind, secret, server.url],
        {},
      )
      targets.push({ key, what, path: '/hook', process: child, port: Number(said) })
    }
    const ours = await start('intake-server.ts', [], environment(server))
    // Between the two that it is compared with: the machine's speed changes.
    targets.splice(1, 0, {
      key: 'intake',
      what: 'ours',
      path: server.webhook.path,
      process: ours.process,
      port: Number(ours.said),
    })
    process.stdout.write(`${INTRODUCTION}\n`)
    const many = await measured(targets, server.webhook, SOCKETS)
    const few = await measured(targets, server.webhook, FEW_SOCKETS)
    const line = { ...figures(many), few_sockets: { sockets: FEW_SOCKETS, ...figures(few) } }
    process.stdout.write(`${JSON.stringify({ sockets: SOCKETS, ...line })}\n`)
  } finally {
    await end(targets.map(({ process: child }) => child))
    await server.close()
  }
}

type Rounds = ReadonlyMap<string, Measured[]>

async function measured(
  targets: readonly Target[],
  { secret, account }: { secret: string; account: string },
  sockets: number,
): Promise<Rounds> {
  const rounds = new Map<string, Measured[]>(targets.map(({ key }) => [key, []]))
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const { port, path, key } of targets) {
      const times = { seconds: SECONDS, warmUpSeconds: WARM_UP_SECONDS }
      const load: Load = {
        port,
        path,
        secret,
        account,
        sockets,
        ...times,
        run: `${key}${sockets}x${round}`,
        mix: 'captures',
      }
      rounds.get(key)?.push(await sendLoad(load))
    }
  }
  for (const { key, what } of targets) {
    const [rate, p50, p99] = (['per_s', 'p50_ms', 'p99_ms'] as const).map((name) =>
      medianOf((rounds.get(key) ?? []).map((one) => one[name])),
    )
    process.stdout.write(
      `  ${what.padEnd(23)} ${String(sockets).padStart(4)} ${String(rate).padStart(7)}/s  ` +
        `p50 ${p50} ms  p99 ${p99} ms\n`,
    )
  }
  return rounds
}

function figures(rounds: Rounds): Record<string, number> {
  const of = (key: string, name: keyof Measured) => (rounds.get(key) ?? []).map((one) => one[name])
  const rate = (key: string) => medianOf(of(key, 'per_s'))
  const ratio = (other: string) => {
    const others = of(other, 'per_s')
    const ratios = of('intake', 'per_s').map((one, round) => one / (others[round] ?? 1))
    return Math.round(medianOf(ratios) * 100) / 100
  }
  return {
    intake_per_s: rate('intake'),
    bare_per_s: rate('bare'),
    insert_each_per_s: rate('insert_each'),
    ratio_bare: ratio('bare'),
    ratio_insert_each: ratio('insert_each'),
    p99_ms: medianOf(of('intake', 'p99_ms')),
  }
}

function medianOf(all: readonly number[]): number {
  return all.toSorted((one, other) => one - other)[Math.floor(all.length / 2)] ?? 0
}
