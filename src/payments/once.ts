/** What is booked once, whichever report or webhook tells it, and under whichever key. */
import type { Fact } from '../gateways/fact.ts'
import { paymentKeyOf } from './payments.ts'
import type { Records } from './records.ts'
import { refundKeyOf } from './refunds.ts'
import { settlementKeyOf } from './settlements.ts'

/**
 * What is booked once however many facts tell it: a fee and a settlement have other keys in a
 * report than in a webhook. Null for what its own key keeps apart.
 */
export function onceOf(fact: Fact): string | null {
  switch (fact.kind) {
    case 'payment_fee':
      return `fee of payment ${paymentKeyOf(fact)}`
    case 'refund_fee':
      return `fee of refund ${refundKeyOf(fact)}`
    case 'settled':
      return `settled ${settlementKeyOf(fact)}`
    default:
      return null
  }
}

/** Whether another fact told it, and it was booked then. */
export function isBooked({ payments, refunds, settlements }: Records, fact: Fact): boolean {
  switch (fact.kind) {
    case 'payment_fee':
      return (payments.byKey.get(paymentKeyOf(fact))?.fee ?? null) !== null
    case 'refund_fee':
      return (refunds.byKey.get(refundKeyOf(fact))?.fee ?? null) !== null
    case 'settled':
      return (settlements.byKey.get(settlementKeyOf(fact))?.settled_entry ?? null) !== null
    default:
      return false
  }
}
