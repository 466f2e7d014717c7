/** Stripe's lists: newest first, by cursor, narrowed by what the object says. */
import { reply, wordAt, type Asked, type Entity, type Reply } from '../wire.ts'
import type { Collection, StripeBooks } from './books.ts'
import { StripeRefusal } from './refusal.ts'
import { expandOf, viewOf } from './views.ts'

/** Members by whose exact text a list can be narrowed. */
const FILTERS = ['charge', 'payment_intent', 'status', 'type', 'currency'] as const
const COMPARED: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '': (value, bound) => value === bound,
  '[gt]': (value, bound) => value > bound,
  '[gte]': (value, bound) => value >= bound,
  '[lt]': (value, bound) => value < bound,
  '[lte]': (value, bound) => value <= bound,
}
const TIMES = ['created', 'arrival_date', 'available_on'] as const

export function listOf(books: StripeBooks, collection: Collection, asked: Asked): Reply {
  const { query } = asked
  const limit = query.get('limit') ?? '10'
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > 100) {
    throw new StripeRefusal(400, 'Invalid limit: it must be between 1 and 100.', 'limit')
  }
  const rows = books.shelves[collection].all().filter((row) => fits(books, row, query))
  const { start, end } = boundsOf(rows, query, Number(limit))
  const some = rows.slice(start, end)
  const inside = expandOf(asked).map((path) => path.replace(/^data\./, ''))
  return reply(200, {
    object: 'list',
    data: some.map((row) => viewOf(books, row, inside)),
    has_more: query.has('ending_before') ? start > 0 : end < rows.length,
    url: `/v1/${collection}`,
  })
}

function fits(books: StripeBooks, row: Entity, query: URLSearchParams): boolean {
  const named = FILTERS.every((name) => {
    const wanted = query.get(name)
    return wanted === null || wordAt(row, name) === wanted
  })
  const payout = query.get('payout')
  const inPayout = payout === null || books.inPayout.find(row.id) === payout
  return named && inPayout && TIMES.every((name) => inTime(row, name, query))
}

function inTime(row: Entity, name: string, query: URLSearchParams): boolean {
  const value = row[name]
  return Object.entries(COMPARED).every(([suffix, compare]) => {
    const bound = query.get(name + suffix)
    return bound === null || (typeof value === 'number' && compare(value, Number(bound)))
  })
}

/** From behind the one cursor, or up to before the other. */
function boundsOf(
  rows: readonly Entity[],
  query: URLSearchParams,
  limit: number,
): { start: number; end: number } {
  const [after, before] = [query.get('starting_after'), query.get('ending_before')]
  if (before !== null) {
    const end = placeOf(rows, before, 'ending_before')
    return { start: Math.max(0, end - limit), end }
  }
  const start = after === null ? 0 : placeOf(rows, after, 'starting_after') + 1
  return { start, end: start + limit }
}

function placeOf(rows: readonly Entity[], id: string, param: string): number {
  const place = rows.findIndex((row) => row.id === id)
  if (place === -1) {
    throw new StripeRefusal(400, `No such object: '${id.slice(0, 64)}'`, param)
  }
  return place
}
