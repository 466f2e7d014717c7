/** A real HTTP server that answers as it is told, from one moment to the next. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Mood =
  | {
      status: number
      body?: unknown
      /** In place of one body for all: by the number of the request. */
      bodyOf?(request: number): unknown
      headers?: Record<string, string>
    }
  | 'silent'
  | 'hangs_up'

export interface MoodyServer {
  url: string
  /** How many requests came, and how many of them it has in hand now. */
  readonly requests: number
  readonly open: number
  /** The headers and the path of the last one. */
  readonly last: { path: string; headers: Record<string, unknown> }
  /** How it answers from now on; a list is used up one after another, its last for ever. */
  become(...moods: [Mood, ...Mood[]]): void
  /** Answers whoever it was silent to. */
  letGo(status: number, body?: unknown): void
  close(): Promise<void>
}

export async function startMoodyServer(): Promise<MoodyServer> {
  let moods: Mood[] = [{ status: 200, body: {} }]
  let requests = 0
  let last: MoodyServer['last'] = { path: '', headers: {} }
  const waiting = new Set<ServerResponse>()
  const server = createServer((request: IncomingMessage, response) => {
    requests += 1
    last = { path: request.url ?? '', headers: request.headers }
    // Answered only when all of the request is here, as a gateway would.
    request.resume().on('end', () => {
      const [mood = 'silent'] = moods
      moods = moods.length > 1 ? moods.slice(1) : moods
      if (mood === 'hangs_up') {
        request.socket.destroy()
      } else if (mood === 'silent') {
        waiting.add(response)
        response.on('close', () => waiting.delete(response))
      } else {
        answer(response, mood.status, mood.bodyOf?.(requests) ?? mood.body, mood.headers)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    get requests() {
      return requests
    },
    get open() {
      return waiting.size
    },
    get last() {
      return last
    },
    become(...next) {
      moods = next
    },
    letGo(status, body) {
      for (const response of waiting) {
        answer(response, status, body)
      }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown = {},
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}
