/** Exports and their schedules as answers show them. */
import { z } from 'zod'
import { minorOrText } from '../base/money.ts'
import { EXPORT_DAYS, EXPORT_STATES, type ExportJob } from '../exports/jobs.ts'
import { FORMAT_NAMES, givenOf } from '../exports/report.ts'
import { REPORT_NAMES } from '../exports/registry.ts'
import { PERIODS, type ExportSchedule } from '../exports/schedules.ts'
import { currencyCode, day, idText, instant, minorUnits, sha256Hex } from './answers.ts'
import { entryId } from './entry-view.ts'

const what = {
  report: z.enum(REPORT_NAMES),
  format: z.enum(FORMAT_NAMES),
  parameters: z.record(z.string(), z.union([z.string(), z.int()])),
}

export const manifest = z
  .strictObject({
    format: z.literal('bahi/export/1'),
    organisation: z.string(),
    report: z.enum(REPORT_NAMES),
    file_format: z.enum(FORMAT_NAMES),
    parameters: what.parameters,
    entries_through: z.string().meta({ description: 'Number of the last entry that it reads.' }),
    chain_hash: sha256Hex.meta({ description: 'That entry’s hash in the journal’s chain.' }),
    rows: z.int(),
    bytes: z.int(),
    sha256: sha256Hex,
    totals: z.array(
      z.strictObject({ currency: currencyCode, debit: minorUnits, credit: minorUnits }),
    ),
    agrees: z.boolean().meta({ description: 'Each check has the same number twice.' }),
    checks: z.array(
      z.strictObject({
        what: z.string(),
        currency: z.string(),
        export: minorUnits,
        books: minorUnits,
      }),
    ),
  })
  .meta({ id: 'ExportManifest' })

export const exportJob = z
  .strictObject({
    id: idText('exp'),
    ...what,
    state: z.enum(EXPORT_STATES),
    journal_entry: idText('je').nullable().meta({
      description: 'The last entry that it reads: the newest when it was asked for.',
    }),
    asked_by: z.string(),
    asked_at: instant,
    schedule: idText('exs').nullable(),
    started_at: instant.nullable(),
    ended_at: instant.nullable(),
    expires_at: instant.nullable().meta({ description: 'When the file is taken away.' }),
    rows: minorUnits.meta({ description: 'So far, and in the end.' }),
    bytes: minorUnits,
    sha256: sha256Hex.nullable(),
    failure: z.string().nullable(),
    file: z.string().nullable().meta({ description: 'Where the file is, once it is made.' }),
  })
  .meta({ id: 'Export' })

const DAY_MS = 86_400_000

export function exportView(job: ExportJob): z.input<typeof exportJob> {
  const { export_id: id, ended_at: endedAt } = job
  const expires = endedAt === null ? null : new Date(endedAt.getTime() + EXPORT_DAYS * DAY_MS)
  return {
    id,
    report: job.report,
    format: job.format,
    parameters: givenOf(job.parameters),
    state: job.state,
    journal_entry: job.through === 0n ? null : entryId(job.through),
    asked_by: job.asked_by,
    asked_at: job.asked_at.toISOString(),
    schedule: job.schedule_id,
    started_at: job.started_at?.toISOString() ?? null,
    ended_at: endedAt?.toISOString() ?? null,
    expires_at: expires?.toISOString() ?? null,
    rows: minorOrText(job.rows),
    bytes: minorOrText(job.bytes),
    sha256: job.sha256?.toString('hex') ?? null,
    failure: job.failure,
    file: job.state === 'done' ? `/v1/exports/${id}/file` : null,
  }
}

export const exportSchedule = z
  .strictObject({
    id: idText('exs'),
    ...what,
    period: z.enum(PERIODS),
    every: z.enum(['week', 'month']),
    on_day: z.int().meta({ description: '1 is Monday; of a month 1 to 28.' }),
    recipients: z.array(idText('usr')),
    next_on: day.nullable(),
    created_by: z.string(),
    created_at: instant,
    ended_at: instant.nullable(),
  })
  .meta({ id: 'ExportSchedule' })

export function scheduleView(one: ExportSchedule): z.input<typeof exportSchedule> {
  return {
    id: one.schedule_id,
    report: one.report,
    format: one.format,
    parameters: givenOf(one.parameters),
    period: one.period,
    every: one.every,
    on_day: one.on_day,
    recipients: one.recipients,
    next_on: one.ended_at === null ? one.next_on : null,
    created_by: one.made_by,
    created_at: one.created_at.toISOString(),
    ended_at: one.ended_at?.toISOString() ?? null,
  }
}
