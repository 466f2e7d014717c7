/** Sends the test gateways' webhooks: signed, tried again, held back or silent when told to. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { systemClock, type Clock } from '../../../src/base/clock.ts'
import type { GatewayName } from '../../../src/gateways/fact.ts'
import { createSender, pause } from '../send.ts'
import type { Telling } from './wire.ts'

export const EndpointShape = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  /** Razorpay `acc_…`, PayU merchant key, Stripe `acct_…`: what the events say they are of. */
  account: z.string().min(1).max(100),
  /** What signs; for PayU the salt. */
  secret: z.string().min(1).max(500),
})

export type WebhookEndpoint = z.output<typeof EndpointShape>

/**
 * `on`: events go out as they happen. `held`: they wait, signed by the secret of now, until it is
 * `on` again. `silent`: nobody is ever told of them.
 */
export const ModeShape = z.enum(['on', 'held', 'silent'])
export type Mode = z.output<typeof ModeShape>

/** One event and what became of it. */
export interface SentEvent {
  id: string
  gateway: GatewayName
  type: string
  about: string
  state: 'waiting' | 'held' | 'silent' | 'nowhere' | 'delivered' | 'given up'
  /** Each answer; 0 for none. */
  statuses: number[]
}

export interface WebhookOptions {
  clock?: Clock
  /** Tries of one event, and the wait after the first, which doubles. */
  attempts?: number
  firstDelayMs?: number
  timeoutMs?: number
}

export interface Webhooks {
  to(gateway: GatewayName, endpoint: WebhookEndpoint): void
  endpointOf(gateway: GatewayName): WebhookEndpoint | undefined
  mode(gateway: GatewayName, mode: Mode): void
  tell(gateway: GatewayName, telling: Telling): void
  /** Sends an event once more, as it was: the same bytes under the secret of its time. */
  again(id: string): void
  /** Oldest first, the newest thousands. */
  readonly sent: readonly SentEvent[]
  /** Resolves when nothing is on its way any more; what is held is not. */
  idle(): Promise<void>
  close(): void
}

const KEPT = 5000

interface Kept extends SentEvent {
  /** Of the time when it happened; null for the endpoint's newest. */
  secret: string | null
  telling: Telling
}

export function createWebhooks(options: WebhookOptions = {}): Webhooks {
  const endpoints = new Map<GatewayName, WebhookEndpoint>()
  const modes = new Map<GatewayName, Mode>()
  const events: Kept[] = []
  const deliverer = createDeliverer(options, (gateway) => endpoints.get(gateway))
  return {
    sent: events,
    to(gateway, endpoint) {
      endpoints.set(gateway, EndpointShape.parse(endpoint))
    },
    endpointOf: (gateway) => endpoints.get(gateway),
    mode(gateway, mode) {
      modes.set(gateway, mode)
      for (const event of mode === 'on' ? events : []) {
        if (event.gateway === gateway && event.state === 'held') {
          deliverer.start(event)
        }
      }
    },
    tell(gateway, telling) {
      const mode = modes.get(gateway) ?? 'on'
      const endpoint = endpoints.get(gateway)
      const { type, about } = telling
      const id = `sent_${randomUUID()}`
      const state = endpoint === undefined ? 'nowhere' : mode === 'on' ? 'waiting' : mode
      // Stripe signs each try anew, with the secret of that moment.
      const secret = gateway === 'stripe' ? null : (endpoint?.secret ?? null)
      const event: Kept = { id, gateway, type, about, state, statuses: [], secret, telling }
      events.push(event)
      events.splice(0, Math.max(0, events.length - KEPT))
      if (state === 'waiting') {
        deliverer.start(event)
      }
    },
    again(id) {
      const event = events.find((one) => one.id === id)
      if (event === undefined) {
        throw new RangeError(`No event ${id} was sent.`)
      }
      deliverer.start(event)
    },
    idle: deliverer.idle,
    close: deliverer.close,
  }
}

interface Deliverer {
  start(event: Kept): void
  idle(): Promise<void>
  close(): void
}

type EndpointOf = (gateway: GatewayName) => WebhookEndpoint | undefined

function createDeliverer(options: WebhookOptions, endpointOf: EndpointOf): Deliverer {
  const { clock = systemClock, attempts = 8, firstDelayMs = 200, timeoutMs = 5000 } = options
  const stop = new AbortController()
  const sender = createSender({
    connections: 16,
    timeoutMs,
    attempts: 1,
    firstDelayMs: 1,
    seed: 1,
    signal: stop.signal,
  })
  const underWay = new Set<Promise<void>>()
  const lines = new Map<GatewayName, Promise<void>>()

  /** First tries go out one after the other, later ones whenever they are due. */
  function start(event: Kept): void {
    event.state = 'waiting'
    const before = lines.get(event.gateway) ?? Promise.resolve()
    const first = before.then(async () => await attempt(event))
    lines.set(event.gateway, first)
    track(first.then(async () => await retry(event)))
  }

  function track(work: Promise<void>): void {
    underWay.add(work)
    void work.finally(() => underWay.delete(work))
  }

  async function retry(event: Kept): Promise<void> {
    for (let tried = 1; event.state === 'waiting' && !stop.signal.aborted; tried += 1) {
      if (tried >= attempts) {
        event.state = 'given up'
        return
      }
      await pause(firstDelayMs * 2 ** (tried - 1), stop.signal)
      await attempt(event)
    }
  }

  async function attempt(event: Kept): Promise<void> {
    const endpoint = endpointOf(event.gateway)
    if (endpoint === undefined || stop.signal.aborted) {
      return
    }
    const { headers, body } = event.telling.call(event.secret ?? endpoint.secret, clock())
    const answer = await sender.send({ method: 'POST', url: endpoint.url, headers, body })
    event.statuses.push(answer.status)
    if (answer.status >= 200 && answer.status <= 299) {
      event.state = 'delivered'
    }
  }

  return {
    start,
    async idle() {
      while (underWay.size > 0) {
        await Promise.all(underWay)
      }
    },
    close() {
      stop.abort()
      sender.close()
    },
  }
}
