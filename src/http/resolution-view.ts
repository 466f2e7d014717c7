/** Resolutions of exceptions as the API shows them: who, when, why, and what came of it. */
import { z } from 'zod'
import { minorOrText } from '../base/money.ts'
import { ACTIONS, REASON_CODES, RESOLUTION_STATES } from '../recon/resolve/asked.ts'
import type { ResolutionRow } from '../recon/resolve/store.ts'
import { currencyCode, idText, instant, minorUnits } from './answers.ts'
import { entryId } from './entry-view.ts'
import { problemSchema } from './problem-json.ts'

export const resolution = z
  .strictObject({
    id: idText('rsl'),
    exception: idText('exc'),
    action: z.enum(ACTIONS),
    reason_code: z.enum(REASON_CODES),
    reason: z.string(),
    state: z.enum(RESOLUTION_STATES).meta({
      description: '`waiting` for another’s consent; `dropped` where nobody gave it.',
    }),
    account: z.string().meta({ description: 'The account in question.' }),
    moves: minorUnits.meta({ description: 'What its balance loses; below zero, what it gains.' }),
    currency: currencyCode,
    facts: z.array(z.string()).meta({
      description: 'Keys of what it recorded as told by the gateway, which is not undone.',
    }),
    asked_by: z.string(),
    asked_at: instant,
    approval: idText('apr').nullable(),
    approved_by: z.string().nullable(),
    journal_entry: idText('je').nullable(),
    done_at: instant.nullable(),
    undo_waits_for: idText('apr').nullable(),
    undone_by: z.string().nullable(),
    undone_because: z.string().nullable(),
    undone_at: instant.nullable(),
    undone_entry: idText('je').nullable().meta({ description: 'The reversal of its entry.' }),
  })
  .meta({ id: 'ReconResolution' })

export function resolutionView(row: ResolutionRow): z.input<typeof resolution> {
  return {
    id: row.resolution_id,
    exception: row.exception_id,
    action: row.action,
    reason_code: row.reason_code,
    reason: row.words,
    state: row.state,
    account: row.account,
    moves: minorOrText(row.moves),
    currency: row.currency,
    facts: row.facts,
    asked_by: row.asked_by,
    asked_at: row.asked_at.toISOString(),
    approval: row.approval_id,
    approved_by: row.approved_by,
    journal_entry: row.entry_no === null ? null : entryId(row.entry_no),
    done_at: row.done_at?.toISOString() ?? null,
    undo_waits_for: row.undo_approval_id,
    undone_by: row.undone_by,
    undone_because: row.undone_because,
    undone_at: row.undone_at?.toISOString() ?? null,
    undone_entry: row.undo_entry_no === null ? null : entryId(row.undo_entry_no),
  }
}

export const bulkResults = z
  .strictObject({
    resolved: z.int().min(0),
    waiting: z.int().min(0),
    refused: z.int().min(0),
    results: z.array(
      z.union([
        z.strictObject({
          exception: idText('exc'),
          status: z.enum(['resolved', 'waiting']),
          resolution,
        }),
        z.strictObject({
          exception: idText('exc'),
          status: z.literal('refused'),
          problem: problemSchema.omit({ request_id: true }),
        }),
      ]),
    ),
  })
  .meta({ id: 'ReconBulkResults' })
