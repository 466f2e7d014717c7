/** Turns facts into what they mean: payments, refunds, disputes, paid donations, entries. */
import type { Trx } from '../base/db.ts'
import { refundsAboveCapture } from '../base/metrics-gateways.ts'
import { Problem } from '../base/problem.ts'
import { together } from '../base/together.ts'
import type { Fact, PaymentCaptured, RefundFact } from '../gateways/fact.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { settleByFacts } from '../instructions/settle.ts'
import { readRestricted, type RestrictedPeriod } from '../ledger/periods/periods.ts'
import { datedLate } from '../ledger/posting/late.ts'
import type { PostResult } from '../ledger/posting/post.ts'
import { isHeard } from '../notifications/outbox/announce.ts'
import {
  conflict,
  insertFacts,
  loadFingerprints,
  sortOut,
  type Outcomes,
  type ToldFact,
} from '../payments/facts.ts'
import { filledBy, fillInParked, loadParked, saveParked, type Parked } from '../payments/parked.ts'
import { paymentKeyOf, type Captured } from '../payments/payments.ts'
import { onceOf } from '../payments/once.ts'
import { applyFact, draftOf, fillIn, loadRecords, saveRecords } from '../payments/records.ts'
import type { Records } from '../payments/records.ts'
import { applyReturned, countOverRefunded } from '../payments/refunds.ts'
import { inOrder, type Sequence, type Step } from '../payments/steps.ts'
import {
  closeDonations,
  loadDonations,
  placeCaptures,
  type Capture,
  type Donations,
} from './captures.ts'
import { postInOrder, type Wanted } from './post-in-order.ts'
import { returnsOf, type Return } from './returns.ts'
import { cancelOrPromise } from './receipt-rows.ts'
import { tellOfFacts } from './tell.ts'

export type { Outcomes, ToldFact } from '../payments/facts.ts'

/**
 * Records facts in the order given, each once and each for itself: a fact that was told before with
 * the same money changes nothing, one with other money is a conflict, and one that needs a capture
 * which nobody told of yet is parked until somebody does. What they lead to does not depend on
 * their order. All writes are in the caller's transaction.
 */
export async function recordFacts(
  trx: Trx,
  told: readonly ToldFact[],
  now: Date,
): Promise<Outcomes> {
  const outcomes: Outcomes = new Map(told.map(({ eventId }) => [eventId, null]))
  const facts = told.map(({ fact }) => fact)
  const books = await load(trx, facts)
  const { parked, records } = books
  const waiting = [...parked.byKey.values()]
  const { fresh, repeated, conflicting } = sortOut(told, waiting, books.recorded)
  for (const { eventId, fact } of conflicting) {
    outcomes.set(eventId, conflict(fact))
  }
  const sequence = inOrder(told, fresh, parked, records)
  const done = await postSteps(trx, books, sequence, repeated)
  for (const [step, problem] of done.refused) {
    // What is refused because its capture is waits for that; the others' events are tried again.
    const isParked = step.needs !== null && done.refused.has(step.needs)
    if (isParked && !step.wasParked) {
      sequence.waiting.push(step)
    } else if (!isParked) {
      setOutcome(outcomes, step.heardBy, problem)
    }
  }
  const recorded = sequence.steps.filter((step) => !done.refused.has(step))
  for (const step of recorded) {
    applyFact(records, step.fact, done.posted.get(step) ?? NOTHING_POSTED, now)
  }
  for (const { returned, result } of done.returns) {
    if (result.status !== 'refused') {
      applyReturned(records.refunds, returned.key, result.entryNo)
    } else if (!returned.needs.some((step) => done.refused.has(step))) {
      setOutcome(outcomes, returned.heardBy, result.problem)
    }
  }
  const refusedKeys = new Map([...done.refused].map(([{ fact }, problem]) => [fact.key, problem]))
  const waitingNow = new Map(sequence.waiting.map((step) => [step.fact.key, step]))
  for (const { eventId, fact } of repeated) {
    const problem = refusedKeys.get(fact.key)
    const parkedNow = waitingNow.get(fact.key)
    if (parkedNow !== undefined) {
      parkedNow.fact = filledBy(parkedNow.fact, fact)
    } else if (problem !== undefined) {
      setOutcome(outcomes, eventId, problem)
    }
    fillIn(records, fact, now)
    fillInParked(parked, fact)
  }
  const released = recorded.filter(({ wasParked }) => wasParked)
  const news = recorded.map((step) => ({
    ...step,
    entryNo: done.posted.get(step)?.entryNo ?? null,
  }))
  await together([
    insertFacts(trx, recorded),
    saveRecords(trx, records),
    saveParked(trx, [...sequence.waiting, ...parked.changed], released),
    closeDonations(trx, paidBy(recorded, records, done), now),
    books.isHeard ? tellOfFacts(trx, news, records, fundsOf(done)) : undefined,
  ])
  // They look at what was written just now.
  const recordedFacts = recorded.map(({ fact }) => fact)
  await together([settleByFacts(trx, recordedFacts), cancelOrPromise(trx, recordedFacts)])
  await countAboveCapture(trx, recorded)
  return outcomes
}

/** What is known of the things that a batch of facts is about. */
interface Books {
  records: Records
  parked: Parked
  /** Fingerprints of facts that were told before. */
  recorded: ReadonlyMap<string, Buffer>
  donations: Donations
  /** Whether anybody is told of what happens. */
  isHeard: boolean
  restricted: readonly RestrictedPeriod[]
}

