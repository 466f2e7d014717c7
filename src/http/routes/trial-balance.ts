/** GET /v1/trial-balance, as of a day and as it was known at an instant. */
import { z } from 'zod'
import { minorOrText } from '../../base/money.ts'
import { ACCOUNT_TYPES } from '../../ledger/core/chart.ts'
import { trialBalance, type TrialBalanceLine } from '../../ledger/reading/balances.ts'
import { currencyCode, day, idText, instant, minorUnits } from '../answers.ts'
import { operation, type Operation } from '../operation.ts'
import { asOf, knownAt, pointOf } from '../point-in-time.ts'

const line = z.strictObject({
  id: idText('acc'),
  code: z.string(),
  name: z.string(),
  type: z.enum(ACCOUNT_TYPES),
  currency: currencyCode,
  debit: minorUnits,
  credit: minorUnits,
})

const total = line.pick({ currency: true, debit: true, credit: true })

const answer = z
  .strictObject({
    as_of: day.nullable(),
    known_at: instant.nullable(),
    accounts: z.array(line),
    totals: z.array(total),
  })
  .meta({ id: 'TrialBalance' })

export function trialBalanceOperations(): Operation[] {
  return [
    operation(
      {
        id: 'getTrialBalance',
        method: 'get',
        path: '/trial-balance',
        tag: 'Accounts',
        summary: 'The trial balance as of a day, as it was known at an instant',
        permission: 'books.read',
        query: z.strictObject({ as_of: asOf, known_at: knownAt }),
        answers: { 200: { what: 'All accounts by code, and totals per currency.', body: answer } },
      },
      {
        async read(trx, { query }) {
          const point = pointOf(query)
          const { lines, totals } = await trialBalance(trx, point)
          const body = {
            as_of: point.asOf,
            known_at: point.knownAt?.toISOString() ?? null,
            accounts: lines.map(lineView),
            totals: totals.map(totalView),
          }
          return { status: 200, body }
        },
      },
    ),
  ]
}

function lineView(one: TrialBalanceLine): z.input<typeof line> {
  return {
    id: `acc_${one.account_id}`,
    code: one.code,
    name: one.name,
    type: one.type,
    ...totalView(one),
  }
}

function totalView(one: {
  currency: string
  debit: bigint
  credit: bigint
}): z.input<typeof total> {
  return {
    currency: one.currency,
    debit: minorOrText(one.debit),
    credit: minorOrText(one.credit),
  }
}
