/** Calls a payment gateway over HTTPS and turns every way it can fail into a Problem. */
import type { Exchange } from '../base/calls-out.ts'
import { gatewaySeconds } from '../base/metrics-gateways.ts'
import { messageOf, Problem } from '../base/problem.ts'
import { inSpan } from '../base/tracing.ts'
import type { CallOptions } from './gateway.ts'

export interface Call {
  /** The gateway's name for people, as it stands in a problem's detail. */
  gateway: string
  url: string
  headers: Record<string, string>
  body: string
  options: CallOptions
  /** Without an answer nobody knows whether money moved. */
  movesMoney?: boolean
}

type Method = 'GET' | 'POST'

export interface Answer {
  status: number
  text: string
}

const MAX_ANSWER_BYTES = 2_000_000
const RETRY_AFTER_SECONDS = 30
const MAX_RETRY_AFTER_SECONDS = 3600

/** Nobody was there to hear us. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/**
 * Posts to a gateway and gives its answer, whatever it says, up to 2 MB. Throws
 * `gateway_unavailable` without an answer in time and for HTTP 429 and 5xx; where the call moves
 * money and may have arrived, with `moved: 'unknown'`. A redirect is not followed: it would take
 * the credentials elsewhere.
 */
export async function post(call: Call): Promise<Answer> {
  return await request('POST', call)
}

/** Asks a gateway; fails as `post` does, and moves nothing. */
export async function get(call: Omit<Call, 'body' | 'movesMoney'>): Promise<Answer> {
  return await request('GET', { ...call, body: '' })
}

async function request(method: Method, call: Call): Promise<Answer> {
  const { gateway, url } = call
  const attributes = { 'http.request.method': method, 'server.address': new URL(url).hostname }
  return await inSpan(`call ${gateway}`, { kind: 'client', attributes }, async (span) => {
    const stopClock = gatewaySeconds.startTimer({ gateway: gateway.toLowerCase() })
    const begunAt = new Date()
    const heard: Heard = { status: null, answer: null, retryAfter: null, requestId: null }
    let failure: string | null = null
    try {
      return await send(method, call, heard)
    } catch (error) {
      failure = messageOf(error)
      throw error
    } finally {
      const tookMs = stopClock({ status: String(heard.status ?? 'none') }) * 1000
      if (heard.status !== null) {
        span.setAttribute('http.response.status_code', heard.status)
      }
      const asked = { method, url, requestHeaders: call.headers, requestBody: call.body }
      call.options.heard?.({ ...asked, begunAt, tookMs, ...heard, failure })
    }
  })
}

/** What there was of an answer, as far as it came. */
type Heard = Pick<Exchange, 'status' | 'answer' | 'retryAfter' | 'requestId'>

async function send(method: Method, call: Call, heard: Heard): Promise<Answer> {
  const { gateway, url, headers, options } = call
  const { signal } = options
  const body = method === 'GET' ? {} : { body: call.body }
  const moved = call.movesMoney === true ? 'unknown' : 'no'
  let response: Response
  let text: string | undefined
  try {
    response = await fetch(url, { method, headers, ...body, signal, redirect: 'manual' })
    heard.status = response.status
    heard.retryAfter = retryAfterOf(response)
    heard.requestId = response.headers.get('request-id')
    text = await textWithin(response, MAX_ANSWER_BYTES)
    heard.answer = text ?? null
  } catch (thrown) {
    throw unavailable(
      signal.aborted
        ? `${gateway} did not answer in time.`
        : `${gateway} cannot be reached (${causeOf(thrown)}).`,
      { cause: thrown, moved: NOT_SENT.has(causeOf(thrown)) ? 'no' : moved },
    )
  }
  if (response.status === 429 || response.status >= 500) {
    throw unavailable(`${gateway} answered with HTTP ${response.status}.`, {
      ...(heard.retryAfter === null ? {} : { retryAfter: heard.retryAfter }),
      moved: response.status === 429 ? 'no' : moved,
    })
  }
  if (text === undefined) {
    throw unavailable(`${gateway} answered with more than ${MAX_ANSWER_BYTES} bytes.`, { moved })
  }
  return { status: response.status, text }
}

/** `gateway_unavailable` for an answer that cannot be used; trying again may help. */
export function unavailable(
  detail: string,
  extras: { retryAfter?: number; cause?: unknown; moved?: 'no' | 'unknown' } = {},
): Problem {
  return new Problem('gateway_unavailable', {
    retryAfter: RETRY_AFTER_SECONDS,
    moved: 'no',
    ...extras,
    detail,
  })
}

/** `gateway_refused` with the gateway's own words, without any secret that it may have echoed. */
export function refused(
  gateway: string,
  words: string | null,
  secrets: readonly string[],
): Problem {
  let safe = words ?? 'It gave no reason.'
  for (const secret of secrets) {
    safe = secret === '' ? safe : safe.replaceAll(secret, '…')
  }
  return new Problem('gateway_refused', {
    detail: `${gateway} refused the request: ${safe}`,
    moved: 'no',
  })
}

/** The address of a path at a gateway, whether or not its configured address ends in a slash. */
export function addressOf(apiUrl: string, path: string): string {
  return apiUrl.replace(/\/+$/, '') + path
}

/** The body as text; undefined where it is longer than `limit` bytes. */
async function textWithin(response: Response, limit: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > limit) {
      return undefined
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The system's own word for a failed connection (`ECONNREFUSED`), which fetch hides in `cause`. */
function causeOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined
  if (cause instanceof Error) {
    return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
  }
  return messageOf(thrown)
}

/** Seconds; null where the gateway says none. */
function retryAfterOf(response: Response): number | null {
  const seconds = response.headers.get('retry-after') ?? ''
  if (!/^\d{1,9}$/.test(seconds)) {
    return null
  }
  return Math.min(Math.max(Number(seconds), 1), MAX_RETRY_AFTER_SECONDS)
}
