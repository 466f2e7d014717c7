/** Checks what a caller sent against a schema, and says in full what is wrong with it. */
import type { Request } from 'express'
import { z } from 'zod'
import { indianDate, isIsoDate } from '../base/clock.ts'
import { isId, type IdPrefix } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import { BOOKING_DAY_PATTERN } from './patterns.ts'

export const LIMIT_DEFAULT = 50
export const LIMIT_MAX = 100

/** A JSON body that is exactly of that shape. Throws `invalid_request` with each fault's place. */
export function bodyOf<T>(request: Request, schema: z.ZodType<T>): T {
  if (request.is('application/json') === false) {
    throw new Problem('unsupported_media_type', {
      detail: 'Send the body as application/json.',
    })
  }
  const body: unknown = request.body
  return checked(body ?? {}, schema, '')
}

/** Query parameters of exactly that shape, none where there is none; each may be given once. */
export function queryOf(request: Request, schema: z.ZodType | undefined): unknown {
  const read = checked(request.query, schema ?? NOTHING, '/query')
  return schema === undefined ? undefined : read
}

/** A path's parameters; one of another form names nothing: problem `not_found`. */
export function paramsOf(request: Request, schema: z.ZodType | undefined): unknown {
  const read = schema?.safeParse(request.params)
  if (read?.success === false) {
    const detail = `There is nothing here: ${read.error.issues[0]?.message ?? 'the path is wrong'}.`
    throw new Problem('not_found', { detail })
  }
  return read?.data
}

const NOTHING = z.strictObject({})

function checked<T>(value: unknown, schema: z.ZodType<T>, base: string): T {
  const result = schema.safeParse(value)
  if (result.success) {
    return result.data
  }
  throw new Problem('invalid_request', {
    detail: 'See errors for what is wrong and where.',
    errors: result.error.issues.slice(0, 20).map((issue) => ({
      pointer: cut(base + issue.path.map((part) => `/${String(part)}`).join(''), POINTER_MAX),
      detail: cut(issue.message, DETAIL_MAX),
    })),
  })
}

/** What a caller sent is quoted back to him, but not all of it. */
const POINTER_MAX = 200
const DETAIL_MAX = 500

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}

export const limit = z
  .string()
  .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${LIMIT_MAX}`)
  .transform(Number)
  .refine((value) => value >= 1 && value <= LIMIT_MAX, { error: `must be from 1 to ${LIMIT_MAX}` })
  .default(LIMIT_DEFAULT)
  .meta({
    type: 'integer',
    minimum: 1,
    maximum: LIMIT_MAX,
    default: LIMIT_DEFAULT,
    pattern: undefined,
    description: 'Rows of a page.',
  })

export const isoDate = z
  .string()
  .refine(isIsoDate, { error: 'must be a date, YYYY-MM-DD' })
  .meta({ format: 'date' })

/** The first day that may be booked on, and how far ahead of today: beyond are misprints. */
const BOOKED_FROM = '1990-01-01'
const BOOKED_DAYS_AHEAD = 366
const DAY_MS = 24 * 60 * 60 * 1000

/** A day that money may be booked on. */
export const bookingDate = z
  .string()
  .refine(isIsoDate, { error: 'must be a date, YYYY-MM-DD', abort: true })
  .refine((day) => day >= BOOKED_FROM && day <= lastBookingDate(), {
    error: `must be from ${BOOKED_FROM} to ${BOOKED_DAYS_AHEAD} days from now`,
  })
  .meta({
    format: 'date',
    pattern: `^${BOOKING_DAY_PATTERN}$`,
    description: `From ${BOOKED_FROM} to a year from now.`,
  })

function lastBookingDate(): string {
  return indianDate(new Date(Date.now() + BOOKED_DAYS_AHEAD * DAY_MS))
}

/** A prefixed, time-ordered id such as `rcp_01jd3v…`. */
export function idOfKind(prefix: IdPrefix) {
  return z
    .string()
    .refine((text) => isId(prefix, text), { error: `must be an id that begins with ${prefix}_` })
    .meta({ pattern: `^${prefix}_[0-9a-hjkmnp-tv-z]{26}$` })
}

/** Digits at most: an entry's number is a bigint, an account's an integer. */
const DIGITS_MAX = { je: 18, acc: 9, aud: 18 } as const

/** An id of a kind with a number in it (`je_17`, `acc_3`), as that number. */
export function numberedId(prefix: keyof typeof DIGITS_MAX) {
  const form = new RegExp(`^${prefix}_[1-9]\\d{0,${DIGITS_MAX[prefix] - 1}}$`)
  return z
    .string()
    .regex(form, `must be an id such as ${prefix}_17`)
    .transform((text) => BigInt(text.slice(prefix.length + 1)))
}

/** The number in a path's id; anything else names nothing. */
export function idOf(text: unknown, prefix: 'je' | 'acc'): bigint {
  const read = numberedId(prefix).safeParse(text)
  if (!read.success) {
    throw new Problem('not_found', { detail: 'There is nothing with that id.' })
  }
  return read.data
}
