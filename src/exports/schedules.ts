/** Exports by the calendar: each week or month, of days seen from that day, told by email. */
import type { IsoDate } from '../base/clock.ts'
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import { askExport } from './jobs.ts'
import { assertOffered, reportOf, type Asked } from './registry.ts'
import type { Parameters } from './report.ts'

export const PERIODS = ['last_week', 'last_month', 'last_quarter', 'financial_year'] as const

export type Period = (typeof PERIODS)[number]

export interface ExportSchedule extends Asked {
  schedule_id: string
  period: Period
  every: 'week' | 'month'
  on_day: number
  recipients: string[]
  site: string
  next_on: IsoDate
  made_by: string
  created_at: Date
  ended_at: Date | null
}

export type NewSchedule = Pick<
  ExportSchedule,
  'report' | 'format' | 'parameters' | 'period' | 'every' | 'on_day' | 'recipients' | 'site'
>

const COLUMNS = `schedule_id, report, format, parameters, period, every, on_day, recipients, site,
  next_on, made_by, created_at, ended_at`

/** Of an organisation. */
const SCHEDULES_MAX = 50
/** Runs that are made up for after workers stood still, in one go. */
const RUNS_MAX = 12

/**
 * Makes a schedule that begins with the next such day after `today`. Throws what `assertOffered`
 * throws, `report_unfit` where a recipient is no active user, and `limit_reached`.
 */
