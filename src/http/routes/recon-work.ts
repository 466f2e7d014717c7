/** Of an exception: its timeline, comments and files; and the policy of the work on them. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { isConnectionError } from '../../base/database-error.ts'
import { newId } from '../../base/ids.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { ATTACHED, mediaOf } from '../../recon/work/attached-media.ts'
import {
  addAttachment,
  ATTACHMENT_BYTES_MAX,
  ATTACHMENTS_MAX,
  findAttachment,
  listAttachments,
} from '../../recon/work/attachments.ts'
import { BytesGone, readBytes, removeBytes, storeBytes } from '../../recon/files/stored.ts'
import { addComment, listTimeline } from '../../recon/work/timeline.ts'
import { addWorkPolicy, workPolicyOf } from '../../recon/work/policy.ts'
import { findWork } from '../../recon/work/worklist.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { commentText, policyOfBody, policyView, workPolicy } from '../recon-work-input.ts'
import { attachment, attachmentView, happened, happenedView } from '../recon-work-view.ts'

const tag = 'Reconciliation'
const params = z.object({ id: idOfKind('exc') })
const MEDIA = [...Object.keys(ATTACHED), 'application/octet-stream']
const READ_COMMITTED = { isolation: 'read committed' } as const

export function reconWorkOperations(parts: Parts): Operation[] {
  return [
    timelineOperation(),
    commentOperation(),
    attachOperation(parts),
    attachmentsOperation(),
    fileOperation(parts),
    getPolicyOperation(),
    setPolicyOperation(),
  ]
}

/** Milliseconds and a place. */
const cursor = z
  .string()
  .regex(/^\d{1,14}-\d{1,9}$/, 'must be a cursor from this list')
  .transform((text) => {
    const [ms = 0, place = 0] = text.split('-').map(Number)
    return { ms, place }
  })

function timelineOperation(): Operation {
  return operation(
    {
      id: 'listReconExceptionEvents',
      method: 'get',
      path: '/recon/exceptions/{id}/timeline',
      tag,
      summary: 'What happened to an exception, from its finding on',
      permission: 'recon.read',
      params,
      query: z.strictObject({ limit, starting_after: cursor.optional() }),
      answers: { 200: { what: 'The first first.', body: pageOf(happened) } },
    },
    {
      async read(trx, { params: { id }, query }) {
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        const rows = await listTimeline(trx, id, page)
        return { status: 200, body: listOf(rows, query.limit, happenedView) }
      },
    },
  )
}

function commentOperation(): Operation {
  return operation(
    {
      id: 'commentReconException',
      method: 'post',
      path: '/recon/exceptions/{id}/comments',
      tag,
      summary: 'Say something about an exception; it is never changed',
      permission: 'recon.write',
      key: 'optional',
      params,
      body: z.strictObject({ text: commentText }),
      answers: { 201: { what: 'In its timeline.', body: happened } },
      problems: ['limit_reached'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body, principal }) {
        const said = await addComment(trx, id, { text: body.text, actor: principal.subject })
        // What was said stands in the timeline, which is kept as long.
        return { status: 201, body: happenedView(said), audited: { event: said.cursor } }
      },
    },
  )
}

function attachOperation({ db, files }: Parts): Operation {
  return operation(
    {
      id: 'attachToReconException',
      method: 'post',
      path: '/recon/exceptions/{id}/attachments',
      tag,
      summary: `Attach a file of up to 10 MB, ${ATTACHMENTS_MAX} at most; it is never removed`,
      permission: 'recon.write',
      params,
      query: z.strictObject({ name: line(200).default('file') }),
      upload: { media: MEDIA, bytesMax: ATTACHMENT_BYTES_MAX },
      answers: { 201: { what: 'Kept; or there before, with the same bytes.', body: attachment } },
      problems: ['limit_reached'],
    },
    {
      async handle(call) {
        const { request, principal, params: of, query } = call
        const bytes: unknown = request.body
        const media = Buffer.isBuffer(bytes) ? mediaOf(bytes) : null
        if (media === null || !Buffer.isBuffer(bytes) || bytes.length === 0) {
          const kinds = Object.values(ATTACHED).join(', ')
          const detail = `What is sent is none of ${kinds}, or has macros.`
          throw new Problem('unsupported_media_type', { detail })
        }
        const { orgId, subject } = principal
        await db.read(orgId, async (trx) => await findWork(trx, of.id))
        const storedAs = `recon/${orgId}/attached/${newId('obx')}`
        const received = await storeBytes(files, storedAs, Readable.from([bytes]))
        try {
          const kept = await db.transact(
            orgId,
            async (trx) => {
              const file = { name: query.name, media, received, actor: subject }
              const one = await addAttachment(trx, of.id, file)
              const after = { sha256: one.sha256.toString('hex'), bytes: one.bytes }
              await call.audit(trx, { after, target: one.attachment_id })
              return one
            },
            READ_COMMITTED,
          )
          if (kept.stored_as !== storedAs) {
            await removeBytes(files, received)
          }
          return { status: 201, body: attachmentView(kept) }
        } catch (error) {
          // Where nobody knows whether it was committed, the bytes may be needed.
          if (!isConnectionError(error)) {
            await removeBytes(files, received)
          }
          throw error
        }
      },
    },
  )
}

