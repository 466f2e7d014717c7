/** Processes of a benchmark: servers that say when they are ready, and the load beside them. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BenchServer } from './server.ts'
import type { Load, Sent } from './webhook-load.ts'

/** A process and what it said: its port, where it has one. */
export interface Started {
  process: ChildProcess
  said: string
}

/** Starts a script of this folder and waits for its first line. */
export async function start(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  const script = fileURLToPath(new URL(name, import.meta.url))
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  const [line] = (await once(lines, 'line')) as [string]
  return { process: child, said: line }
}

/** Ends processes and waits until they are gone; their database may go after that. */
export async function end(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      const gone = once(child, 'exit')
      if (child.kill('SIGTERM')) {
        await gone
      }
    }),
  )
}

const run = promisify(execFile)

/** Sends webhooks from a process of its own until its time is up. */
export async function sendLoad(load: Load): Promise<Sent> {
  const script = fileURLToPath(new URL('webhook-load.ts', import.meta.url))
  const { stdout } = await run(process.execPath, [script, JSON.stringify(load)])
  return JSON.parse(stdout) as Sent
}

/** What a process of the service needs to work on a benchmark's database. */
export function environment(server: BenchServer, redisUrl = ''): Record<string, string> {
  return {
    NODE_ENV: 'development',
    DATABASE_URL: server.url,
    DATA_KEYS: server.dataKeys,
    JWT_SECRET: 'a secret of the benchmark, 32 long',
    AWS_REGION: 'ap-south-1',
    FILES_DIR: server.directory,
    LOG_LEVEL: 'warn',
    REDIS_URL: redisUrl,
    REDIS_PREFIX: 'bench',
  }
}
