/** GET /v1/trial-balance, as of a day and as it was known at an instant. */
import { Router } from 'express'
import { z } from 'zod'
import { minorOrText } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { trialBalance } from '../../ledger/reading/balances.ts'
import { allow, principalOf } from '../auth.ts'
import { queryOf } from '../input.ts'
import { asOf, knownAt, pointOf, pointView } from '../point-in-time.ts'

const query = z.strictObject({ as_of: asOf, known_at: knownAt })

export function trialBalanceRoutes(parts: Parts): Router {
  const routes = Router()
  routes.get('/trial-balance', allow('finance', 'auditor', 'admin'), async (request, response) => {
    const point = pointOf(queryOf(request, query))
    const balance = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await trialBalance(trx, point),
    )
    response.json({
      ...pointView(point),
      accounts: balance.lines.map((line) => ({
        id: `acc_${line.account_id}`,
        code: line.code,
        name: line.name,
        type: line.type,
        currency: line.currency,
        debit: minorOrText(line.debit),
        credit: minorOrText(line.credit),
      })),
      totals: balance.totals.map((total) => ({
        currency: total.currency,
        debit: minorOrText(total.debit),
        credit: minorOrText(total.credit),
      })),
    })
  })
  return routes
}
