/** What a line of a settlement tells our books, as the facts that its gateway would have told. */
import { Problem } from '../../base/problem.ts'
import type { Fact, GatewayName } from '../../gateways/fact.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { idOf } from '../../gateways/text.ts'
import type { SubjectLine } from './subject.ts'

type Step = 'captured' | 'fee' | 'created' | 'processed' | 'refund_fee' | 'settled'

/**
 * The natural keys under which a webhook, or a list, tells the same: so that it tells nothing new
 * when it comes after all. Null where the line has not what the key is made of.
 */
const KEYS: Readonly<Record<GatewayName, Readonly<Record<Step, Key | null>>>> = {
  razorpay: {
    captured: (account, id) => `rzp:${account}:pay:${id}:captured`,
    fee: (account, id) => `rzp:${account}:pay:${id}:fee`,
    created: (account, id) => `rzp:${account}:rfnd:${id}:created`,
    processed: (account, id) => `rzp:${account}:rfnd:${id}:processed`,
    refund_fee: (account, id) => `rzp:${account}:rfnd:${id}:fee`,
    settled: (account, id) => `rzp:${account}:setl:${id}:processed`,
  },
  payu: {
    captured: (account, id) => `payu:${account}:${id}:captured`,
    // PayU's own list has the request's id in it, which lines of payments do not keep: it is the
    // key that a run takes, and a payment's fee is booked once under whichever (payments/once.ts).
    fee: (account, id) => `line:payu:${account}:${id}:fee`,
    created: (account, id) => `payu:${account}:refund:${id}:created`,
    processed: (account, id) => `payu:${account}:refund:${id}:success`,
    refund_fee: (account, id) => `payu:${account}:setlrow:${id}:refund`,
    settled: (account, id) => `payu:${account}:setl:${id}`,
  },
  stripe: {
    // A line names the intent, a charge also our own order: recorded from the line, a gift would
    // be money that nobody asked for.
    captured: null,
    fee: (account, id) => `stripe:${account}:ch:${id}:fee`,
    created: (account, id) => `stripe:${account}:re:${id}:created`,
    processed: (account, id) => `stripe:${account}:re:${id}:processed`,
    refund_fee: (account, id) => `stripe:${account}:re:${id}:fee`,
    settled: (account, id) => `stripe:${account}:po:${id}:paid`,
  },
}

type Key = (account: string, id: string) => string

/** Nobody's name is in a report. */
const NOBODY = { name: null, email: null, phone: null }

/** Facts of a line of a payment or a refund. Throws `resolution_unfit` (moved: no). */
export function factsOfLine(line: SubjectLine): Fact[] {
  const { gateway, keys } = gatewayOf(line.gateway)
  const { account, amount, currency } = line
  const occurredAt = noonOf(line.occurred_on ?? line.settled_on)
  const id = keyId(line.external_id)
  const base = { gateway, account, occurredAt, currency } as const
  switch (line.kind) {
    case 'payment': {
      if (keys.captured === null) {
        throw unfit(
          `Lines of ${gateway} do not say which order of ours was paid. Let its list of payments ` +
            `be compared (POST /v1/gateway-polls/${gateway}/run).`,
        )
      }
      const captured: Fact = {
        ...base,
        kind: 'payment_captured',
        key: keys.captured(account, id),
        gatewayPaymentId: id,
        orderRef: line.order_ref,
        amount,
        method: null,
        payer: NOBODY,
        bankReference: null,
        subscriptionRef: null,
      }
      return [captured, ...feeOfPayment(line, keys.fee, { ...base, id })]
    }
    case 'refund':
      return factsOfRefund(line, keys, { ...base, id })
    default:
      throw unfit(
        `What a line of kind ${line.kind} tells is recorded from the gateway’s own events only: ` +
          'wait for them, let its list be compared, or adjust.',
      )
  }
}

interface Base {
  gateway: GatewayName
  account: string
  occurredAt: Date
  currency: string
  id: string
}

