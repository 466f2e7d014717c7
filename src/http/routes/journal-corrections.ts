/** POST /v1/journal-entries/:id/reverse and /adjust: corrections by another entry. */
import { Router } from 'express'
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import type { Parts } from '../../base/parts.ts'
import { adjust, reverse } from '../../ledger/posting/correct.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { allow, principalOf } from '../auth.ts'
import {
  description,
  entryKey,
  idempotencyKeyOf,
  lateReasonOf,
  lines,
  linesAsked,
  reason,
} from '../entry-input.ts'
import { bodyOf, idOf, isoDate } from '../input.ts'
import type { Principal } from '../request.ts'
import { answerPosted, POSTERS } from './journal-posting.ts'

const reverseBody = z.strictObject({
  reason,
  effective_on: isoDate.optional(),
  late_reason: reason.optional(),
})

const adjustBody = z.strictObject({
  ...reverseBody.shape,
  description: description.optional(),
  lines,
})

export function journalCorrectionRoutes({ db }: Parts): Router {
  const routes = Router()
  const posters = allow(...POSTERS)

  routes.post('/journal-entries/:id/reverse', posters, async (request, response) => {
    const entryNo = idOf(request.params['id'], 'je')
    const principal = principalOf(request)
    const asked = correctionAsked(bodyOf(request, reverseBody), principal)
    const { orgId } = principal
    const result = await inJournal(db, orgId, async (trx) => await reverse(trx, entryNo, asked))
    await answerPosted(response, result, { db, orgId })
  })

  routes.post('/journal-entries/:id/adjust', posters, async (request, response) => {
    const entryNo = idOf(request.params['id'], 'je')
    const principal = principalOf(request)
    const key = idempotencyKeyOf(request)
    const body = bodyOf(request, adjustBody)
    const asked = {
      ...correctionAsked(body, principal),
      idempotencyKey: entryKey(key),
      description: body.description ?? null,
      lines: linesAsked(body.lines),
    }
    const { orgId } = principal
    const result = await inJournal(db, orgId, async (trx) => await adjust(trx, entryNo, asked))
    await answerPosted(response, result, { db, orgId })
  })
  return routes
}

function correctionAsked(asked: z.infer<typeof reverseBody>, principal: Principal) {
  return {
    reason: asked.reason,
    effectiveOn: asked.effective_on ?? null,
    today: indianDate(new Date()),
    actor: principal.subject,
    lateReason: lateReasonOf(asked, principal),
  }
}
