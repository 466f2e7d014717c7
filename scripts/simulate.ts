/** `npm run simulate`: plays the gateways and the donors against the service that is running. */
import { systemClock } from '../src/base/clock.ts'
import { messageOf } from '../src/base/problem.ts'
import { playMonth, type PlayMonthOptions } from './recon/play-month.ts'
import { readOptions, USAGE, WrongOption, type SimulateOptions } from './simulate/options.ts'
import { play } from './simulate/play.ts'
import { playScenario } from './simulate/scenarios/scenarios.ts'
import { createProgressView } from './simulate/progress.ts'
import { NotRunning, readRunning, type Running } from './simulate/running.ts'
import { summaryText, wentAsExpected } from './simulate/summary.ts'

const INTERRUPTED = 130

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (options === 'help') {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  const running = await readRunning(options.running)
  await checkThere(running, options)

  const stop = new AbortController()
  stopOnSignals(stop)
  if (options.scenarios.length > 0) {
    return await playScenarios(options.scenarios, running, stop.signal)
  }
  if (options.month !== null) {
    return await tellMonth({ ...options, month: options.month, running, signal: stop.signal })
  }
  const view = createProgressView(process.stderr, () => performance.now())
  const summary = await play(
    { ...options, running, clock: systemClock, signal: stop.signal },
    (progress) => view.show(progress),
  ).finally(() => view.end())
  process.stdout.write(`${summaryText(summary, options.seed)}\n`)
  if (summary.stopped) {
    return INTERRUPTED
  }
  return wentAsExpected(summary) ? 0 : 1
}

async function tellMonth(options: PlayMonthOptions): Promise<number> {
  const { calls, settlements, report, statement } = await playMonth(options)
  process.stdout.write(
    `${calls} webhooks of ${options.month}, ${settlements} settlements; ` +
      `something is wrong in it.\nSettlement report  ${report}\nBank statement     ${statement}\n`,
  )
  return 0
}

/** One after the other, to the end of the last one even where one is not as expected. */
async function playScenarios(
  names: readonly string[],
  running: Running,
  signal: AbortSignal,
): Promise<number> {
  const say = (text: string): void => {
    process.stdout.write(`${text}\n`)
  }
  let failed = 0
  for (const name of names) {
    failed += (await playScenario(name, { running, say, signal })) ? 0 : 1
    if (signal.aborted) {
      return INTERRUPTED
    }
  }
  return failed === 0 ? 0 : 1
}

/**
 * Ctrl-C ends the run, a second one the process. Within a second it counts as the same one: npm
 * passes the signal on to a process that the terminal has already told.
 */
function stopOnSignals(stop: AbortController): void {
  let stoppedAt = 0
  const onSignal = (): void => {
    if (!stop.signal.aborted) {
      stoppedAt = performance.now()
      stop.abort()
    } else if (performance.now() - stoppedAt > 1000) {
      process.exit(INTERRUPTED)
    }
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}

/** The file may be of a service that has ended since, or lack what the options ask for. */
async function checkThere(running: Running, options: SimulateOptions): Promise<void> {
  const missing = options.gateways.find((gateway) => running.endpoints[gateway] === undefined)
  if (missing !== undefined && options.scenarios.length === 0) {
    throw new NotRunning(`The running service has no webhook endpoint for ${missing}.`)
  }
  try {
    await fetch(new URL('/livez', running.api_url), { signal: AbortSignal.timeout(5000) })
  } catch (error) {
    const message = `Nothing answers at ${running.api_url}: start the service first: npm start`
    throw new NotRunning(message, { cause: error })
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const hint = error instanceof WrongOption ? ' (see --help)' : ''
  process.stderr.write(`${messageOf(error) + hint}\n`)
  process.exitCode = error instanceof WrongOption || error instanceof NotRunning ? 2 : 1
}
