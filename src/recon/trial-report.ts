/** What a trial found, held against what stands: counts, examples, and all of it as CSV. */
import { csvLine, type Cell } from '../../reports/csv.ts'
import type { Trx } from '../base/db.ts'
import type { BankRule } from './match/bank.ts'
import { EXCEPTION_KINDS, type ExceptionKind, type MatchRule } from './match/kinds.ts'
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

/** Rows of one statement. */
const TOGETHER = 5000
/** Of each kind of change. */
const EXAMPLES_MAX = 5
const ROWS_TOGETHER = 50_000

const DAY = 'coalesce(l.settled_on, l.occurred_on)'

/** Its parts as SQL: what belongs to the trial, before and after, by the same names. */
interface Sides {
  /** Lines and credits in question, `l`. */
  lines: string
  credits: string
  /** Matches that stand and would be, of these lines, `m`; the run's number is $2. */
  before: string
  after: string
  exceptionsBefore: string
  exceptionsAfter: string
}

function sidesOf({ what }: Trial): Sides {
  return what === 'run' ? SIDES_OF_RUN : SIDES_OF_RULES
}

const LINES_OF_FILES = `select l.file_no, l.row_no
    from pg_temp.recon_run_files f
   cross join lateral (
     select file_no, row_no, ${DAY} as day from settlement_lines l
      where l.org_id = $1 and l.file_no = f.file_no offset 0
   ) l`

const SIDES_OF_RUN: Sides = {
  lines: `(${LINES_OF_FILES} where f.run_no = $2
            union all
           select l.* from public.recon_open_lines o
            cross join lateral (
              select file_no, row_no from settlement_lines
               where org_id = $1 and file_no = o.file_no and row_no = o.row_no limit 1
            ) l
            where o.org_id = $1)`,
  credits: `(select l.* from bank_lines l
               join pg_temp.recon_run_files f on f.org_id = l.org_id and f.file_no = l.file_no
              where l.org_id = $1 and f.run_no = $2 and l.amount > 0
              union all
             select l.* from public.recon_open_bank_lines o
               join bank_lines l
                 on l.org_id = o.org_id and l.file_no = o.file_no and l.row_no = o.row_no
              where o.org_id = $1)`,
  before: 'm.org_id = $1 and false',
  after: 'm.org_id = $1 and m.run_no = $2',
  exceptionsBefore: `select * from public.recon_exceptions e where e.org_id = $1 and state = 'open'`,
  exceptionsAfter: `select * from pg_temp.recon_exceptions e where e.org_id = $1 and state = 'open'`,
}

/** Of what is beside the period only that is looked at which bears on it; no change is told. */
const IN_PERIOD = `e.subject not like 'settlement %'
  and case when e.subject like 'line %' then exists (
             select from settlement_lines l
              where l.org_id = $1 and l.file_no = split_part(e.subject, ' ', 2)::integer
                and l.row_no = split_part(e.subject, ' ', 3)::integer
                and ${DAY} between $3 and $4)
           else e.since between $3 and $4 end`

const SIDES_OF_RULES: Sides = {
  lines: `(${LINES_OF_FILES} where f.run_no = $2 and l.day between $3 and $4)`,
  credits: `(select l.* from bank_lines l
               join public.recon_run_files f on f.org_id = l.org_id and f.file_no = l.file_no
              where l.org_id = $1 and l.amount > 0 and l.booked_on between $3 and $4
                and $2::integer is not null
                and not exists (select from pg_temp.recon_bank_matches m
                                 where m.org_id = l.org_id and m.file_no = l.file_no
                                   and m.row_no = l.row_no and m.rule = 'person'))`,
  before: `m.org_id = $1 and m.undone_at is null and m.rule <> 'person'`,
  after: `m.org_id = $1 and m.run_no = $2`,
  // What a person has resolved is no news where it is found again.
  exceptionsBefore: `select distinct on (e.subject, e.kind) * from public.recon_exceptions e
                      where e.org_id = $1 and state in ('open', 'resolved') and ${IN_PERIOD}
                      order by e.subject, e.kind, e.exception_id`,
  exceptionsAfter: `select * from pg_temp.recon_exceptions e
                     where e.org_id = $1 and state = 'open' and ${IN_PERIOD}`,
}

