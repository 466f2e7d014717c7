/** /v1/exports: files that are made in the background, kept for a week and fetched when ready. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import type { Files } from '../../base/files.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import {
  askExport,
  cancelExport,
  EXPORT_STATES,
  findExport,
  listExports,
  type ExportJob,
} from '../../exports/jobs.ts'
import { pieceKey } from '../../exports/pieces.ts'
import { FORMATS } from '../../exports/report.ts'
import { fileNameOf } from '../../exports/registry.ts'
import { pageOf } from '../answers.ts'
import { assertReadable, format, parameters, parametersOf, reportName } from '../export-input.ts'
import { exportJob, exportView, manifest } from '../export-view.ts'
import { idOfKind, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { knownAt } from '../point-in-time.ts'
import { ringAfter } from '../ring-after.ts'

const params = z.object({ id: idOfKind('exp') })

const body = z
  .strictObject({
    report: reportName,
    format,
    parameters: parameters.default({}),
    known_at: knownAt,
  })
  .meta({ id: 'AskedExport' })

export function exportJobOperations(parts: Parts): Operation[] {
  return [
    askOperation(parts),
    listOperation(),
    getOperation(),
    manifestOperation(),
    fileOperation(parts),
    cancelOperation(),
  ]
}

function askOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'askForExport',
      method: 'post',
      path: '/exports',
      tag: 'Exports',
      summary: 'Have a report made in the background, of the books as they are now',
      permission: 'exports.read',
      limit: 'write',
      body,
      key: 'required',
      answers: { 202: { what: 'It waits to be made.', body: exportJob } },
      problems: ['limit_reached', 'report_unfit'],
    },
    {
      queue: null,
      async write(trx, { body: asked, principal, response }) {
        const { report, format: as, parameters: given, known_at: known = null } = asked
        assertReadable(principal, report)
        const wanted = { report, format: as, parameters: parametersOf(given) }
        const who = { actor: principal.subject, knownAt: known }
        const exportId = await askExport(trx, wanted, who)
        ringAfter(response, bells, 'make-exports')
        const view = exportView(await findExport(trx, exportId ?? ''))
        const headers = { Location: `/v1/exports/${view.id}` }
        return { status: 202, headers, body: view }
      },
    },
  )
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listExports',
      method: 'get',
      path: '/exports',
      tag: 'Exports',
      summary: 'Exports of the last days, newest first',
      permission: 'exports.read',
      limit: 'read',
      query: z.strictObject({
        limit,
        starting_after: idOfKind('exp').optional(),
        state: z.enum(EXPORT_STATES).optional(),
      }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(exportJob) } },
    },
    {
      async read(trx, { query }) {
        const { limit: most, starting_after: before = null, state = null } = query
        const rows = await listExports(trx, { limit: most + 1, before, state })
        return { status: 200, body: listOf(rows, most, exportView) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getExport',
      method: 'get',
      path: '/exports/{id}',
      tag: 'Exports',
      summary: 'One export and how far it is',
      permission: 'exports.read',
      limit: 'read',
      params,
      answers: { 200: { what: 'As it is now.', body: exportJob } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: exportView(await findExport(trx, id)) }
      },
    },
  )
}

function manifestOperation(): Operation {
  return operation(
    {
      id: 'getExportManifest',
      method: 'get',
      path: '/exports/{id}/manifest',
      tag: 'Exports',
      summary: 'What a file holds: rows, totals, hash, and how it agrees with the books',
      permission: 'exports.read',
      limit: 'read',
      params,
      answers: { 200: { what: 'To be kept beside the file.', body: manifest } },
    },
    {
      async read(trx, { params: { id }, principal }) {
        const job = await findExport(trx, id)
        assertReadable(principal, job.report)
        if (job.manifest === null) {
          throw new Problem('not_found', { detail: `The export is ${job.state}.` })
        }
        return { status: 200, body: job.manifest as z.input<typeof manifest> }
      },
    },
  )
}

function fileOperation({ db, files }: Parts): Operation {
  return operation(
    {
      id: 'getExportFile',
      method: 'get',
      path: '/exports/{id}/file',
      tag: 'Exports',
      summary: 'The file of an export',
      permission: 'exports.read',
      params,
      etag: 'given',
      answers: {
        200: {
          what: 'Its ETag is its SHA-256.',
          body: { media: Object.values(FORMATS).map(({ media }) => media.split(';')[0] ?? '') },
        },
      },
    },
    {
      async handle(call) {
        const { params: asked, principal, response } = call
        const { orgId } = principal
        const job = await db.read(orgId, async (trx) => await findExport(trx, asked.id))
        assertReadable(principal, job.report)
        const first = job.state === 'done' ? await pieceOf(files, orgId, job, 1) : undefined
        if (first === undefined) {
          throw new Problem('not_found', { detail: `The export is ${job.state}: no file is here.` })
        }
        await db.transact(orgId, async (trx) => await call.audit(trx))
        response
          .type(FORMATS[job.format].media)
          .setHeader('Content-Disposition', `attachment; filename="${fileNameOf(job)}"`)
          .setHeader('Content-Length', job.bytes.toString())
          .setHeader('ETag', `"${job.sha256?.toString('hex') ?? ''}"`)
        await pipeline(Readable.from(piecesOf(files, orgId, job, first)), response)
        return null
      },
    },
  )
}

async function pieceOf(
  files: Files,
  orgId: number,
  job: ExportJob,
  piece: number,
): Promise<Buffer | undefined> {
  return await files.get(pieceKey(orgId, job, piece))
}

/** Throws where a piece was taken away meanwhile: the length says that the answer is not whole. */
async function* piecesOf(
  files: Files,
  orgId: number,
  job: ExportJob,
  first: Buffer,
): AsyncGenerator<Buffer> {
  yield first
  for (let piece = 2; piece <= job.pieces; piece += 1) {
    const bytes = await pieceOf(files, orgId, job, piece)
    if (bytes === undefined) {
      throw new Error(`piece ${piece} of ${job.export_id} is not there`)
    }
    yield bytes
  }
}

function cancelOperation(): Operation {
  return operation(
    {
      id: 'cancelExport',
      method: 'post',
      path: '/exports/{id}/cancel',
      tag: 'Exports',
      summary: 'Give an export up that is not made yet; one that has ended stays as it is',
      permission: 'exports.read',
      limit: 'write',
      params,
      key: 'optional',
      answers: { 200: { what: 'As it is now.', body: exportJob } },
    },
    {
      queue: null,
      async write(trx, { params: { id } }) {
        return { status: 200, body: exportView(await cancelExport(trx, id)) }
      },
    },
  )
}
