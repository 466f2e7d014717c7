/** /v1/currencies: ISO 4217's, which need no registering, and an organisation's own. */
import { Router } from 'express'
import { z } from 'zod'
import { exponentOf, isoCurrencies } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import {
  listOwnCurrencies,
  registerCurrency,
  type OwnCurrency,
} from '../../ledger/accounts/currencies.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { allow, principalOf } from '../auth.ts'
import { bodyOf, limit, queryOf } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'

const code = z.string().regex(/^[A-Z][A-Z0-9]{2,11}$/, 'must be 3 to 12 capitals and digits')

const listQuery = z.strictObject({ limit, starting_after: code.optional() })

const body = z.strictObject({
  code,
  name: line(100),
  exponent: z.int().min(0, 'must be from 0 to 6').max(6, 'must be from 0 to 6'),
})

export function currencyRoutes(parts: Parts): Router {
  const routes = Router()
  const readers = allow('finance', 'auditor', 'admin')

  routes.get('/currencies', readers, async (request, response) => {
    const asked = queryOf(request, listQuery)
    const page = { limit: asked.limit + 1, after: asked.starting_after ?? null }
    const own = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await listOwnCurrencies(trx, page),
    )
    response.json(listOf(own, asked.limit, currencyView))
  })

  routes.get('/currencies/iso-4217', readers, (_request, response) => {
    const all = isoCurrencies().map((one) => ({ code: one, exponent: exponentOf(one) }))
    response.json({ data: all, has_more: false })
  })

  routes.post('/currencies', allow('finance', 'admin'), async (request, response) => {
    const { orgId, subject } = principalOf(request)
    const asked = bodyOf(request, body)
    const isNew = await inJournal(
      parts.db,
      orgId,
      async (trx) => await registerCurrency(trx, asked, subject),
    )
    response.status(isNew ? 201 : 200).json(currencyView(asked))
  })
  return routes
}

function currencyView({ code: one, name, exponent }: OwnCurrency): object {
  return { code: one, name, exponent }
}
