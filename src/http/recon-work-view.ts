/** Exceptions as work, as the API shows them: whose, by when, what differs, what was done. */
import { z } from 'zod'
import { minorOrText } from '../base/money.ts'
import { ATTACHED } from '../recon/work/attached-media.ts'
import type { Attachment } from '../recon/work/attachments.ts'
import type { Behind, RecordRow } from '../recon/work/behind.ts'
import { RESULTS, type Result } from '../recon/work/cases.ts'
import { EXCEPTION_KINDS } from '../recon/match/kinds.ts'
import { differencesOf, FIELDS, type Difference } from '../recon/match/sides.ts'
import { ACTIONS, ACTIONS_OF } from '../recon/resolve/asked.ts'
import { AGES, MONTH_END_AGES, type SumRow } from '../recon/work/summary.ts'
import { HAPPENED, type Happened } from '../recon/work/timeline.ts'
import { SEVERITIES, type Severity } from '../recon/work/policy.ts'
import type { WorkRow } from '../recon/work/worklist.ts'
import { currencyCode, day, idText, instant, minorUnits, sha256Hex } from './answers.ts'
import { exceptionView, reconException } from './recon-run-view.ts'

const said = z.union([z.int(), z.string()]).nullable()

const difference = z.strictObject({
  field: z.enum(FIELDS),
  ours: said.meta({ description: 'Of our books; money in minor units.' }),
  theirs: said.meta({ description: 'Of the line, or of all lines together.' }),
  difference: minorUnits.nullable().meta({
    description: 'Theirs less ours: minor units; of days, how many.',
  }),
})

export const exceptionInWork = reconException
  .omit({ detail: true })
  .extend({
    gateway: z.string().nullable().meta({ description: 'null: of a bank.' }),
    severity: z.enum(SEVERITIES),
    due_at: instant,
    overdue: z.boolean(),
    owner: z
      .strictObject({
        id: idText('usr'),
        name: z.string(),
        active: z.boolean().meta({
          description: 'false: he left; within an hour it is nobody’s.',
        }),
      })
      .nullable(),
    acknowledged_at: instant.nullable(),
    acknowledged_by: z.string().nullable(),
    reminders: z.int().meta({ description: 'How often somebody was told that it is overdue.' }),
    actions: z.array(z.enum(ACTIONS)).meta({
      description: 'What may resolve it (POST …/resolve); none where it is not open.',
    }),
    differences: z.array(difference).meta({
      description: 'Field by field; all that one side says where the other is not there.',
    }),
    record: z.string().nullable().meta({
      description: 'Our side: a payment, refund, transfer, dispute or settlement.',
    }),
    line: z.string().nullable().meta({ description: 'Their side: the id of a settlement line.' }),
    bank_line: z.string().nullable().meta({ description: 'Or of a bank’s line.' }),
    candidates: z.array(z.string()).meta({ description: 'What of ours could have been meant.' }),
    given_up_by: z.string().nullable().meta({
      description:
        'The resolution that gave up before what came after all, or tells otherwise now.',
    }),
    cursor: z.string().meta({ description: 'Where a list that is sorted by due goes on.' }),
  })
  .meta({ id: 'ReconExceptionInWork' })

export function workView(row: WorkRow, behind: Behind): z.input<typeof exceptionInWork> {
  const { detail: _detail, ...found } = exceptionView(row)
  const { owner, due_at: dueAt } = row
  return {
    ...found,
    gateway: row.gateway,
    severity: severityAt(row.severity),
    due_at: dueAt.toISOString(),
    overdue: row.overdue,
    owner:
      owner === null
        ? null
        : { id: owner, name: row.owner_name ?? '', active: row.owner_active ?? false },
    acknowledged_at: row.acknowledged_at?.toISOString() ?? null,
    acknowledged_by: row.acknowledged_by,
    reminders: row.reminders,
    actions: row.state === 'open' ? [...ACTIONS_OF[row.kind]] : [],
    differences: differencesOf(row.kind, behind.ours, behind.theirs).map(differenceView),
    record: behind.record,
    line: behind.line,
    bank_line: behind.bankLine,
    candidates: behind.candidates,
    given_up_by: givenUpBy(row.detail),
    cursor: `${dueAt.getTime()}.${row.exception_id}`,
  }
}

function differenceView(one: Difference): z.input<typeof difference> {
  const value = (side: bigint | string | null) =>
    typeof side === 'bigint' ? minorOrText(side) : side
  return {
    field: one.field,
    ours: value(one.ours),
    theirs: value(one.theirs),
    difference: one.difference === null ? null : minorOrText(one.difference),
  }
}

/** A line says by what its record was given up; a credit, which of its settlements. */
function givenUpBy({ resolution, settlements }: WorkRow['detail']): string | null {
  const all = Array.isArray(settlements) ? (settlements as { resolution?: unknown }[]) : []
  const found = [resolution, ...all.map((one) => one.resolution)]
  return found.find((one) => typeof one === 'string') ?? null
}

