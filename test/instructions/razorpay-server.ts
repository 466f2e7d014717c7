/** A Razorpay of the tests: a real server that moves money once a key, and loses answers. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'

/** What happens to the next call that moves money. */
export type Mishap =
  /** It is done, and the connection is cut before the answer. */
  | 'answer_lost'
  /** The connection is cut before it is done. */
  | 'request_lost'
  /** It is done, and the answer is HTTP 502. */
  | 'bad_gateway'
  /** It is refused. */
  | 'refused'

export interface Moved {
  kind: 'refund' | 'payout' | 'transfer' | 'capture'
  id: string
  reference: string
  amount: number
}

type Entity = Record<string, unknown>

export interface FakeRazorpay {
  url: string
  /** Money that moved, in order: the truth that books are held against. */
  moved: Moved[]
  /** Calls that came, by method and path. */
  calls: string[]
  mishaps: Mishap[]
  payments: Map<string, { amount: number; captured: boolean }>
  /** What refunds, payouts and transfers are made with. */
  status: { refund: string; payout: string; transfer: string }
  /** The newest refund or payout of a reference, as it is told by a webhook. */
  entity(kind: Moved['kind'], reference: string): Entity
  close(): Promise<void>
}

const CREATED_AT = 1_795_000_100

/** What it knows. */
interface Knowledge {
  made: number
  byKey: Map<string, { body: string; entity: Entity }>
  entities: { kind: Moved['kind']; reference: string; payment: string; entity: Entity }[]
  razorpay: Pick<FakeRazorpay, 'moved' | 'payments' | 'status'>
}

export async function startRazorpay(): Promise<FakeRazorpay> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const razorpay: FakeRazorpay = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    moved: [],
    calls: [],
    mishaps: [],
    payments: new Map(),
    status: { refund: 'processed', payout: 'processed', transfer: 'processed' },
    entity(kind, reference) {
      const fits = (one: Knowledge['entities'][number]) =>
        one.kind === kind && one.reference === reference
      const found = known.entities.findLast(fits)
      if (found === undefined) {
        throw new Error(`no ${kind} of ${reference}`)
      }
      return found.entity
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  const known: Knowledge = { made: 0, byKey: new Map(), entities: [], razorpay }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const { pathname: path, searchParams: query } = new URL(url, razorpay.url)
    razorpay.calls.push(`${method} ${path}`)
    const sent = await text(request)
    if (method === 'GET') {
      say(response, ...look(known, path, query))
      return
    }
    const mishap = razorpay.mishaps.shift()
    if (mishap === 'request_lost') {
      request.socket.destroy()
      return
    }
    const [status, done] =
      mishap === 'refused' ? no('It says no.') : act(known, path, sent, request)
    if (mishap === 'answer_lost') {
      request.socket.destroy()
    } else {
      say(response, mishap === 'bad_gateway' ? 502 : status, done)
    }
  }

  return razorpay
}

function act(
  known: Knowledge,
  path: string,
  sent: string,
  request: IncomingMessage,
): [number, Entity] {
  const body = JSON.parse(sent) as Entity
  const [, payment = '', verb = ''] = /^\/v1\/payments\/(\w+)\/(\w+)$/.exec(path) ?? []
  if (path === '/v1/orders') {
    known.made += 1
    const { amount, currency } = body
    return [200, { id: `order_TESTfake${known.made}`, entity: 'order', amount, currency }]
  }
  if (path === '/v1/payouts') {
    const key = String(request.headers['x-payout-idempotency'])
    return onceAKey(known, `payout ${key}`, sent, () => payoutOf(known, body))
  }
  if (verb === 'refund') {
    const key = String(request.headers['x-refund-idempotency'])
    return onceAKey(known, `refund ${key}`, sent, () => refundOf(known, payment, body))
  }
  if (verb === 'transfers') {
    return [200, { entity: 'collection', items: [transferOf(known, payment, body)] }]
  }
  return captureOf(known, payment)
}

function onceAKey(
  known: Knowledge,
  key: string,
  body: string,
  make: () => Entity,
): [number, Entity] {
  const before = known.byKey.get(key)
  if (before === undefined) {
    const entity = make()
    if (entity['error'] !== undefined) {
      return [400, entity]
    }
    known.byKey.set(key, { body, entity })
    return [200, entity]
  }
  return before.body === body ? [200, before.entity] : [409, no('Another body.')[1]]
}

