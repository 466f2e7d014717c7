/** npm run storm -- --lives N --seed N: gateways, workers and databases at their worst. */
import { messageOf } from '../src/base/problem.ts'
import { readOptions, USAGE, type Asked } from './storm/options.ts'
import { describeStorm, isClean, summaryOf } from './storm/report.ts'
import { playStorm } from './storm/run.ts'

const DUPLICATES = 0.3
const BAD_SIGNATURES = 0.02
/** A minute, and 20 ms for each life. */
const drainMs = (lives: number): number => 60_000 + 20 * lives

function asked(): Asked | null {
  try {
    return readOptions(process.argv.slice(2))
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

async function play({ lives, seed }: Asked): Promise<number> {
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
  const code = await play(options).catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`)
    return 1
  })
  // What was ended early may have calls under way.
  process.exit(code)
}