function severityAt(place: number): Severity {
  return SEVERITIES[place] ?? 'low'
}

export const reconRecord = z
  .strictObject({
    id: z.string(),
    kind: z.enum(['payment', 'refund', 'transfer', 'dispute', 'settlement']),
    gateway: z.string().nullable(),
    account: z.string().nullable(),
    external_id: z.string().nullable(),
    reference: z.string().nullable(),
    amount: minorUnits.nullable(),
    fee: minorUnits.nullable(),
    tax: minorUnits.nullable(),
    currency: currencyCode,
    occurred_on: day.nullable(),
    state: z.string(),
  })
  .meta({ id: 'ReconRecord' })

export function recordView(row: RecordRow): z.input<typeof reconRecord> {
  const { record_id: id, amount, fee, tax, ...rest } = row
  const money = (one: bigint | null) => (one === null ? null : minorOrText(one))
  return { id, ...rest, amount: money(amount), fee: money(fee), tax: money(tax) }
}

export const bulkResult = z
  .strictObject({
    done: z.int().min(0),
    data: z.array(
      z.strictObject({
        id: idText('exc'),
        result: z.enum(RESULTS).meta({
          description: '`ended`: not open any more. `not_overdue`: give it another due date.',
        }),
      }),
    ),
  })
  .meta({ id: 'ReconBulkResult' })

export function bulkView(results: readonly Result[]): z.input<typeof bulkResult> {
  return {
    done: results.filter(({ result }) => result === 'done').length,
    data: results.map(({ id, result }) => ({ id, result })),
  }
}

export const happened = z
  .strictObject({
    cursor: z.string(),
    what: z.enum(HAPPENED),
    at: instant,
    by: z.string(),
    detail: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'ReconExceptionEvent' })

export function happenedView(row: Happened): z.input<typeof happened> {
  return { ...row, at: row.at.toISOString() }
}

export const attachment = z
  .strictObject({
    id: idText('att'),
    exception: idText('exc'),
    name: z.string(),
    media: z.enum(Object.keys(ATTACHED)),
    bytes: z.int(),
    sha256: sha256Hex,
    added_by: z.string(),
    added_at: instant,
  })
  .meta({ id: 'ReconAttachment' })

export function attachmentView(row: Attachment): z.input<typeof attachment> {
  return {
    id: row.attachment_id,
    exception: row.exception_id,
    name: row.name,
    media: row.media,
    bytes: row.bytes,
    sha256: row.sha256.toString('hex'),
    added_by: row.added_by,
    added_at: row.added_at.toISOString(),
  }
}

const counted = { count: z.int(), amount: minorUnits }

export const exceptionSummary = z
  .strictObject({
    at: instant,
    open: z.int(),
    overdue: z.int(),
    unowned: z.int(),
    by_severity: z.record(z.enum(SEVERITIES), z.int()),
    by_age: z.array(
      z.strictObject({
        age: z.enum(AGES),
        kind: z.enum(EXCEPTION_KINDS),
        currency: currencyCode,
        ...counted,
      }),
    ),
    by_month_end_age: z.array(
      z.strictObject({
        age: z.enum(MONTH_END_AGES).meta({ description: 'Days.' }),
        kind: z.enum(EXCEPTION_KINDS),
        currency: currencyCode,
        ...counted,
      }),
    ),
  })
  .meta({ id: 'ReconExceptionSummary' })

export function summaryView(at: Date, rows: readonly SumRow[]): z.input<typeof exceptionSummary> {
  const total = (of: 'count' | 'overdue' | 'unowned') => rows.reduce((sum, row) => sum + row[of], 0)
  const [critical = 0, high = 0, medium = 0, low = 0] = SEVERITIES.map((_name, place) =>
    rows.filter((row) => row.severity === place).reduce((sum, row) => sum + row.count, 0),
  )
  return {
    at: at.toISOString(),
    open: total('count'),
    overdue: total('overdue'),
    unowned: total('unowned'),
    by_severity: { critical, high, medium, low },
    by_age: summed(rows, AGES, (row) => row.age),
    by_month_end_age: summed(rows, MONTH_END_AGES, (row) => row.month_end_age),
  }
}

/** One row for each age, kind and currency that there is. */
function summed<Age extends string>(
  rows: readonly SumRow[],
  ages: readonly Age[],
  ageOf: (row: SumRow) => number,
) {
  const sums = new Map<string, { row: SumRow; age: Age; count: number; amount: bigint }>()
  for (const row of rows) {
    const age = ages[ageOf(row)]
    if (age !== undefined) {
      const key = `${ageOf(row)} ${row.kind} ${row.currency}`
      const { count, amount } = sums.get(key) ?? { count: 0, amount: 0n }
      sums.set(key, { row, age, count: count + row.count, amount: amount + row.amount })
    }
  }
  return [...sums.entries()]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([, { row, age, count, amount }]) => ({
      age,
      kind: row.kind,
      currency: row.currency,
      count,
      amount: minorOrText(amount),
    }))
}