async function load(trx: Trx, facts: readonly Fact[]): Promise<Books> {
  const captures = facts.filter((fact) => fact.kind === 'payment_captured')
  const [parked, recorded, records, donations, heard, restricted] = await together([
    loadParked(trx, facts),
    loadFingerprints(trx, facts),
    loadRecords(trx, facts),
    loadDonations(trx, captures),
    isHeard(trx),
    readRestricted(trx),
  ])
  const waiting = [...parked.byKey.values()].map(({ fact }) => fact)
  return {
    parked,
    recorded,
    donations,
    isHeard: heard,
    restricted,
    // Few facts were parked, and what those are about is known only now.
    records: waiting.length === 0 ? records : await loadRecords(trx, [...facts, ...waiting]),
  }
}

const NOTHING_POSTED = { entryNo: null, captured: null }

/** The first problem of an event stands. */
function setOutcome(outcomes: Outcomes, eventId: string, problem: Problem): void {
  if (outcomes.get(eventId) === null) {
    outcomes.set(eventId, problem)
  }
}

/** What posting made of the steps. */
interface Done {
  refused: Map<Step, Problem>
  posted: Map<Step, { entryNo: bigint | null; captured: Captured | null }>
  captures: ReadonlyMap<PaymentCaptured, Capture>
  returns: { returned: Return; result: PostResult }[]
}

/** Posts all that the steps lead to at once, in their order. */
async function postSteps(
  trx: Trx,
  { records, donations, restricted }: Books,
  { steps, contradictions }: Sequence,
  repeated: readonly ToldFact[],
): Promise<Done> {
  const sound = steps.filter((step) => !contradictions.has(step))
  const facts = sound.flatMap(({ fact }) => (fact.kind === 'payment_captured' ? [fact] : []))
  const captures = placeCaptures(facts, donations)
  const wanted: Wanted[] = []
  const places = new Map<Step, number>()
  const want = (draft: Draft, needs: readonly (Step | null)[]): number =>
    wanted.push({
      draft: datedLate(draft, restricted),
      needs: needs.flatMap((step) => (step === null ? [] : (places.get(step) ?? []))),
    }) - 1
  const first = new Map<string, Step>()
  for (const step of sound) {
    const draft = stepDraft(step, records, captures)
    const once = onceOf(step.fact)
    const told = once === null ? undefined : first.get(once)
    const place = told === undefined ? undefined : places.get(told)
    if (place !== undefined) {
      // Told twice in one batch under two keys: what becomes of the first becomes of both.
      places.set(step, place)
    } else if (draft !== null) {
      if (once !== null) {
        first.set(once, step)
      }
      places.set(step, want(draft, [step.needs]))
    }
  }
  const returns = returnsOf(records, sound, repeated).map((returned) => ({
    returned,
    place: want(returned.draft, returned.needs),
  }))
  const results = await postInOrder(trx, wanted)
  const resultAt = (place: number): PostResult =>
    results[place] ?? { status: 'refused', problem: new Problem('internal') }
  const done: Done = {
    refused: new Map(contradictions),
    posted: new Map(),
    captures,
    returns: returns.map(({ returned, place }) => ({ returned, result: resultAt(place) })),
  }
  for (const step of sound) {
    noteResult(done, step, places.has(step) ? resultAt(places.get(step) ?? 0) : null)
  }
  return done
}

function noteResult(done: Done, step: Step, result: PostResult | null): void {
  const problem =
    (step.needs === null ? undefined : done.refused.get(step.needs)) ??
    (result?.status === 'refused' ? result.problem : undefined)
  if (problem !== undefined) {
    done.refused.set(step, problem)
    return
  }
  const entryNo = result === null || result.status === 'refused' ? null : result.entryNo
  const capture = step.fact.kind === 'payment_captured' ? done.captures.get(step.fact) : undefined
  const captured =
    capture === undefined || entryNo === null
      ? null
      : {
          entryNo,
          donationId: capture.donation?.donation_id ?? null,
          bookedTo: capture.bookedTo,
        }
  done.posted.set(step, { entryNo, captured })
}

function stepDraft(
  { fact, needs }: Step,
  records: Records,
  captures: ReadonlyMap<PaymentCaptured, Capture>,
): Draft | null {
  if (fact.kind === 'payment_captured') {
    return captures.get(fact)?.draft ?? null
  }
  const capture = needs?.fact.kind === 'payment_captured' ? captures.get(needs.fact) : undefined
  const payment =
    'gatewayPaymentId' in fact ? records.payments.byKey.get(paymentKeyOf(fact)) : undefined
  return draftOf(records, fact, payment?.booked_to ?? capture?.bookedTo ?? null)
}

function paidBy(recorded: readonly Step[], records: Records, done: Done) {
  return recorded.flatMap((step) => {
    const { fact, trace = null } = step
    const donationId = done.posted.get(step)?.captured?.donationId ?? null
    const payment =
      fact.kind === 'payment_captured' ? records.payments.byKey.get(paymentKeyOf(fact)) : undefined
    return donationId === null || payment === undefined
      ? []
      : [{ donationId, paymentId: payment.payment_id, paidAt: fact.occurredAt, trace }]
  })
}

/** The fund of each donation that was paid. */
function fundsOf({ captures }: Done): Map<string, string> {
  return new Map(
    [...captures.values()].flatMap(({ donation }) =>
      donation === null ? [] : [[donation.donation_id, donation.fund]],
    ),
  )
}

/** What a gateway says it gave back is recorded, however much it is; but somebody has to see it. */
async function countAboveCapture(trx: Trx, recorded: readonly Step[]): Promise<void> {
  const refunds = recorded.flatMap(({ fact }): RefundFact[] =>
    fact.kind === 'refund_created' ? [fact] : [],
  )
  if (refunds.length > 0) {
    for (const { gateway, count } of await countOverRefunded(trx, refunds)) {
      refundsAboveCapture.inc({ gateway }, count)
    }
  }
}
