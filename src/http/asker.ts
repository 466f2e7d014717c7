/** A caller as one who has money moved: which person he is, and what takes another's consent. */
import { readLimits } from '../approvals/limits.ts'
import type { Trx } from '../base/db.ts'
import { personOf } from '../identity/persons.ts'
import type { Asker } from '../instructions/instruction.ts'
import type { Principal } from './request.ts'

/** The limits are those of entries by hand: what one person may not post alone, he may not send. */
export async function askerOf(trx: Trx, principal: Principal, key: string): Promise<Asker> {
  const limits = await readLimits(trx)
  return {
    subject: principal.subject,
    role: principal.role,
    person: await personOf(trx, principal.subject),
    idempotencyKey: key,
    needsConsent: ({ amount, currency }) =>
      limits.some((limit) => limit.currency === currency && amount > limit.amount),
  }
}
