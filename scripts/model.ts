/** npm run model -- --seed N --runs N --steps N: the model test at the size that is asked for. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { messageOf } from '../src/base/problem.ts'

const USAGE = `npm run model -- [--seed N] [--runs N] [--steps N]

Random histories of all verbs run on a Postgres of their own and on books in memory, which have to
agree: RUNS histories of up to STEPS commands one after another, and a sixth as many each of
several callers at once, without and with cut connections. The same seed makes the same wishes.
`

/** For a night: some hours on two cores. */
const NIGHT = { runs: 4000, steps: 200 }

interface Asked {
  seed: number
  runs: number
  steps: number
}

function askedFor(args: string[]): Asked {
  const number = { type: 'string' } as const
  const { values } = parseArgs({ args, options: { seed: number, runs: number, steps: number } })
  const read = (name: keyof Asked, otherwise: number): number => {
    const text = values[name]
    if (text !== undefined && !/^[1-9]\d{0,8}$/.test(text)) {
      throw new Error(`--${name} takes a whole number above zero, not "${text}"`)
    }
    return text === undefined ? otherwise : Number(text)
  }
  const seed = 1 + (Date.now() % 999_999_999)
  return {
    seed: read('seed', seed),
    runs: read('runs', NIGHT.runs),
    steps: read('steps', NIGHT.steps),
  }
}

/** Runs the test file in a mocha of its own; gives how that ended. */
async function runModel({ seed, runs, steps }: Asked): Promise<number> {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const files = ['--require', 'test/support/global.ts', 'test/model/model.test.ts']
  const child = spawn(
    process.execPath,
    ['node_modules/mocha/bin/mocha.js', '--no-config', '--timeout', '0', ...files],
    {
      cwd: root,
      env: {
        ...process.env,
        MODEL_SEED: String(seed),
        MODEL_RUNS: String(runs),
        MODEL_STEPS: String(steps),
      },
      stdio: 'inherit',
    },
  )
  // Ctrl-C reaches the child too, which ends its Postgres; we wait for that.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}

try {
  const asked = askedFor(process.argv.slice(2))
  const { seed, runs, steps } = asked
  const again = `node scripts/model.ts --seed ${seed} --runs ${runs} --steps ${steps}`
  process.stdout.write(`seed ${seed}, ${runs} runs of up to ${steps} commands\n`)
  process.exitCode = await runModel(asked)
  const end = process.exitCode === 0 ? 'The books agree.' : `They do not agree. Again: ${again}`
  process.stdout.write(`${end}\n`)
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n\n${USAGE}`)
  process.exitCode = 2
}
