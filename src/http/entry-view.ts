/** A posted entry as every answer shows it. */
import { z } from 'zod'
import { minorOrText } from '../base/money.ts'
import type { PostedEntry } from '../ledger/reading/entries.ts'
import { currencyCode, day, idText, instant, minorUnits, sha256Hex, texts } from './answers.ts'

export const journalEntry = z
  .strictObject({
    id: idText('je'),
    kind: z.string(),
    effective_on: day,
    posted_at: instant,
    description: z.string(),
    idempotency_key: z.string(),
    source: z.string(),
    actor: z.string(),
    reverses: idText('je').nullable(),
    reversed_by: idText('je').nullable(),
    adjusts: idText('je').nullable(),
    adjusted_by: z.array(idText('je')),
    metadata: texts,
    hash: sha256Hex,
    postings: z.array(
      z.strictObject({
        account: idText('acc'),
        code: z.string(),
        direction: z.enum(['debit', 'credit']),
        amount: minorUnits,
        currency: currencyCode,
        balance_after: minorUnits,
      }),
    ),
  })
  .meta({ id: 'JournalEntry' })

export function entryView(entry: PostedEntry): z.input<typeof journalEntry> {
  return {
    id: entryId(entry.entry_no),
    kind: entry.kind,
    effective_on: entry.effective_on,
    posted_at: entry.posted_at.toISOString(),
    description: entry.description,
    idempotency_key: entry.idempotency_key,
    source: entry.source,
    actor: entry.actor,
    reverses: entry.reverses === null ? null : entryId(entry.reverses),
    reversed_by: entry.reversed_by === null ? null : entryId(entry.reversed_by),
    adjusts: entry.adjusts === null ? null : entryId(entry.adjusts),
    adjusted_by: entry.adjusted_by.map(entryId),
    metadata: entry.metadata,
    hash: entry.hash.toString('hex'),
    postings: entry.postings.map((posting) => ({
      account: `acc_${posting.account_id}`,
      code: posting.account,
      direction: posting.direction,
      amount: minorOrText(posting.amount),
      currency: posting.currency,
      balance_after: minorOrText(posting.balance_after),
    })),
  }
}

export function entryId(entryNo: bigint): string {
  return `je_${entryNo}`
}
