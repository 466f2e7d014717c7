/** What Razorpay answers to questions: one thing by its id, and lists by time, page by page. */
import { indianDate } from '../../../../src/base/clock.ts'
import type { Shelf } from '../shelf.ts'
import { numberAt, reply, type Asked, type Entity, type Json, type Reply } from '../wire.ts'
import type { RazorpayBooks } from './books.ts'
import { razorpayError } from './errors.ts'

export function fetchOne(shelf: Shelf<Entity>, id: string): Reply {
  return reply(200, shelf.get(id))
}

/** `from` and `to` are seconds, both in the range; `count` is at most 100 and 10 unless asked. */
export function list(
  shelf: Shelf<Entity>,
  asked: Asked,
  fits: (entity: Entity) => boolean = () => true,
): Reply {
  const paging = pagingOf(asked, 100)
  if ('status' in paging) {
    return paging
  }
  const [from, to] = [asked.query.get('from'), asked.query.get('to')]
  const inRange = shelf.all().filter((entity) => {
    const at = numberAt(entity, 'created_at')
    return (
      fits(entity) && (from === null || at >= Number(from)) && (to === null || at <= Number(to))
    )
  })
  return collection(inRange, paging)
}

/** Payouts by the reference that who asked for them gave. */
export function payoutsBy(books: RazorpayBooks, asked: Asked): Reply {
  if ((asked.query.get('account_number') ?? '') === '') {
    return razorpayError(400, 'The account number field is required.', 'account_number')
  }
  const reference = asked.query.get('reference_id')
  return list(
    books.payouts,
    asked,
    (payout) => reference === null || payout['reference_id'] === reference,
  )
}

/** The lines of the settlements of a day or a month in India. */
export function combined(books: RazorpayBooks, asked: Asked): Reply {
  const paging = pagingOf(asked, 1000)
  if ('status' in paging) {
    return paging
  }
  const [year, month, day] = ['year', 'month', 'day'].map((name) => asked.query.get(name))
  if (!/^\d{4}$/.test(year ?? '') || !/^\d{1,2}$/.test(month ?? '')) {
    return razorpayError(400, 'The year and month fields are required.', 'year')
  }
  const wanted = `${year}-${two(month)}-${day === null ? '' : two(day)}`
  // A line has no id of its own, only that of what it is about.
  const rows = books.lines
    .all()
    .filter((line) => dateOf(numberAt(line, 'settled_at')).startsWith(wanted))
  return collection(rows, paging)
}

interface Paging {
  count: number
  skip: number
}

function pagingOf({ query }: Asked, most: number): Paging | Reply {
  const [count, skip] = [query.get('count') ?? '10', query.get('skip') ?? '0']
  if (!/^\d{1,4}$/.test(count) || Number(count) < 1 || Number(count) > most) {
    return razorpayError(400, `The count must be between 1 and ${most}.`, 'count')
  }
  if (!/^\d{1,9}$/.test(skip)) {
    return razorpayError(400, 'The skip must be an integer.', 'skip')
  }
  return { count: Number(count), skip: Number(skip) }
}

function collection(entities: readonly Record<string, Json>[], { count, skip }: Paging): Reply {
  const items = entities.slice(skip, skip + count)
  return reply(200, { entity: 'collection', count: items.length, items })
}

function dateOf(seconds: number): string {
  return indianDate(new Date(seconds * 1000))
}

function two(text: string | undefined | null): string {
  return (text ?? '').padStart(2, '0')
}
