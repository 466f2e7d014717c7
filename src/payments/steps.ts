/** Puts facts into the order in which they can be recorded: what needs a capture comes after it. */
import { conflict, type ToldFact } from './facts.ts'
import { givenBy, needOf, type Need, type Parked } from './parked.ts'
import { paymentKeyOf } from './payments.ts'
import { agreedBy, saidBy, type Records } from './records.ts'
import type { Problem } from '../base/problem.ts'

/** A fact in its turn. */
export interface Step extends ToldFact {
  wasParked: boolean
  /** The event that hears what becomes of it: of a parked fact the one that let it go on. */
  heardBy: string
  /** The step of the same batch that has to be recorded for it; null where there is none. */
  needs: Step | null
}

export interface Sequence {
  steps: Step[]
  /** What needs something that nobody told of yet. */
  waiting: ToldFact[]
  /** Steps whose money is not what another step of the same thing said. */
  contradictions: Map<Step, Problem>
}

type Candidate = Omit<Step, 'needs'>

/**
 * Facts in the order told; one that was told, or parked, before what it needs comes right behind
 * that. `told` is the whole batch, `fresh` the facts of it that are new.
 */
export function inOrder(
  told: readonly ToldFact[],
  fresh: readonly ToldFact[],
  parked: Parked,
  records: Records,
): Sequence {
  const steps: Step[] = []
  const given = new Map<string, Step>()
  const held = new Map<string, Candidate[]>()
  const place = (candidate: Candidate): void => {
    const need = needOf(candidate.fact)
    const needs = need === null ? null : (given.get(need.key) ?? null)
    if (need !== null && needs === null && !isThere(records, need, candidate)) {
      held.set(need.key, [...(held.get(need.key) ?? []), candidate])
      return
    }
    const step: Step = { ...candidate, needs }
    steps.push(step)
    const gives = givenBy(step.fact)
    if (gives !== null && !given.has(gives.key)) {
      given.set(gives.key, step)
      const released = held.get(gives.key) ?? []
      held.delete(gives.key)
      for (const one of released) {
        place(one.wasParked ? { ...one, heardBy: step.heardBy } : one)
      }
    }
  }
  const listeners = listenersOf(told)
  for (const one of parked.byKey.values()) {
    const heardBy = [needOf(one.fact)?.key ?? '', one.fact.key]
      .map((key) => listeners.get(key))
      .find((eventId) => eventId !== undefined)
    place({ ...one, wasParked: true, heardBy: heardBy ?? one.eventId })
  }
  for (const one of fresh) {
    place({ ...one, wasParked: false, heardBy: one.eventId })
  }
  const waiting = [...held.values()].flat().filter(({ wasParked }) => !wasParked)
  return { steps, waiting, contradictions: contradictionsIn(steps, records) }
}

/** Whether what it needs was recorded before this batch. */
function isThere(records: Records, need: Need, { fact }: ToldFact): boolean {
  if (need.of === 'payment' && 'gatewayPaymentId' in fact) {
    return records.payments.byKey.get(paymentKeyOf(fact))?.state === 'captured'
  }
  const key = need.key.slice(need.of.length + 1)
  return need.of === 'refund' && records.refunds.byKey.has(key)
}

/** Which event tells what: by what a fact gives, and by the fact itself. */
function listenersOf(told: readonly ToldFact[]): Map<string, string> {
  return new Map(
    told.flatMap(({ eventId, fact }) =>
      [givenBy(fact)?.key, fact.key].flatMap((key): [string, string][] =>
        key === undefined ? [] : [[key, eventId]],
      ),
    ),
  )
}

/** Refunds, settlements and payouts have one amount, whichever of their facts says it first. */
function contradictionsIn(steps: readonly Step[], records: Records): Map<Step, Problem> {
  const said = new Map<string, string>()
  const found = new Map<Step, Problem>()
  for (const step of steps) {
    const agreed = agreedBy(records, step.fact)
    if (agreed === null) {
      continue
    }
    const says = saidBy(step.fact)
    const before = said.get(agreed.key) ?? agreed.said ?? says
    said.set(agreed.key, before)
    if (before !== says) {
      found.set(step, conflict(step.fact))
    }
  }
  return found
}
