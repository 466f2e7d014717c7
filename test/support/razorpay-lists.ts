/** A Razorpay that only answers questions: its lists, page by page, and single things by id. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from './service.ts'

export type ListPath = 'payments' | 'refunds' | 'disputes' | 'settlements'

export interface RazorpayLists {
  url: string
  /** What it lists; tests change it as they like. */
  rows: Record<ListPath, (JsonObject | null | string)[]>
  /** Every path that was asked for, with its query, in order. */
  asked: string[]
  /** Called before each answer; a status other than 200 is answered in its place. */
  before: (path: string) => Promise<number> | number
  close(): Promise<void>
}

export async function startRazorpayLists(): Promise<RazorpayLists> {
  const lists: RazorpayLists = {
    url: '',
    rows: { payments: [], refunds: [], disputes: [], settlements: [] },
    asked: [],
    before: () => 200,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  const server = createServer((request, response) => {
    answer(lists, request, response).catch((error: unknown) => {
      response.writeHead(599).end(String(error))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  lists.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return lists
}

async function answer(
  lists: RazorpayLists,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', lists.url)
  lists.asked.push(url.pathname + url.search)
  const status = await lists.before(url.pathname + url.search)
  const body = status === 200 ? bodyOf(lists, url) : { error: { description: 'Not now.' } }
  const found = body ?? { error: { description: 'The id provided does not exist' } }
  response.writeHead(body === null ? 400 : status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(found))
}

function bodyOf({ rows }: RazorpayLists, url: URL): object | null {
  const [, , list = '', id, of] = url.pathname.split('/')
  if (list === 'settlements' && id === 'recon') {
    return { entity: 'collection', count: 0, items: [] }
  }
  if (list === 'orders' && of === 'payments') {
    const items = rows.payments.filter((row) => isRow(row) && row['order_id'] === id)
    return { entity: 'collection', count: items.length, items }
  }
  const all = rows[list as ListPath]
  if (id !== undefined) {
    return (all.find((row) => isRow(row) && row['id'] === id) as JsonObject | undefined) ?? null
  }
  const number = (name: string): number => Number(url.searchParams.get(name))
  const made = all
    .filter((row) => !isRow(row) || within(Number(row['created_at']), number('from'), number('to')))
    .slice(number('skip'), number('skip') + number('count'))
  return { entity: 'collection', count: made.length, items: made }
}

/** A row without a time is on every page that is asked for. */
function within(madeAt: number, from: number, to: number): boolean {
  return Number.isNaN(madeAt) || (madeAt >= from && madeAt <= to)
}

function isRow(row: JsonObject | null | string): row is JsonObject {
  return typeof row === 'object' && row !== null
}

/** Seconds since 1970, so many minutes ago. */
export function minutesAgo(minutes: number): number {
  return Math.floor(Date.now() / 1000) - minutes * 60
}

/** A payment as the list has it, captured unless told otherwise. */
export function listedPayment(id: string, more: JsonObject = {}): JsonObject {
  return {
    id,
    entity: 'payment',
    amount: 50_000,
    currency: 'INR',
    status: 'captured',
    captured: true,
    order_id: null,
    method: 'upi',
    fee: null,
    tax: null,
    created_at: minutesAgo(30),
    ...more,
  }
}

export function listedRefund(id: string, payment: string, more: JsonObject = {}): JsonObject {
  return {
    id,
    entity: 'refund',
    payment_id: payment,
    amount: 10_000,
    currency: 'INR',
    status: 'processed',
    acquirer_data: {},
    created_at: minutesAgo(20),
    ...more,
  }
}
