/** Refunds that were paid and that failed: when the second of the two comes, whichever it is. */
import type { RefundFact } from '../gateways/fact.ts'
import type { Draft } from '../ledger/core/entry.ts'
import type { ToldFact } from '../payments/facts.ts'
import type { Records } from '../payments/records.ts'
import { refundKeyOf, returnedDraft } from '../payments/refunds.ts'
import type { Step } from '../payments/steps.ts'

export interface Return {
  /** Of the refund. */
  key: string
  draft: Draft
  /** The steps of the same batch that have to be recorded for it. */
  needs: Step[]
  heardBy: string
}

type Ending = Extract<RefundFact, { kind: 'refund_processed' | 'refund_failed' }>

/**
 * The returns that these steps lead to, and with `repeated` those that were refused when they were
 * due.
 */
export function returnsOf(
  records: Records,
  steps: readonly Step[],
  repeated: readonly ToldFact[],
): Return[] {
  const touched = new Map<string, { fact: Ending; heardBy: string }>()
  const ending = new Map<string, Step>()
  for (const { fact, eventId } of repeated) {
    if (isEnding(fact)) {
      touched.set(refundKeyOf(fact), { fact, heardBy: eventId })
    }
  }
  for (const step of steps) {
    if (isEnding(step.fact)) {
      touched.set(refundKeyOf(step.fact), { fact: step.fact, heardBy: step.heardBy })
      ending.set(`${step.fact.kind} ${refundKeyOf(step.fact)}`, step)
    }
  }
  return [...touched].flatMap(([key, { fact, heardBy }]): Return[] => {
    const row = records.refunds.byKey.get(key)
    const processed = ending.get(`refund_processed ${key}`)
    const failed = ending.get(`refund_failed ${key}`)
    const processedAt = row?.processed_at ?? processed?.fact.occurredAt
    const failedAt = row?.failed_at ?? failed?.fact.occurredAt
    const isDone = row !== undefined && row.returned_entry !== null
    if (processedAt === undefined || failedAt === undefined || isDone) {
      return []
    }
    const { amount, currency } = row ?? fact
    const refund = { ...fact, amount, currency, factKey: fact.key, processedAt, failedAt }
    const needs = [processed, failed].filter((step) => step !== undefined)
    return [{ key, draft: returnedDraft(refund), needs, heardBy }]
  })
}

function isEnding(fact: ToldFact['fact']): fact is Ending {
  return fact.kind === 'refund_processed' || fact.kind === 'refund_failed'
}
