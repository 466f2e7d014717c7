/** GET /v1/day-seals: the published roots; and proofs of single entries and receipts under them. */
import { Router } from 'express'
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { listSeals } from '../../exports/day-seals.ts'
import { proveEntry, proveReceipt } from '../../exports/proofs.ts'
import { sealRow } from '../../exports/seal.ts'
import { allow, principalOf } from '../auth.ts'
import { idOf, isoDate, limit, queryOf } from '../input.ts'
import { listOf } from '../list.ts'

const query = z.strictObject({ limit, starting_after: isoDate.optional() })

export function proofRoutes(parts: Parts): Router {
  const routes = Router()
  const readers = allow('finance', 'auditor', 'admin')

  routes.get('/day-seals', readers, async (request, response) => {
    const asked = queryOf(request, query)
    const seals = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await listSeals(trx, { before: asked.starting_after, limit: asked.limit + 1 }),
    )
    response.json(listOf(seals, asked.limit, sealRow))
  })

  routes.get('/journal-entries/:id/proof', readers, async (request, response) => {
    const entryNo = idOf(request.params['id'], 'je')
    response.json(await proveEntry(parts.db, principalOf(request).orgId, entryNo))
  })

  routes.get('/receipts/:id/proof', readers, async (request, response) => {
    const { orgId } = principalOf(request)
    response.json(await proveReceipt(parts.db, orgId, String(request.params['id'])))
  })

  return routes
}
