/** /v1/offline-imports: files of payments, looked at before anything moves, then recorded. */
import { z } from 'zod'
import { sha256 } from '../../base/crypto.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { FILE_BYTES_MAX, readRows, ROWS_MAX, templateCsv } from '../../offline/file.ts'
import { findImport, listImportRows, listImports } from '../../offline/import-records.ts'
import { commitImport, previewFile, ROW_STATES } from '../../offline/imports.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { readRow } from '../offline-row.ts'
import { importRow, importRowView, importView, offlineImport } from '../offline-view.ts'
import { operation, type Operation } from '../operation.ts'
import { ringAfter } from '../ring-after.ts'

const MEDIA = 'text/csv'

const params = z.object({ id: idOfKind('imp') })

/** The line of a row, which is its place in the list. */
const lineNumber = z
  .string()
  .regex(/^[0-9]{1,6}$/, 'must be the number of a line')
  .transform(Number)
  .meta({ type: 'integer', minimum: 0, maximum: 999_999, pattern: undefined })

export function offlineImportOperations(parts: Parts): Operation[] {
  return [
    previewOperation(parts),
    templateOperation(),
    listOperation(),
    getOperation(),
    rowsOperation(parts),
    commitOperation(parts),
  ]
}

function previewOperation({ keyring }: Parts): Operation {
  return operation(
    {
      id: 'previewOfflineImport',
      method: 'post',
      path: '/offline-imports',
      tag: 'Donations',
      summary: `See what would become of a file of up to ${ROWS_MAX} payments; nothing moves`,
      permission: 'offline.record',
      upload: { media: [MEDIA], bytesMax: FILE_BYTES_MAX },
      answers: { 201: { what: 'Kept for 30 days, to be recorded.', body: offlineImport } },
      problems: ['limit_reached'],
    },
    {
      queue: null,
      async write(trx, { request, principal }) {
        const bytes: unknown = request.body
        if (request.is(MEDIA) === false || !Buffer.isBuffer(bytes)) {
          const detail = 'Send the file itself, as text/csv in UTF-8.'
          throw new Problem('unsupported_media_type', { detail })
        }
        const file = { sha256: sha256(bytes), rows: readRows(bytes).map(readRow) }
        const importId = await previewFile(trx, keyring, file, principal.subject)
        const view = importView(await findImport(trx, importId))
        const headers = { Location: `/v1/offline-imports/${importId}` }
        const { file_sha256, rows } = view
        return { status: 201, headers, body: view, audited: { file_sha256, rows } }
      },
    },
  )
}

function templateOperation(): Operation {
  return operation(
    {
      id: 'getOfflineImportTemplate',
      method: 'get',
      path: '/offline-imports/template',
      tag: 'Donations',
      summary: 'A file with the names of the columns and an example of each channel',
      permission: 'offline.record',
      answers: { 200: { what: 'The columns may be in any order.', body: { media: MEDIA } } },
    },
    {
      async handle({ response }) {
        response
          .type('text/csv; charset=utf-8')
          .setHeader('Content-Disposition', 'attachment; filename="offline-payments.csv"')
        response.send(templateCsv())
        return null
      },
    },
  )
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listOfflineImports',
      method: 'get',
      path: '/offline-imports',
      tag: 'Donations',
      summary: 'Files of payments and what became of them, newest first',
      permission: 'donors.contacts',
      query: z.strictObject({ limit, starting_after: idOfKind('imp').optional() }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(offlineImport) } },
    },
    {
      async read(trx, { query }) {
        const page = { limit: query.limit + 1, before: query.starting_after ?? null }
        const rows = await listImports(trx, page)
        return { status: 200, body: listOf(rows, query.limit, importView) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getOfflineImport',
      method: 'get',
      path: '/offline-imports/{id}',
      tag: 'Donations',
      summary: 'One file and how far it is',
      permission: 'donors.contacts',
      params,
      answers: { 200: { what: 'As it is now.', body: offlineImport } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: importView(await findImport(trx, id)) }
      },
    },
  )
}

function rowsOperation({ keyring }: Parts): Operation {
  return operation(
    {
      id: 'listOfflineImportRows',
      method: 'get',
      path: '/offline-imports/{id}/rows',
      tag: 'Donations',
      summary: 'The rows of a file: what would become of each, or did',
      permission: 'donors.contacts',
      params,
      query: z.strictObject({
        limit,
        starting_after: lineNumber.optional(),
        state: z.enum(ROW_STATES).optional(),
      }),
      answers: { 200: { what: 'In the order of the file.', body: pageOf(importRow) } },
    },
    {
      async read(trx, { params: { id }, query }) {
        const rows = await listImportRows(trx, keyring, id, {
          limit: query.limit + 1,
          after: query.starting_after ?? 0,
          state: query.state ?? null,
        })
        return { status: 200, body: listOf(rows, query.limit, importRowView) }
      },
    },
  )
}

function commitOperation({ keyring, bells }: Parts): Operation {
  return operation(
    {
      id: 'commitOfflineImport',
      method: 'post',
      path: '/offline-imports/{id}/commit',
      tag: 'Donations',
      summary: 'Record the good rows of a file; safe to repeat',
      permission: 'offline.record',
      params,
      key: 'optional',
      answers: {
        200: { what: 'Done where the state is committed, else part by part.', body: offlineImport },
      },
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, principal, response }) {
        const who = { actor: principal.subject, now: new Date() }
        await commitImport(trx, keyring, id, who)
        for (const job of ['commit-imports', 'issue-receipts', 'deliver-webhooks'] as const) {
          ringAfter(response, bells, job)
        }
        const view = importView(await findImport(trx, id))
        return { status: 200, body: view, audited: { rows: view.rows, channels: view.channels } }
      },
    },
  )
}