function note(
  { razorpay, entities }: Knowledge,
  of: { kind: Moved['kind']; reference: string; payment: string },
  entity: Entity,
): Entity {
  const { kind, reference } = of
  razorpay.moved.push({
    kind,
    id: String(entity['id']),
    reference,
    amount: Number(entity['amount']),
  })
  entities.push({ ...of, entity })
  return entity
}

function refundOf(known: Knowledge, payment: string, body: Entity): Entity {
  const { amount, receipt } = body
  const given = known.entities
    .filter((one) => one.kind === 'refund' && one.payment === payment)
    .filter(({ entity }) => entity['status'] !== 'failed')
    .reduce((sum, { entity }) => sum + Number(entity['amount']), 0)
  if (given + Number(amount) > (known.razorpay.payments.get(payment)?.amount ?? 0)) {
    return no('The refund amount is greater than the amount captured')[1]
  }
  known.made += 1
  return note(
    known,
    { kind: 'refund', reference: String(receipt), payment },
    {
      id: `rfnd_TESTfake${known.made}`,
      entity: 'refund',
      amount,
      currency: 'INR',
      payment_id: payment,
      receipt,
      status: known.razorpay.status.refund,
      created_at: CREATED_AT,
    },
  )
}

function payoutOf(known: Knowledge, body: Entity): Entity {
  known.made += 1
  const { amount, currency, mode, purpose, reference_id: reference, narration } = body
  return note(
    known,
    { kind: 'payout', reference: String(reference), payment: '' },
    {
      id: `pout_TESTfake${known.made}`,
      entity: 'payout',
      amount,
      currency,
      fees: 590,
      tax: 90,
      status: known.razorpay.status.payout,
      utr: `UTRfake${known.made}`,
      mode,
      purpose,
      reference_id: reference,
      narration,
      created_at: CREATED_AT,
    },
  )
}

function transferOf(known: Knowledge, payment: string, body: Entity): Entity {
  known.made += 1
  const [one] = body['transfers'] as Entity[]
  const notes = one?.['notes'] as { reference: string }
  return note(
    known,
    { kind: 'transfer', reference: notes.reference, payment },
    {
      id: `trf_TESTfake${known.made}`,
      entity: 'transfer',
      source: payment,
      recipient: one?.['account'],
      amount: one?.['amount'],
      currency: 'INR',
      fees: 0,
      tax: 0,
      notes,
      status: known.razorpay.status.transfer,
      created_at: CREATED_AT,
    },
  )
}

function captureOf(known: Knowledge, payment: string): [number, Entity] {
  const found = known.razorpay.payments.get(payment)
  if (found === undefined || found.captured) {
    return no('This payment has already been captured')
  }
  found.captured = true
  const entity = paymentOf(known, payment)
  return [200, note(known, { kind: 'capture', reference: payment, payment }, entity)]
}

function paymentOf({ razorpay }: Knowledge, id: string): Entity {
  const { amount = 0, captured = false } = razorpay.payments.get(id) ?? {}
  return {
    id,
    entity: 'payment',
    amount,
    currency: 'INR',
    status: captured ? 'captured' : 'authorized',
    captured,
    order_id: null,
    method: 'card',
    fee: null,
    tax: null,
    created_at: CREATED_AT,
  }
}

function look(known: Knowledge, path: string, query: URLSearchParams): [number, Entity] {
  const [, payment = '', what = ''] = /^\/v1\/payments\/(\w+)(?:\/(\w+))?$/.exec(path) ?? []
  const listed = (kind: Moved['kind'], fits: (one: Knowledge['entities'][number]) => boolean) => {
    const items = known.entities.filter((one) => one.kind === kind && fits(one))
    return { entity: 'collection', count: items.length, items: items.map((one) => one.entity) }
  }
  if (path === '/v1/payouts') {
    return [200, listed('payout', (one) => one.reference === query.get('reference_id'))]
  }
  if (!known.razorpay.payments.has(payment)) {
    return no('The id provided does not exist')
  }
  switch (what) {
    case 'refunds':
      return [200, listed('refund', (one) => one.payment === payment)]
    case 'transfers':
      return [200, listed('transfer', (one) => one.payment === payment)]
    default:
      return [200, paymentOf(known, payment)]
  }
}

function no(description: string): [number, Entity] {
  return [400, { error: { code: 'BAD_REQUEST_ERROR', description } }]
}

function say(response: ServerResponse, status: number, body: Entity): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
