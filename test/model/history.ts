/** What many callers did, in the order in which it stands in the books. */
import type { Database } from '../../src/base/db.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { hasWritten } from './commands.ts'
import type { Call } from './callers.ts'
import { readJournal } from './compare.ts'

/** One thing that was written: an entry, or a change of an account, a month or a currency. */
export interface Event {
  /** Transactions that write to the books are numbered in the order of their commits. */
  transaction: bigint
  /** The command that did it. */
  actor: string
  /** For an entry: what it is. */
  entry: { entryNo: bigint; draft: Draft } | null
  /** For a closed or opened month: the stored trial balance. */
  trialBalance: string | null
}

interface Row {
  transaction: bigint
  entry_no: bigint | null
  actor: string
  trial_balance: string | null
}

/**
 * All that was written in the order of writing. Writers stand in one queue, or collide at the head
 * of the journal: in both cases who gets his transaction number later also commits later.
 */
export async function readHistory(db: Database, orgId: number): Promise<Event[]> {
  const { drafts } = await readJournal(db, orgId)
  const rows = await db.read(
    orgId,
    async (trx) =>
      await trx.query<Row>(
        `select xmin::text::bigint as transaction, entry_no, actor, null as trial_balance
           from journal_entries where org_id = $1
         union all
         select xmin::text::bigint, null, actor, trial_balance from period_changes where org_id = $1
         union all
         select xmin::text::bigint, null, actor, null from account_changes where org_id = $1
         union all
         select xmin::text::bigint, null, actor, null from currencies where org_id = $1
          order by 1, 2`,
        [orgId],
      ),
  )
  return rows.map(({ transaction, entry_no: entryNo, actor, trial_balance: trialBalance }) => {
    const draft = entryNo === null ? undefined : drafts[Number(entryNo) - 1]
    return {
      transaction,
      actor,
      entry: entryNo === null || draft === undefined ? null : { entryNo, draft },
      trialBalance,
    }
  })
}

/** Where the history has what a call wrote: the place of its first event. */
export function placesOf(history: readonly Event[], calls: readonly Call[]): Map<Call, number> {
  const byNumber = new Map<string, number>()
  const byActor = new Map<string, number>()
  history.forEach(({ entry, actor }, place) => {
    if (entry === null) {
      byActor.set(actor, byActor.get(actor) ?? place)
    } else {
      byNumber.set(`posted ${entry.entryNo}`, place)
    }
  })
  const places = new Map<Call, number>()
  for (const call of calls) {
    if (typeof call.heard !== 'string' && hasWritten(call.heard)) {
      const numbered = call.heard.find((text) => text.startsWith('posted '))
      const place = numbered === undefined ? byActor.get(call.command.id) : byNumber.get(numbered)
      if (place === undefined) {
        throw new Error(`${call.command.id} heard ${call.heard.join()}, and nothing is there`)
      }
      places.set(call, place)
    }
  }
  return places
}
