/** What the reconciliation leaves open of a month, as periods show it. */
import { z } from 'zod'
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { minorOrText } from '../base/money.ts'
import { lastDayOf, type Month } from '../ledger/periods/periods.ts'
import { openOfMonth, type OpenSum } from '../recon/work/month-open.ts'
import { currencyCode, day, idText, minorUnits } from './answers.ts'

const sums = z.array(
  z.strictObject({ currency: currencyCode, count: z.int().min(1), amount: minorUnits }),
)

/** Null for a key that may not see it. */
export const monthOpen = z
  .strictObject({
    last_run: z
      .strictObject({
        id: idText('rrn'),
        as_of: day.meta({ description: 'What came after it was not looked at.' }),
      })
      .nullable()
      .meta({ description: 'Null where nothing was ever reconciled.' }),
    exceptions: z.strictObject({
      count: z.int().min(0),
      sums,
      list: z.string().meta({
        description: 'Where they are listed.',
        examples: ['/v1/recon/exceptions?state=open&since_from=2026-05-01&since_to=2026-05-31'],
      }),
      earlier: z.int().min(0).meta({ description: 'Of months before that are open as well.' }),
    }),
    clearing: sums.meta({
      description:
        'Payments of the month, less refunds, disputes and transfers, that no report told of: ' +
        'before fees, those that have an exception too. Those of the last days are still due.',
    }),
    in_transit: sums.meta({
      description: 'Settlements of the month that no bank statement told of.',
    }),
  })
  .nullable()
  .meta({ id: 'MonthReconciliation', description: 'What is still open; it stops nothing.' })

/** As of now, in the transaction's snapshot; the month is one. */
export async function monthOpenView(trx: Trx, month: Month): Promise<z.input<typeof monthOpen>> {
  const from: IsoDate = `${month}-01`
  const to = lastDayOf(month) ?? from
  const { lastRun, exceptions, earlier, clearing, inTransit } = await openOfMonth(trx, { from, to })
  return {
    last_run: lastRun === null ? null : { id: lastRun.runId, as_of: lastRun.asOf },
    exceptions: {
      count: exceptions.reduce((all, { count }) => all + count, 0),
      sums: exceptions.map(sumView),
      list: `/v1/recon/exceptions?state=open&since_from=${from}&since_to=${to}`,
      earlier,
    },
    clearing: clearing.map(sumView),
    in_transit: inTransit.map(sumView),
  }
}

function sumView({ currency, count, amount }: OpenSum): z.input<typeof sums>[number] {
  return { currency, count, amount: minorOrText(amount) }
}
