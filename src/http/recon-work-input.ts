/** What is asked of the work on exceptions: filters, bulk actions, comments, the policy. */
import { z } from 'zod'
import { EXCEPTION_STATES } from '../recon/found.ts'
import { EXCEPTION_KINDS } from '../recon/match/kinds.ts'
import { SEVERITIES, type WorkPolicy } from '../recon/work/policy.ts'
import { SORTS, type WorkFilter, type WorkPlace } from '../recon/work/worklist.ts'

import { idOfKind, isoDate, limit } from './input.ts'
import { email, line } from './line.ts'
import { hasNoAadhaar, NO_AADHAAR } from './no-aadhaar.ts'

export const IDS_MAX = 500
export const FILTERED_MAX = 5000

const gateway = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,49}$/, 'must be the name of a gateway')
  .meta({ examples: ['razorpay'] })

const currency = z.string().regex(/^[A-Z][A-Z0-9]{2,11}$/, 'must be the code of a currency')

/** Some of these names, parted by commas, each of them once. */
function someOf<Name extends string>(names: readonly Name[]) {
  return z
    .string()
    .transform((text, context) => {
      const asked = text.split(',')
      const known = names.filter((name) => asked.includes(name))
      if (known.length !== asked.length) {
        context.addIssue({ code: 'custom', message: `must be some of ${names.join(', ')}` })
      }
      return known
    })
    .meta({
      type: 'array',
      items: { type: 'string', enum: [...names] },
      minItems: 1,
      uniqueItems: true,
    })
}

const amountText = z
  .string()
  .regex(/^\d{1,16}$/, 'must be a whole number of minor units')
  .transform(BigInt)

const yesOrNo = z.enum(['true', 'false']).transform((text) => text === 'true')

/** An id, or what a list by due date shows as the cursor of its last row. */
const place = z
  .string()
  .regex(/^(\d{1,14}\.)?exc_[0-9a-hjkmnp-tv-z]{26}$/, 'must be a cursor or an id from this list')
  .transform((text): WorkPlace & { isId: boolean } => {
    const [due, id] = text.includes('.') ? text.split('.') : [undefined, text]
    return { dueMs: Number(due ?? 0), id: id ?? '', isId: due === undefined }
  })

export const exceptionQuery = z
  .strictObject({
    limit,
    starting_after: place.optional(),
    sort: z.enum(SORTS).default('newest').meta({ description: 'due: what is due first.' }),
    kind: someOf(EXCEPTION_KINDS).optional(),
    state: z.enum(EXCEPTION_STATES).optional().meta({
      description:
        'Without it all; by due date, severity or owner only what is open, which is worked on.',
    }),
    subject: line(600, true).optional(),
    owner: idOfKind('usr').optional(),
    unowned: z.literal('true').optional(),
    severity: someOf(SEVERITIES).optional(),
    overdue: yesOrNo.optional(),
    gateway: gateway.optional(),
    currency: currency.optional(),
    amount_from: amountText.optional(),
    amount_to: amountText.optional(),
    since_from: isoDate.optional(),
    since_to: isoDate.optional(),
  })
  .refine((query) => query.owner === undefined || query.unowned === undefined, {
    error: 'must not be there beside owner',
    path: ['unowned'],
  })
  .refine((query) => query.sort !== 'due' || query.starting_after?.isId !== true, {
    error: 'must be the cursor of the last row where sort is due',
    path: ['starting_after'],
  })

export function filterOfQuery(query: z.output<typeof exceptionQuery>): WorkFilter {
  const isWork =
    query.sort === 'due' ||
    [query.owner, query.unowned, query.severity, query.overdue].some((one) => one !== undefined)
  return {
    kinds: query.kind,
    state: query.state ?? (isWork ? 'open' : undefined),
    subject: query.subject,
    owner: query.unowned === undefined ? query.owner : null,
    severities: query.severity,
    overdue: query.overdue,
    gateway: query.gateway,
    currency: query.currency,
    amountFrom: query.amount_from,
    amountTo: query.amount_to,
    sinceFrom: query.since_from,
    sinceTo: query.since_to,
  }
}

const minor = z.int().min(0)

/** As the list's, of what is open. */
const filter = z.strictObject({
  kind: z.array(z.enum(EXCEPTION_KINDS)).min(1).max(EXCEPTION_KINDS.length).optional(),
  owner: idOfKind('usr').nullable().optional().meta({ description: 'null: nobody’s.' }),
  severity: z.array(z.enum(SEVERITIES)).min(1).max(SEVERITIES.length).optional(),
  overdue: z.boolean().optional(),
  gateway: gateway.optional(),
  currency: currency.optional(),
  amount_from: minor.optional(),
  amount_to: minor.optional(),
  since_from: isoDate.optional(),
  since_to: isoDate.optional(),
})

export function filterOfBody(body: z.output<typeof filter>): WorkFilter {
  return {
    state: 'open',
    kinds: body.kind,
    owner: body.owner,
    severities: body.severity,
    overdue: body.overdue,
    gateway: body.gateway,
    currency: body.currency,
    amountFrom: body.amount_from === undefined ? undefined : BigInt(body.amount_from),
    amountTo: body.amount_to === undefined ? undefined : BigInt(body.amount_to),
    sinceFrom: body.since_from,
    sinceTo: body.since_to,
  }
}

const note = line(500).optional()
export const assignment = { owner: idOfKind('usr').nullable(), note }

