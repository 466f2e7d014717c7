/** Sends one webhook to one address that was looked at, follows nothing, and reads little. */
import { Resolver } from 'node:dns/promises'
import { request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { messageOf } from '../base/problem.ts'
import { hostOf, isLocalName, mayReach, reasonAgainst, type Reach } from './address.ts'

/** The addresses of a name. It is asked once for each attempt. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<string[]>

export interface Call {
  url: string
  headers: Readonly<Record<string, string>>
  payload: string
  /** For all of it: name, connection, headers and the beginning of the answer. */
  timeoutMs: number
  reach: Reach
  resolve: Resolve
}

/** What came of a call: a status, or why there is none. */
export interface Answered {
  status: number | null
  error: string | null
  /** The beginning of the answer's body, as text. */
  answer: string | null
  retryAfter: string | undefined
  durationMs: number
}

const ANSWER_BYTES_MAX = 4096
const HEADER_BYTES_MAX = 16 * 1024
const ERROR_LENGTH_MAX = 300
const DNS = { timeout: 2000, tries: 2 }

/** Asks the name servers, not the system's own list of hosts: a name there is a private one. */
export const resolveName: Resolve = async (host, signal) => {
  const resolver = new Resolver(DNS)
  signal.addEventListener('abort', () => resolver.cancel(), { once: true })
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  const found = [four, six].flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
  if (found.length === 0 && four.status === 'rejected') {
    throw four.reason
  }
  return found
}

/** Never throws: whatever goes wrong is an answer that did not come. */
export async function sendWebhook(call: Call): Promise<Answered> {
  const start = performance.now()
  const signal = AbortSignal.timeout(call.timeoutMs)
  let received: { status: number | null; answer: string; retryAfter: string | undefined } | null
  let error: string | null = null
  try {
    const addresses = await checkedAddresses(call, signal)
    const response = await post(call, addresses, signal)
    received = {
      status: response.statusCode ?? null,
      retryAfter: response.headers['retry-after'],
      answer: await beginningOf(response),
    }
  } catch (thrown) {
    received = null
    error = signal.aborted ? `no answer in ${call.timeoutMs} ms` : wordsFor(thrown)
  }
  return {
    status: received?.status ?? null,
    error,
    answer: received?.answer ?? null,
    retryAfter: received?.retryAfter,
    durationMs: Math.round(performance.now() - start),
  }
}

function wordsFor(thrown: unknown): string {
  return messageOf(thrown)
    .replaceAll(/\p{Cc}+/gu, ' ')
    .slice(0, ERROR_LENGTH_MAX)
}

/** The addresses to connect to; throws where one of them is none that webhooks may go to. */
async function checkedAddresses(call: Call, signal: AbortSignal): Promise<string[]> {
  const against = reasonAgainst(call.url, call.reach)
  if (against !== null) {
    throw new Error(`the URL ${against}`)
  }
  const host = hostOf(new URL(call.url))
  const addresses = await addressesOf(host, call, signal)
  if (addresses.length === 0) {
    throw new Error(`${host} has no address`)
  }
  // One that is open beside one that is closed is no accident.
  if (!addresses.every((address) => mayReach(address, call.reach))) {
    throw new Error(`${host} has an address that is not public`)
  }
  return addresses
}

async function addressesOf(host: string, call: Call, signal: AbortSignal): Promise<string[]> {
  if (isIP(host) !== 0) {
    return [host]
  }
  return isLocalName(host) ? ['127.0.0.1', '::1'] : await call.resolve(host, signal)
}

/** Connects to these addresses only: the name is not asked again, whatever it would say now. */
function lookupOf(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_host, options, done) => {
    const [first] = found
    if (options.all === true || first === undefined) {
      done(null, found)
    } else {
      done(null, first.address, first.family)
    }
  }
}

async function post(
  call: Call,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const url = new URL(call.url)
  const options: RequestOptions = {
    method: 'POST',
    hostname: hostOf(url),
    port: url.port,
    path: url.pathname + url.search,
    headers: { ...call.headers, 'content-length': Buffer.byteLength(call.payload) },
    // No connection is kept: the next attempt looks at the address anew.
    agent: false,
    lookup: lookupOf(addresses),
    maxHeaderSize: HEADER_BYTES_MAX,
    signal,
  }
  return await new Promise((resolve, reject) => {
    const sent =
      url.protocol === 'https:'
        ? tlsRequest({ ...options, rejectUnauthorized: true })
        : plainRequest(options)
    sent.once('response', resolve)
    // Stays, because a connection may break again after its answer came.
    sent.on('error', reject)
    sent.once('close', () => reject(new Error('the connection was closed without an answer')))
    sent.end(call.payload)
  })
}

/**
 * Up to 4 KiB of the body, or what came of it until the time was over: the status alone says
 * whether it was delivered.
 */
async function beginningOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  await new Promise<void>((resolve) => {
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      if (size >= ANSWER_BYTES_MAX) {
        resolve()
      }
    })
    response.once('end', resolve)
    response.once('error', () => resolve())
    response.once('close', resolve)
  })
  response.destroy()
  const text = Buffer.concat(chunks).subarray(0, ANSWER_BYTES_MAX).toString('utf8')
  // What a terminal would obey, and what Postgres has no place for.
  return text.replaceAll(/[^\P{Cc}\n\r\t]|[\u2028\u2029]/gu, '\ufffd').trim()
}
