/** What a trial found, held against what stands, in numbers. */
import type { Trx } from '../../base/db.ts'
import type { BankRule } from '../match/bank.ts'
import { EXCEPTION_KINDS, type ExceptionKind, type MatchRule } from '../match/kinds.ts'
import { paramsOf, sidesOf, type Sides } from './sides.ts'
import type { Trial } from './trials.ts'

export const CHANGES = [
  'match_new',
  'match_lost',
  'match_changed',
  'credit_new',
  'credit_lost',
  'credit_changed',
  'exception_new',
  'exception_gone',
] as const

export type ChangeName = (typeof CHANGES)[number]

type Rule = MatchRule | BankRule

/** One thing that would be another than it is. */
export interface Change {
  change: ChangeName
  /** A line's id, or what an exception is about. */
  subject: string
  kind: ExceptionKind | null
  rule_before: Rule | null
  rule_after: Rule | null
  /** What the line is matched with: ids, parted by spaces. */
  before: string | null
  after: string | null
  /** Minor units, as text. */
  amount: string
  currency: string
}

/** How many lines there are, and how many of them are matched. */
export interface Rate {
  all: number
  before: number
  after: number
}

export interface TrialReport {
  lines: Rate
  credits: Rate
  by_rule: { side: 'line' | 'credit'; rule: Rule; before: number; after: number }[]
  exceptions: {
    kind: ExceptionKind
    before: number
    after: number
    new: number
    gone: number
  }[]
  /** Filled while the file is written. */
  changes: Record<ChangeName, number>
  examples: Change[]
  rows: number
}

/** The counts; those of changes are filled in by `csvOfTrial`. */
export async function reportOf(trx: Trx, trial: Trial, runNo: number): Promise<TrialReport> {
  const sides = sidesOf(trial)
  const params = paramsOf(trx, trial, runNo)
  // All of both sides is held against each other, of which the planner knows no numbers.
  await trx.query('set local enable_nestloop = off')
  await trx.query(`set local work_mem = '64MB'`)
  const lines = await rateOf(trx, sides.lines, 'recon_matches', sides, params)
  const credits = await rateOf(trx, sides.credits, 'recon_bank_matches', sides, params)
  const kinds = await trx.query<TrialReport['exceptions'][number]>(
    `select kind, count(*) filter (where is_open)::integer as before,
            count(*) filter (where is_after)::integer as after,
            count(*) filter (where not is_known)::integer as new,
            count(*) filter (where is_open and not is_after)::integer as gone
       from (
         select subject, kind, bool_or(side = 'b') as is_known, bool_or(side = 'a') as is_after,
                bool_or(side = 'b' and state = 'open') as is_open
           from (select 'b' as side, b.subject, b.kind, b.state
                   from (${sides.exceptionsBefore}) b
                  union all
                 select 'a', a.subject, a.kind, a.state from (${sides.exceptionsAfter}) a) each
          where $2::integer is not null
          group by subject, kind
       ) one
      group by kind`,
    params,
  )
  await trx.query('set local enable_nestloop = on')
  const known = new Map(kinds.map((one) => [one.kind, one]))
  return {
    lines: lines.rate,
    credits: credits.rate,
    by_rule: [...lines.byRule, ...credits.byRule],
    exceptions: EXCEPTION_KINDS.flatMap((kind) => known.get(kind) ?? []),
    changes: Object.fromEntries(CHANGES.map((name) => [name, 0])) as TrialReport['changes'],
    examples: [],
    rows: 0,
  }
}

const IN_FILES = `and m.file_no = any(array(
  select file_no from pg_temp.recon_run_files where run_no = $2))`

type Matches = 'recon_matches' | 'recon_bank_matches'

/** Each line is counted once, under one rule: parts of a line have the same. */
const matchedLines = (table: Matches, { before, after }: Sides) => `
  select 'b' as side, m.file_no, m.row_no, min(m.rule) as rule from public.${table} m
   where ${before} ${table === 'recon_matches' ? IN_FILES : ''} group by m.file_no, m.row_no
   union all
  select 'a', m.file_no, m.row_no, min(m.rule) from pg_temp.${table} m
   where ${after} group by m.file_no, m.row_no`

async function rateOf(
  trx: Trx,
  lines: string,
  table: Matches,
  sides: Sides,
  params: readonly unknown[],
): Promise<{ rate: Rate; byRule: TrialReport['by_rule'] }> {
  const [counted] = await trx.query<{ all: number }>(
    `select count(*)::integer as all from ${lines} l where $2::integer is not null`,
    params,
  )
  const byRule = await trx.query<TrialReport['by_rule'][number]>(
    `select '${table === 'recon_matches' ? 'line' : 'credit'}' as side, m.rule,
            count(*) filter (where m.side = 'b')::integer as before,
            count(*) filter (where m.side = 'a')::integer as after
       from ${lines} l
       join (${matchedLines(table, sides)}) m on m.file_no = l.file_no and m.row_no = l.row_no
      group by m.rule order by m.rule`,
    params,
  )
  const sum = (side: 'before' | 'after') => byRule.reduce((all, one) => all + one[side], 0)
  return { rate: { all: counted?.all ?? 0, before: sum('before'), after: sum('after') }, byRule }
}
