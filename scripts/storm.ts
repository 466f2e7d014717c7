/** npm run storm -- --lives N --seed N: gateways, workers and databases at their worst. */
import { parseArgs } from 'node:util'
import { messageOf } from '../src/base/problem.ts'
import { describeStorm, isClean, summaryOf } from './storm/report.ts'
import { playStorm } from './storm/run.ts'

const USAGE = `npm run storm -- [--lives N] [--seed N]

Plays LIVES payment lives of all gateways twice, each time on a service of its own: in order, and in
a storm. In the storm all webhooks come in no order at all and as fast as they are taken, 30 % of
them twice, and 2 % more with bad signatures; in the middle two workers are killed, Redis forgets
everything, and Postgres crashes. Afterwards both books have to be the same, entry for entry.

  --lives N   20 to 200000   (20000)
  --seed N    the same seed plays the same lives in the same order   (by the clock)

Exit code: 0 where they are, 1 where not, 2 for wrong options.
`

const DUPLICATES = 0.3
const BAD_SIGNATURES = 0.02
/** A minute, and 20 ms for each life. */
const drainMs = (lives: number): number => 60_000 + 20 * lives

function optionsOf(args: string[]): { lives: number; seed: number } {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args, options: { lives: text, seed: text } })
  const read = (name: 'lives' | 'seed', otherwise: number, least: number, most: number) => {
    const given = values[name] ?? String(otherwise)
    const value = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN
    if (!(value >= least && value <= most)) {
      throw new RangeError(`--${name} is a whole number from ${least} to ${most}, not "${given}".`)
    }
    return value
  }
  return {
    lives: read('lives', 20_000, 20, 200_000),
    seed: read('seed', Date.now() % 1_000_000_000, 0, 999_999_999),
  }
}

function asked(): { lives: number; seed: number } | null {
  try {
    return optionsOf(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${USAGE}`)
    process.exitCode = 2
    return null
  }
}

/** Ctrl-C ends everything that was started; a second one does not wait for that. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  process.once('SIGTERM', () => stop.abort())
  return stop.signal
}

async function play(lives: number, seed: number): Promise<number> {
  const say = (line: string): void => {
    process.stdout.write(`${line}\n`)
  }
  say(`seed ${seed}`)
  const result = await playStorm(
    {
      lives,
      seed,
      duplicates: DUPLICATES,
      badSignatures: BAD_SIGNATURES,
      fsync: true,
      drainMs: drainMs(lives),
      signal: stopOnSignals(),
    },
    say,
  )
  say(describeStorm(result))
  say(JSON.stringify(summaryOf(result)))
  return isClean(result) ? 0 : 1
}

const options = asked()
if (options !== null) {
  const code = await play(options.lives, options.seed).catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`)
    return 1
  })
  // What was ended early may have calls under way.
  process.exit(code)
}
