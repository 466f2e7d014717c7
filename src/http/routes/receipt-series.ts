/** /v1/receipt-series: how receipts are numbered, and what later years' numbers begin with. */
import { z } from 'zod'
import { financialYear, indianDate } from '../../base/clock.ts'
import {
  listSeries,
  SERIES,
  setPrefix,
  type SeriesYear,
} from '../../organisations/receipt-numbering.ts'
import { pageOf } from '../answers.ts'
import { operation, type Operation } from '../operation.ts'
import { prefix } from '../organisation-input.ts'

const year = z
  .string()
  .regex(/^20\d\d-\d\d$/, 'must be a financial year such as 2027-28')
  .refine((text) => Number(text.slice(5)) === (Number(text.slice(0, 4)) + 1) % 100, {
    error: 'must be a financial year such as 2027-28',
  })

const seriesYear = z
  .strictObject({
    series: z.enum(SERIES).meta({ description: '`80G` with a deduction, `GEN` without.' }),
    year: z.string(),
    prefix: z.string(),
    next_number: z.string().meta({ description: 'The number of the next receipt.' }),
    issued: z.int(),
  })
  .meta({ id: 'ReceiptSeriesYear' })

export function receiptSeriesOperations(): Operation[] {
  return [
    operation(
      {
        id: 'listReceiptSeries',
        method: 'get',
        path: '/receipt-series',
        tag: 'Settings',
        summary: 'How the receipts of each financial year are numbered',
        permission: 'settings.read',
        answers: { 200: { what: 'Newest year first, on one page.', body: pageOf(seriesYear) } },
      },
      {
        async read(trx) {
          const rows = await listSeries(trx, financialYear(indianDate(new Date())))
          return { status: 200, body: { data: rows.map(viewOf), has_more: false } }
        },
      },
    ),
    operation(
      {
        id: 'setReceiptPrefix',
        method: 'put',
        path: '/receipt-series/{series}',
        tag: 'Settings',
        summary: 'Set what numbers begin with, from a year on that has no receipts yet',
        permission: 'settings.write',
        params: z.object({ series: z.enum(SERIES) }),
        body: z.strictObject({ from_year: year, prefix }),
        answers: { 200: { what: 'That year’s numbering.', body: seriesYear } },
        problems: ['numbering_fixed'],
      },
      {
        // Whoever numbers receipts meanwhile waits, so that no number is of two kinds.
        queue: 'receipts',
        async write(trx, { params: { series }, body: { from_year: from, prefix: given } }) {
          await setPrefix(trx, series, from, given)
          const view = viewOf({ series, year: from, prefix: given, issued: 0 })
          return { status: 200, body: view }
        },
      },
    ),
  ]
}

function viewOf(one: SeriesYear): z.input<typeof seriesYear> {
  const serial = String(one.issued + 1).padStart(6, '0')
  return { ...one, next_number: `${one.prefix}/${one.year}/${serial}` }
}