function paramsOf(trx: Trx, trial: Trial, runNo: number): unknown[] {
  const period = trial.what === 'run' ? [] : [trial.first_day, trial.last_day]
  return [trx.scope, runNo, ...period]
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

const COLUMNS = [
  'change',
  'subject',
  'kind',
  'rule_before',
  'rule_after',
  'before',
  'after',
  'amount_minor',
  'currency',
]

/** All that would change, in a fixed order; the report's counts and examples are filled meanwhile. */
export async function* csvOfTrial(
  trx: Trx,
  trial: Trial,
  runNo: number,
  report: TrialReport,
): AsyncGenerator<Buffer> {
  yield Buffer.from(csvLine(COLUMNS))
  for await (const changes of changesOf(trx, trial, runNo)) {
    for (const one of changes) {
      report.changes[one.change] += 1
      if (report.changes[one.change] <= EXAMPLES_MAX) {
        report.examples.push(one)
      }
    }
    report.rows += changes.length
    if (changes.length > 0) {
      yield Buffer.from(changes.map((one) => csvLine(cellsOf(one))).join(''))
    }
  }
}

function cellsOf(one: Change): Cell[] {
  return [
    one.change,
    one.subject,
    one.kind,
    one.rule_before,
    one.rule_after,
    one.before,
    one.after,
    { plain: one.amount },
    one.currency,
  ]
}

async function* changesOf(trx: Trx, trial: Trial, runNo: number): AsyncGenerator<Change[]> {
  const sides = sidesOf(trial)
  const params = paramsOf(trx, trial, runNo)
  const files = await trx.query<{ file_no: number; rows: number }>(
    `select file_no, max(row_no) as rows from ${sides.lines} l
      where $2::integer is not null group by file_no order by file_no`,
    params,
  )
  for (const { file_no: fileNo, rows } of files) {
    for (let from = 0; from < rows; from += ROWS_TOGETHER) {
      const range = `m.file_no = ${fileNo} and m.row_no > ${from}
        and m.row_no <= ${from + ROWS_TOGETHER}`
      yield await changedMatches(trx, trial, params, range)
    }
  }
  yield await changedCredits(trx, sides, params)
  for (let after = { subject: '', kind: '' }, isMore = true; isMore;) {
    const found: Change[] = await changedExceptions(trx, sides, params, after)
    yield found
    const last = found.at(-1)
    after = { subject: last?.subject ?? '', kind: last?.kind ?? '' }
    isMore = found.length === TOGETHER
  }
}

const sideOf = (table: string, which: string, record: string) => `
  select m.file_no, m.row_no, min(m.rule) as rule,
         string_agg(${record}, ' ' order by ${record}) as records
    from ${table} m where ${which} group by m.file_no, m.row_no`

/** Lines whose match is another one. The fence keeps COALESCE, no harmless function, from a wall. */
const differing = (what: 'match' | 'credit', before: string, after: string) => `
  (select coalesce(a.file_no, b.file_no) as file_no, coalesce(a.row_no, b.row_no) as row_no,
          case when b.file_no is null then '${what}_new' when a.file_no is null then '${what}_lost'
            else '${what}_changed' end as change,
          b.rule as rule_before, a.rule as rule_after, b.records as before, a.records as after
     from (${before}) b
     full join (${after}) a on a.file_no = b.file_no and a.row_no = b.row_no
    where (a.rule, a.records) is distinct from (b.rule, b.records)
   offset 0) d`

const CHANGE = `d.change, d.file_no || '-' || d.row_no as subject, null as kind, d.rule_before,
  d.rule_after, d.before, d.after, l.amount::text as amount, l.currency`

const RECORD = `m.record_id || case when m.reversal then ' back' else '' end`

async function changedMatches(
  trx: Trx,
  trial: Trial,
  params: readonly unknown[],
  range: string,
): Promise<Change[]> {
  const { before, after } = sidesOf(trial)
  const inPeriod = trial.what === 'run' ? 'true' : `${DAY} between $3 and $4`
  const was = sideOf('public.recon_matches', `${before} and ${range}`, RECORD)
  const is = sideOf('pg_temp.recon_matches', `${after} and ${range}`, RECORD)
  return await trx.query<Change>(
    `select ${CHANGE}
       from ${differing('match', was, is)}
      cross join lateral (
        select l.amount, l.currency from settlement_lines l
         where l.org_id = $1 and l.file_no = d.file_no and l.row_no = d.row_no and ${inPeriod}
         limit 1
      ) l
      where $2::integer is not null
      order by d.file_no, d.row_no`,
    params,
  )
}

async function changedCredits(
  trx: Trx,
  { credits, before, after }: Sides,
  params: readonly unknown[],
): Promise<Change[]> {
  const was = sideOf('public.recon_bank_matches', before, 'm.settlement_id')
  const is = sideOf('pg_temp.recon_bank_matches', after, 'm.settlement_id')
  return await trx.query<Change>(
    `select ${CHANGE}
       from ${differing('credit', was, is)}
       join ${credits} l on l.file_no = d.file_no and l.row_no = d.row_no
      order by d.file_no, d.row_no`,
    params,
  )
}

async function changedExceptions(
  trx: Trx,
  { exceptionsBefore, exceptionsAfter }: Sides,
  params: readonly unknown[],
  after: { subject: string; kind: string },
): Promise<Change[]> {
  const next = params.length + 1
  return await trx.query<Change>(
    `select case when b.subject is null then 'exception_new' else 'exception_gone' end as change,
            coalesce(a.subject, b.subject) as subject, coalesce(a.kind, b.kind) as kind,
            null as rule_before, null as rule_after, null as before, null as after,
            coalesce(a.amount, b.amount)::text as amount, coalesce(a.currency, b.currency) as currency
       from (${exceptionsBefore}) b
       full join (${exceptionsAfter}) a on a.subject = b.subject and a.kind = b.kind
      where (b.subject is null or a.subject is null and b.state = 'open') and $2::integer is not null
        and (coalesce(a.subject, b.subject), coalesce(a.kind, b.kind)) > ($${next}, $${next + 1})
      order by subject, kind limit ${TOGETHER}`,
    [...params, after.subject, after.kind],
  )
}
