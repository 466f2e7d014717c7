/** /v1/receipt-series: how receipts are numbered, and what later years' numbers begin with. */
import { z } from 'zod'
import { financialYear, indianDate } from '../../base/clock.ts'
import {
  listSeries,
  SERIES,
  setPrefix,
  type SeriesYear,
} from '../../organisations/receipt-numbering.ts'
import type { Trx } from '../../base/db.ts'
import { pageOf } from '../answers.ts'
import { assertMatch, tagged } from '../etag.ts'
import { operation, type Operation } from '../operation.ts'
import { prefix } from '../organisation-input.ts'
import { FINANCIAL_YEAR_PATTERN } from '../patterns.ts'

const year = z
  .string()
  .regex(/^20\d\d-\d\d$/, 'must be a financial year such as 2027-28')
  .refine((text) => Number(text.slice(5)) === (Number(text.slice(0, 4)) + 1) % 100, {
    error: 'must be a financial year such as 2027-28',
  })
  .meta({ pattern: `^${FINANCIAL_YEAR_PATTERN}$` })

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
        etag: 'given',
        answers: { 200: { what: 'Newest year first, on one page.', body: pageOf(seriesYear) } },
      },
      {
        async read(trx, { request }) {
          const rows = await seriesNow(trx)
          const body = { data: rows.map(viewOf), has_more: false }
          return { status: 200, headers: tagged(request, settingsIn(rows)), body }
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
        // Of the list; receipts that are numbered meanwhile change nothing that is set here.
        etag: 'checked',
        answers: { 200: { what: 'That year’s numbering.', body: seriesYear } },
        problems: ['numbering_fixed'],
      },
      {
        // Whoever numbers receipts meanwhile waits, so that no number is of two kinds.
        queue: 'receipts',
        async write(trx, { params: { series }, body, request }) {
          const { from_year: from, prefix: given } = body
          assertMatch(request, settingsIn(await seriesNow(trx)))
          await setPrefix(trx, series, from, given)
          const view = viewOf({ series, year: from, prefix: given, issued: 0 })
          const headers = tagged(request, settingsIn(await seriesNow(trx)))
          return { status: 200, headers, body: view }
        },
      },
    ),
  ]
}

async function seriesNow(trx: Trx): Promise<SeriesYear[]> {
  return await listSeries(trx, financialYear(indianDate(new Date())))
}

/** What is set of them, without what counts on with each receipt. */
function settingsIn(rows: readonly SeriesYear[]): object[] {
  return rows.map((one) => ({ series: one.series, year: one.year, prefix: one.prefix }))
}

function viewOf(one: SeriesYear): z.input<typeof seriesYear> {
  const serial = String(one.issued + 1).padStart(6, '0')
  return { ...one, next_number: `${one.prefix}/${one.year}/${serial}` }
}
