/** /v1/recon/sources: whose settlement lines and bank statements are read, and how. */
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { askForDays, FETCH_DAYS_MAX } from '../../recon/files/fetch.ts'
import { findFile } from '../../recon/files/files.ts'
import {
  addSource,
  changeSource,
  findOpenSource,
  findSource,
  listSources,
  type ReconSource,
} from '../../recon/files/sources-of-lines.ts'
import { BANK_FORMATS } from '../../recon/sources/formats.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, isoDate, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { newSource, newSourceOf, sourceChange, unknownColumns } from '../recon-input.ts'
import { fileView, reconFile, reconSource, sourceView } from '../recon-view.ts'
import { ringAfter } from '../ring-after.ts'

const tag = 'Reconciliation'
const params = z.object({ id: idOfKind('rsc') })
const DAY_MS = 24 * 60 * 60 * 1000

const fetchBody = z
  .strictObject({
    from: isoDate.meta({ description: 'Days of settlement in India.' }),
    to: isoDate,
  })
  .refine(({ from, to }) => from <= to, { error: 'must not be before from', path: ['to'] })
  .refine(({ from, to }) => (Date.parse(to) - Date.parse(from)) / DAY_MS < FETCH_DAYS_MAX, {
    error: `must be at most ${FETCH_DAYS_MAX} days from from`,
    path: ['to'],
  })
  .refine(({ from, to }) => from >= '2010-01-01' && to <= indianDate(new Date()), {
    error: 'must be from 2010 to today',
    path: ['to'],
  })

const fetched = z.strictObject({ data: z.array(reconFile) })

export function reconSourceOperations(parts: Parts): Operation[] {
  return [listOperation(), addOperation(), getOperation(), changeOperation(), fetchOperation(parts)]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listReconSources',
      method: 'get',
      path: '/recon/sources',
      tag,
      summary: 'Where settlement lines and bank statements come from',
      permission: 'recon.read',
      query: z.strictObject({ limit, starting_after: idOfKind('rsc').optional() }),
      answers: { 200: { what: 'In the order of making.', body: pageOf(reconSource) } },
    },
    {
      async read(trx, { query }) {
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        return { status: 200, body: listOf(await listSources(trx, page), query.limit, sourceView) }
      },
    },
  )
}

function addOperation(): Operation {
  return operation(
    {
      id: 'addReconSource',
      method: 'post',
      path: '/recon/sources',
      tag,
      summary: 'Add a source: an account at a gateway, or one at a bank',
      permission: 'recon.write',
      key: 'optional',
      body: newSource,
      answers: { 201: { what: 'Made.', body: reconSource } },
      problems: ['recon_source_exists', 'unknown_account', 'limit_reached'],
    },
    {
      queue: null,
      async write(trx, { body, principal }) {
        const id = await addSource(trx, newSourceOf(body, principal.subject))
        const headers = { Location: `/v1/recon/sources/${id}` }
        return { status: 201, headers, body: sourceView(await findSource(trx, id)) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getReconSource',
      method: 'get',
      path: '/recon/sources/{id}',
      tag,
      summary: 'One source and how its files are read',
      permission: 'recon.read',
      params,
      answers: { 200: { what: 'As it is now.', body: reconSource } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: sourceView(await findSource(trx, id)) }
      },
    },
  )
}

function changeOperation(): Operation {
  return operation(
    {
      id: 'changeReconSource',
      method: 'patch',
      path: '/recon/sources/{id}',
      tag,
      summary: 'Rename a source, read its files another way from now on, or archive it',
      permission: 'recon.write',
      params,
      body: sourceChange,
      answers: { 200: { what: 'As it is now.', body: reconSource } },
      problems: ['recon_source_exists', 'switched_off'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body, principal }) {
        const source = await findOpenSource(trx, id)
        const { reading } = body
        assertFits(source, reading, body.fetched_daily)
        const change = {
          name: body.name,
          reading,
          fetchedDaily: body.fetched_daily,
          archived: body.archived,
        }
        const changed = await changeSource(trx, source, change, principal.subject)
        return { status: 200, body: sourceView(changed), before: sourceView(source) }
      },
    },
  )
}

/** Problem `invalid_request` for what only the other side has. */
function assertFits(
  source: ReconSource,
  reading: z.output<typeof sourceChange>['reading'],
  fetchedDaily: boolean | undefined,
): void {
  const isBanks = BANK_FORMATS.some((format) => format === reading?.format)
  if (reading !== undefined && isBanks !== (source.side === 'bank')) {
    const detail = `A source of a ${source.side} is not read as ${reading.format}.`
    throw new Problem('invalid_request', { detail })
  }
  if (fetchedDaily === true && source.side === 'bank') {
    throw new Problem('invalid_request', { detail: 'A bank has no list to fetch from.' })
  }
  const { gateway } = source
  const unknown =
    gateway === null || reading === undefined ? [] : unknownColumns(gateway, reading.mapping)
  if (unknown.length > 0) {
    const detail = `${gateway} has no column ${unknown.slice(0, 5).join(', ').slice(0, 200)}.`
    throw new Problem('invalid_request', { detail })
  }
}

function fetchOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'fetchReconSource',
      method: 'post',
      path: '/recon/sources/{id}/fetch',
      tag,
      summary: `Fetch up to ${FETCH_DAYS_MAX} days of settlement lines from the gateway`,
      permission: 'recon.write',
      params,
      key: 'optional',
      body: fetchBody,
      answers: { 202: { what: 'A file a day, loaded as soon as it is there.', body: fetched } },
      problems: ['not_offered', 'switched_off'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body, principal, response }) {
        const source = await findOpenSource(trx, id)
        const ids = await askForDays(trx, source, body, principal.subject)
        ringAfter(response, bells, 'fetch-recon')
        const files = await Promise.all(ids.map(async (one) => await findFile(trx, one)))
        return { status: 202, body: { data: files.map(fileView) } }
      },
    },
  )
}
