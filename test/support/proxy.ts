/** A TCP proxy of the tests' own: what stands behind it can be taken away and given back. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'

export interface Proxy {
  port: number
  /** Breaks every connection and refuses new ones. */
  cut(): void
  restore(): void
  /** The next connection that sends this text gets no answer to it: it is broken instead. */
  swallowAnswerTo(text: string): void
  close(): Promise<void>
}

export async function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let isCut = false
  let fatal: string | null = null
  const server: Server = createServer((client) => {
    if (isCut) {
      client.destroy()
      return
    }
    const upstream = connect(target.port, target.host)
    sockets.add(client).add(upstream)
    const end = () => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
      sockets.delete(upstream)
    }
    let isDoomed = false
    client.on('data', (chunk) => {
      if (fatal !== null && chunk.includes(fatal)) {
        fatal = null
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
      isCut = true
      breakAll()
    },
    restore() {
      isCut = false
    },
    swallowAnswerTo(text) {
      fatal = text
    },
    async close() {
      breakAll()
      server.close()
      await once(server, 'close')
    },
  }
}
