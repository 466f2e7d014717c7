/** Runs, matches, exceptions and rules of the reconciliation, as the API shows them. */
import { z } from 'zod'
import { EXCEPTION_STATES, type ExceptionRow, type MatchRow, type RunRow } from '../recon/found.ts'
import { AGREES, EXCEPTION_KINDS, MATCH_RULES } from '../recon/match/kinds.ts'
import type { Rules } from '../recon/match/rules.ts'
import { STEPS } from '../recon/runs.ts'
import { minorOrText } from '../base/money.ts'
import { currencyCode, day, idText, instant, minorUnits } from './answers.ts'
import { isoDate } from './input.ts'

export const reconRun = z
  .strictObject({
    id: idText('rrn'),
    state: z.enum(['waiting', 'running', 'done']),
    as_of: day.meta({ description: 'The day that it is run for.' }),
    rules_version: z.int().min(0).meta({ description: '0 are the rules that hold by themselves.' }),
    step: z.enum(STEPS),
    files: z.array(idText('rfl')),
    lines: z.int().min(0),
    matched: z.int().min(0),
    records_open: z.int().min(0),
    exceptions: z.int().min(0),
    exceptions_gone: z.int().min(0),
    posted: z.int().min(0).meta({ description: 'Entries for what it proved.' }),
    not_posted: z.int().min(0).meta({
      description: 'Bank lines whose entry the books refused; the next run tries again.',
    }),
    not_posted_because: z.string().nullable().meta({ description: 'The last of those.' }),
    asked_by: z.string(),
    asked_at: instant,
    began_at: instant.nullable(),
    ended_at: instant.nullable(),
    problem: z.string().nullable().meta({ description: 'Why its next part failed last.' }),
  })
  .meta({ id: 'ReconRun' })

export function runView(row: RunRow): z.input<typeof reconRun> {
  const { progress } = row
  return {
    id: row.run_id,
    state: row.state,
    as_of: row.as_of,
    rules_version: row.rules_version,
    step: row.step,
    files: row.files,
    lines: progress.lines,
    matched: progress.matched,
    records_open: progress.records,
    exceptions: progress.breaks,
    exceptions_gone: progress.gone,
    posted: progress.posted ?? 0,
    not_posted: progress.unposted ?? 0,
    not_posted_because: progress.refusal ?? null,
    asked_by: row.asked_by,
    asked_at: row.asked_at.toISOString(),
    began_at: row.began_at?.toISOString() ?? null,
    ended_at: row.ended_at?.toISOString() ?? null,
    problem: row.problem,
  }
}

export const reconException = z
  .strictObject({
    id: idText('exc'),
    kind: z.enum(EXCEPTION_KINDS),
    state: z.enum(EXCEPTION_STATES).meta({
      description: '`gone`: a later run found what was missing.',
    }),
    subject: z.string().meta({
      description: 'What it is about: a line, a record of ours, a settlement, a credit.',
    }),
    amount: minorUnits.meta({ description: 'What is at stake: a difference, or all of it.' }),
    currency: currencyCode,
    detail: z.record(z.string(), z.unknown()).meta({
      description: 'Field by field what each side says; amounts as text of minor units.',
    }),
    open_since: day,
    created_at: instant,
    ended_at: instant.nullable(),
  })
  .meta({ id: 'ReconException' })

export function exceptionView(row: ExceptionRow): z.input<typeof reconException> {
  return {
    id: row.exception_id,
    kind: row.kind,
    state: row.state,
    subject: row.subject,
    amount: minorOrText(row.amount),
    currency: row.currency,
    detail: row.detail,
    open_since: row.since,
    created_at: row.created_at.toISOString(),
    ended_at: row.ended_at?.toISOString() ?? null,
  }
}

const AGREEING = Object.keys(AGREES) as (keyof typeof AGREES)[]

export const reconMatch = z
  .strictObject({
    line: z.string().meta({ description: 'The id of the line.' }),
    record: z.string().meta({ description: 'A payment, refund, transfer or dispute of ours.' }),
    reversal: z.boolean().meta({ description: 'The line tells that it came back.' }),
    whole: z.boolean().meta({ description: 'False where several lines tell of one record.' }),
    amount: minorUnits,
    rule: z.enum(MATCH_RULES),
    rules_version: z.int().min(0),
    agrees: z.array(z.enum(AGREEING)).meta({ description: 'What both sides say alike.' }),
    candidates: z.int().min(1),
    run: idText('rrn'),
  })
  .meta({ id: 'ReconMatch' })

export function matchView(row: MatchRow): z.input<typeof reconMatch> {
  return {
    line: `${row.file_no}-${row.row_no}`,
    record: row.record_id,
    reversal: row.reversal,
    whole: row.whole,
    amount: minorOrText(row.amount),
    rule: row.rule,
    rules_version: row.rules_version,
    agrees: AGREEING.filter((name) => (row.agrees & AGREES[name]) !== 0),
    candidates: row.candidates,
    run: row.run_id,
  }
}

const days = z.strictObject({ before: z.int().min(0).max(30), after: z.int().min(0).max(30) })

/** The rules as somebody writes them. */
export const reconRules = z
  .strictObject({
    tolerance: z
      .strictObject({
        below: z.int().min(0).max(100_000),
        above: z.int().min(0).max(100_000),
        basis_points: z.int().min(0).max(1000),
      })
      .meta({
        description:
          'Differences up to both limits pass: minor units, and hundredths of a per cent.',
      }),
    window: days.meta({ description: 'Business days between a record and its line.' }),
    due_after: z.int().min(1).max(60).meta({
      description: 'Business days after which a record without a line is missing.',
    }),
    bank_window: days.meta({ description: 'Business days between a settlement and its credit.' }),
    holidays: z.array(isoDate).max(200).meta({ description: 'Days on which banks are closed.' }),
    subset: z
      .strictObject({ items: z.int().min(2).max(40), steps: z.int().min(1).max(1_000_000) })
      .meta({ description: 'How far a sum of several settlements is looked for.' }),
  })
  .meta({ id: 'ReconRules' })

export function rulesView(rules: Rules): z.input<typeof reconRules> {
  const { below, above, basisPoints } = rules.tolerance
  return {
    tolerance: {
      below: Number(below),
      above: Number(above),
      basis_points: Number(basisPoints),
    },
    window: rules.window,
    due_after: rules.dueAfter,
    bank_window: rules.bankWindow,
    holidays: [...rules.holidays],
    subset: rules.subset,
  }
}

/** The rules of a body. */
export function rulesOfBody(body: z.output<typeof reconRules>): Rules {
  const { below, above, basis_points: basisPoints } = body.tolerance
  return {
    tolerance: { below: BigInt(below), above: BigInt(above), basisPoints: BigInt(basisPoints) },
    window: body.window,
    dueAfter: body.due_after,
    bankWindow: body.bank_window,
    holidays: body.holidays,
    subset: body.subset,
  }
}
