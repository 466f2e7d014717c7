/** What waits for another's consent, as answers show it. */
import { z } from 'zod'
import { APPROVAL_STATES, PROPOSAL_VERBS, type Approval } from '../approvals/approvals.ts'
import { minorOrText } from '../base/money.ts'
import { currencyCode, idText, instant, minorUnits } from './answers.ts'
import { entryId } from './entry-view.ts'

export const approval = z
  .strictObject({
    id: idText('apr'),
    verb: z.enum(PROPOSAL_VERBS),
    corrects: idText('je').nullable(),
    request: z.record(z.string(), z.unknown()).meta({ description: 'The body that was sent.' }),
    idempotency_key: z.string(),
    amount: minorUnits.nullable().meta({
      description: 'Of `limits` the highest limit asked for; null where one is taken away.',
    }),
    currency: currencyCode,
    limit: minorUnits,
    made_by: z.string(),
    made_as: z.string(),
    made_at: instant,
    expires_at: instant,
    state: z.enum(APPROVAL_STATES),
    decided_by: z.string().nullable(),
    decided_at: instant.nullable(),
    reason: z.string().nullable(),
    journal_entry: idText('je').nullable(),
  })
  .meta({ id: 'Approval' })

/** The answer of what posts, where it takes another's consent first. */
export const proposed = {
  202: { what: 'Above the limit: nothing is posted until another consents.', body: approval },
} as const

export function approvalView(one: Approval): z.input<typeof approval> {
  return {
    id: one.approvalId,
    verb: one.verb,
    corrects: one.entryNo === null ? null : entryId(one.entryNo),
    request: one.body as Record<string, unknown>,
    idempotency_key: one.idempotencyKey,
    amount: one.amount === null ? null : minorOrText(one.amount),
    currency: one.currency,
    limit: minorOrText(one.limitThen),
    made_by: one.madeBy,
    made_as: one.madeAs,
    made_at: one.madeAt.toISOString(),
    expires_at: one.expiresAt.toISOString(),
    state: one.state,
    decided_by: one.decidedBy,
    decided_at: one.decidedAt?.toISOString() ?? null,
    reason: one.reason,
    journal_entry: one.postedNo === null ? null : entryId(one.postedNo),
  }
}