/** How far ahead an exception may be put off. */
const PUT_OFF_DAYS_MAX = 92
const DAY_MS = 24 * 60 * 60 * 1000

export const acknowledgement = {
  due_at: z.iso
    .datetime({ offset: true, error: 'must be an instant' })
    .refine((text) => isSoon(text), {
      error: `must be from now to ${PUT_OFF_DAYS_MAX} days ahead`,
    })
    .optional()
    .meta({
      description: 'When it is due instead; reminders begin again then.',
      format: 'date-time',
    }),
  note,
}

function isSoon(text: string): boolean {
  const ahead = Date.parse(text) - Date.now()
  return ahead > 0 && ahead <= PUT_OFF_DAYS_MAX * DAY_MS
}

const ids = z
  .array(idOfKind('exc'))
  .min(1)
  .max(IDS_MAX)
  .refine((all) => new Set(all).size === all.length, 'must each be there once')
  .meta({ uniqueItems: true })

const expected = z.int().min(1).max(FILTERED_MAX).meta({
  description: 'How many the filter fits; where it fits another number nothing is done.',
})

/** A body of these fields for exceptions by id, or for all that a filter fits. */
export function bulkOf<Fields extends z.ZodRawShape>(fields: Fields) {
  return z.union([
    z.strictObject({ ids, ...fields }),
    z.strictObject({ filter, expected, ...fields }),
  ])
}

/** Several lines of plain text. */
export const commentText = z
  .string()
  .transform((text) => text.replaceAll('\r\n', '\n').trim())
  .refine((text) => text !== '', 'must not be empty')
  .refine((text) => Array.from(text).length <= 4000, 'must have at most 4000 characters')
  .refine(
    (text) => text.isWellFormed() && !/[^\P{Cc}\n\t]/u.test(text),
    'must be text without control characters',
  )
  .refine(hasNoAadhaar, NO_AADHAAR)
  .meta({ maxLength: 4000, pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$' })

const hours = z.int().min(1).max(2160)

const step = z.strictObject({
  severity: z.enum(SEVERITIES),
  hours: hours.meta({ description: 'From when the step is reached until it is due.' }),
  age_hours: z.int().min(0).max(8760),
  amounts: z
    .record(currency, z.int().min(0))
    .refine((all) => Object.keys(all).length <= 50, 'must have at most 50 currencies')
    .meta({ description: 'Minor units by currency: from these on at once.', maxProperties: 50 }),
})

const route = z
  .strictObject({
    owner: idOfKind('usr'),
    kinds: z.array(z.enum(EXCEPTION_KINDS)).min(1).max(EXCEPTION_KINDS.length).optional(),
    gateways: z.array(gateway).min(1).max(5).optional(),
    currency: currency.optional(),
    amount_from: minor.optional(),
  })
  .refine((one) => one.amount_from === undefined || one.currency !== undefined, {
    error: 'must be there beside amount_from',
    path: ['currency'],
  })

export const workPolicy = z
  .strictObject({
    due: z
      .array(step)
      .length(SEVERITIES.length)
      .refine((all) => all.every((one, at) => one.severity === SEVERITIES[at]), {
        error: `must be the steps ${SEVERITIES.join(', ')}, in that order`,
      })
      .refine((all) => all.at(-1)?.age_hours === 0, { error: 'must end with a step for all ages' })
      .meta({
        description: 'Each is reached by an amount, or by age; the earliest end is the one.',
      }),
    routes: z.array(route).max(50).meta({ description: 'The first that fits says whose it is.' }),
    reminders: z
      .strictObject({
        every_hours: z.int().min(1).max(720),
        times: z.int().min(1).max(50),
        addresses: z
          .array(email)
          .max(10)
          .refine((all) => new Set(all).size === all.length, 'must each be there once')
          .meta({ description: 'Told from the second time on, and of what has no owner.' }),
      })
      .nullable()
      .meta({ description: 'null: nobody is told.' }),
  })
  .meta({ id: 'ReconWorkPolicy' })

export function policyOfBody(body: z.output<typeof workPolicy>): WorkPolicy {
  return {
    due: body.due.map(({ amounts, ...rest }) => ({
      ...rest,
      amounts: Object.fromEntries(
        Object.entries(amounts).map(([code, amount]) => [code, String(amount)]),
      ),
    })),
    routes: body.routes.map(({ amount_from: from, owner, ...rest }) => ({
      owner,
      ...given(rest),
      ...(from === undefined ? {} : { amount_from: String(from) }),
    })),
    reminders: body.reminders,
  }
}

/** Without what was not said: the database reads a null as something. */
function given<T extends object>(all: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

export function policyView({ due, routes, reminders }: WorkPolicy): z.input<typeof workPolicy> {
  return {
    due: due.map(({ amounts, ...rest }) => ({
      ...rest,
      amounts: Object.fromEntries(
        Object.entries(amounts).map(([code, amount]) => [code, Number(amount)]),
      ),
    })),
    routes: routes.map(({ kinds, gateways, amount_from: from, ...rest }) => ({
      ...rest,
      ...(kinds === undefined ? {} : { kinds: [...kinds] }),
      ...(gateways === undefined ? {} : { gateways: [...gateways] }),
      ...(from === undefined ? {} : { amount_from: Number(from) }),
    })),
    reminders: reminders === null ? null : { ...reminders, addresses: [...reminders.addresses] },
  }
}
