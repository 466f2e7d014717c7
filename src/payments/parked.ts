/** Facts that need a capture or a refund which nobody told of yet: kept until somebody does. */
import type { Trx } from '../base/db.ts'
import type { Fact, FeeFact, RefundFact } from '../gateways/fact.ts'
import { contentOf, type ToldFact } from './facts.ts'
import { jsonOf, keyAt } from './rows.ts'

/** What a fact needs before it can be recorded, by the gateway's id. */
export interface Need {
  of: 'payment' | 'refund'
  id: string
  /** Tells it from other needs in hand. */
  key: string
}

type Waiting = FeeFact | Exclude<RefundFact, { kind: 'refund_voided' }>

export interface ParkedFact extends ToldFact {
  fact: Waiting
}

/** What the fact needs; null where it stands alone. */
export function needOf(fact: Fact): Need | null {
  switch (fact.kind) {
    case 'payment_fee':
    case 'refund_created':
    case 'refund_processed':
    case 'refund_failed':
      return needFor('payment', fact, fact.gatewayPaymentId)
    case 'refund_fee':
      return needFor('refund', fact, fact.gatewayRefundId)
    default:
      return null
  }
}

/** What the fact gives to those that need it; null where it gives nothing. */
export function givenBy(fact: Fact): Need | null {
  switch (fact.kind) {
    case 'payment_captured':
      return needFor('payment', fact, fact.gatewayPaymentId)
    case 'refund_created':
    case 'refund_processed':
    case 'refund_failed':
    case 'refund_voided':
      return needFor('refund', fact, fact.gatewayRefundId)
    default:
      return null
  }
}

function needFor(of: Need['of'], at: { gateway: string; account: string }, id: string): Need {
  return { of, id, key: `${of} ${keyAt(at, id)}` }
}

export interface Parked {
  /** By key: what waits for something that these facts give, or was told again by one of them. */
  byKey: ReadonlyMap<string, ParkedFact>
  changed: Set<ParkedFact>
}

interface Row {
  event_id: string
  content: Record<string, unknown>
}

/**
 * What waits for what these facts give, and what waits for that in turn, the oldest first; and what
 * they tell again. A repeated capture counts too, so that what was refused once is tried again.
 */
export async function loadParked(trx: Trx, facts: readonly Fact[]): Promise<Parked> {
  const gives = facts.map(givenBy).filter((need) => need !== null)
  const again = facts.filter((fact) => needOf(fact) !== null).map((fact) => fact.key)
  const found = await waitingFor(trx, gives, again)
  const refunds = found.map(({ fact }) => givenBy(fact)).filter((need) => need !== null)
  const more = await waitingFor(trx, refunds, [])
  return {
    byKey: new Map([...found, ...more].map((one) => [one.fact.key, one])),
    changed: new Set(),
  }
}

async function waitingFor(
  trx: Trx,
  needs: readonly Need[],
  keys: readonly string[],
): Promise<ParkedFact[]> {
  if (needs.length === 0 && keys.length === 0) {
    return []
  }
  const rows = await trx.query<Row>(
    // `offset` keeps it id by id: a plan made while few waited would go through all for each.
    `select p.event_id, p.content
       from unnest($2::text[]) as n (id)
      cross join lateral (
        select event_id, content
          from parked_facts where needs_id = n.id and org_id = $1 offset 0
      ) p
      union
     select p.event_id, p.content
       from unnest($3::text[]) as k (key)
      cross join lateral (
        select event_id, content from parked_facts
         where org_id = $1 and fact_key = k.key limit 1
      ) p`,
    [trx.scope, [...new Set(needs.map(({ id }) => id))], [...new Set(keys)]],
  )
  const wanted = new Set(needs.map(({ key }) => key))
  const told = new Set(keys)
  return rows
    .map(({ event_id: eventId, content }) => ({ eventId, fact: factOf(content) }))
    .filter(({ fact }) => told.has(fact.key) || wanted.has(needOf(fact)?.key ?? ''))
    .sort((one, other) => compare(orderOf(one.fact), orderOf(other.fact)))
}

function compare(one: string, other: string): number {
  if (one === other) {
    return 0
  }
  return one < other ? -1 : 1
}

/** By time at the gateway, then by key. */
function orderOf({ occurredAt, key }: Waiting): string {
  return `${occurredAt.toISOString()} ${key}`
}

/** The fact as it was parked: what JSON does not have is made of its text again. */
function factOf(content: Record<string, unknown>): Waiting {
  const fact: Record<string, unknown> = { ...content }
  for (const name of ['amount', 'fee', 'tax']) {
    const value = fact[name]
    if (typeof value === 'string') {
      fact[name] = BigInt(value)
    }
  }
  fact['occurredAt'] = new Date(String(content['occurredAt']))
  return fact as unknown as Waiting
}

/** Takes from a repeated fact what its parked telling did not know: a bank's reference. */
export function fillInParked(parked: Parked, fact: Fact): void {
  const waiting = parked.byKey.get(fact.key)
  if (waiting === undefined) {
    return
  }
  const filled = filledBy(waiting.fact, fact)
  if (jsonOf(filled) !== jsonOf(waiting.fact)) {
    waiting.fact = filled
    parked.changed.add(waiting)
  }
}

/** A fact with what its first telling left open and another telling of it says. */
export function filledBy<One extends Fact>(first: One, again: Fact): One {
  const known = Object.entries(first).filter(([, value]) => value !== null)
  return { ...again, ...Object.fromEntries(known) } as One
}

/** Lets facts wait, and lets go of those that were recorded. */
export async function saveParked(
  trx: Trx,
  waiting: readonly ToldFact[],
  released: readonly ToldFact[],
): Promise<void> {
  const rows = waiting.flatMap(({ eventId, fact }) => {
    const need = needOf(fact)
    return need === null ? [] : [{ eventId, fact, need }]
  })
  if (rows.length > 0) {
    await trx.query(
      `insert into parked_facts as p (org_id, fact_key, event_id, kind, gateway, account, needs,
         needs_id, content)
       select $1, n.* from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
         $7::text[], $8::text[], $9::jsonb[]) as n
       on conflict (org_id, fact_key) do update set content = excluded.content`,
      [
        trx.scope,
        rows.map(({ fact }) => fact.key),
        rows.map(({ eventId }) => eventId),
        rows.map(({ fact }) => fact.kind),
        rows.map(({ fact }) => fact.gateway),
        rows.map(({ fact }) => fact.account),
        rows.map(({ need }) => need.of),
        rows.map(({ need }) => need.id),
        rows.map(({ fact }) => contentOf(fact)),
      ],
    )
  }
  if (released.length > 0) {
    await trx.query('delete from parked_facts where org_id = $1 and fact_key = any($2::text[])', [
      trx.scope,
      released.map(({ fact }) => fact.key),
    ])
  }
}
