/** Disturbances that Razorpay tells of: banks, networks and apps that payments fail through. */
import type { Downtime } from '../fact.ts'
import { objectAt, type JsonObject } from '../json.ts'
import {
  entityOf,
  idAt,
  instantOf,
  instantOrNull,
  wordAt,
  type Envelope,
  type Reading,
} from './entity.ts'

/** What a disturbance may be limited to, as the instruments of the documentation name it. */
const INSTRUMENTS = [
  'bank',
  'issuer',
  'network',
  'psp',
  'vpa_handle',
  'wallet',
  'card_type',
  'flow',
] as const

/** Of payments where `of` is `payment`, else of payouts, whose events lack most of the envelope. */
export function readDowntime(
  envelope: Envelope,
  of: 'payment' | 'payout',
  state: Downtime['state'],
): Reading {
  const { account, payload, receivedAt } = envelope
  const downtime = entityOf(payload, `${of}.downtime`)
  const id = idAt(downtime, 'id', 'downtime')
  const received = Math.floor(receivedAt.getTime() / 1000)
  const occurredAt = instantOf(
    envelope.createdAt,
    downtime['updated_at'],
    downtime['created_at'],
    downtime['begin'],
    received,
  )
  const step = state === 'updated' ? `updated:${occurredAt.getTime() / 1000}` : state
  const method = methodOf(downtime)
  return {
    facts: [
      {
        kind: 'downtime',
        key: `rzp:${account}:down:${id}:${step}`,
        gateway: 'razorpay',
        account,
        occurredAt,
        downtimeId: id,
        method: of === 'payment' ? method : `payout ${method}`,
        instrument: instrumentOf(downtime),
        severity: wordAt(downtime, 'severity'),
        state,
        beganAt: instantOrNull(downtime['begin']) ?? occurredAt,
        endedAt: instantOrNull(downtime['end']),
      },
    ],
  }
}

/** One way to pay, or for payouts a list of them. */
function methodOf(downtime: JsonObject): string {
  const { method } = downtime
  const methods = Array.isArray(method) ? method.filter((one) => typeof one === 'string') : []
  return wordAt(downtime, 'method') ?? (methods.slice(0, 10).join(', ') || 'unknown')
}

function instrumentOf(downtime: JsonObject): string | null {
  const instrument = objectAt(downtime, 'instrument')
  const words = INSTRUMENTS.map((name) => wordAt(instrument, name)).filter((word) => word !== null)
  return words.length === 0 ? null : words.join(' ')
}
