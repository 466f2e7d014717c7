/** Receivers of webhooks for tests: real servers on this machine, well-behaved and other ones. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import {
  createServer as createSocketServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net'
import type { Got } from './verify.ts'

export interface Receiver {
  url: string
  port: number
  /** All that came in whole, in its order. */
  got: Got[]
  /** How many connections were made to it. */
  connections: number
  close(): Promise<void>
}

export type Answer = (response: ServerResponse, got: Got, request: IncomingMessage) => void

/** A receiver that reads each call whole and then answers. */
export async function receiver(answer: Answer = ok, tls?: ServerOptions): Promise<Receiver> {
  const got: Got[] = []
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one = { headers: request.headers, body: Buffer.concat(chunks).toString() }
      got.push(one)
      answer(response, one, request)
    })
  }
  const server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle)
  return await started(server, got, tls === undefined ? 'http' : 'https')
}

/** A receiver that does with the bare socket what it likes. */
export async function socketReceiver(act: (socket: Socket) => void): Promise<Receiver> {
  const server = createSocketServer((socket) => {
    // Whoever calls may break the connection; that is no fault of the test.
    socket.on('error', () => socket.destroy())
    act(socket)
  })
  return await started(server, [], 'http')
}

async function started(server: Server, got: Got[], scheme: string): Promise<Receiver> {
  const open = new Set<Socket>()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const made: Receiver = {
    url: `${scheme}://127.0.0.1:${port}/hook`,
    port,
    got,
    connections: 0,
    async close() {
      for (const socket of open) {
        socket.destroy()
      }
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
  server.on('connection', (socket) => {
    made.connections += 1
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  return made
}

export function ok(response: ServerResponse): void {
  response.writeHead(200).end('thanks')
}

export function status(code: number, headers: Record<string, string> = {}): Answer {
  return (response) => void response.writeHead(code, headers).end(`it is ${code}`)
}

/** Never answers; the connection stays open. */
export const silent: Answer = () => undefined
