/** POST /v1/journal-entries/:id/reverse and /adjust: corrections by another entry. */
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import type { Parts } from '../../base/parts.ts'
import { adjust, reverse } from '../../ledger/posting/correct.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { description, entryKey, lateReasonOf, lines, linesAsked, reason } from '../entry-input.ts'
import { isoDate, numberedId } from '../input.ts'
import { operation, type Operation } from '../operation.ts'
import type { Principal } from '../request.ts'
import { POSTED, postedReply, POSTING_PROBLEMS } from './journal-posting.ts'

const params = z.object({ id: numberedId('je') })

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

export function journalCorrectionOperations({ db }: Parts): Operation[] {
  return [
    operation(
      {
        id: 'reverseJournalEntry',
        method: 'post',
        path: '/journal-entries/{id}/reverse',
        tag: 'Journal',
        summary: 'Take an entry back: post its exact opposite, once',
        permission: 'books.post',
        params,
        key: 'required',
        body: reverseBody,
        answers: POSTED,
        problems: POSTING_PROBLEMS,
      },
      {
        async handle({ params: { id }, body, principal }) {
          const { orgId } = principal
          const asked = correctionAsked(body, principal)
          const result = await inJournal(db, orgId, async (trx) => await reverse(trx, id, asked))
          return await postedReply(result, { db, orgId })
        },
      },
    ),
    operation(
      {
        id: 'adjustJournalEntry',
        method: 'post',
        path: '/journal-entries/{id}/adjust',
        tag: 'Journal',
        summary: 'Correct an entry: post the difference',
        permission: 'books.post',
        params,
        key: 'required',
        body: adjustBody,
        answers: POSTED,
        problems: POSTING_PROBLEMS,
      },
      {
        async handle({ params: { id }, body, principal, key }) {
          const { orgId } = principal
          const asked = {
            ...correctionAsked(body, principal),
            idempotencyKey: entryKey(principal, 'adjust', String(key)),
            description: body.description ?? null,
            lines: linesAsked(body.lines),
          }
          const result = await inJournal(db, orgId, async (trx) => await adjust(trx, id, asked))
          return await postedReply(result, { db, orgId })
        },
      },
    ),
  ]
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
