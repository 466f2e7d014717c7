/** What an auditor takes home, streamed: GET /v1/audit-trail.csv and GET /v1/day-seals.json. */
import { Router, type Response } from 'express'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Parts } from '../../base/parts.ts'
import { auditTrailCsv } from '../../exports/audit-trail.ts'
import { sealsJson } from '../../exports/day-seals.ts'
import { allow, principalOf } from '../auth.ts'

export function exportRoutes(parts: Parts): Router {
  const routes = Router()
  const readers = allow('finance', 'auditor', 'admin')

  routes.get('/audit-trail.csv', readers, async (request, response) => {
    const { orgId } = principalOf(request)
    const file = { name: 'audit-trail.csv', type: 'text/csv; charset=utf-8' }
    await download(response, file, auditTrailCsv(parts.db, orgId))
  })

  routes.get('/day-seals.json', readers, async (request, response) => {
    const { orgId } = principalOf(request)
    const file = { name: 'day-seals.json', type: 'application/json' }
    await download(response, file, sealsJson(parts.db, orgId))
  })

  return routes
}

async function download(
  response: Response,
  file: { name: string; type: string },
  pieces: AsyncGenerator<string>,
): Promise<void> {
  response.type(file.type).setHeader('Content-Disposition', `attachment; filename="${file.name}"`)
  await pipeline(Readable.from(pieces), response)
}
