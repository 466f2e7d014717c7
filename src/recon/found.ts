/** What runs found, to be read: runs, matches, and breaks. */
import { build, type Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import type { BankRule } from './match/bank.ts'
import type { ExceptionKind, MatchRule } from './match/kinds.ts'
import type { Progress, Step } from './runs.ts'

export interface RunRow {
  run_id: string
  run_no: number
  rules_version: number
  state: 'waiting' | 'running' | 'done'
  as_of: string
  step: Step
  progress: Progress
  files: string[]
  asked_by: string
  asked_at: Date
  began_at: Date | null
  ended_at: Date | null
  problem: string | null
}

interface PageAsked {
  limit: number
  /** The id that the page comes after; null for the first one. */
  after: string | null
}

const FILES_MAX = 1000

const RUN = `r.run_id, r.run_no, r.rules_version, r.state, r.as_of, r.step, r.progress, r.asked_by,
  r.asked_at, r.began_at, r.ended_at, r.problem,
  array(select f.file_id from recon_run_files t
          join recon_files f on f.org_id = t.org_id and f.file_no = t.file_no
         where t.org_id = r.org_id and t.run_no = r.run_no
         order by t.file_no limit ${FILES_MAX}) as files`

/** The newest first. */
export async function listRuns(trx: Trx, { limit, after }: PageAsked): Promise<RunRow[]> {
  return await trx.query<RunRow>(
    `select ${RUN} from recon_runs r
      where r.org_id = $1 and ($2::text is null or r.run_id < $2)
      order by r.run_id desc limit $3`,
    [trx.scope, after, limit],
  )
}

/** Throws `not_found`. */
export async function findRun(trx: Trx, runId: string): Promise<RunRow> {
  const [row] = await trx.query<RunRow>(
    `select ${RUN} from recon_runs r where r.org_id = $1 and r.run_id = $2`,
    [trx.scope, runId],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such run.' })
  }
  return row
}

/** Loaded files that no run has taken in, the oldest first. */
export async function filesToRun(trx: Trx): Promise<number[]> {
  const rows = await trx.query<{ file_no: number }>(
    `select file_no from recon_files f
      where org_id = $1 and state = 'loaded'
        and not exists (select from recon_run_files t
                         where t.file_no = f.file_no and t.org_id = f.org_id)
      order by file_no limit ${FILES_MAX}`,
    [trx.scope],
  )
  return rows.map(({ file_no: no }) => no)
}

export const EXCEPTION_STATES = ['open', 'resolved', 'gone'] as const

export interface ExceptionRow {
  exception_id: string
  kind: ExceptionKind
  subject: string
  amount: bigint
  currency: string
  detail: Record<string, unknown>
  since: string
  state: (typeof EXCEPTION_STATES)[number]
  found_by: number
  seen_by: number
  created_at: Date
  ended_at: Date | null
}

export interface ExceptionFilter {
  kind: ExceptionKind | null
  state: ExceptionRow['state'] | null
  subject: string | null
}

const EXCEPTION = [
  'exception_id',
  'kind',
  'subject',
  'amount',
  'currency',
  'detail',
  'since',
  'state',
  'found_by',
  'seen_by',
  'created_at',
  'ended_at',
] as const

/** The newest first. */
export async function listExceptions(
  trx: Trx,
  { kind, state, subject }: ExceptionFilter,
  { limit, after }: PageAsked,
): Promise<ExceptionRow[]> {
  const select = build('recon_exceptions')
    .select(...EXCEPTION)
    .where({
      org_id: trx.scope,
      ...(kind === null ? {} : { kind }),
      ...(state === null ? {} : { state }),
      ...(subject === null ? {} : { subject }),
    })
    .orderBy('exception_id', 'desc')
    .limit(limit)
  if (after !== null) {
    void select.where('exception_id', '<', after)
  }
  return await trx.run<ExceptionRow>(select)
}

/** Throws `not_found`. */
export async function findException(trx: Trx, exceptionId: string): Promise<ExceptionRow> {
  const [row] = await trx.run<ExceptionRow>(
    build('recon_exceptions')
      .select(...EXCEPTION)
      .where({ org_id: trx.scope, exception_id: exceptionId }),
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such exception.' })
  }
  return row
}

export interface MatchRow {
  file_no: number
  row_no: number
  record_id: string
  reversal: boolean
  whole: boolean
  amount: bigint
  rule: MatchRule
  rules_version: number
  agrees: number
  candidates: number
  run_id: string
}

const MATCHES_MAX = 100

/** What a record was matched with, or a line; at most a hundred. */
export async function listMatches(
  trx: Trx,
  of: { record: string | null; line: { fileNo: number; rowNo: number } | null },
): Promise<MatchRow[]> {
  return await trx.query<MatchRow>(
    `select m.file_no, m.row_no, m.record_id, m.reversal, m.whole, m.amount, m.rule,
            r.rules_version, m.agrees, m.candidates, r.run_id
       from recon_matches m
       join recon_runs r on r.org_id = m.org_id and r.run_no = m.run_no
      where m.org_id = $1 and m.undone_at is null
        and ($2::text is null or m.record_id = $2)
        and ($3::integer is null or m.file_no = $3 and m.row_no = $4)
      order by m.file_no, m.row_no, m.part limit ${MATCHES_MAX}`,
    [trx.scope, of.record, of.line?.fileNo ?? null, of.line?.rowNo ?? null],
  )
}

export interface BankMatchRow {
  file_no: number
  row_no: number
  settlement_id: string
  amount: bigint
  rule: BankRule
  rules_version: number
  agrees: number
  candidates: number
  run_id: string
  entry_no: bigint | null
  undone_at: Date | null
  undone_by: string | null
  undone_because: string | null
  reversal_no: bigint | null
}

/**
 * What a line of a bank statement or a settlement is matched with, and was before somebody took it
 * apart; at most a hundred, the newest first.
 */
export async function listBankMatches(
  trx: Trx,
  of: { settlement: string | null; line: { fileNo: number; rowNo: number } | null },
): Promise<BankMatchRow[]> {
  return await trx.query<BankMatchRow>(
    `select m.file_no, m.row_no, m.settlement_id, m.amount, m.rule, r.rules_version, m.agrees,
            m.candidates, r.run_id, m.entry_no, m.undone_at, m.undone_by, m.undone_because,
            m.reversal_no
       from recon_bank_matches m
       join recon_runs r on r.org_id = m.org_id and r.run_no = m.run_no
      where m.org_id = $1
        and ($2::text is null or m.settlement_id = $2)
        and ($3::integer is null or m.file_no = $3 and m.row_no = $4)
      order by m.undone_at desc nulls first, m.file_no, m.row_no, m.part limit ${MATCHES_MAX}`,
    [trx.scope, of.settlement, of.line?.fileNo ?? null, of.line?.rowNo ?? null],
  )
}
