/** A small server that stands for the gateways' own APIs where there is no internet. */
import { once } from 'node:events'
import http from 'node:http'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { messageOf } from '../../src/base/problem.ts'
import {
  createPayuBooks,
  razorpayError,
  razorpayOrder,
  type GatewayAnswer,
  type PayuBooks,
} from './gateway-answers.ts'

export interface TestGatewaysOptions {
  /** 0 for a free one. */
  port: number
  clock?: Clock
}

export interface TestGateways {
  /** Without a slash at the end. */
  url: string
  close(): Promise<void>
}

const BODY_LIMIT = 64 * 1024
const PAYMENTS_LIMIT = 200_000
const PAYU_PAYMENT = /^\/_test\/payu\/payments\/([^/]{1,120})$/

interface Incoming {
  method: string
  path: string
  authorization: string
  body: string
}

/**
 * Starts it on 127.0.0.1; everything is in memory. It answers Razorpay's `POST /v1/orders`,
 * PayU's `POST /merchant/postservice.php` (verify_payment), `GET /health`, and takes
 * `PUT /_test/payu/payments/:txnid`: what became of a PayU payment. Rejects where the port is
 * taken.
 */
export async function startTestGateways(options: TestGatewaysOptions): Promise<TestGateways> {
  const books = createPayuBooks(PAYMENTS_LIMIT)
  const clock = options.clock ?? systemClock
  const server = http.createServer((request, response) => {
    void answer(request, books, clock)
      .catch((error: unknown) => failure(500, messageOf(error)))
      .then(({ status, json }) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(json)
      })
  })
  server.listen(options.port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') {
    throw new Error('The test gateways have no port.')
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(
  request: http.IncomingMessage,
  books: PayuBooks,
  clock: Clock,
): Promise<GatewayAnswer> {
  const body = await readBody(request)
  if (body === undefined) {
    return failure(413, `A body has at most ${BODY_LIMIT} bytes here.`)
  }
  const incoming: Incoming = {
    method: request.method ?? 'GET',
    path: new URL(request.url ?? '/', 'http://gateways').pathname,
    authorization: request.headers.authorization ?? '',
    body,
  }
  return route(incoming, books, clock)
}

function route(incoming: Incoming, books: PayuBooks, clock: Clock): GatewayAnswer {
  const { method, path, body } = incoming
  if (method === 'GET' && path === '/health') {
    return { status: 200, json: '{"status":"ok"}' }
  }
  if (method === 'POST' && path === '/v1/orders') {
    if (!hasKeyAndSecret(incoming.authorization)) {
      return razorpayError(401, 'Authentication failed', null)
    }
    return razorpayOrder(body, clock())
  }
  if (method === 'POST' && path === '/merchant/postservice.php') {
    return books.answer(new URLSearchParams(body))
  }
  const txnid = PAYU_PAYMENT.exec(path)?.[1]
  if (method === 'PUT' && txnid !== undefined) {
    const complaint = books.record(decodeURIComponent(txnid), body)
    return complaint === null ? { status: 200, json: '{"status":"ok"}' } : failure(400, complaint)
  }
  return failure(404, `The test gateways have no ${method} ${path}.`)
}

function failure(status: number, detail: string): GatewayAnswer {
  return { status, json: JSON.stringify({ status, detail }) }
}

/** HTTP basic authentication with both parts; which ones they are nobody here knows. */
function hasKeyAndSecret(authorization: string): boolean {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization)?.[1] ?? ''
  return /^[^:]+:.+$/.test(Buffer.from(encoded, 'base64').toString('utf8'))
}

/** The whole body, or undefined where it is longer than the limit (the rest is read past). */
async function readBody(request: http.IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length <= BODY_LIMIT) {
      chunks.push(chunk)
    }
  }
  return length <= BODY_LIMIT ? Buffer.concat(chunks).toString('utf8') : undefined
}
