/** /v1/recon/trials: what the next run would find, or a period under other rules. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { listRuns } from '../../recon/found.ts'
import { readBytes } from '../../recon/files/stored.ts'
import { askTrial, cancelTrial, findTrial, listTrials } from '../../recon/trials/trials.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, isoDate, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { reconRules, rulesOfBody } from '../recon-run-view.ts'
import { reconTrial, trialView } from '../recon-trial-view.ts'
import { ringAfter } from '../ring-after.ts'

const tag = 'Reconciliation'

const params = z.object({ id: idOfKind('rtl') })

export function reconTrialOperations(parts: Parts): Operation[] {
  return [
    previewOperation(parts),
    listOperation(),
    getOperation(),
    fileOperation(parts),
    cancelOperation(),
  ]
}

const day = isoDate.refine((given) => given >= '2010-01-01', { error: 'must be from 2010 on' })

function previewOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'previewReconRules',
      method: 'post',
      path: '/recon/rules/preview',
      tag,
      summary: 'Try rules on a period: what would be matched otherwise; nothing is changed',
      permission: 'recon.write',
      key: 'optional',
      body: z
        .strictObject({
          rules: reconRules,
          from: day.meta({ description: 'Lines by the day on which they were settled.' }),
          to: day,
        })
        .refine(({ from, to }) => from <= to, { error: '"to" is before "from"', path: ['to'] }),
      answers: { 202: { what: 'Asked for; a job does it.', body: reconTrial } },
      problems: ['limit_reached'],
    },
    {
      queue: null,
      async write(trx, { body, principal, response }) {
        const runs = await listRuns(trx, { limit: 20, after: null })
        const last = runs.find(({ state }) => state === 'done')
        const trialId = await askTrial(trx, {
          rules: rulesOfBody(body.rules),
          // What was due by the last run's day is held against what that run said of it.
          asOf: last?.as_of ?? indianDate(new Date()),
          period: { from: body.from, to: body.to },
          actor: principal.subject,
        })
        ringAfter(response, bells, 'try-recon')
        const headers = { Location: `/v1/recon/trials/${trialId}` }
        return { status: 202, headers, body: trialView(await findTrial(trx, trialId)) }
      },
    },
  )
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listReconTrials',
      method: 'get',
      path: '/recon/trials',
      tag,
      summary: 'Trials of the last days',
      permission: 'recon.read',
      query: z.strictObject({ limit, starting_after: idOfKind('rtl').optional() }),
      answers: { 200: { what: 'The newest first.', body: pageOf(reconTrial) } },
    },
    {
      async read(trx, { query }) {
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        return { status: 200, body: listOf(await listTrials(trx, page), query.limit, trialView) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getReconTrial',
      method: 'get',
      path: '/recon/trials/{id}',
      tag,
      summary: 'How far a trial is, and what would be found',
      permission: 'recon.read',
      params,
      answers: { 200: { what: 'As it is now.', body: reconTrial } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: trialView(await findTrial(trx, id)) }
      },
    },
  )
}

function fileOperation({ db, files }: Parts): Operation {
  return operation(
    {
      id: 'getReconTrialFile',
      method: 'get',
      path: '/recon/trials/{id}/file',
      tag,
      summary: 'All that would change, line by line',
      permission: 'recon.read',
      params,
      etag: 'given',
      answers: { 200: { what: 'Its ETag is its SHA-256.', body: { media: 'text/csv' } } },
    },
    {
      async handle({ params: { id }, principal, response }) {
        const trial = await db.read(principal.orgId, async (trx) => await findTrial(trx, id))
        const { stored_as: storedAs, pieces, bytes, sha256 } = trial
        if (storedAs === null || sha256 === null) {
          throw new Problem('not_found', { detail: `The trial is ${trial.state}: it has no file.` })
        }
        response
          .type('text/csv; charset=utf-8')
          .setHeader('Content-Disposition', `attachment; filename="bahi-trial-${id}.csv"`)
          .setHeader('Content-Length', bytes.toString())
          .setHeader('ETag', `"${sha256.toString('hex')}"`)
        await pipeline(Readable.from(readBytes(files, { storedAs, pieces })), response)
        return null
      },
    },
  )
}

function cancelOperation(): Operation {
  return operation(
    {
      id: 'cancelReconTrial',
      method: 'post',
      path: '/recon/trials/{id}/cancel',
      tag,
      summary: 'Give a trial up that is not done yet; one that has ended stays as it is',
      permission: 'recon.write',
      params,
      key: 'optional',
      answers: { 200: { what: 'As it is now.', body: reconTrial } },
    },
    {
      queue: null,
      async write(trx, { params: { id } }) {
        return { status: 200, body: trialView(await cancelTrial(trx, id)) }
      },
    },
  )
}
