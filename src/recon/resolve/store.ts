/** Resolutions as rows: who asked for what, who consented, what came of it, what undid it. */
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import type { Plan } from './plan.ts'
import type { Action, ReasonCode, ResolutionAsked, ResolutionState } from './asked.ts'

export interface ResolutionRow {
  resolution_id: string
  exception_id: string
  action: Action
  reason_code: ReasonCode
  words: string
  state: ResolutionState
  account: string
  moves: bigint
  currency: string
  facts: string[]
  fingerprint: Buffer
  asked_by: string
  asked_at: Date
  approval_id: string | null
  approved_by: string | null
  entry_no: bigint | null
  done_at: Date | null
  /** Where somebody asked for it to be undone and nobody decided yet. */
  undo_approval_id: string | null
  undo_entry_no: bigint | null
  undone_by: string | null
  undone_because: string | null
  undone_at: Date | null
}

/** One that waits for what nobody consented to, in time, is dropped, whatever its row says. */
const STATE = `case when r.state = 'waiting' and not ${waits('r.approval_id')} then 'dropped'
  else r.state end`

function waits(column: string): string {
  return `exists (select from approvals a
    where a.org_id = r.org_id and a.approval_id = ${column} and a.state = 'waiting'
      and a.expires_at > now())`
}

const COLUMNS = `r.resolution_id, r.exception_id, r.action, r.reason_code, r.words,
  ${STATE} as state, r.account, r.moves, r.currency, r.facts, r.fingerprint, r.asked_by,
  r.asked_at, r.approval_id, r.approved_by, r.entry_no, r.done_at,
  case when r.state = 'done' and ${waits('r.undo_approval_id')} then r.undo_approval_id end
    as undo_approval_id,
  r.undo_entry_no, r.undone_by, r.undone_because, r.undone_at`

export interface ResolutionFilter {
  action: Action | null
  state: ResolutionState | null
  entryNo: bigint | null
  exceptionId: string | null
}

/** The newest first. */
export async function listResolutions(
  trx: Trx,
  { action, state, entryNo, exceptionId }: ResolutionFilter,
  { limit, after }: { limit: number; after: string | null },
): Promise<ResolutionRow[]> {
  return await trx.query<ResolutionRow>(
    `select ${COLUMNS} from recon_resolutions r
      where r.org_id = $1 and ($2::text is null or r.resolution_id < $2)
        and ($3::text is null or r.action = $3) and ($4::text is null or ${STATE} = $4)
        and ($5::bigint is null or r.entry_no = $5 or r.undo_entry_no = $5)
        and ($6::text is null or r.exception_id = $6)
      order by r.resolution_id desc limit $7`,
    [trx.scope, after, action, state, entryNo, exceptionId, limit],
  )
}

/** Throws `not_found` (moved: no). */
export async function findResolution(trx: Trx, resolutionId: string): Promise<ResolutionRow> {
  const [row] = await trx.query<ResolutionRow>(
    `select ${COLUMNS} from recon_resolutions r where r.org_id = $1 and r.resolution_id = $2`,
    [trx.scope, resolutionId],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such resolution.', moved: 'no' })
  }
  return row
}

/** What a caller's key made of an exception before. */
export async function findAsked(
  trx: Trx,
  { askedKey, exceptionId }: Pick<ResolutionAsked, 'askedKey' | 'exceptionId'>,
): Promise<ResolutionRow | undefined> {
  const [row] = await trx.query<ResolutionRow>(
    `select ${COLUMNS} from recon_resolutions r
      where r.asked_key = $2 and r.exception_id = $3 and r.org_id = $1`,
    [trx.scope, askedKey, exceptionId],
  )
  return row
}

/** The resolution that an approval is about. */
export async function findByApproval(trx: Trx, approvalId: string): Promise<ResolutionRow> {
  const [row] = await trx.query<ResolutionRow>(
    `select ${COLUMNS} from recon_resolutions r where r.approval_id = $2 and r.org_id = $1`,
    [trx.scope, approvalId],
  )
  if (row === undefined) {
    throw new Error(`${approvalId} has no resolution`)
  }
  return row
}

/** The resolution of an exception that stands or waits. */
export async function findLive(trx: Trx, exceptionId: string): Promise<ResolutionRow | undefined> {
  const [row] = await trx.query<ResolutionRow>(
    `select ${COLUMNS} from recon_resolutions r
      where r.exception_id = $2 and r.org_id = $1 and r.state in ('waiting', 'done')`,
    [trx.scope, exceptionId],
  )
  return row
}

