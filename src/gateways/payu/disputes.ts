/** PayU's disputes: only a signed webhook tells of them, because PayU cannot be asked. */
import { isIsoDate } from '../../base/clock.ts'
import type { Fact } from '../fact.ts'
import type { AccountTerms, GatewayEvent, StoredWebhook } from '../gateway.ts'
import { idOf, textOf } from '../text.ts'
import { plainStatus, type Fields } from './callback.ts'
import { amountOf, CURRENCY, malformed } from './values.ts'

type State = 'open' | 'lost' | 'won'

/** PayU's `cb_status`, without case and spaces (docs.payu.in, Webhooks for Disputes). */
const STATES: ReadonlyMap<string, State> = new Map<string, State>([
  ['new', 'open'],
  ['pendingresponse', 'open'],
  ['pendingdocreview', 'open'],
  ['submittedtobank', 'open'],
  ['insufficientdocument', 'open'],
  ['closedcustomerfavour', 'lost'],
  ['closedinmerchantfavour', 'won'],
  // PayU bears the loss.
  ['closedunderfraudliability', 'won'],
])

/** No charge comes with a dispute: PayU's fee for it stands in the settlement. */
const NO_CHARGE = { fee: 0n, tax: 0n }

/**
 * The facts in a dispute. An unsigned one, and one with a status that is not known here, books
 * nothing, and says so to whoever looks.
 */
export function readDispute(
  fields: Fields,
  webhook: StoredWebhook,
  account: string,
  terms: AccountTerms,
): GatewayEvent {
  const disputeId = idOf(fields.get('cb_id'))
  const paymentId = idOf(fields.get('txn_id'))
  if (disputeId === undefined || paymentId === undefined) {
    throw malformed('The cb_id or the txn_id of the dispute is missing or unusable.')
  }
  const status = textOf(fields.get('cb_status')) ?? 'nothing'
  const state = STATES.get(plainStatus(status))
  const type = `dispute.${state ?? 'unknown'}`
  if (webhook.signedBy === null) {
    const note =
      `Nobody vouches for this word on dispute ${disputeId} (${status}): look at it at PayU, ` +
      'and ask PayU to sign its dispute webhooks.'
    return { type, facts: [], note }
  }
  const base = {
    gateway: 'payu',
    account,
    gatewayDisputeId: disputeId,
    gatewayPaymentId: paymentId,
    amount: amountOf(fields.get('cb_amount')),
    currency: CURRENCY,
  } as const
  const key = `payu:${account}:cb:${disputeId}`
  const began = instantOf(fields.get('created_at')) ?? webhook.receivedAt
  const opened: Fact = {
    ...base,
    kind: 'dispute_opened',
    key: `${key}:opened`,
    occurredAt: began,
    phase: textOf(fields.get('cb_type')),
    reason: textOf(fields.get('reason_code')),
    respondBy: endOfDay(fields.get('due_date')),
  }
  if (state === undefined) {
    const note = `Dispute ${disputeId} is "${status}", which is not known here: nothing was booked.`
    return { type, facts: [opened], note }
  }
  const upfront = terms.disputesDebitedUpfront
  const debited: Fact[] = upfront
    ? [{ ...base, ...NO_CHARGE, kind: 'dispute_debited', key: `${key}:debited`, occurredAt: began }]
    : []
  const occurredAt = instantOf(fields.get('updated_at')) ?? webhook.receivedAt
  const facts = [opened, ...debited]
  switch (state) {
    case 'open':
      return { type, facts }
    case 'lost': {
      const from = upfront ? 'debited' : 'clearing'
      facts.push({ ...base, kind: 'dispute_lost', key: `${key}:lost`, occurredAt, from })
      return { type, facts }
    }
    case 'won': {
      const credited = { ...base, ...NO_CHARGE, key: `${key}:credited`, occurredAt } as const
      const back: Fact[] = upfront ? [{ ...credited, kind: 'dispute_credited' }] : []
      facts.push(...back, { ...base, kind: 'dispute_won', key: `${key}:won`, occurredAt })
      return { type, facts }
    }
    default:
      return state satisfies never
  }
}

/** A time with its zone, such as 2025-12-16T16:00:56.000+05:30. */
function instantOf(text: string | undefined): Date | undefined {
  const time = (text ?? '').trim()
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(time)) {
    return undefined
  }
  const instant = new Date(time)
  return Number.isNaN(instant.getTime()) || instant.getTime() <= 0 ? undefined : instant
}

/** The last second of a day in India. */
function endOfDay(text: string | undefined): Date | null {
  const day = (text ?? '').trim()
  return isIsoDate(day) ? new Date(`${day}T23:59:59+05:30`) : null
}
