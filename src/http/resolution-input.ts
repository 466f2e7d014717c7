/** The shape of resolutions that callers ask for, and what they ask of the books. */
import { z } from 'zod'
import { indianDate } from '../base/clock.ts'
import { sha256 } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { personOf } from '../identity/persons.ts'
import { EXCEPTION_KINDS } from '../recon/match/kinds.ts'
import { REASON_CODES, type Maker, type ResolutionAsked } from '../recon/resolve/asked.ts'
import type { UndoAsked } from '../recon/resolve/undo.ts'
import { lateReasonOf, lines, linesAsked, reason, reverseBody } from './entry-input.ts'
import { bookingDate, idOfKind } from './input.ts'
import type { Principal } from './request.ts'

const why = {
  reason_code: z.enum(REASON_CODES),
  reason: reason.meta({ description: 'In words, for whoever asks later why.' }),
}

const dated = {
  effective_on: bookingDate
    .optional()
    .meta({ description: 'The entry’s day; else today. A fact keeps the day that it was told.' }),
  late_reason: reason.optional(),
}

const writeOff = z.strictObject({
  action: z.literal('write_off'),
  ...why,
  amount: z
    .int()
    .min(1)
    .optional()
    .meta({ description: 'What it is expected to come to; it is refused where it is another.' }),
  ...dated,
})

const adjust = z.strictObject({
  action: z.enum(['adjust', 'reclassify']),
  ...why,
  lines,
  ...dated,
})

const record = z.strictObject({ action: z.literal('record'), ...why, ...dated })

const dismiss = z.strictObject({ action: z.literal('dismiss'), ...why })

export const resolveBody = z.discriminatedUnion('action', [writeOff, adjust, record, dismiss])

export const BULK_MAX = 500

const bulkWhy = {
  exceptions: z
    .array(idOfKind('exc'))
    .min(1, 'must not be empty')
    .max(BULK_MAX, `must have at most ${BULK_MAX} ids`)
    .refine((ids) => new Set(ids).size === ids.length, 'must have each id once')
    .optional()
    .meta({ uniqueItems: true }),
  filter: z
    .strictObject({
      kind: z.enum(EXCEPTION_KINDS),
      amount_at_most: z.int().min(0).optional(),
      expected_count: z
        .int()
        .min(1)
        .max(BULK_MAX)
        .meta({ description: 'Refused where it is another number: look at the list again.' }),
    })
    .optional(),
}

/** Lines are said for one exception, so that neither `adjust` nor `reclassify` comes in bulk. */
export const bulkBody = z
  .discriminatedUnion('action', [
    z.strictObject({ ...writeOff.omit({ amount: true }).shape, ...bulkWhy }),
    z.strictObject({ ...record.shape, ...bulkWhy }),
    z.strictObject({ ...dismiss.shape, ...bulkWhy }),
  ])
  .refine(({ exceptions, filter }) => (exceptions === undefined) !== (filter === undefined), {
    error: 'must have either exceptions or filter',
  })
  .meta({
    anyOf: [
      { required: ['exceptions'], not: { required: ['filter'] } },
      { required: ['filter'], not: { required: ['exceptions'] } },
    ],
  })

export const undoBody = reverseBody

/** A caller's key as resolutions keep it: his own, for ever. */
export function keptKey(principal: Principal, callersKey: string): string {
  const scope = sha256(JSON.stringify([principal.subject, 'resolve'])).toString('hex')
  return `${scope.slice(0, 12)}:${callersKey}`
}

/** Throws `forbidden` for a late one by others. */
export function resolutionAsked(
  exceptionId: string,
  body: z.infer<typeof resolveBody>,
  askedKey: string,
  principal: Principal,
): ResolutionAsked {
  const late = 'late_reason' in body ? { late_reason: body.late_reason } : {}
  return {
    exceptionId,
    action: body.action,
    reasonCode: body.reason_code,
    words: body.reason,
    amount: 'amount' in body && body.amount !== undefined ? BigInt(body.amount) : null,
    effectiveOn: 'effective_on' in body ? (body.effective_on ?? null) : null,
    today: indianDate(new Date()),
    lateReason: lateReasonOf(late, principal),
    lines: 'lines' in body ? linesAsked(body.lines) : [],
    askedKey,
    fingerprint: sha256(JSON.stringify(body)),
    body,
  }
}

/** Throws `forbidden` for a late one by others. */
export function undoAsked(
  resolutionId: string,
  body: z.infer<typeof undoBody>,
  key: string,
  principal: Principal,
): UndoAsked {
  return {
    resolutionId,
    reason: body.reason,
    effectiveOn: body.effective_on ?? null,
    today: indianDate(new Date()),
    lateReason: lateReasonOf(body, principal),
    body,
    key,
  }
}

/** Who asks, as approvals keep him. */
export async function makerIn(trx: Trx, { subject, role }: Principal): Promise<Maker> {
  return { actor: subject, role, person: await personOf(trx, subject) }
}
