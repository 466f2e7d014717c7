/** The shape of journal entries that callers ask for, and the drafts that they make. */
import { z } from 'zod'
import type { IsoDate } from '../base/clock.ts'
import { sha256 } from '../base/crypto.ts'
import { Problem } from '../base/problem.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import { REASON } from '../ledger/core/corrections.ts'
import {
  APPROVED_BY,
  LATE_REASON,
  LINES_MAX,
  type Draft,
  type DraftLine,
} from '../ledger/core/entry.ts'
import { manualEntry } from '../ledger/core/rules.ts'
import { HAPPENED_ON } from '../ledger/posting/late.ts'
import { idempotencyKey } from './idempotency-key.ts'
import { bookingDate } from './input.ts'
import { CODE_PATTERN } from './patterns.ts'
import { anyText, isKept, line, NOT_KEPT } from './line.ts'
import { aadhaarsIn } from './no-aadhaar.ts'
import type { Principal } from './request.ts'

const METADATA_MAX = 50

/** Names under which our own entries keep what decides something; nobody else writes them. */
const RESERVED_METADATA: readonly string[] = [
  LATE_REASON,
  APPROVED_BY,
  REASON,
  HAPPENED_ON,
  'donation_id',
  'gateway_payment_id',
  'offline_payment_id',
  'from_currency',
  'to_currency',
  'rate',
  'rate_source',
  'financial_year',
  'resolution',
  'exception',
]

export const reason = line(500)
export const description = line(500)

const WHOLE = 'must be a whole number of minor units, from 1 to 2^53 - 1'

const account = anyText(200).min(1, 'must be an account code or an id such as acc_3')

const entryLine = z.strictObject({
  account: account.meta({ pattern: `^(acc_[1-9]\\d{0,8}|${CODE_PATTERN})$` }),
  direction: z.enum(['debit', 'credit']),
  amount: z.int(WHOLE).min(1, WHOLE).max(Number.MAX_SAFE_INTEGER, WHOLE),
  currency: z.string().regex(/^[A-Z][A-Z0-9]{2,11}$/, 'must be a currency such as INR'),
})

/** How many lines an entry has, and which accounts there are, the ledger says itself. */
export const lines = z.array(entryLine).meta({ minItems: 2, maxItems: LINES_MAX })

/** In a batch it says so of each entry, and takes the others. */
const linesOfEach = z.array(entryLine.extend({ account }))

const metadata = z
  .record(
    z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'must be lower-case letters, digits, _ and -'),
    line(500, true),
  )
  .superRefine((given, context) => {
    if (Object.keys(given).length > METADATA_MAX) {
      context.addIssue({ code: 'custom', message: `must have at most ${METADATA_MAX} names` })
    } else if (!isKept(given)) {
      context.addIssue({ code: 'custom', message: NOT_KEPT })
    }
    aadhaarsIn(given).forEach((one) => context.addIssue(one))
    for (const name of RESERVED_METADATA.filter((one) => Object.hasOwn(given, one))) {
      context.addIssue({ code: 'custom', path: [name], message: 'is a name that is reserved' })
    }
  })
  .meta({ maxProperties: METADATA_MAX })

const fields = {
  effective_on: bookingDate,
  description,
  lines,
  metadata: metadata.default({}),
  late_reason: reason.optional(),
  source: line(200).optional(),
}

export const entryBody = z.strictObject(fields)

export const reverseBody = z.strictObject({
  reason,
  effective_on: bookingDate.optional(),
  late_reason: reason.optional(),
})

export const adjustBody = z.strictObject({
  ...reverseBody.shape,
  description: description.optional(),
  lines,
})

export const BATCH_MAX = 1000

/** Lines of a whole batch: it is posted in one transaction, and others wait for it. */
export const BATCH_LINES_MAX = 10_000

export const batchBody = z.strictObject({
  mode: z.enum(['atomic', 'each']),
  entries: z
    .array(z.strictObject({ idempotency_key: idempotencyKey, ...fields, lines: linesOfEach }))
    .min(1, 'must not be empty')
    .max(BATCH_MAX, `must have at most ${BATCH_MAX} entries`)
    .refine(
      (entries) => entries.reduce((sum, one) => sum + one.lines.length, 0) <= BATCH_LINES_MAX,
      `must have at most ${BATCH_LINES_MAX} lines in all`,
    ),
})

/**
 * A caller's key as the ledger keeps it, for ever: beside those of our own facts, and apart from
 * the same key of another caller or for another verb.
 */
export function entryKey(
  principal: Principal,
  verb: 'post' | 'adjust' | 'exchange',
  callersKey: string,
): string {
  const scope = sha256(JSON.stringify([principal.subject, verb]))
    .toString('hex')
    .slice(0, 12)
  return `api:${scope}:${callersKey}`
}

/** The draft of an entry as it was asked for. Throws `forbidden` for a late one by others. */
export function draftAsked(
  asked: z.infer<typeof entryBody>,
  callersKey: string,
  principal: Principal,
  approvedBy?: string,
): Draft {
  const idempotencyKey = entryKey(principal, 'post', callersKey)
  return manualEntry({
    idempotencyKey,
    effectiveOn: asked.effective_on,
    description: asked.description,
    source: asked.source ?? idempotencyKey,
    actor: principal.subject,
    metadata: asked.metadata,
    lateReason: lateReasonOf(asked, principal),
    approvedBy,
    lines: linesAsked(asked.lines),
  })
}

/** Why, when and by whom an entry is corrected. Throws `forbidden` for a late one by others. */
export function correctionAsked(
  asked: z.infer<typeof reverseBody>,
  principal: Principal,
  today: IsoDate,
) {
  return {
    reason: asked.reason,
    effectiveOn: asked.effective_on ?? null,
    today,
    actor: principal.subject,
    lateReason: lateReasonOf(asked, principal),
  }
}

/** Why the entry is late, null where it is not said. Throws `forbidden` unless an admin says it. */
export function lateReasonOf(
  asked: { late_reason?: string | undefined },
  { permissions }: Principal,
): string | null {
  if (asked.late_reason !== undefined && !permissions.has('books.post_late')) {
    const detail = 'Only an admin (books.post_late) may post late, with a late_reason.'
    throw new Problem('forbidden', { detail, moved: 'no' })
  }
  return asked.late_reason ?? null
}

/** Lines in minor units; an account may still be an id, which posting resolves. */
export function linesAsked(asked: z.infer<typeof lines>): DraftLine[] {
  return asked.map(({ account, direction, amount, currency }) => ({
    account: account as AccountCode,
    direction,
    amount: BigInt(amount),
    currency,
  }))
}
