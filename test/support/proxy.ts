/** A TCP proxy of the tests' own: what stands behind it can be taken away and given back. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'

export interface Proxy {
  port: number
  /** Breaks every connection and refuses new ones. */
  cut(): void
  restore(): void
  /** Every connection that is open now falls silent for ever; new ones work. */
  silence(): void
  /** The next connection that sends this text gets no answer to it: it is broken instead. */
  swallowAnswerTo(text: string): void
  /** The next connection that sends this text is broken before anybody reads it, `after` others. */
  breakBefore(text: string, after?: number): void
  close(): Promise<void>
}

/** What the test wants of the connections, now and from now on. */
interface Wishes {
  isCut: boolean
  /** The text whose answer is swallowed, once. */
  fatal: string | null
  /** The text that is not passed on, once. */
  unread: string | null
  /** How often that text is passed on before. */
  passes: number
  /** Connections that were opened in an earlier generation say nothing more. */
  generation: number
}

export async function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const wishes: Wishes = { isCut: false, fatal: null, unread: null, passes: 0, generation: 0 }
  const server: Server = createServer((client) => {
    if (wishes.isCut) {
      client.destroy()
      return
    }
    join(client, connect(target.port, target.host), { wishes, sockets })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') {
    throw new Error('the proxy has no port')
  }
  const breakAll = () => {
    for (const socket of sockets) {
      socket.destroy()
    }
  }
  return {
    port: address.port,
    cut() {
      wishes.isCut = true
      breakAll()
    },
    restore() {
      wishes.isCut = false
    },
    silence() {
      wishes.generation += 1
    },
    swallowAnswerTo(text) {
      wishes.fatal = text
    },
    breakBefore(text, after = 0) {
      wishes.unread = text
      wishes.passes = after
    },
    async close() {
      breakAll()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Carries bytes between the two, as far as the test wants it. */
function join(
  client: Socket,
  upstream: Socket,
  { wishes, sockets }: { wishes: Wishes; sockets: Set<Socket> },
): void {
  sockets.add(client).add(upstream)
  const bornIn = wishes.generation
  let isDoomed = false
  const end = () => {
    client.destroy()
    upstream.destroy()
    sockets.delete(client)
    sockets.delete(upstream)
  }
  client.on('data', (chunk) => {
    if (bornIn < wishes.generation) {
      return
    }
    if (wishes.unread !== null && chunk.includes(wishes.unread)) {
      wishes.passes -= 1
      if (wishes.passes < 0) {
        wishes.unread = null
        end()
        return
      }
    }
    if (wishes.fatal !== null && chunk.includes(wishes.fatal)) {
      wishes.fatal = null
      isDoomed = true
    }
    upstream.write(chunk)
  })
  upstream.on('data', (chunk) => {
    if (isDoomed) {
      end()
    } else {
      client.write(chunk)
    }
  })
  for (const socket of [client, upstream]) {
    socket.on('error', end)
    socket.on('close', end)
  }
}
