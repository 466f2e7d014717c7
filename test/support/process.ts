/** Processes that a test starts, watches and ends; none outlives the test. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

export interface TestProcess {
  child: ChildProcess
  /** All that it wrote so far. */
  output(): string
  /** Waits until it wrote that. */
  says(text: string, timeoutMs?: number): Promise<void>
  /** Waits for its end; gives the exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals | null>
  /** Sends the signal and waits for the end; gives the exit code, or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Starts a script of the project with this environment, PATH, HOME and compiled modules only. */
export function startScript(
  script: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): TestProcess {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // Not `exit`: what it wrote last comes after that.
  const closed = once(child, 'close')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  return {
    child,
    output: () => output,
    async says(text, timeoutMs = 30_000) {
      await until(() => {
        if (child.exitCode !== null && !output.includes(text)) {
          throw new Error(`${script} ended with ${child.exitCode} and said: ${output}`)
        }
        return output.includes(text)
      }, timeoutMs)
    },
    async ended() {
      await closed
      return child.exitCode ?? child.signalCode
    },
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal)
      }
      await closed
      return child.exitCode ?? child.signalCode
    },
  }
}

/** True while a process of that id is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
