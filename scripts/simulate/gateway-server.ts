/** A server that stands for the gateways' own APIs where there is no internet, books and all. */
import { once } from 'node:events'
import http from 'node:http'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { messageOf } from '../../src/base/problem.ts'
import { controlReply, openControl, type Control } from './gateways/control.ts'
import type { Fault } from './gateways/faults.ts'
import { reply, type Asked, type Operation, type Reply } from './gateways/wire.ts'
import type { WebhookOptions } from './gateways/webhooks.ts'

export interface TestGatewaysOptions {
  /** 0 for a free one. */
  port: number
  clock?: Clock
  /** How many things of a kind each gateway remembers. */
  limit?: number
  /** How its webhooks are tried again. */
  webhooks?: Omit<WebhookOptions, 'clock'>
}

export interface TestGateways extends Control {
  /** Without a slash at the end. */
  url: string
  close(): Promise<void>
}

const BODY_LIMIT = 64 * 1024
const THINGS_LIMIT = 200_000
const CALLS_KEPT = 10_000

/**
 * Starts it on 127.0.0.1: one merchant's accounts at Razorpay, PayU and Stripe, everything in
 * memory. What happens there is made to happen by calls of the control (`/_test/…`), or by the
 * service through the APIs, and is told in signed webhooks where an endpoint was named. Rejects
 * where the port is taken.
 */
export async function startTestGateways(options: TestGatewaysOptions): Promise<TestGateways> {
  const clock = options.clock ?? systemClock
  const limit = options.limit ?? THINGS_LIMIT
  const { control, operationOf } = openControl({ clock, limit, webhooks: options.webhooks ?? {} })
  const slow = new Set<NodeJS.Timeout>()

  async function answer(request: http.IncomingMessage, response: http.ServerResponse) {
    const asked = await askedIn(request, clock)
    if (asked === undefined) {
      send(response, failure(413, `A body has at most ${BODY_LIMIT} bytes here.`))
      return
    }
    const ours = controlReply(control, asked)
    if (ours !== undefined) {
      send(response, await ours)
      return
    }
    const operation = operationOf(asked)
    if (operation === undefined) {
      send(response, failure(404, `The test gateways have no ${asked.method} ${asked.path}.`))
      return
    }
    control.calls.push({ operation: operation.name, at: asked.now })
    control.calls.splice(0, Math.max(0, control.calls.length - CALLS_KEPT))
    meet(response, operation, control.faults.hit(operation.name), slow)
  }

  const server = http.createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      send(response, failure(500, messageOf(error)))
    })
  })
  server.listen(options.port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') {
    throw new Error('The test gateways have no port.')
  }
  return {
    ...control,
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      slow.forEach(clearTimeout)
      control.webhooks.close()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Answers as it should, or as the fault wants it; `slow` keeps the answers that are to come. */
function meet(
  response: http.ServerResponse,
  operation: Operation,
  fault: Fault | undefined,
  slow: Set<NodeJS.Timeout>,
): void {
  switch (fault?.kind) {
    case undefined:
      send(response, operation.run())
      break
    case 'refuse': {
      const { retry_after: seconds, status } = fault
      const headers = seconds === undefined ? {} : { 'retry-after': String(seconds) }
      send(response, reply(status, { error: { description: 'Out of order' } }, headers))
      break
    }
    case 'lose':
      operation.run()
      response.destroy()
      break
    case 'slow': {
      const done = operation.run()
      const timer = setTimeout(() => {
        slow.delete(timer)
        send(response, done)
      }, fault.ms)
      slow.add(timer)
      break
    }
    case 'silent':
      // The caller gives up, or we end first.
      break
  }
}

function failure(status: number, detail: string): Reply {
  return reply(status, { status, detail })
}

function send(response: http.ServerResponse, { status, json, headers }: Reply): void {
  if (!response.headersSent && !response.destroyed) {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(json)
  }
}

/** Undefined where the body is longer than the limit (the rest is read past). */
async function askedIn(request: http.IncomingMessage, clock: Clock): Promise<Asked | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length <= BODY_LIMIT) {
      chunks.push(chunk)
    }
  }
  if (length > BODY_LIMIT) {
    return undefined
  }
  const url = new URL(request.url ?? '/', 'http://gateways')
  const headers = Object.entries(request.headers).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  )
  return {
    method: request.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: Object.fromEntries(headers),
    body: Buffer.concat(chunks).toString('utf8'),
    now: clock(),
  }
}
