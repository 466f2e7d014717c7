/** GET /v1/trial-balance, of everything or as of a day. */
import { Router } from 'express'
import { z } from 'zod'
import { minorToJson } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { trialBalance } from '../../ledger/balances.ts'
import { allow, principalOf } from '../auth.ts'
import { isoDate, queryOf } from '../input.ts'

const query = z.strictObject({ as_of: isoDate.optional() })

export function trialBalanceRoutes(parts: Parts): Router {
  const routes = Router()
  routes.get('/trial-balance', allow('finance', 'auditor', 'admin'), async (request, response) => {
    const asked = queryOf(request, query)
    const balance = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await trialBalance(trx, asked.as_of ?? null),
    )
    response.json({
      as_of: asked.as_of ?? null,
      accounts: balance.lines.map((line) => ({
        id: `acc_${line.account_id}`,
        code: line.code,
        name: line.name,
        type: line.type,
        currency: line.currency,
        debit: minorToJson(line.debit),
        credit: minorToJson(line.credit),
      })),
      totals: balance.totals.map((total) => ({
        currency: total.currency,
        debit: minorToJson(total.debit),
        credit: minorToJson(total.credit),
      })),
    })
  })
  return routes
}
