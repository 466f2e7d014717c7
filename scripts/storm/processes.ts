/** The service in processes of its own, as it runs in production: an API and two workers. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/base/embedded-postgres.ts'
import { waitFor } from './wait.ts'

export interface ServiceOptions {
  /** Names its queues and log files. */
  name: string
  directory: string
  databaseUrl: string
  redisUrl: string | null
  dataKeys: string
}

export interface Service {
  apiUrl: string
  /** kill -9 of that worker, and another one in its place. */
  killWorker(number: number): Promise<void>
  /** What all its processes logged so far: warnings and worse. */
  log(): Promise<string>
  /** Rejects where a process ended that nobody ended. */
  assertAlive(): Promise<void>
  /** Ends all processes; nothing more is written afterwards. */
  stop(): Promise<void>
}

export const WORKERS = 2

const READY_MS = 60_000
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Starts the processes; resolves when the API is ready. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const port = await freePort()
  const apiUrl = `http://127.0.0.1:${port}`
  const env = environment(options, port)
  const logFile = join(options.directory, `${options.name}.log`)
  const log = async (): Promise<string> => await readFile(logFile, 'utf8')
  const running: Running[] = []
  let isStopped = false
  const begin = async (script: string, place: number): Promise<void> => {
    if (!isStopped) {
      running[place] = await run(script, env, logFile)
    }
  }
  const stop = async (): Promise<void> => {
    isStopped = true
    await Promise.all(running.map(async (one) => await end(one, 'SIGKILL')))
  }
  const assertAlive = async (): Promise<void> => {
    const dead = running.find(({ child }) => hasEnded(child))
    if (dead !== undefined) {
      const said = (await log()).slice(-2000)
      throw new Error(`${dead.script} ended by itself: ${said}`)
    }
  }
  try {
    await begin('src/server.ts', 0)
    for (let number = 0; number < WORKERS; number += 1) {
      await begin('jobs/worker.ts', 1 + number)
    }
    await waitFor('the API to be ready', READY_MS, async () => {
      await assertAlive()
      return await isReady(apiUrl)
    })
  } catch (error) {
    await stop()
    throw error
  }
  return {
    apiUrl,
    async killWorker(number) {
      const worker = running[1 + number]
      if (worker === undefined) {
        throw new RangeError(`There is no worker ${number}.`)
      }
      await end(worker, 'SIGKILL')
      await begin('jobs/worker.ts', 1 + number)
    },
    log,
    assertAlive,
    stop,
  }
}

interface Running {
  script: string
  child: ChildProcess
}

async function run(
  script: string,
  env: Readonly<Record<string, string | undefined>>,
  logFile: string,
): Promise<Running> {
  const log = await open(logFile, 'a')
  const child = spawn(process.execPath, [script], {
    cwd: ROOT,
    env,
    stdio: ['ignore', log.fd, log.fd],
  })
  await once(child, 'spawn')
  await log.close()
  return { script, child }
}

async function end({ child }: Running, signal: NodeJS.Signals): Promise<void> {
  if (!hasEnded(child)) {
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** Nothing of our own environment, so that a storm is the same on every machine. */
function environment(options: ServiceOptions, port: number): Record<string, string | undefined> {
  return {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
    NODE_ENV: 'development',
    PORT: String(port),
    DATABASE_URL: options.databaseUrl,
    REDIS_URL: options.redisUrl ?? '',
    REDIS_PREFIX: `storm-${options.name}`,
    DATA_KEYS: options.dataKeys,
    JWT_SECRET: 'nobody signs in during a storm, really',
    AWS_REGION: 'ap-south-1',
    FILES_DIR: join(options.directory, 'files'),
    LOG_LEVEL: 'warn',
  }
}

async function isReady(apiUrl: string): Promise<boolean> {
  // Until it listens, there is no answer at all.
  const answer = await fetch(new URL('/readyz', apiUrl)).catch(() => null)
  return answer?.status === 200
}
