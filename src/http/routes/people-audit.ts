/** GET /v1/people-audit and /v1/people-audit.csv: who did what, when, from where. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { listPeople, type StoredLink } from '../../audit/read.ts'
import type { Parts } from '../../base/parts.ts'
import { linkAllPeople, peopleAuditCsv } from '../../exports/people-audit.ts'
import { idText, instant, pageOf, sha256Hex } from '../answers.ts'
import { isoDate, limit, numberedId } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const members = z.record(z.string(), z.unknown()).nullable()

const record = z
  .strictObject({
    id: idText('aud'),
    at: instant,
    actor: z.string(),
    operation: z.string().meta({ description: 'Of this API, or the name of a job or a script.' }),
    request_id: z.string().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    target: z.string().nullable().meta({ description: 'The path of what it was done to.' }),
    before: members,
    after: members.meta({ description: 'What was asked for, without secrets and tax ids.' }),
    reason: z.string().nullable(),
    hash: sha256Hex.meta({ description: 'Over the record before it and this one.' }),
  })
  .meta({ id: 'PeopleAuditRecord' })

const query = z.strictObject({
  limit,
  starting_after: numberedId('aud').optional(),
  actor: line(300).optional(),
  operation: line(100).optional(),
  from: isoDate.optional(),
  to: isoDate.optional(),
})

export function peopleAuditOperations({ db }: Parts): Operation[] {
  return [
    operation(
      {
        id: 'listPeopleAudit',
        method: 'get',
        path: '/people-audit',
        tag: 'Proofs',
        summary: 'Who did what, when, from where, before and after',
        permission: 'people_audit.read',
        query,
        answers: { 200: { what: 'Newest first; days are India’s.', body: pageOf(record) } },
      },
      {
        async handle({ query: asked, principal: { orgId } }) {
          await linkAllPeople(db, orgId)
          const { limit: most, starting_after: before, actor, operation: name, from, to } = asked
          const filter = { limit: most + 1, before, actor, operation: name, from, to }
          const links = await db.read(orgId, async (trx) => await listPeople(trx, filter))
          return { status: 200, body: listOf(links, most, recordView) }
        },
      },
    ),
    operation(
      {
        id: 'exportPeopleAudit',
        method: 'get',
        path: '/people-audit.csv',
        tag: 'Proofs',
        summary: 'The whole audit of people, with the hashes of its chain',
        permission: 'people_audit.read',
        answers: { 200: { what: 'Oldest first.', body: { media: 'text/csv' } } },
      },
      {
        async handle({ response, principal: { orgId } }) {
          response
            .type('text/csv; charset=utf-8')
            .setHeader('Content-Disposition', 'attachment; filename="people-audit.csv"')
          await pipeline(Readable.from(peopleAuditCsv(db, orgId)), response)
          return null
        },
      },
    ),
  ]
}

function recordView(link: StoredLink): z.input<typeof record> {
  return {
    id: `aud_${link.auditNo}`,
    at: link.at.toISOString(),
    actor: link.actor,
    operation: link.operation,
    request_id: link.requestId,
    ip: link.ip,
    user_agent: link.userAgent,
    target: link.target,
    before: membersOf(link.before),
    after: membersOf(link.after),
    reason: link.reason,
    hash: link.hash.toString('hex'),
  }
}

function membersOf(text: string | null): Record<string, unknown> | null {
  return text === null ? null : (JSON.parse(text) as Record<string, unknown>)
}
