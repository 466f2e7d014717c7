/** What an auditor takes home, streamed: GET /v1/audit-trail.csv and GET /v1/day-seals.json. */
import type { Response } from 'express'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { auditTrailCsv } from '../../exports/audit-trail.ts'
import { sealsJson } from '../../exports/day-seals.ts'
import { operation, type Operation } from '../operation.ts'
import { daySeal } from '../seal-view.ts'

const allSeals = z.strictObject({ data: z.array(daySeal), has_more: z.literal(false) })

export function exportOperations({ db }: Parts): Operation[] {
  return [
    operation(
      {
        id: 'exportAuditTrail',
        method: 'get',
        path: '/audit-trail.csv',
        tag: 'Proofs',
        summary: 'Every posting, with what the journal’s chain covers',
        permission: 'exports.read',
        answers: { 200: { what: 'Oldest entry first.', body: { media: 'text/csv' } } },
      },
      {
        async handle({ response, principal }) {
          const file = { name: 'audit-trail.csv', type: 'text/csv; charset=utf-8' }
          await download(response, file, auditTrailCsv(db, principal.orgId))
          return null
        },
      },
    ),
    operation(
      {
        id: 'exportDaySeals',
        method: 'get',
        path: '/day-seals.json',
        tag: 'Proofs',
        summary: 'The seals of all days, as the offline verifier takes them',
        permission: 'exports.read',
        answers: { 200: { what: 'Oldest first, on one page.', body: allSeals } },
      },
      {
        async handle({ response, principal }) {
          const file = { name: 'day-seals.json', type: 'application/json' }
          await download(response, file, sealsJson(db, principal.orgId))
          return null
        },
      },
    ),
  ]
}

async function download(
  response: Response,
  file: { name: string; type: string },
  pieces: AsyncGenerator<string>,
): Promise<void> {
  response.type(file.type).setHeader('Content-Disposition', `attachment; filename="${file.name}"`)
  await pipeline(Readable.from(pieces), response)
}