function factsOfRefund(
  { payment_ref: paymentRef, amount, fee, tax }: SubjectLine,
  keys: (typeof KEYS)[GatewayName],
  { id, ...base }: Base,
): Fact[] {
  const refund = { ...base, gatewayRefundId: id, gatewayPaymentId: keyId(paymentRef), amount }
  const { created, processed, refund_fee: feeKey } = keys
  const { account } = base
  if (created === null || processed === null) {
    throw unfit(`Refunds of ${base.gateway} are not recorded from lines.`)
  }
  return [
    { ...refund, kind: 'refund_created', key: created(account, id), reference: null },
    { ...refund, kind: 'refund_processed', key: processed(account, id), bankReference: null },
    ...(feeKey === null || fee === null || fee <= 0n
      ? []
      : [
          {
            ...base,
            kind: 'refund_fee',
            key: feeKey(account, id),
            gatewayRefundId: id,
            ...chargeOf(fee, tax),
          } as const,
        ]),
  ]
}

/** The fee of a payment that our books know. Throws `resolution_unfit`. */
export function feeOfLine(line: SubjectLine): Fact[] {
  const { gateway, keys } = gatewayOf(line.gateway)
  const id = keyId(line.external_id)
  const occurredAt = noonOf(line.occurred_on ?? line.settled_on)
  const base = { gateway, account: line.account, occurredAt, currency: line.currency, id }
  const facts = line.kind === 'payment' ? feeOfPayment(line, keys.fee, base) : []
  if (facts.length === 0) {
    throw unfit('The line tells no fee that can be recorded: wait for the gateway’s, or adjust.')
  }
  return facts
}

function feeOfPayment(line: SubjectLine, key: Key | null, { id, ...base }: Base): Fact[] {
  const { fee, tax } = line
  // What Indian gateways take of a payment in another currency they tell in rupees, elsewhere.
  const isElsewhere = base.gateway !== 'stripe' && base.currency !== 'INR'
  return key === null || fee === null || fee < 0n || isElsewhere
    ? []
    : [
        {
          ...base,
          kind: 'payment_fee',
          key: key(line.account, id),
          gatewayPaymentId: id,
          ...chargeOf(fee, tax),
        },
      ]
}

/** A settlement as its lines tell it. Minor units. Throws `resolution_unfit`. */
export function settledByLines(told: {
  gateway: string
  account: string
  ref: string
  amount: bigint
  currency: string
  utr: string | null
  settledOn: string | null
}): Fact {
  const { gateway, keys } = gatewayOf(told.gateway)
  const id = keyId(told.ref)
  if (keys.settled === null || told.amount <= 0n) {
    throw unfit(`The lines come to ${told.amount}: nothing was sent that could be recorded.`)
  }
  return {
    kind: 'settled',
    key: keys.settled(told.account, id),
    gateway,
    account: told.account,
    occurredAt: noonOf(told.settledOn),
    gatewaySettlementId: id,
    amount: told.amount,
    currency: told.currency,
    utr: told.utr,
  }
}

function gatewayOf(name: string): { gateway: GatewayName; keys: (typeof KEYS)[GatewayName] } {
  const gateway = GATEWAY_NAMES.find((one) => one === name)
  if (gateway === undefined) {
    throw unfit(`${name} is no gateway that is known here.`)
  }
  return { gateway, keys: KEYS[gateway] }
}

function keyId(id: string | null): string {
  const usable = idOf(id)
  if (usable === undefined) {
    throw unfit('The line names nothing by an id that a gateway gives: adjust instead.')
  }
  return usable
}

/** Lines say a day in India; the hour matters to nobody. */
function noonOf(day: string | null): Date {
  if (day === null) {
    throw unfit('The line says no day: adjust instead.')
  }
  return new Date(`${day}T12:00:00+05:30`)
}

function chargeOf(fee: bigint, tax: bigint | null): { fee: bigint; tax: bigint } {
  const inIt = tax ?? 0n
  if (inIt < 0n || inIt > fee) {
    throw unfit(`The tax ${inIt} is not in the fee ${fee} that should contain it: adjust instead.`)
  }
  return { fee, tax: inIt }
}

export function unfit(detail: string): Problem {
  return new Problem('resolution_unfit', { detail, moved: 'no' })
}