function attachmentsOperation(): Operation {
  return operation(
    {
      id: 'listReconAttachments',
      method: 'get',
      path: '/recon/exceptions/{id}/attachments',
      tag,
      summary: 'Files of an exception',
      permission: 'recon.read',
      params,
      answers: {
        200: {
          what: 'All of them, in the order in which they came.',
          body: z.strictObject({ data: z.array(attachment) }),
        },
      },
    },
    {
      async read(trx, { params: { id } }) {
        await findWork(trx, id)
        const data = (await listAttachments(trx, id)).map(attachmentView)
        return { status: 200, body: { data } }
      },
    },
  )
}

function fileOperation({ db, files }: Parts): Operation {
  return operation(
    {
      id: 'getReconAttachment',
      method: 'get',
      path: '/recon/attachments/{id}',
      tag,
      summary: 'The file itself, to be saved and not shown',
      permission: 'recon.read',
      params: z.object({ id: idOfKind('att') }),
      etag: 'given',
      answers: {
        200: { what: 'Its ETag is its SHA-256.', body: { media: Object.keys(ATTACHED) } },
      },
    },
    {
      async handle({ params: { id }, principal, response }) {
        const read = async () =>
          await db.read(principal.orgId, async (trx) => await findAttachment(trx, id))
        const one = await read()
        const bytes = readBytes(files, { storedAs: one.stored_as, pieces: one.pieces })
        const first = await firstOf(bytes)
        // By its own kind, whatever its name ends in; `attachment` takes care of the name.
        response
          .attachment(one.name)
          .type(one.media)
          .setHeader('Content-Length', String(one.bytes))
          .setHeader('ETag', `"${one.sha256.toString('hex')}"`)
          .setHeader('Content-Security-Policy', "default-src 'none'; sandbox")
        await pipeline(Readable.from(withFirst(first, bytes)), response)
        return null
      },
    },
  )
}

/** Problem `not_found` where the bytes are lost, before anything of the answer is out. */
async function firstOf(bytes: AsyncGenerator<Buffer>): Promise<Buffer> {
  try {
    const { value } = await bytes.next()
    return Buffer.isBuffer(value) ? value : Buffer.alloc(0)
  } catch (error) {
    if (error instanceof BytesGone) {
      throw new Problem('not_found', { detail: error.message })
    }
    throw error
  }
}

async function* withFirst(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first
  yield* rest
}

const policyAnswer = z.strictObject({ version: z.int().min(0), policy: workPolicy })

function getPolicyOperation(): Operation {
  return operation(
    {
      id: 'getReconWorkPolicy',
      method: 'get',
      path: '/recon/work-policy',
      tag,
      summary: 'By when exceptions are due, whose they are, and who is reminded',
      permission: 'recon.read',
      answers: { 200: { what: 'With its version; 0 where nobody set one.', body: policyAnswer } },
    },
    {
      async read(trx) {
        const { version, policy } = await workPolicyOf(trx)
        return { status: 200, body: { version, policy: policyView(policy) } }
      },
    },
  )
}

function setPolicyOperation(): Operation {
  return operation(
    {
      id: 'setReconWorkPolicy',
      method: 'post',
      path: '/recon/work-policy',
      tag,
      summary: 'Set them: a new version, for what is found and for reminders from now on',
      permission: 'settings.write',
      key: 'optional',
      body: z.strictObject({ policy: workPolicy, reason: line(500, true) }),
      answers: { 201: { what: 'It holds from now on.', body: policyAnswer } },
      problems: ['unknown_owner'],
    },
    {
      queue: null,
      async write(trx, { body, principal }) {
        const policy = policyOfBody(body.policy)
        const by = { actor: principal.subject, reason: body.reason }
        const version = await addWorkPolicy(trx, policy, by)
        return { status: 201, body: { version, policy: policyView(policy) } }
      },
    },
  )
}
