/** Stripe's objects as they are answered: what is asked for with `expand[]` in place of its id. */
import { wordAt, type Asked, type Entity, type Json } from '../wire.ts'
import type { StripeBooks } from './books.ts'
import { StripeRefusal } from './refusal.ts'

const DEPTH_MAX = 4
const PATHS_MAX = 20
const REFUNDS_SHOWN = 10

/** The paths in `expand[]` or `expand[0]`, of the query and of the form. */
export function expandOf({ query, body }: Asked, form = new URLSearchParams(body)): string[] {
  const pairs = [...query, ...form]
  const paths = pairs.flatMap(([name, value]) => (/^expand\[\d*\]$/.test(name) ? [value] : []))
  if (paths.length > PATHS_MAX || paths.some((path) => path.split('.').length > DEPTH_MAX)) {
    throw new StripeRefusal(400, 'You cannot expand more than 4 levels of a property.', 'expand')
  }
  return paths
}

/** An object as an answer has it. */
export function viewOf(books: StripeBooks, object: Entity, paths: readonly string[]): Entity {
  let view = wholeOf(books, object)
  for (const path of paths) {
    view = expanded(books, view, path.split('.')) as Entity
  }
  return view
}

/** A dispute shows its balance transactions in any case. */
function wholeOf(books: StripeBooks, object: Entity): Entity {
  const movements = object['balance_transactions']
  if (object['object'] !== 'dispute' || !Array.isArray(movements)) {
    return object
  }
  const rows = movements.map((id) => (typeof id === 'string' ? (books.find(id) ?? id) : id))
  return { ...object, balance_transactions: rows }
}

function expanded(books: StripeBooks, value: Json, path: readonly string[]): Json {
  const [name, ...rest] = path
  if (name === undefined || value === null) {
    return value
  }
  if (Array.isArray(value)) {
    return value.map((member) => expanded(books, member, path))
  }
  if (typeof value !== 'object') {
    throw new StripeRefusal(400, `This property cannot be expanded (${name}).`, 'expand')
  }
  const member = memberOf(books, value, name)
  return { ...value, [name]: expanded(books, member, rest) }
}

function memberOf(books: StripeBooks, parent: Record<string, Json>, name: string): Json {
  if (name === 'refunds' && parent['object'] === 'charge') {
    return parent['refunds'] ?? refundsOf(books, wordAt(parent, 'id'))
  }
  const value = parent[name]
  if (value === undefined) {
    throw new StripeRefusal(400, `This property cannot be expanded (${name}).`, 'expand')
  }
  return typeof value === 'string' ? (books.find(value) ?? value) : value
}

/** The newest ten, and whether there are more. */
function refundsOf(books: StripeBooks, charge: string): Json {
  const all = books.shelves.refunds.all().filter((refund) => refund['charge'] === charge)
  return {
    object: 'list',
    data: all.slice(0, REFUNDS_SHOWN),
    has_more: all.length > REFUNDS_SHOWN,
    url: `/v1/charges/${charge}/refunds`,
  }
}
