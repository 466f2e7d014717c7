/** /v1/export-schedules: exports by the calendar, and who hears of them by email. */
import { z } from 'zod'
import {
  createSchedule,
  endSchedule,
  findSchedule,
  listSchedules,
  PERIODS,
} from '../../exports/schedules.ts'
import { indianDate } from '../../base/clock.ts'
import { pageOf } from '../answers.ts'
import {
  assertReadable,
  format,
  parametersOf,
  reportName,
  restOfParameters,
} from '../export-input.ts'
import { exportSchedule, scheduleView } from '../export-view.ts'
import { idOfKind, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const params = z.object({ id: idOfKind('exs') })

/** Of a month, so that each has one. */
const DAYS_MAX = 28

const body = z
  .strictObject({
    report: reportName,
    format,
    parameters: restOfParameters.default({}),
    period: z.enum(PERIODS).meta({
      description: 'Which days it is about, seen from the day on which it is made.',
    }),
    every: z.enum(['week', 'month']),
    on_day: z.int().min(1).max(DAYS_MAX).meta({ description: '1 is Monday; of a month 1 to 28.' }),
    recipients: z
      .array(idOfKind('usr'))
      .min(1)
      .max(20)
      .meta({ description: 'Users; they get a link and sign in to follow it.' }),
  })
  .meta({ id: 'NewExportSchedule' })

export function exportScheduleOperations(publicUrl: () => string): Operation[] {
  return [createOperation(publicUrl), listOperation(), endOperation()]
}

function createOperation(publicUrl: () => string): Operation {
  return operation(
    {
      id: 'createExportSchedule',
      method: 'post',
      path: '/export-schedules',
      tag: 'Exports',
      summary: 'Have a report made each week or month, and tell users by email',
      permission: 'exports.schedule',
      body,
      key: 'optional',
      answers: { 201: { what: 'It begins with the next such day.', body: exportSchedule } },
      problems: ['limit_reached', 'report_unfit'],
    },
    {
      queue: null,
      async write(trx, { body: asked, principal }) {
        assertReadable(principal, asked.report)
        const recipients = [...new Set(asked.recipients)]
        const site = publicUrl()
        const wanted = { ...asked, parameters: parametersOf(asked.parameters), recipients, site }
        const who = { actor: principal.subject, today: indianDate(new Date()) }
        const view = scheduleView(await findSchedule(trx, await createSchedule(trx, wanted, who)))
        return { status: 201, body: view }
      },
    },
  )
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listExportSchedules',
      method: 'get',
      path: '/export-schedules',
      tag: 'Exports',
      summary: 'Exports by the calendar, newest first',
      permission: 'exports.read',
      limit: 'read',
      query: z.strictObject({ limit, starting_after: idOfKind('exs').optional() }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(exportSchedule) } },
    },
    {
      async read(trx, { query }) {
        const page = { limit: query.limit + 1, before: query.starting_after ?? null }
        return {
          status: 200,
          body: listOf(await listSchedules(trx, page), query.limit, scheduleView),
        }
      },
    },
  )
}

function endOperation(): Operation {
  return operation(
    {
      id: 'endExportSchedule',
      method: 'delete',
      path: '/export-schedules/{id}',
      tag: 'Exports',
      summary: 'End a schedule; what it made stays',
      permission: 'exports.schedule',
      params,
      answers: { 200: { what: 'As it was, with its end.', body: exportSchedule } },
    },
    {
      queue: null,
      async write(trx, { params: { id } }) {
        return { status: 200, body: scheduleView(await endSchedule(trx, id)) }
      },
    },
  )
}
