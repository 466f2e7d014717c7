/** /v1/recon/resolutions: exceptions resolved, one by one or many, and what takes that back. */
import { z } from 'zod'
import type { Trx } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { ACTIONS, RESOLUTION_STATES } from '../../recon/resolve/asked.ts'
import { resolveException } from '../../recon/resolve/resolve.ts'
import { findResolution, listResolutions } from '../../recon/resolve/store.ts'
import { undoResolution } from '../../recon/resolve/undo.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, limit, numberedId } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import {
  keptKey,
  makerIn,
  resolutionAsked,
  resolveBody,
  undoAsked,
  undoBody,
} from '../resolution-input.ts'
import { resolution, resolutionView } from '../resolution-view.ts'
import { ringAfter } from '../ring-after.ts'
import { ENTRY_BYTES_MAX, POSTING_PROBLEMS } from './journal-posting.ts'
import { bulkResolveOperation } from './recon-bulk-resolve.ts'

const tag = 'Reconciliation'

export const RESOLVING_PROBLEMS = [
  ...POSTING_PROBLEMS,
  'resolution_state',
  'resolution_unfit',
  'run_going',
] as const

export function reconResolutionOperations(parts: Parts): Operation[] {
  return [
    resolveOperation(parts),
    bulkResolveOperation(parts),
    listOperation(),
    getOperation(),
    undoOperation(),
  ]
}

/** The resolution, and 202 where it waits. */
export async function outcomeReply(trx: Trx, resolutionId: string) {
  const row = await findResolution(trx, resolutionId)
  const body = resolutionView(row)
  const isWaiting = row.state === 'waiting'
  const headers = { Location: `/v1/recon/resolutions/${resolutionId}` }
  return isWaiting
    ? { status: 202 as const, headers, body }
    : { status: 201 as const, headers, body }
}

function resolveOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'resolveReconException',
      method: 'post',
      path: '/recon/exceptions/{id}/resolve',
      tag,
      summary: 'Resolve an exception: write off, adjust, reclassify, record what was told, dismiss',
      permission: 'recon.resolve',
      params: z.object({ id: idOfKind('exc') }),
      key: 'required',
      body: resolveBody,
      bodyBytesMax: ENTRY_BYTES_MAX,
      answers: {
        201: { what: 'Resolved, and posted where money is in question.', body: resolution },
        202: {
          what: 'Above the limit: nothing is posted until another consents.',
          body: resolution,
        },
      },
      problems: RESOLVING_PROBLEMS,
    },
    {
      queue: 'journal',
      behind: 'recon',
      async write(trx, { params: { id }, body, key, principal, response }) {
        const asked = resolutionAsked(id, body, keptKey(principal, String(key)), principal)
        const { resolutionId } = await resolveException(trx, asked, await makerIn(trx, principal))
        if (body.action === 'record') {
          ringAfter(response, bells, 'issue-receipts')
        }
        return await outcomeReply(trx, resolutionId)
      },
    },
  )
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listReconResolutions',
      method: 'get',
      path: '/recon/resolutions',
      tag,
      summary: 'What was resolved: who, when, why, by which entry, with whose consent',
      permission: 'recon.read',
      query: z.strictObject({
        limit,
        starting_after: idOfKind('rsl').optional(),
        action: z.enum(ACTIONS).optional(),
        state: z.enum(RESOLUTION_STATES).optional(),
        entry: numberedId('je')
          .optional()
          .meta({ description: 'What it posted, or what took it back.' }),
        exception: idOfKind('exc').optional(),
      }),
      answers: { 200: { what: 'The newest first.', body: pageOf(resolution) } },
    },
    {
      async read(trx, { query }) {
        const { action = null, state = null, entry: entryNo = null } = query
        const filter = { action, state, entryNo, exceptionId: query.exception ?? null }
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        const rows = await listResolutions(trx, filter, page)
        return { status: 200, body: listOf(rows, query.limit, resolutionView) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getReconResolution',
      method: 'get',
      path: '/recon/resolutions/{id}',
      tag,
      summary: 'One of them',
      permission: 'recon.read',
      params: z.object({ id: idOfKind('rsl') }),
      answers: { 200: { what: 'As it is now.', body: resolution } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: resolutionView(await findResolution(trx, id)) }
      },
    },
  )
}

function undoOperation(): Operation {
  return operation(
    {
      id: 'undoReconResolution',
      method: 'post',
      path: '/recon/resolutions/{id}/undo',
      tag,
      summary: 'Take a resolution back: its entry is reversed, the exception is open again',
      permission: 'recon.resolve',
      params: z.object({ id: idOfKind('rsl') }),
      key: 'required',
      body: undoBody,
      answers: {
        200: { what: 'Undone.', body: resolution },
        202: {
          what: 'Above the limit: nothing is undone until another consents.',
          body: resolution,
        },
      },
      problems: RESOLVING_PROBLEMS,
    },
    {
      queue: 'journal',
      behind: 'recon',
      async write(trx, { params: { id }, body, key, principal }) {
        const asked = undoAsked(id, body, String(key), principal)
        const approval = await undoResolution(trx, asked, await makerIn(trx, principal))
        const shown = resolutionView(await findResolution(trx, id))
        return approval === null ? { status: 200, body: shown } : { status: 202, body: shown }
      },
    },
  )
}
