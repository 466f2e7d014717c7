/** /v1/recon/runs, rules, matches: what agrees, and why. */
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import type { Parts } from '../../base/parts.ts'
import { filesToRun, findRun, listMatches, listRuns } from '../../recon/found.ts'
import { addRules, rulesOf } from '../../recon/rules.ts'
import { askRun } from '../../recon/runs.ts'
import { askTrial, findTrial } from '../../recon/trials/trials.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, isoDate, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import {
  matchView,
  reconMatch,
  reconRules,
  reconRun,
  rulesOfBody,
  rulesView,
  runView,
} from '../recon-run-view.ts'
import { reconTrial, trialView } from '../recon-trial-view.ts'
import { ringAfter } from '../ring-after.ts'

const tag = 'Reconciliation'

export function reconRunOperations(parts: Parts): Operation[] {
  return [
    startOperation(parts),
    listRunsOperation(),
    getRunOperation(),
    matchesOperation(),
    getRulesOperation(),
    setRulesOperation(),
  ]
}

function startOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'startReconRun',
      method: 'post',
      path: '/recon/runs',
      tag,
      summary: 'Reconcile: take in the files that were loaded, and look at all that is open again',
      permission: 'recon.write',
      key: 'optional',
      body: z.strictObject({
        as_of: isoDate
          .refine((day) => day >= '2010-01-01' && day <= indianDate(new Date()), {
            error: 'must be from 2010 to today',
          })
          .optional()
          .meta({ description: 'What is due before it and not there is missing; else today.' }),
        dry_run: z.boolean().default(false).meta({
          description: 'Only say what it would find: a trial, which changes nothing.',
        }),
      }),
      answers: {
        202: {
          what: 'Asked for; a job does it part by part. A trial for a dry run.',
          body: z.union([reconRun, reconTrial]),
        },
      },
      problems: ['run_going', 'limit_reached'],
    },
    {
      queue: null,
      async write(trx, { body, principal, response }) {
        const asOf = body.as_of ?? indianDate(new Date())
        if (body.dry_run) {
          const { rules } = await rulesOf(trx)
          const trialId = await askTrial(trx, {
            rules,
            asOf,
            period: null,
            actor: principal.subject,
          })
          ringAfter(response, bells, 'try-recon')
          const headers = { Location: `/v1/recon/trials/${trialId}` }
          return { status: 202, headers, body: trialView(await findTrial(trx, trialId)) }
        }
        const files = await filesToRun(trx)
        const runId = await askRun(trx, { files, asOf, actor: principal.subject })
        ringAfter(response, bells, 'reconcile')
        const headers = { Location: `/v1/recon/runs/${runId}` }
        return { status: 202, headers, body: runView(await findRun(trx, runId)) }
      },
    },
  )
}

function listRunsOperation(): Operation {
  return operation(
    {
      id: 'listReconRuns',
      method: 'get',
      path: '/recon/runs',
      tag,
      summary: 'Runs of the reconciliation',
      permission: 'recon.read',
      query: z.strictObject({ limit, starting_after: idOfKind('rrn').optional() }),
      answers: { 200: { what: 'The newest first.', body: pageOf(reconRun) } },
    },
    {
      async read(trx, { query }) {
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        return { status: 200, body: listOf(await listRuns(trx, page), query.limit, runView) }
      },
    },
  )
}

function getRunOperation(): Operation {
  return operation(
    {
      id: 'getReconRun',
      method: 'get',
      path: '/recon/runs/{id}',
      tag,
      summary: 'How far a run is, and what it found',
      permission: 'recon.read',
      params: z.object({ id: idOfKind('rrn') }),
      answers: { 200: { what: 'As it is now.', body: reconRun } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: runView(await findRun(trx, id)) }
      },
    },
  )
}

const RECORD = /^(?:pmt|rfd|trf|dsp)_[0-9a-hjkmnp-tv-z]{26}$/
const LINE = /^[1-9]\d{0,8}-[1-9]\d{0,8}$/

function matchesOperation(): Operation {
  return operation(
    {
      id: 'listReconMatches',
      method: 'get',
      path: '/recon/matches',
      tag,
      summary: 'What a record or a line was matched with, by which rule, and what agreed',
      permission: 'recon.read',
      query: z.strictObject({
        of: z
          .string()
          .refine((text) => RECORD.test(text) || LINE.test(text), {
            error: 'must be the id of a payment, refund, transfer, dispute, or of a line',
          })
          .meta({
            pattern:
              '^(pmt_|rfd_|trf_|dsp_)[0-9a-hjkmnp-tv-z]{26}$|^[1-9][0-9]{0,8}-[1-9][0-9]{0,8}$',
          }),
      }),
      answers: {
        200: { what: 'At most a hundred.', body: z.strictObject({ data: z.array(reconMatch) }) },
      },
    },
    {
      async read(trx, { query }) {
        const [fileNo = 0, rowNo = 0] = query.of.split('-').map(Number)
        const of = LINE.test(query.of)
          ? { record: null, line: { fileNo, rowNo } }
          : { record: query.of, line: null }
        return { status: 200, body: { data: (await listMatches(trx, of)).map(matchView) } }
      },
    },
  )
}

const rulesAnswer = z.strictObject({ version: z.int().min(0), rules: reconRules })

function getRulesOperation(): Operation {
  return operation(
    {
      id: 'getReconRules',
      method: 'get',
      path: '/recon/rules',
      tag,
      summary: 'The rules of matching that hold now',
      permission: 'recon.read',
      answers: { 200: { what: 'With their version.', body: rulesAnswer } },
    },
    {
      async read(trx) {
        const { version, rules } = await rulesOf(trx)
        return { status: 200, body: { version, rules: rulesView(rules) } }
      },
    },
  )
}

function setRulesOperation(): Operation {
  return operation(
    {
      id: 'setReconRules',
      method: 'post',
      path: '/recon/rules',
      tag,
      summary: 'Set the rules of matching: a new version, for runs asked for from now on',
      permission: 'recon.write',
      key: 'optional',
      body: z.strictObject({ rules: reconRules, reason: line(500, true) }),
      answers: { 201: { what: 'They hold from now on.', body: rulesAnswer } },
    },
    {
      queue: null,
      async write(trx, { body, principal }) {
        const rules = rulesOfBody(body.rules)
        const by = { actor: principal.subject, reason: body.reason }
        const version = await addRules(trx, rules, by)
        return { status: 201, body: { version, rules: rulesView(rules) } }
      },
    },
  )
}
