/** What a scenario plays on: the service, the test gateways, and what must show in the end. */
import { formatRupees } from '../../../reports/indian-number.ts'
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { minorToJson } from '../../../src/base/money.ts'
import type { GatewayName } from '../../../src/gateways/fact.ts'
import { donorFrom } from '../people.ts'
import type { Endpoint, Running } from '../running.ts'
import { createSender, pause, type Sender } from '../send.ts'
import { wordAt } from '../gateways/wire.ts'
import { sumOf, type Books } from './books.ts'

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
export type JsonObject = Record<string, Json>

/** What the service shows is not what it should show; the message says both. */
export class NotAsExpected extends Error {
  override readonly name = 'NotAsExpected'
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH'

export interface Answered {
  status: number
  json: JsonObject
}

export interface Opened {
  donationId: string
  orderRef: string
  /** PayU: the fields of the checkout form. */
  fields: Record<string, string>
  amount: number
}

export interface StageOptions {
  running: Running
  say(text: string): void
  signal: AbortSignal
  /** How long to wait for what must show. */
  patienceMs?: number
}

const POLL_MS = 100
const PATIENCE_MS = 60_000
const DONOR_SEED = 5

export interface Stage {
  readonly running: Running
  say(text: string): void
  /** Calls the service as an admin. */
  call(method: Method, path: string, body?: JsonObject): Promise<Answered>
  /** What it answers to a GET; anything but 200 throws `NotAsExpected`. */
  got(path: string): Promise<JsonObject>
  /** Makes something happen at a gateway; gives what it shows of it. */
  at(gateway: GatewayName, name: string, input: JsonObject): Promise<JsonObject>
  control(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: Json): Promise<Json>
  endpoint(gateway: GatewayName): Endpoint
  /** Lets the gateway's webhooks go to its endpoint, or to another one of the service. */
  connect(gateway: GatewayName, endpoint?: Endpoint): Promise<void>
  mode(gateway: GatewayName, mode: 'on' | 'held' | 'silent'): Promise<void>
  /** Opens a donation as the website does; the amount is in paise. */
  open(gateway: GatewayName, amount: number): Promise<Opened>
  payment(gatewayPaymentId: string): Promise<JsonObject | undefined>
  /** The trial balance now, to be compared with later. */
  books(): Promise<Books>
  /** Waits until it shows this. Throws `NotAsExpected` where it does not in time. */
  shows(what: string, look: () => Promise<Json | undefined>, expected: Json): Promise<void>
  /** Waits until nothing is on its way any more: no webhook, no event. */
  calm(): Promise<void>
  close(): void
}

export function openStage(options: StageOptions): Stage {
  const { running, say, signal } = options
  const { call, control, got, close } = createCaller(running, signal)
  let donors = 0

  async function open(gateway: GatewayName, amount: number): Promise<Opened> {
    donors += 1
    const { status, json } = await call('POST', '/v1/donations', {
      gateway,
      amount: minorToJson(BigInt(amount)),
      currency: 'INR',
      fund: 'general',
      nature: 'general',
      donor: donorFrom(DONOR_SEED, donors) as unknown as JsonObject,
    })
    if (status !== 201) {
      throw new NotAsExpected(`The donation was not opened: ${status} ${JSON.stringify(json)}`)
    }
    const checkout = json['checkout'] as { fields?: Record<string, string> }
    const donationId = wordAt(json, 'id')
    say(`A donation of ${rupees(amount)} is opened at ${gateway}: ${donationId}`)
    return {
      donationId,
      orderRef: wordAt(json, 'order_ref'),
      fields: checkout.fields ?? {},
      amount,
    }
  }

  const endpoint = (gateway: GatewayName): Endpoint => endpointIn(running, gateway)

  return {
    running,
    say,
    call,
    got,
    control,
    endpoint,
    open,
    shows: async (what, look, expected) => {
      await waitFor(options, { what, look, expected })
    },
    at: async (gateway, name, input) =>
      (await control('POST', `${gateway}/${name}`, input)) as JsonObject,
    async connect(gateway, to = endpoint(gateway)) {
      const url = new URL(to.path, running.api_url).href
      const { account, secret } = to
      await control('PUT', `webhooks/${gateway}`, { url, account, secret })
    },
    async mode(gateway, mode) {
      await control('PUT', `webhooks/${gateway}/mode`, { mode })
    },
    async payment(gatewayPaymentId) {
      const { data } = await got(`/v1/payments?limit=1&gateway_payment_id=${gatewayPaymentId}`)
      return Array.isArray(data) ? (data[0] as JsonObject | undefined) : undefined
    },
    async books() {
      return sumOf(await got('/v1/trial-balance'))
    },
    async calm() {
      await control('GET', 'webhooks')
      const waiting = async () => {
        const { data } = await got('/v1/inbox-events?limit=1&state=waiting')
        return Array.isArray(data) ? data.length : -1
      }
      await waitFor(options, { what: 'every event is dealt with', look: waiting, expected: 0 })
    },
    close,
  }
}

function endpointIn(running: Running, gateway: GatewayName): Endpoint {
  const found = running.endpoints[gateway]
  if (found === undefined) {
    throw new NotAsExpected(`The service has no webhook endpoint for ${gateway}.`)
  }
  return found
}

interface Look {
  what: string
  look: () => Promise<Json | undefined>
  expected: Json
}

async function waitFor(options: StageOptions, { what, look, expected }: Look): Promise<void> {
  const { say, signal, patienceMs = PATIENCE_MS } = options
  const deadline = performance.now() + patienceMs
  for (;;) {
    const seen = await look()
    if (isDeepStrictEqual(seen, expected)) {
      say(`  ok  ${what}`)
      return
    }
    if (performance.now() > deadline || signal.aborted) {
      const [wanted, got] = [JSON.stringify(expected), JSON.stringify(seen)]
      throw new NotAsExpected(`${what}: expected ${wanted}, the service shows ${got}`)
    }
    await pause(POLL_MS, signal)
  }
}

/** Calls the service as an admin, and the control of the test gateways. */
function createCaller(running: Running, signal: AbortSignal) {
  const sender: Sender = createSender({
    connections: 4,
    timeoutMs: 90_000,
    attempts: 1,
    firstDelayMs: 1,
    seed: 1,
    signal,
  })

  async function send(method: Method | 'DELETE', url: URL, more: Sending) {
    const body = more.body === undefined ? '' : JSON.stringify(more.body)
    const headers = { 'content-type': 'application/json', ...more.headers }
    const { status, text } = await sender.send({ method, url: url.href, headers, body })
    const json = status === 0 ? { detail: text } : ((text === '' ? {} : JSON.parse(text)) as Json)
    return { status, json }
  }

  async function call(method: Method, path: string, body?: JsonObject): Promise<Answered> {
    const token = running.admin_token ?? running.token
    const url = new URL(path, running.api_url)
    const headers: Record<string, string> = { authorization: `Bearer ${token}` }
    if (method === 'POST') {
      headers['idempotency-key'] = randomUUID()
    }
    const answer = await send(method, url, { body, headers })
    return { status: answer.status, json: answer.json as JsonObject }
  }

  async function control(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: Json,
  ): Promise<Json> {
    const url = new URL(`/_test/${path}`, running.test_gateways_url)
    const { status, json } = await send(method, url, { body })
    if (status !== 200) {
      throw new NotAsExpected(`${method} ${url.pathname}: ${status} ${JSON.stringify(json)}`)
    }
    return json
  }

  async function got(path: string): Promise<JsonObject> {
    const { status, json } = await call('GET', path)
    if (status !== 200) {
      throw new NotAsExpected(`GET ${path}: 200 expected, got ${status} ${JSON.stringify(json)}`)
    }
    return json
  }

  return { call, control, got, close: () => sender.close() }
}

interface Sending {
  body?: Json | undefined
  headers?: Record<string, string>
}

/** Paise in words. */
export function rupees(paise: number): string {
  return formatRupees(BigInt(paise))
}
