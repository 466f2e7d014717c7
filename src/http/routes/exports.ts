/** GET /v1/audit-trail.csv: every entry with its hash, streamed. */
import { Router } from 'express'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Parts } from '../../base/parts.ts'
import { auditTrailCsv } from '../../exports/audit-trail.ts'
import { allow, principalOf } from '../auth.ts'

export function exportRoutes(parts: Parts): Router {
  const routes = Router()
  routes.get(
    '/audit-trail.csv',
    allow('finance', 'auditor', 'admin'),
    async (request, response) => {
      response
        .type('text/csv; charset=utf-8')
        .setHeader('Content-Disposition', 'attachment; filename="audit-trail.csv"')
      const { orgId } = principalOf(request)
      await pipeline(Readable.from(auditTrailCsv(parts.db, orgId)), response)
    },
  )
  return routes
}
