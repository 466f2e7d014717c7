/** Bank lines that settlements came in, posted: out of the transit, into the bank. */
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { bankCredited } from '../ledger/core/recon-rules.ts'
import { readRestricted } from '../ledger/periods/periods.ts'
import { datedLate } from '../ledger/posting/late.ts'
import { post, type PostResult } from '../ledger/posting/post.ts'
import { noteCredits } from './passes/bank.ts'
import type { Place } from './passes/matches.ts'
import { loadUnposted, type Unposted } from './passes/unposted.ts'

/** Who posts what a run proves. */
export const RECON_ACTOR = 'job:reconcile'

/** Entries of one transaction, for which the other writers of the journal wait. */
const TOGETHER = 500

export interface CreditsPosted {
  posted: number
  unposted: number
  /** Why the last of those was refused. */
  refusal: string | null
  /** Where it goes on; null at the end. */
  last: Place | null
}

/**
 * Posts the next matched lines that no entry stands for, each for itself: what the books refuse
 * stays matched and unposted, for the next run. The transaction is as `post` wants it. A line whose
 * month is closed is booked on the first day after it, as whatever comes late is.
 */
export async function postCredits(trx: Trx, after: Place): Promise<CreditsPosted> {
  const lines = await loadUnposted(trx, after, TOGETHER)
  const results = await postEach(trx, lines)
  const posted: (Place & { entryNo: bigint })[] = []
  let refusal: string | null = null
  for (const [at, { fileNo, rowNo }] of lines.entries()) {
    const result = results[at]
    if (result === undefined || result.status === 'refused') {
      refusal = `${fileNo}-${rowNo}: ${result?.problem.message ?? 'nothing was posted'}`
    } else {
      posted.push({ fileNo, rowNo, entryNo: result.entryNo })
    }
  }
  await noteCredits(trx, posted)
  const last = lines.at(-1)
  return {
    posted: posted.length,
    unposted: lines.length - posted.length,
    refusal: refusal?.slice(0, 500) ?? null,
    last:
      last === undefined || lines.length < TOGETHER
        ? null
        : { fileNo: last.fileNo, rowNo: last.rowNo },
  }
}

async function postEach(trx: Trx, lines: readonly Unposted[]): Promise<PostResult[]> {
  const restricted = await readRestricted(trx)
  const drafts = lines.map((line): Draft | Problem => {
    const fault = faultOf(line)
    return fault === null ? datedLate(draftOf(line), restricted) : refused(fault)
  })
  const sound = drafts.filter((one): one is Draft => !(one instanceof Problem))
  const results = (await post(trx, sound)).values()
  return drafts.map((one): PostResult => {
    const result = one instanceof Problem ? undefined : results.next().value
    return (
      result ?? {
        status: 'refused',
        problem: one instanceof Problem ? one : refused('Not posted.'),
      }
    )
  })
}

function draftOf({ rowKey, repeated, turn, bookedOn: on, ...line }: Unposted): Draft {
  return bankCredited({
    into: line.into as AccountCode,
    amount: line.amount,
    currency: line.currency,
    on,
    naturalKey: `bank:${rowKey}:${repeated}:${turn}`,
    settlements: line.settlements,
    actor: RECON_ACTOR,
  })
}

/** What no entry of ours could say. */
function faultOf({ into, amount, due, areSent }: Unposted): string | null {
  if (!areSent) {
    return 'The gateway says that a settlement of it came back: take the line apart from it.'
  }
  if (amount !== due) {
    return `The settlements come to ${due} and the line to ${amount}.`
  }
  return into === 'assets:bank:in-transit'
    ? 'The statement is kept as that of the transit itself.'
    : null
}

function refused(detail: string): Problem {
  return new Problem('invalid_entry', { detail, moved: 'no' })
}
