/** A stored event as processing takes it in hand, and what reading it gives. */
import { Problem } from '../base/problem.ts'
import type { TraceContext } from '../base/tracing.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { Confirmation, GatewayEvent } from '../gateways/gateway.ts'
import { gateways } from '../gateways/registry.ts'
import type { KeptBody } from './bodies.ts'

/** Who goes first: money goes before everything else. */
export const LANES = ['money', 'other'] as const

export type Lane = (typeof LANES)[number]

/** The lane of an event that comes in. */
export function laneOf(gateway: GatewayName, body: Buffer): Lane {
  return (gateways[gateway].isMoney?.(body) ?? true) ? 'money' : 'other'
}

/** A row of the inbox as processing reads it. */
export interface StoredEvent extends KeptBody {
  gateway: GatewayName
  account: string
  content_type: string
  attempts: number
  attempts_forgiven: number
  confirmation: Confirmation | null
  received_at: Date
  /** Which secret signed it; null for a hint. */
  secret_id: string | null
  /** A term of the account: contested money is taken when the dispute begins. */
  disputes_debited_upfront: boolean
  trace_context: TraceContext | null
}

/** The columns of a `StoredEvent`, of `inbox_events e`. */
export const STORED_EVENT = `e.event_id, e.gateway, e.account, e.content_type, e.body,
  e.body_sealed, e.attempts, e.attempts_forgiven, e.confirmation, e.received_at, e.trace_context,
  e.secret_id,
  coalesce((select a.disputes_debited_upfront from gateway_accounts a
             where a.org_id = e.org_id and a.gateway = e.gateway), false)
    as disputes_debited_upfront`

/** A time before this, or this long after the event came in, is a fault and no booking date. */
const EARLIEST = new Date('2015-01-01T00:00:00+05:30')
const AHEAD_MS_MAX = 24 * 60 * 60 * 1000
/** Ten thousand crore rupees: above, it is a fault, and sums would leave what JSON can say. */
const AMOUNT_MAX = 10_000_000_000_000n

/** As much of an event as its reading depends on. */
export type ReadableEvent = Pick<
  StoredEvent,
  | 'gateway'
  | 'account'
  | 'content_type'
  | 'confirmation'
  | 'received_at'
  | 'secret_id'
  | 'disputes_debited_upfront'
>

/** Throws `malformed_event` where it cannot be understood, or tells what cannot be booked. */
export function readEvent(event: ReadableEvent, body: Buffer): GatewayEvent {
  const result = gateways[event.gateway].read(
    {
      body,
      contentType: event.content_type,
      receivedAt: event.received_at,
      signedBy: event.secret_id,
    },
    event.account,
    event.confirmation,
    { disputesDebitedUpfront: event.disputes_debited_upfront },
  )
  for (const fact of result.facts) {
    const { key, occurredAt } = fact
    for (const amount of ['amount' in fact ? fact.amount : 0n, 'fee' in fact ? fact.fee : 0n]) {
      if (amount > AMOUNT_MAX) {
        throw new Problem('malformed_event', { detail: `${key} is about ${amount} minor units.` })
      }
    }
    const ahead = occurredAt.getTime() - event.received_at.getTime()
    if (occurredAt < EARLIEST || ahead > AHEAD_MS_MAX) {
      throw new Problem('malformed_event', {
        detail: `${key} is dated ${occurredAt.toISOString()}, which cannot be booked.`,
      })
    }
  }
  return result
}

/**
 * Bytes that cannot be read and facts that contradict each other do not get better by waiting;
 * what the gateway confirmed otherwise may, so it is asked again.
 */
export function isFinal(event: StoredEvent, problem: Problem): boolean {
  return (
    problem.code === 'idempotency_conflict' ||
    (problem.code === 'malformed_event' && event.confirmation === null)
  )
}
