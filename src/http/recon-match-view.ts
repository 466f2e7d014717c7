/** Matches that a person makes and takes apart, and those of bank lines, as the API shows them. */
import { z } from 'zod'
import { minorOrText } from '../base/money.ts'
import type { BankMatchRow } from '../recon/found.ts'
import { BANK_RULES } from '../recon/match/bank.ts'
import { AGREES } from '../recon/match/kinds.ts'
import type { Place } from '../recon/passes/matches.ts'
import { idText, instant, minorUnits } from './answers.ts'
import { entryId } from './entry-view.ts'

const LINE_ID = /^[1-9]\d{0,8}-[1-9]\d{0,8}$/
const LINE_PATTERN = '^[1-9][0-9]{0,8}-[1-9][0-9]{0,8}$'
const RECORD_ID = /^(?:pmt|rfd|trf|dsp|stl)_[0-9a-hjkmnp-tv-z]{26}$/

/** `12-345`: the number of a file, and of the row in it. */
export const lineId = z
  .string()
  .refine((text) => LINE_ID.test(text), { error: 'must be the id of a line' })
  .meta({ pattern: LINE_PATTERN })

export const recordId = z
  .string()
  .refine((text) => RECORD_ID.test(text), {
    error: 'must be the id of a payment, refund, transfer, dispute or settlement',
  })
  .meta({ pattern: '^(pmt_|rfd_|trf_|dsp_|stl_)[0-9a-hjkmnp-tv-z]{26}$' })

export function placeOf(id: string): Place {
  const [fileNo = 0, rowNo = 0] = id.split('-').map(Number)
  return { fileNo, rowNo }
}

export function idOfPlace({ fileNo, rowNo }: Place): string {
  return `${fileNo}-${rowNo}`
}

const AGREEING = Object.keys(AGREES) as (keyof typeof AGREES)[]

export const bankMatch = z
  .strictObject({
    line: z.string().meta({ description: 'The id of the line of the bank statement.' }),
    settlement: idText('stl'),
    amount: minorUnits,
    rule: z.enum(BANK_RULES),
    rules_version: z.int().min(0),
    agrees: z.array(z.enum(AGREEING)).meta({ description: 'What both sides say alike.' }),
    candidates: z.int().min(1),
    run: idText('rrn'),
    journal_entry: idText('je').nullable().meta({
      description:
        'The one that took the line’s money out of the transit; null until it is posted.',
    }),
    undone: z
      .strictObject({
        at: instant,
        by: z.string(),
        reason: z.string(),
        journal_entry: idText('je').nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'ReconBankMatch' })

export function bankMatchView(row: BankMatchRow): z.input<typeof bankMatch> {
  return {
    line: idOfPlace({ fileNo: row.file_no, rowNo: row.row_no }),
    settlement: row.settlement_id,
    amount: minorOrText(row.amount),
    rule: row.rule,
    rules_version: row.rules_version,
    agrees: AGREEING.filter((name) => (row.agrees & AGREES[name]) !== 0),
    candidates: row.candidates,
    run: row.run_id,
    journal_entry: row.entry_no === null ? null : entryId(row.entry_no),
    undone:
      row.undone_at === null
        ? null
        : {
            at: row.undone_at.toISOString(),
            by: row.undone_by ?? '',
            reason: row.undone_because ?? '',
            journal_entry: row.reversal_no === null ? null : entryId(row.reversal_no),
          },
  }
}
