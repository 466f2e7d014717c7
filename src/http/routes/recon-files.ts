/** /v1/recon/files: files of lines, looked at before anything is loaded, then loaded by a job. */
import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import {
  addPreviewed,
  assertRoom,
  commitFile,
  FILE_STATES,
  findFile,
  listFiles,
} from '../../recon/files/files.ts'
import { previewBytes } from '../../recon/files/read-file.ts'
import { findOpenSource } from '../../recon/files/sources-of-lines.ts'
import { FILE_BYTES_MAX, readBytes, removeBytes, storeBytes } from '../../recon/files/stored.ts'
import { listFaults } from '../../recon/files/tallies.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { faultView, fileView, reconFault, reconFile } from '../recon-view.ts'
import { ringAfter } from '../ring-after.ts'

const tag = 'Reconciliation'

/** What browsers and programs call such files; how they are read the source says. */
const MEDIA = [
  'text/csv',
  'text/plain',
  'text/tab-separated-values',
  'text/xml',
  'application/xml',
  'application/json',
  'application/x-ndjson',
  'application/vnd.ms-excel',
  'application/octet-stream',
] as const

const MB_MAX = FILE_BYTES_MAX / 1024 / 1024

const params = z.object({ id: idOfKind('rfl') })
const READ_COMMITTED = { isolation: 'read committed' } as const

const faultNumber = z
  .string()
  .regex(/^[0-9]{1,4}$/, 'must be the number of a fault')
  .transform(Number)
  .meta({ type: 'integer', minimum: 0, maximum: 9999, pattern: undefined })

export function reconFileOperations(parts: Parts): Operation[] {
  return [
    uploadOperation(parts),
    listOperation(),
    getOperation(),
    faultsOperation(),
    commitOperation(parts),
  ]
}

function uploadOperation(parts: Parts): Operation {
  return operation(
    {
      id: 'uploadReconFile',
      method: 'post',
      path: '/recon/sources/{id}/files',
      tag,
      summary: `See what a file of up to ${MB_MAX} MB holds; nothing is loaded`,
      permission: 'recon.write',
      params: z.object({ id: idOfKind('rsc') }),
      query: z.strictObject({ name: line(200, true).default('file') }),
      upload: { media: MEDIA, bytesMax: FILE_BYTES_MAX, streamed: true },
      answers: {
        201: { what: 'Kept for 30 days, to be loaded; or refused, with why.', body: reconFile },
      },
      problems: ['limit_reached', 'switched_off'],
    },
    {
      async handle(call) {
        const { request, principal, params: of, query } = call
        const { db, files } = parts
        const { orgId, subject } = principal
        if (request.is([...MEDIA]) === false) {
          const detail = `Send the file itself, as one of ${MEDIA.join(', ')}.`
          throw new Problem('unsupported_media_type', { detail })
        }
        const source = await db.read(orgId, async (trx) => {
          await assertRoom(trx)
          return await findOpenSource(trx, of.id)
        })
        const storedAs = `recon/${orgId}/${newId('obx')}`
        const received = await storeBytes(files, storedAs, request)
        try {
          const reading = { source, format: source.format, mapping: source.mapping }
          const read = await previewBytes(db, orgId, reading, readBytes(files, received))
          const given = {
            sourceId: source.source_id,
            mappingVersion: source.version,
            name: query.name,
            by: subject,
          }
          const body = await db.transact(
            orgId,
            async (trx) => {
              await assertRoom(trx)
              const id = await addPreviewed(trx, given, received, read)
              const view = fileView(await findFile(trx, id))
              const target = `/v1/recon/files/${id}`
              const { sha256, bytes, lines } = view
              await call.audit(trx, { after: { sha256, bytes, lines }, target })
              return view
            },
            READ_COMMITTED,
          )
          return { status: 201, headers: { Location: `/v1/recon/files/${body.id}` }, body }
        } catch (error) {
          await removeBytes(files, received)
          throw error
        }
      },
    },
  )
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listReconFiles',
      method: 'get',
      path: '/recon/files',
      tag,
      summary: 'Files and fetched days, and what became of them, newest first',
      permission: 'recon.read',
      query: z.strictObject({
        limit,
        starting_after: idOfKind('rfl').optional(),
        source: idOfKind('rsc').optional(),
        state: z.enum(FILE_STATES).optional(),
      }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(reconFile) } },
    },
    {
      async read(trx, { query }) {
        const filter = { sourceId: query.source ?? null, state: query.state ?? null }
        const page = { limit: query.limit + 1, before: query.starting_after ?? null }
        const rows = await listFiles(trx, filter, page)
        return { status: 200, body: listOf(rows, query.limit, fileView) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getReconFile',
      method: 'get',
      path: '/recon/files/{id}',
      tag,
      summary: 'One file: what it holds and how far it is',
      permission: 'recon.read',
      params,
      answers: { 200: { what: 'As it is now.', body: reconFile } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: fileView(await findFile(trx, id)) }
      },
    },
  )
}

function faultsOperation(): Operation {
  return operation(
    {
      id: 'listReconFileFaults',
      method: 'get',
      path: '/recon/files/{id}/faults',
      tag,
      summary: 'What of a file could not be read, and what of it disagrees with itself',
      permission: 'recon.read',
      params,
      query: z.strictObject({ limit, starting_after: faultNumber.optional() }),
      answers: { 200: { what: 'The first thousand, as they were met.', body: pageOf(reconFault) } },
    },
    {
      async read(trx, { params: { id }, query }) {
        await findFile(trx, id)
        const page = { limit: query.limit + 1, after: query.starting_after ?? 0 }
        const rows = await listFaults(trx, id, page)
        return { status: 200, body: listOf(rows, query.limit, faultView) }
      },
    },
  )
}

function commitOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'commitReconFile',
      method: 'post',
      path: '/recon/files/{id}/commit',
      tag,
      summary: 'Load the lines of a file that could be read; safe to repeat',
      permission: 'recon.write',
      params,
      key: 'optional',
      answers: {
        200: { what: 'Done where the state is loaded, else a job does it.', body: reconFile },
      },
      problems: ['recon_file_state', 'recon_file_known'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, principal, response }) {
        await commitFile(trx, id, principal.subject)
        ringAfter(response, bells, 'load-recon')
        const view = fileView(await findFile(trx, id))
        const { sha256, lines, totals } = view
        return { status: 200, body: view, audited: { sha256, lines, totals } }
      },
    },
  )
}
