/** Picks facts out of what was read, typed by their kind. */
import { expect } from 'chai'
import type { Fact, FactKind } from '../../src/gateways/fact.ts'

/** The only fact of that kind; fails where there is none, or more than one. */
export function factOf<Kind extends FactKind>(
  event: { facts: readonly Fact[] },
  kind: Kind,
): Extract<Fact, { kind: Kind }> {
  const found = event.facts.filter(
    (fact): fact is Extract<Fact, { kind: Kind }> => fact.kind === kind,
  )
  const [first, ...others] = found
  return first === undefined || others.length > 0
    ? expect.fail(`${found.length} facts of kind ${kind} in ${kindsOf(event).join(', ')}`)
    : first
}

export function kindsOf(event: { facts: readonly Fact[] }): FactKind[] {
  return event.facts.map((fact) => fact.kind)
}

/** What each fact's key says behind the merchant account. */
export function keysOf(event: { facts: readonly Fact[] }): string[] {
  return event.facts.map((fact) => fact.key.split(':').slice(2).join(':'))
}
