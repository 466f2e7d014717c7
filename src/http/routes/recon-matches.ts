/** POST /v1/recon/matches and their undo: what a person ties together, and takes apart. */
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import { Problem } from '../../base/problem.ts'
import { matchCredit, matchLines } from '../../recon/by-hand.ts'
import { listBankMatches } from '../../recon/found.ts'
import { undo } from '../../recon/undo.ts'
import { idText } from '../answers.ts'
import { entryId } from '../entry-view.ts'
import { line } from '../line.ts'
import { operation, type Operation } from '../operation.ts'
import {
  bankMatch,
  bankMatchView,
  idOfPlace,
  lineId,
  placeOf,
  recordId,
} from '../recon-match-view.ts'
import { POSTING_PROBLEMS } from './journal-posting.ts'

const tag = 'Reconciliation'
const TOGETHER_MAX = 100

const listed = <T extends z.ZodType<string>>(one: T) =>
  z
    .array(one)
    .min(1)
    .max(TOGETHER_MAX)
    .refine((ids) => new Set(ids).size === ids.length, 'must not have one twice')

export function reconMatchOperations(): Operation[] {
  return [matchOperation(), undoOperation(), bankMatchesOperation()]
}

function matchOperation(): Operation {
  return operation(
    {
      id: 'matchByHand',
      method: 'post',
      path: '/recon/matches',
      tag,
      summary: 'Match by hand: lines with records of ours, or a bank line with settlements',
      permission: 'recon.write',
      key: 'required',
      body: z.strictObject({
        lines: listed(lineId).meta({ description: 'One; or several parts of one record.' }),
        with: listed(recordId).meta({
          description: 'Records, or settlements for a line of a bank statement.',
        }),
        reason: line(500, true),
      }),
      answers: {
        201: {
          what: 'Matched. The next run posts what a bank line brought.',
          body: z.strictObject({ lines: z.array(z.string()), with: z.array(z.string()) }),
        },
      },
      problems: ['recon_not_open', 'recon_not_equal'],
    },
    {
      queue: 'recon',
      async write(trx, { body, principal }) {
        const how = {
          by: principal.subject,
          because: body.reason,
          today: indianDate(new Date()),
        }
        const lines = body.lines.map(placeOf)
        const [only] = lines
        const credits = body.with.filter((id) => id.startsWith('stl_'))
        if (lines.length > 1 && body.with.length > 1) {
          throw refusal('One of both sides is one: a line, or a record.')
        }
        if (credits.length === 0) {
          await matchLines(trx, { lines, records: body.with }, how)
        } else if (
          credits.length === body.with.length &&
          only !== undefined &&
          lines.length === 1
        ) {
          await matchCredit(trx, { line: only, settlements: body.with }, how)
        } else {
          throw refusal('Settlements are matched with one line of a bank statement.')
        }
        return { status: 201, body: { lines: body.lines, with: body.with } }
      },
    },
  )
}

function refusal(detail: string): Problem {
  return new Problem('invalid_request', { detail, moved: 'no' })
}

function undoOperation(): Operation {
  return operation(
    {
      id: 'undoMatch',
      method: 'post',
      path: '/recon/matches/{id}/undo',
      tag,
      summary: 'Take a line apart from all that it is matched with; what it posted is reversed',
      permission: 'recon.write',
      params: z.object({ id: lineId }),
      key: 'required',
      body: z.strictObject({ reason: line(500, true) }),
      answers: {
        200: {
          what: 'Both sides are open again, and no run ties the same together.',
          body: z.strictObject({
            lines: z.array(z.string()),
            from: z.array(z.string()),
            journal_entry: idText('je').nullable().meta({
              description: 'The reversal of the line’s entry; null where it had none.',
            }),
          }),
        },
      },
      problems: [...POSTING_PROBLEMS, 'recon_not_open', 'approval_required'],
    },
    {
      queue: 'journal',
      behind: 'recon',
      async write(trx, { params: { id }, body, principal }) {
        const undone = await undo(trx, placeOf(id), {
          by: principal.subject,
          because: body.reason,
          today: indianDate(new Date()),
          mayPost: principal.permissions.has('books.post'),
        })
        return {
          status: 200,
          body: {
            lines: undone.lines.map(idOfPlace),
            from: undone.from,
            journal_entry: undone.reversalNo === null ? null : entryId(undone.reversalNo),
          },
        }
      },
    },
  )
}

const LINE_OR_SETTLEMENT = /^(?:stl_[0-9a-hjkmnp-tv-z]{26}|[1-9]\d{0,8}-[1-9]\d{0,8})$/

function bankMatchesOperation(): Operation {
  return operation(
    {
      id: 'listReconBankMatches',
      method: 'get',
      path: '/recon/bank-matches',
      tag,
      summary:
        'What a line of a bank statement or a settlement is matched with, and what it posted',
      permission: 'recon.read',
      query: z.strictObject({
        of: z
          .string()
          .refine((text) => LINE_OR_SETTLEMENT.test(text), {
            error: 'must be the id of a settlement or of a line',
          })
          .meta({
            pattern: '^stl_[0-9a-hjkmnp-tv-z]{26}$|^[1-9][0-9]{0,8}-[1-9][0-9]{0,8}$',
          }),
      }),
      answers: {
        200: {
          what: 'At most a hundred; those that were undone behind those that stand.',
          body: z.strictObject({ data: z.array(bankMatch) }),
        },
      },
    },
    {
      async read(trx, { query: { of } }) {
        const isLine = !of.startsWith('stl_')
        const asked = isLine
          ? { settlement: null, line: placeOf(of) }
          : { settlement: of, line: null }
        return {
          status: 200,
          body: { data: (await listBankMatches(trx, asked)).map(bankMatchView) },
        }
      },
    },
  )
}
