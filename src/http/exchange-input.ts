/** What callers send to exchange one currency for another. */
import { z } from 'zod'
import { isAccountCode } from '../ledger/core/chart.ts'
import type { AskedExchange, NamedAccount } from '../ledger/posting/exchanges.ts'
import { CODE_PATTERN } from './patterns.ts'
import { entryKey, lateReasonOf, reason } from './entry-input.ts'
import { bookingDate, numberedId } from './input.ts'
import { line } from './line.ts'
import type { Principal } from './request.ts'

/** An account's id, or the code and currency of one that may still have to be opened. */
const named = z.union(
  [
    numberedId('acc').transform((id): NamedAccount => ({ accountId: Number(id) })),
    z.strictObject({
      code: z
        .string()
        .refine(isAccountCode)
        .meta({ pattern: `^${CODE_PATTERN}$` }),
      currency: z.string().regex(/^[A-Z][A-Z0-9]{2,11}$/),
    }),
  ],
  'must be an id such as acc_17, or {"code", "currency"}',
)

const amount = z.int('must be a whole number of minor units').min(1).transform(BigInt)

export const exchangeBody = z.strictObject({
  from_account: named,
  to_account: named,
  amount,
  to_amount: amount.optional(),
  rate: z
    .string()
    .regex(/^\d{1,18}(\.\d{1,18})?$/, 'must be a decimal as text, such as "83.125"')
    .regex(/[1-9]/, 'must be above zero'),
  rate_source: line(200),
  effective_on: bookingDate,
  late_reason: reason.optional(),
})

/** The exchange as it was asked for. Throws `forbidden` for a late one by others. */
export function exchangeAsked(
  asked: z.infer<typeof exchangeBody>,
  callersKey: string,
  principal: Principal,
): AskedExchange {
  const idempotencyKey = entryKey(principal, 'exchange', callersKey)
  return {
    from: asked.from_account,
    to: asked.to_account,
    amount: asked.amount,
    toAmount: asked.to_amount,
    rate: asked.rate,
    rateSource: asked.rate_source,
    effectiveOn: asked.effective_on,
    lateReason: lateReasonOf(asked, principal),
    idempotencyKey,
    source: idempotencyKey,
    actor: principal.subject,
  }
}
