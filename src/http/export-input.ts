/** What exports are asked for with, in a query or in a body. */
import { z } from 'zod'
import { Problem } from '../base/problem.ts'
import { FORMAT_NAMES, type Parameters } from '../exports/report.ts'
import { REPORT_NAMES, reportOf, type ReportName } from '../exports/registry.ts'
import { SEVERITIES } from '../recon/work/policy.ts'
import { idOfKind, isoDate, numberedId } from './input.ts'
import { anyText } from './line.ts'
import type { Principal } from './request.ts'

export const reportName = z.enum(REPORT_NAMES)

export const format = z.enum(FORMAT_NAMES).default('csv')

const SOME_SEVERITIES = new RegExp(`^(${SEVERITIES.join('|')})(,(${SEVERITIES.join('|')})){0,3}$`)

const amountText = z.string().regex(/^\d{1,16}$/, 'must be a whole number of minor units')

const days = { from: isoDate.optional(), to: isoDate.optional() }

/** Beside the days: what the lists that reports come from can be narrowed by. */
const rest = {
  account: numberedId('acc').transform(Number).optional(),
  currency: z
    .string()
    .regex(/^[A-Z][A-Z0-9]{2,11}$/)
    .optional(),
  // Of exceptions several, parted by commas.
  kind: anyText(400).optional(),
  gateway: anyText(20).optional(),
  state: anyText(20).optional(),
  owner: idOfKind('usr').optional(),
  unowned: z.literal('true').optional(),
  severity: z
    .string()
    .regex(SOME_SEVERITIES, `must be some of ${SEVERITIES.join(', ')}`)
    .optional(),
  overdue: z.enum(['true', 'false']).optional(),
  amount_from: amountText.optional(),
  amount_to: amountText.optional(),
}

/** Which of them a report takes, it says itself. */
export const parameters = z.strictObject({ ...days, ...rest })

export const restOfParameters = z.strictObject(rest)

export function parametersOf(given: z.output<typeof parameters>): Parameters {
  const { from, to, account, currency, kind, gateway, state, ...ofExceptions } = given
  return {
    from: from ?? null,
    to: to ?? null,
    account: account ?? null,
    currency: currency ?? null,
    kind: kind ?? null,
    gateway: gateway ?? null,
    state: state ?? null,
    owner: ofExceptions.owner ?? null,
    unowned: ofExceptions.unowned ?? null,
    severity: ofExceptions.severity ?? null,
    overdue: ofExceptions.overdue ?? null,
    amount_from: ofExceptions.amount_from ?? null,
    amount_to: ofExceptions.amount_to ?? null,
  }
}

/** Throws `forbidden` where the caller may make exports, but not read what this one holds. */
export function assertReadable({ permissions }: Principal, report: ReportName): void {
  const { title, needs } = reportOf(report)
  if (!permissions.has(needs)) {
    throw new Problem('forbidden', { detail: `The ${title} takes ${needs}.`, moved: 'no' })
  }
}
