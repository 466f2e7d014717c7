/** npm start: everything on this machine, up until it is told to end. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../src/base/config.ts'
import { openParts, type Parts } from '../src/base/parts.ts'
import { messageOf } from '../src/base/problem.ts'
import { endOnSignal, outliveLostConnections } from '../src/base/signals.ts'
import { startServer, type RunningServer } from '../src/server.ts'
import { startWorker } from '../jobs/worker.ts'
import { describeRunning, firstAdmin, seedDemo } from './demo-organisation.ts'
import { startTestGateways } from './simulate/gateway-server.ts'
import { startStack } from './stack.ts'

const FIRST_PORT = 3000
const PORTS_TRIED = 100
const dataDir = process.env['DATA_DIR'] ?? 'data'
const runningFile = join(dataDir, 'running.json')

/** Listens on PORT where it is set, otherwise on the first free one from 3000 on. */
async function listen(parts: Parts): Promise<RunningServer> {
  if (parts.config.port !== null) {
    return await startServer(parts, parts.config.port).catch((error: unknown) => {
      const taken = isTaken(error) ? `PORT ${parts.config.port} is taken; choose another` : ''
      throw new Error(taken || messageOf(error), { cause: error })
    })
  }
  for (let port = FIRST_PORT; port < FIRST_PORT + PORTS_TRIED; port += 1) {
    try {
      return await startServer(parts, port)
    } catch (error) {
      if (!isTaken(error)) {
        throw error
      }
    }
  }
  return await startServer(parts, 0)
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}

async function main(): Promise<void> {
  const stops: (() => Promise<void>)[] = []
  const stopAll = async () => {
    for (const stop of stops.splice(0).reverse()) {
      await stop()
    }
  }
  try {
    const stack = await startStack({ env: process.env, dataDir })
    stops.push(stack.stop)
    const { config } = stack
    const gateways = config.production ? null : await startTestGateways({ port: 0 })
    if (gateways !== null) {
      stops.push(gateways.close)
    }
    const isDemo = gateways !== null && (await seedDemo(config, gateways.url))
    const parts = openParts(config, 'bahi')
    stops.push(parts.close)
    const admin = isDemo ? await firstAdmin(parts) : null
    const worker = startWorker(parts)
    stops.push(worker.close)
    const server = await listen(parts)
    stops.push(server.close)
    outliveLostConnections(parts.log)
    endOnSignal(parts.log, stopAll)
    void stack.died.then(async () => {
      parts.log.fatal('the embedded Postgres ended by itself; start the service again')
      await stopAll().finally(() => process.exit(1))
    })
    if (isDemo) {
      await mkdir(dataDir, { recursive: true })
      const running = await describeRunning(config, server.url, gateways.url)
      const file = { ...running, mailbox_url: stack.mailboxUrl }
      await writeFile(runningFile, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 })
      stops.push(async () => await rm(runningFile, { force: true }))
    }
    process.stdout.write(
      [
        '',
        `  API        ${server.url}`,
        `  Mailbox    ${stack.mailboxUrl ?? 'AWS SES'}`,
        `  Postgres   ${process.env['DATABASE_URL'] === undefined ? 'embedded' : 'DATABASE_URL'}`,
        `  Queues     ${config.redisUrl === null ? 'BullMQ on Postgres' : 'BullMQ on Redis'}`,
        ...(admin === null
          ? []
          : [`  Sign in    demo, ${admin.email}, ${admin.password} (shown this once)`]),
        ...(isDemo ? ['  Traffic    npm run simulate', '  Token      npm run -s token'] : []),
        '',
        '  Ctrl-C ends it.',
        '',
      ].join('\n'),
    )
  } catch (error) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : describe(error)}\n`)
    await stopAll()
    process.exitCode = 1
  }
}

function describe(error: unknown): string {
  return `The service could not start: ${messageOf(error)}`
}

await main()
