/** What others are told of instructions: how they ended, or that nobody knows how. */
import { minorToJson } from '../base/money.ts'
import type { Event } from '../notifications/outbox/events.ts'
import type { Instruction } from './instruction.ts'

/** The events of those that came to an end, or to a person, just now. */
export function endEvents(
  rows: readonly Pick<
    Instruction,
    'instruction_id' | 'kind' | 'state' | 'payment_id' | 'reference' | 'amount' | 'currency'
  >[],
): Event[] {
  return rows.flatMap((row): Event[] => {
    const subject = row.instruction_id
    const data = {
      instruction: subject,
      kind: row.kind,
      payment: row.payment_id,
      reference: row.reference,
      amount: minorToJson(row.amount),
      currency: row.currency,
    }
    switch (row.state) {
      case 'done':
        return [{ type: 'instruction.done', subject, data }]
      case 'refused':
        return [{ type: 'instruction.refused', subject, data }]
      case 'failed':
        return [{ type: 'instruction.failed', subject, data }]
      case 'unknown':
        return [{ type: 'instruction.unknown', subject, data }]
      default:
        return []
    }
  })
}
