/** The API process: opens its parts, listens, and drains on SIGTERM. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import { makeApp } from './app.ts'
import { ConfigError, readConfig } from './base/config.ts'
import { openParts, type Parts } from './base/parts.ts'
import { endOnSignal, outliveLostConnections } from './base/signals.ts'
import { messageOf } from './base/problem.ts'
import { guardedServer } from './http/connections.ts'
import { openLimits } from './http/limits.ts'
import { openWebhookDoor } from './http/routes/webhooks.ts'
import { openBatcher } from './ledger/posting/batcher.ts'

export interface RunningServer {
  url: string
  /** Stops accepting, lets running requests finish, closes the sockets, posts what is in hand. */
  close(): Promise<void>
}

const DRAIN_MS = 20_000
const IDLE_CHECK_MS = 50

/** Listens on `port` (0 for any free one). Rejects where the port is taken. */
export async function startServer(parts: Parts, port: number): Promise<RunningServer> {
  let draining = false
  let url = ''
  const limits = openLimits(parts.config, parts.log)
  const batcher = openBatcher(parts.db)
  const app = makeApp(parts, {
    isDraining: () => draining,
    publicUrl: () => parts.config.publicUrl ?? url,
    batcher,
    limits,
  })
  const takesWebhook = openWebhookDoor(parts, limits)
  const { connections, trustedProxies } = parts.config
  const server = guardedServer({ ...connections, trustedProxies }, (request, response) => {
    if (!takesWebhook(request, response)) {
      app(request, response)
    }
  })
  server.listen(port, parts.config.host)
  await once(server, 'listening').catch(async (error: unknown) => {
    await limits.close()
    if (/ENOTFOUND|EADDRNOTAVAIL|EAI_AGAIN/.test(messageOf(error))) {
      throw new Error(`HOST ${parts.config.host} is no address of this machine`, { cause: error })
    }
    throw error
  })
  url = urlOf(server, parts.config.host)
  return {
    url,
    async close() {
      draining = true
      const closed = new Promise((resolve) => server.close(resolve))
      // A connection that was kept alive becomes idle only when its last answer is out.
      const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS)
      const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
      await closed
      clearInterval(idle)
      clearTimeout(late)
      await batcher.close()
      await limits.close()
    },
  }
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  if (address === null || typeof address === 'string') {
    throw new Error('the server has no port')
  }
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`
}

const DEFAULT_PORT = 3000

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const config = readConfig(process.env)
    const parts = openParts(config, 'bahi api')
    const server = await startServer(parts, config.port ?? DEFAULT_PORT)
    parts.log.info({ url: server.url }, 'listening')
    outliveLostConnections(parts.log)
    endOnSignal(parts.log, async () => {
      await server.close()
      await parts.close()
    })
  } catch (error) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : messageOf(error)}\n`)
    process.exit(1)
  }
}
