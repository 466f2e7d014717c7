/** POST /v1/journal-entries/:id/reverse and /adjust: corrections by another entry. */
import { z } from 'zod'
import type { Database } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { adjustBody, reverseBody } from '../entry-input.ts'
import { postAsked } from '../entry-verbs.ts'
import { numberedId } from '../input.ts'
import { operation, type Operation } from '../operation.ts'
import { proposalReply, requestOf } from '../proposal.ts'
import { ENTRY_BYTES_MAX, POSTED, postedReply, POSTING_PROBLEMS } from './journal-posting.ts'

const params = z.object({ id: numberedId('je') })

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
        handle: async (call) => await corrected(db, 'reverse', call),
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
        bodyBytesMax: ENTRY_BYTES_MAX,
        answers: POSTED,
        problems: POSTING_PROBLEMS,
      },
      {
        handle: async (call) => await corrected(db, 'adjust', call),
      },
    ),
  ]
}

async function corrected(
  db: Database,
  verb: 'reverse' | 'adjust',
  call: Parameters<typeof proposalReply>[1]['call'] & { params: { id: bigint } },
) {
  const { orgId } = call.principal
  const posting = { verb, entryNo: call.params.id, call }
  const proposal = await proposalReply(db, posting)
  if (proposal !== null) {
    return proposal
  }
  const asked = requestOf(posting)
  const result = await inJournal(db, orgId, async (trx) => await postAsked(trx, asked))
  return await postedReply(result, { db, orgId })
}