export async function createSchedule(
  trx: Trx,
  asked: NewSchedule,
  who: { actor: string; today: IsoDate },
): Promise<string> {
  if (asked.every === 'week' && asked.on_day > 7) {
    const detail = 'A week has the days 1 to 7, of which 1 is Monday.'
    throw new Problem('report_unfit', { detail, moved: 'no' })
  }
  assertOffered(onDay(asked, who.today))
  const users = await trx.query<{ user_id: string }>(
    `select user_id from users
      where org_id = $1 and user_id = any($2::text[]) and state = 'active'`,
    [trx.scope, asked.recipients],
  )
  const unknown = asked.recipients.find((id) => !users.some((user) => user.user_id === id))
  if (unknown !== undefined) {
    const detail = `${unknown} is no active user, and who gets the email has to sign in.`
    throw new Problem('report_unfit', { detail, moved: 'no' })
  }
  const [{ count } = { count: 0 }] = await trx.query<{ count: number }>(
    `select count(*)::integer as count from export_schedules
      where org_id = $1 and ended_at is null`,
    [trx.scope],
  )
  if (count >= SCHEDULES_MAX) {
    const detail = `There are ${SCHEDULES_MAX} schedules already; end one.`
    throw new Problem('limit_reached', { detail, moved: 'no' })
  }
  const scheduleId = newId('exs')
  await trx.query(
    `insert into export_schedules (org_id, schedule_id, report, format, parameters, period, every,
       on_day, recipients, site, next_on, made_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      trx.scope,
      scheduleId,
      asked.report,
      asked.format,
      JSON.stringify(asked.parameters),
      asked.period,
      asked.every,
      asked.on_day,
      asked.recipients,
      asked.site,
      nextDay(asked, who.today),
      who.actor,
    ],
  )
  return scheduleId
}

/** Throws `not_found`. */
export async function findSchedule(trx: Trx, scheduleId: string): Promise<ExportSchedule> {
  const [found] = await trx.query<ExportSchedule>(
    `select ${COLUMNS} from export_schedules where org_id = $1 and schedule_id = $2`,
    [trx.scope, scheduleId],
  )
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such schedule.', moved: 'no' })
  }
  return found
}

/** Newest first. */
export async function listSchedules(
  trx: Trx,
  page: { limit: number; before: string | null },
): Promise<ExportSchedule[]> {
  return await trx.query<ExportSchedule>(
    `select ${COLUMNS} from export_schedules
      where org_id = $1 and ($2::text is null or schedule_id < $2)
      order by schedule_id desc limit $3`,
    [trx.scope, page.before, page.limit],
  )
}

/** Ends a schedule; one that has ended stays so. Throws `not_found`. */
export async function endSchedule(trx: Trx, scheduleId: string): Promise<ExportSchedule> {
  await trx.query(
    `update export_schedules set ended_at = now()
      where org_id = $1 and schedule_id = $2 and ended_at is null`,
    [trx.scope, scheduleId],
  )
  return await findSchedule(trx, scheduleId)
}

/** Asks for what an organisation's schedules are due for, each run once. */
export async function runSchedules(db: Database, orgId: number, today: IsoDate): Promise<void> {
  await db.transact(orgId, async (trx) => {
    const due = await trx.query<ExportSchedule>(
      `select ${COLUMNS} from export_schedules
        where org_id = $1 and ended_at is null and next_on <= $2 order by schedule_id for update`,
      [orgId, today],
    )
    for (const schedule of due) {
      let day = schedule.next_on
      for (let run = 0; run < RUNS_MAX && day <= today; run += 1) {
        const who = { actor: `schedule:${schedule.schedule_id}`, knownAt: null }
        await askExport(trx, onDay(schedule, day), who, { scheduleId: schedule.schedule_id, day })
        day = nextDay(schedule, day)
      }
      await trx.query(
        'update export_schedules set next_on = $3 where org_id = $1 and schedule_id = $2',
        [orgId, schedule.schedule_id, day],
      )
    }
  })
}

/** What a schedule asks for on a day: of its period's days those that the report takes. */
function onDay(schedule: Asked & { period: Period }, day: IsoDate): Asked {
  const { report, format, parameters, period } = schedule
  const { takes } = reportOf(report)
  const days = daysOf(period, day)
  const taken: Parameters = {
    ...parameters,
    from: takes.includes('from') ? days.from : null,
    to: takes.includes('to') ? days.to : null,
  }
  return { report, format, parameters: taken }
}

/** The days that a period has, seen from a day. */
export function daysOf(period: Period, day: IsoDate): { from: IsoDate; to: IsoDate } {
  const [year, month] = [Number(day.slice(0, 4)), Number(day.slice(5, 7))]
  switch (period) {
    case 'last_week': {
      const monday = shifted(day, 1 - weekdayOf(day))
      return { from: shifted(monday, -7), to: shifted(monday, -1) }
    }
    case 'last_month':
      return { from: dateOf(year, month - 1, 1), to: dateOf(year, month, 0) }
    case 'last_quarter': {
      const first = month - ((month - 1) % 3)
      return { from: dateOf(year, first - 3, 1), to: dateOf(year, first, 0) }
    }
    case 'financial_year': {
      // Up to the day before, which on 1 April is the end of the last one.
      const to = shifted(day, -1)
      const start =
        Number(to.slice(5, 7)) >= 4 ? Number(to.slice(0, 4)) : Number(to.slice(0, 4)) - 1
      return { from: dateOf(start, 4, 1), to }
    }
    default:
      return period satisfies never
  }
}

/** The first day after this one on which the schedule is due. */
export function nextDay(
  { every, on_day: onDayOf }: Pick<ExportSchedule, 'every' | 'on_day'>,
  day: IsoDate,
): IsoDate {
  if (every === 'week') {
    return shifted(day, ((onDayOf - weekdayOf(day) + 6) % 7) + 1)
  }
  const [year, month] = [Number(day.slice(0, 4)), Number(day.slice(5, 7))]
  const here = dateOf(year, month, onDayOf)
  return here > day ? here : dateOf(year, month + 1, onDayOf)
}

/** Monday is 1, Sunday 7. */
function weekdayOf(day: IsoDate): number {
  return ((new Date(day).getUTCDay() + 6) % 7) + 1
}

function shifted(day: IsoDate, days: number): IsoDate {
  return new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10)
}

/** Months below 1 and above 12 are of other years; day 0 is the last of the month before. */
function dateOf(year: number, month: number, day: number): IsoDate {
  return new Date(Date.UTC(year, month - 1, day)).toISOString().slice(0, 10)
}
