/** Trials of the reconciliation, as the API shows them. */
import { z } from 'zod'
import { minorOrText } from '../base/money.ts'
import { BANK_RULES } from '../recon/match/bank.ts'
import { EXCEPTION_KINDS, MATCH_RULES } from '../recon/match/kinds.ts'
import { STEPS } from '../recon/runs.ts'
import { CHANGES, type Rate, type TrialReport } from '../recon/trials/report.ts'
import { TRIAL_STATES, type Trial } from '../recon/trials/trials.ts'
import { currencyCode, day, idText, instant, minorUnits, sha256Hex } from './answers.ts'
import { reconRules, rulesView } from './recon-run-view.ts'

const rate = z.strictObject({
  all: z.int().min(0),
  matched_before: z.int().min(0),
  matched_after: z.int().min(0),
  rate_before: z.string().meta({ description: 'Of a hundred, with two digits.' }).nullable(),
  rate_after: z.string().nullable(),
})

const rule = z.enum([...new Set([...MATCH_RULES, ...BANK_RULES])])

const change = z.strictObject({
  change: z.enum(CHANGES),
  subject: z.string().meta({ description: 'A line, or what an exception is about.' }),
  kind: z.enum(EXCEPTION_KINDS).nullable(),
  rule_before: rule.nullable(),
  rule_after: rule.nullable(),
  before: z.string().nullable().meta({ description: 'What it is matched with now.' }),
  after: z.string().nullable(),
  amount: minorUnits,
  currency: currencyCode,
})

const report = z
  .strictObject({
    lines: rate,
    credits: rate,
    by_rule: z.array(
      z.strictObject({
        side: z.enum(['line', 'credit']),
        rule,
        before: z.int().min(0),
        after: z.int().min(0),
      }),
    ),
    exceptions: z.array(
      z.strictObject({
        kind: z.enum(EXCEPTION_KINDS),
        before: z.int().min(0),
        after: z.int().min(0),
        new: z.int().min(0),
        gone: z.int().min(0),
      }),
    ),
    changes: z.strictObject(
      Object.fromEntries(CHANGES.map((name) => [name, z.int().min(0)])) as Record<
        (typeof CHANGES)[number],
        z.ZodInt
      >,
    ),
    examples: z.array(change).meta({ description: 'Five of each at most; the file has all.' }),
  })
  .meta({ id: 'ReconTrialReport' })

export const reconTrial = z
  .strictObject({
    id: idText('rtl'),
    what: z.enum(['run', 'rules']).meta({
      description: '`run`: the next run as it would be. `rules`: a period under other rules.',
    }),
    state: z.enum(TRIAL_STATES),
    rules: reconRules,
    from: day.nullable(),
    to: day.nullable(),
    as_of: day,
    step: z.enum([...STEPS, 'report']),
    lines: z.int().min(0).meta({ description: 'Lines that it has looked at.' }),
    report: report.nullable(),
    file: z
      .strictObject({ rows: z.int().min(0), bytes: z.int().min(0), sha256: sha256Hex })
      .nullable(),
    asked_by: z.string(),
    asked_at: instant,
    began_at: instant.nullable(),
    ended_at: instant.nullable(),
    failure: z.string().nullable(),
  })
  .meta({ id: 'ReconTrial' })

export function trialView(trial: Trial): z.input<typeof reconTrial> {
  const { report: found, sha256 } = trial
  return {
    id: trial.trial_id,
    what: trial.what,
    state: trial.state,
    rules: rulesView(trial.rules),
    from: trial.first_day,
    to: trial.last_day,
    as_of: trial.as_of,
    step: trial.step,
    lines: trial.progress.lines,
    report: found === null ? null : reportView(found),
    file:
      sha256 === null || found === null
        ? null
        : { rows: found.rows, bytes: Number(trial.bytes), sha256: sha256.toString('hex') },
    asked_by: trial.asked_by,
    asked_at: trial.asked_at.toISOString(),
    began_at: trial.began_at?.toISOString() ?? null,
    ended_at: trial.ended_at?.toISOString() ?? null,
    failure: trial.failure,
  }
}

function reportView({ rows: _rows, ...found }: TrialReport): z.input<typeof report> {
  return {
    ...found,
    lines: rateView(found.lines),
    credits: rateView(found.credits),
    examples: found.examples.map((one) => ({ ...one, amount: minorOrText(BigInt(one.amount)) })),
  }
}

function rateView({ all, before, after }: Rate): z.input<typeof rate> {
  const ofAll = (part: number) => (all === 0 ? null : hundredths(Math.floor((part * 10_000) / all)))
  return {
    all,
    matched_before: before,
    matched_after: after,
    rate_before: ofAll(before),
    rate_after: ofAll(after),
  }
}

const hundredths = (count: number) =>
  `${Math.floor(count / 100)}.${String(count % 100).padStart(2, '0')}`
