/** Keeps callers that come in crowds, or hardly move, from taking the server from the others. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { BlockList, isIP, type Socket } from 'node:net'
import { connectionsOpen, connectionsRefused, connectionsSilent } from '../base/metrics.ts'
import { PROBLEMS } from '../base/problem.ts'

export interface Patience {
  /** Until the headers are there, and until all of the request is. */
  headersMs: number
  requestMs: number
  /** Without a byte in either direction while a request is in hand. */
  silenceMs: number
  /** Between two requests on one connection; longer than load balancers wait (60 s). */
  keepAliveMs: number
  /** How often the first two are looked at. */
  checkMs: number
}

export const PATIENCE: Patience = {
  headersMs: 10_000,
  requestMs: 30_000,
  silenceMs: 60_000,
  keepAliveMs: 65_000,
  checkMs: 1000,
}

export interface Caps {
  most: number
  perAddress: number
  trustedProxies: readonly string[]
}

const HEADER_BYTES_MAX = 16 * 1024
const HEADERS_MAX = 100
/** Then it is closed, so that connections spread again after processes were added. */
const REQUESTS_PER_CONNECTION = 10_000
/** A refused caller gets this long to read why; so many at a time, the others are cut off. */
const GOODBYE_MS = 1000
const GOODBYES_MAX = 100

/** A server with limits on everything that a connection can hold. */
export function guardedServer(caps: Caps, app: RequestListener, patience = PATIENCE): Server {
  const server = createServer(
    {
      headersTimeout: patience.headersMs,
      requestTimeout: patience.requestMs,
      keepAliveTimeout: patience.keepAliveMs,
      connectionsCheckingInterval: patience.checkMs,
      maxHeaderSize: HEADER_BYTES_MAX,
      keepAlive: true,
    },
    app,
  )
  server.maxHeadersCount = HEADERS_MAX
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION
  server.timeout = patience.silenceMs
  // Whoever reads nothing is not read to: whatever wrote to him ends with an error.
  server.on('request', (_request, response) => {
    response.on('timeout', (socket: Socket) => {
      connectionsSilent.inc()
      socket.destroy()
    })
  })
  capConnections(server, caps)
  return server
}

function capConnections(server: Server, { most, perAddress, trustedProxies }: Caps): void {
  const proxies = blockListOf(trustedProxies)
  const byAddress = new Map<string, number>()
  let open = 0
  let goodbyes = 0

  const refuse = (socket: Socket, cap: 'all' | 'address') => {
    connectionsRefused.inc({ cap })
    socket.on('error', () => socket.destroy())
    if (goodbyes >= GOODBYES_MAX) {
      socket.destroy()
      return
    }
    goodbyes += 1
    const late = setTimeout(() => socket.destroy(), GOODBYE_MS)
    socket.on('close', () => {
      goodbyes -= 1
      clearTimeout(late)
    })
    // What it asked is read off: a reset would take the answer away from it.
    socket.resume().end(REFUSAL)
  }

  const [take] = server.listeners('connection')
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? ''
    const here = byAddress.get(address) ?? 0
    if (open >= most) {
      refuse(socket, 'all')
      return
    }
    if (here >= perAddress && !holds(proxies, address)) {
      refuse(socket, 'address')
      return
    }
    open += 1
    byAddress.set(address, here + 1)
    connectionsOpen.inc()
    socket.on('close', () => {
      open -= 1
      connectionsOpen.dec()
      const left = (byAddress.get(address) ?? 1) - 1
      if (left === 0) {
        byAddress.delete(address)
      } else {
        byAddress.set(address, left)
      }
    })
    take?.call(server, socket)
  })
}

const REFUSAL = refusalOf()

/** The whole answer, because there is no request to give one to. */
function refusalOf(): string {
  const [status, title] = PROBLEMS.unavailable
  const detail = 'Too many connections are open. Close some, or try again.'
  const type = 'urn:bahi:problem:unavailable'
  const body = JSON.stringify({ type, title, status, code: 'unavailable', detail, moved: 'no' })
  return [
    'HTTP/1.1 503 Service Unavailable',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Retry-After: 1',
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) {
      list.addAddress(address, family)
    } else {
      list.addSubnet(address, Number(bits), family)
    }
  }
  return list
}

/** An IPv4 caller of a server that listens on IPv6 has an address of both. */
function holds(list: BlockList, address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
  return isIP(plain) !== 0 && list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
}
