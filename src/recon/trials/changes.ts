/** All that a trial would change, as CSV; its report's counts and examples are filled meanwhile. */
import { csvLine, type Cell } from '../../../reports/csv.ts'
import type { Trx } from '../../base/db.ts'
import type { Change, TrialReport } from './report.ts'
import { DAY, paramsOf, sidesOf, type Sides } from './sides.ts'
import type { Trial } from './trials.ts'

/** Rows of one statement. */
const TOGETHER = 5000
/** Of each kind of change. */
const EXAMPLES_MAX = 5
const ROWS_TOGETHER = 50_000

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

/** In a fixed order. */
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

/** Lines with another match. The fence keeps COALESCE, no harmless function, from a wall. */
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
            coalesce(a.amount, b.amount)::text as amount,
            coalesce(a.currency, b.currency) as currency
       from (${exceptionsBefore}) b
       full join (${exceptionsAfter}) a on a.subject = b.subject and a.kind = b.kind
      where (b.subject is null or a.subject is null and b.state = 'open')
        and $2::integer is not null
        and (coalesce(a.subject, b.subject), coalesce(a.kind, b.kind))
            > ($${next}, $${next + 1})
      order by subject, kind limit ${TOGETHER}`,
    [...params, after.subject, after.kind],
  )
}