/** The standing resolution that posted an entry; null where none did, or where it was a fact's. */
export async function resolutionOfEntry(trx: Trx, entryNo: bigint): Promise<string | null> {
  const [row] = await trx.query<{ resolution_id: string }>(
    `select resolution_id from recon_resolutions
      where entry_no = $2 and org_id = $1 and state = 'done' and cardinality(facts) = 0`,
    [trx.scope, entryNo],
  )
  return row?.resolution_id ?? null
}

/** The resolution that books a gateway's own line, or waits to; null where none does. */
export async function resolutionOfLine(trx: Trx, booksLine: string): Promise<string | null> {
  const [row] = await trx.query<{ resolution_id: string }>(
    `select r.resolution_id from recon_resolutions r
      where r.books_line = $2 and r.org_id = $1 and r.state in ('waiting', 'done')`,
    [trx.scope, booksLine],
  )
  return row?.resolution_id ?? null
}

export interface NewResolution {
  resolutionId: string
  asked: ResolutionAsked
  plan: Plan
  currency: string
  actor: string
  state: 'waiting' | 'done'
  approvalId: string | null
  entryNo: bigint | null
}

export async function insertResolution(trx: Trx, made: NewResolution): Promise<void> {
  const { asked, plan } = made
  await trx.query(
    `insert into recon_resolutions (org_id, resolution_id, exception_id, action, reason_code,
       words, state, account, moves, currency, facts, books_line, asked_key, fingerprint, asked_by,
       approval_id, entry_no, done_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
       case when $7 = 'done' then now() end)`,
    [
      trx.scope,
      made.resolutionId,
      asked.exceptionId,
      asked.action,
      asked.reasonCode,
      asked.words,
      made.state,
      plan.account,
      plan.moves,
      made.currency,
      plan.facts.map(({ key }) => key),
      plan.booksLine,
      asked.askedKey,
      asked.fingerprint,
      made.actor,
      made.approvalId,
      made.entryNo,
    ],
  )
}

/** One that waited is done, as another consented. */
export async function finishResolution(
  trx: Trx,
  resolutionId: string,
  { approvedBy, entryNo }: { approvedBy: string; entryNo: bigint },
): Promise<void> {
  await trx.query(
    `update recon_resolutions
        set state = 'done', done_at = now(), approved_by = $3, entry_no = $4
      where org_id = $1 and resolution_id = $2`,
    [trx.scope, resolutionId, approvedBy, entryNo],
  )
}

export async function dropResolution(trx: Trx, resolutionId: string): Promise<void> {
  await trx.query(
    `update recon_resolutions set state = 'dropped'
      where org_id = $1 and resolution_id = $2 and state = 'waiting'`,
    [trx.scope, resolutionId],
  )
}

export async function noteUndoAsked(
  trx: Trx,
  resolutionId: string,
  approvalId: string,
): Promise<void> {
  await trx.query(
    `update recon_resolutions set undo_approval_id = $3 where org_id = $1 and resolution_id = $2`,
    [trx.scope, resolutionId, approvalId],
  )
}

export async function noteUndone(
  trx: Trx,
  resolutionId: string,
  { by, because, entryNo }: { by: string; because: string; entryNo: bigint | null },
): Promise<void> {
  await trx.query(
    `update recon_resolutions
        set state = 'undone', undone_at = now(), undone_by = $3, undone_because = $4,
            undo_entry_no = $5
      where org_id = $1 and resolution_id = $2`,
    [trx.scope, resolutionId, by, because, entryNo],
  )
}

/** Those of a kind that are open, or that this key has resolved before; the oldest first. */
export async function findToResolve(
  trx: Trx,
  { kind, amountAtMost, askedKey }: { kind: string; amountAtMost: bigint | null; askedKey: string },
  limit: number,
): Promise<string[]> {
  const rows = await trx.query<{ exception_id: string }>(
    `select e.exception_id from recon_exceptions e
      where e.org_id = $1 and e.kind = $2 and ($3::bigint is null or e.amount <= $3)
        and (e.state = 'open' and not exists (
               select from recon_resolutions r
                where r.exception_id = e.exception_id and r.org_id = $1 and ${STATE} = 'waiting'
                  and r.asked_key <> $4)
             or exists (
               select from recon_resolutions r
                where r.exception_id = e.exception_id and r.org_id = $1 and r.asked_key = $4))
      order by e.exception_id limit $5`,
    [trx.scope, kind, amountAtMost, askedKey, limit],
  )
  return rows.map(({ exception_id: id }) => id)
}
