/** One event from its receipt to its receipt for the donor: what was done with it, step by step. */
import { sha256, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { bodyOf } from './bodies.ts'
import { findEvent, type EventState, type InboxEvent } from './events.ts'
import { readEvent, STORED_EVENT, type StoredEvent } from './stored-event.ts'
import type { HowTold } from './told.ts'

export const STEPS = [
  'received',
  'stored',
  'delivered_again',
  'confirmed',
  'failed',
  'held',
  'fact_recorded',
  'fact_parked',
  'replayed',
  'processed',
  'ignored',
  'dismissed',
] as const

export interface Step {
  at: Date
  what: (typeof STEPS)[number]
  /** In words: why it failed, which fact, what it was before. */
  detail: string | null
  /** Who did it, where somebody did. */
  by: string | null
}

/** A fact that the event tells, read anew from its bytes. */
export interface ToldFact {
  key: string
  kind: string
  state: 'recorded' | 'parked' | 'not_recorded'
  /** The event that told it first. */
  recordedBy: string | null
  recordedAt: Date | null
  entryNo: bigint | null
}

export interface Timeline {
  event: InboxEvent
  /** The secret that signed it; null for a hint. */
  signedBy: { secretId: string; label: string } | null
  bodyBytes: number
  bodySha256: Buffer
  steps: Step[]
  facts: ToldFact[]
  entries: bigint[]
  payments: string[]
  receipts: { receiptId: string; number: string }[]
}

/** Repetitions, attempts and replays that are shown, the newest of each. */
const SHOWN_MAX = 100

interface Own extends StoredEvent {
  stored_at: Date | null
  confirmed_at: Date | null
  label: string | null
}

/** Throws `not_found`. */
export async function timelineOf(trx: Trx, keyring: Keyring, eventId: string): Promise<Timeline> {
  const event = await findEvent(trx, eventId)
  const [own] = await trx.query<Own>(
    `select ${STORED_EVENT}, e.stored_at, e.confirmed_at, s.label
       from inbox_events e
       left join webhook_secrets s on s.org_id = e.org_id and s.secret_id = e.secret_id
      where e.org_id = $1 and e.event_id = $2`,
    [trx.scope, eventId],
  )
  if (own === undefined) {
    throw new Problem('not_found', { detail: 'There is no such event.' })
  }
  const body = bodyOf(keyring, trx.scope, own)
  const told = toldBy(own, body)
  const facts = await factsOf(trx, told)
  const steps = [
    ...ownSteps(event, own),
    ...(await stepsOf(trx, event)),
    ...factSteps(event, facts),
  ]
  const payments = await paymentsOf(trx, own, told)
  return {
    event,
    signedBy:
      own.secret_id === null ? null : { secretId: own.secret_id, label: own.label ?? 'removed' },
    bodyBytes: body.length,
    bodySha256: sha256(body),
    steps: steps.sort((one, other) => +one.at - +other.at || orderOf(one) - orderOf(other)),
    facts: facts.map(({ fact }) => fact),
    entries: await entriesOf(trx, facts),
    payments: payments.map((row) => row.payment_id),
    receipts: payments.flatMap(({ receipt_id: receiptId, number }) =>
      receiptId === null || number === null ? [] : [{ receiptId, number }],
    ),
  }
}

/** Of the same moment, in the order in which they happen. */
function orderOf(step: Step): number {
  return STEPS.indexOf(step.what)
}

interface Told {
  key: string
  kind: string
  gatewayPaymentId: string | null
}

/** What the event tells as it is read today; nothing where it cannot be read. */
function toldBy(own: StoredEvent, body: Buffer): Told[] {
  try {
    return readEvent(own, body).facts.map((fact) => ({
      key: fact.key,
      kind: fact.kind,
      gatewayPaymentId: 'gatewayPaymentId' in fact ? fact.gatewayPaymentId : null,
    }))
  } catch (error) {
    if (error instanceof Problem) {
      return []
    }
    throw error
  }
}

/** How we heard of what no webhook told. */
const HEARD: Readonly<Record<HowTold, string>> = {
  asked: 'told by the gateway when it was asked about it',
  polled: 'found in the gateway’s own list',
}

function ownSteps(event: InboxEvent, own: Own): Step[] {
  const step = (at: Date | null, what: Step['what'], detail: string | null, by: string | null) =>
    at === null ? [] : [{ at, what, detail, by }]
  const label = own.label ?? '?'
  const signed = own.secret_id === null ? 'not signed: a hint' : `signed with “${label}”`
  const heard = event.told === null ? signed : HEARD[event.told]
  const end = endOf(event.state)
  return [
    ...step(event.received_at, 'received', heard, null),
    ...step(own.stored_at, 'stored', `in the lane ${event.lane}`, null),
    ...step(own.confirmed_at, 'confirmed', `by ${event.gateway}`, null),
    ...step(event.held_at, 'held', 'until its pause ends', null),
    ...(end === null ? [] : step(event.processed_at, end, event.note, null)),
    ...step(event.dismissed_at, 'dismissed', event.dismissed_because, event.dismissed_by),
  ]
}

function endOf(state: EventState): 'processed' | 'ignored' | null {
  return state === 'processed' || state === 'ignored' ? state : null
}

/** What stands in rows of its own: repetitions, failed attempts, replays. */
async function stepsOf(trx: Trx, event: InboxEvent): Promise<Step[]> {
  return await trx.query<Step>(
    `(select d.received_at as at, 'delivered_again' as what, null::text as detail, null::text as by
        from inbox_events e
        join inbox_duplicates d on d.org_id = e.org_id and d.endpoint_id = e.endpoint_id
         and d.dedupe_key = e.dedupe_key
       where e.org_id = $1 and e.event_id = $2
       order by d.received_at desc limit ${SHOWN_MAX})
      union all
     (select a.tried_at, 'failed', format('attempt %s: %s', a.attempt, a.error), null
        from inbox_attempts a
       where a.org_id = $1 and a.event_id = $2
       order by a.attempt desc limit ${SHOWN_MAX})
      union all
     (select r.replayed_at, 'replayed', format('was %s; %s', r.state_before, p.reason), p.asked_by
        from inbox_replayed r join inbox_replays p using (org_id, replay_id)
       where r.org_id = $1 and r.event_id = $2
       order by r.replay_id desc limit ${SHOWN_MAX})
      union all
     (select r.processed_before, r.state_before, null, null
        from inbox_replayed r
       where r.org_id = $1 and r.event_id = $2 and r.processed_before is not null
         and r.state_before in ('processed', 'ignored')
       order by r.replay_id desc limit ${SHOWN_MAX})`,
    [trx.scope, event.event_id],
  )
}

interface FoundFact {
  fact: ToldFact
  parkedAt: Date | null
  parkedBy: string | null
  /** An entry that two facts make together hangs on the key of both. */
  returnedKey: string
}

async function factsOf(trx: Trx, told: readonly Told[]): Promise<FoundFact[]> {
  const rows = await trx.query<{
    key: string
    event_id: string | null
    recorded_at: Date | null
    parked_at: Date | null
    parked_by: string | null
    entry_no: bigint | null
  }>(
    `select n.key, f.event_id, f.recorded_at, p.parked_at, p.event_id as parked_by, j.entry_no
       from unnest($2::text[]) with ordinality as n (key, place)
       left join lateral (
         select * from facts f where f.org_id = $1 and f.fact_key = n.key limit 1) f on true
       left join lateral (
         select * from parked_facts p where p.org_id = $1 and p.fact_key = n.key limit 1) p on true
       left join lateral (
         select j.entry_no from journal_entries j
          where j.idempotency_key = n.key and j.org_id = $1 limit 1) j on true
      order by n.place`,
    [trx.scope, told.map(({ key }) => key)],
  )
  return rows.map((row, place) => ({
    fact: {
      key: row.key,
      kind: told[place]?.kind ?? '',
      state:
        row.event_id !== null ? 'recorded' : row.parked_at !== null ? 'parked' : 'not_recorded',
      recordedBy: row.event_id,
      recordedAt: row.recorded_at,
      entryNo: row.entry_no,
    },
    parkedAt: row.parked_at,
    parkedBy: row.parked_by,
    returnedKey: row.key.replace(/:[^:]*$/, ':returned'),
  }))
}

/** The facts that this event was the first to tell. */
function factSteps(event: InboxEvent, facts: readonly FoundFact[]): Step[] {
  return facts.flatMap(({ fact, parkedAt, parkedBy }): Step[] => [
    ...(fact.recordedAt !== null && fact.recordedBy === event.event_id
      ? [{ at: fact.recordedAt, what: 'fact_recorded' as const, detail: fact.key, by: null }]
      : []),
    ...(parkedAt !== null && parkedBy === event.event_id
      ? [{ at: parkedAt, what: 'fact_parked' as const, detail: fact.key, by: null }]
      : []),
  ])
}

/** The journal entries of the facts, and those that two facts make together. */
async function entriesOf(trx: Trx, facts: readonly FoundFact[]): Promise<bigint[]> {
  const refunds = facts.filter(({ fact }) => fact.kind.startsWith('refund_'))
  const returned = await trx.query<{ entry_no: bigint }>(
    `select entry_no from journal_entries
      where org_id = $1 and idempotency_key = any($2::text[]) order by entry_no limit 10`,
    [trx.scope, [...new Set(refunds.map(({ returnedKey }) => returnedKey))]],
  )
  const own = facts.flatMap(({ fact }) => (fact.entryNo === null ? [] : [fact.entryNo]))
  return [...new Set([...own, ...returned.map((row) => row.entry_no)])]
}

async function paymentsOf(
  trx: Trx,
  own: StoredEvent,
  told: readonly Told[],
): Promise<{ payment_id: string; receipt_id: string | null; number: string | null }[]> {
  const ids = told.flatMap(({ gatewayPaymentId: id }) => (id === null ? [] : [id]))
  return await trx.query(
    `select p.payment_id, r.receipt_id, r.number
       from payments p
       left join receipts r on r.org_id = p.org_id and r.donation_id = p.donation_id
        and r.payment_id = p.payment_id
      where p.org_id = $1 and p.gateway = $2 and p.account = $3
        and p.gateway_payment_id = any($4::text[])
      order by p.payment_id limit 100`,
    [trx.scope, own.gateway, own.account, [...new Set(ids)]],
  )
}
