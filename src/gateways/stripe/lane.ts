/** Which of Stripe's events go first, told by their types. */

/** The type of the event itself stands at the end of the body, behind those of what it holds. */
const WITHIN = 300
const TYPE = /"type":\s*"([^"]{1,100})"(?![\s\S]*"type":)/

const MONEY =
  /^(?:charge|refund|dispute|payment_intent|checkout\.session|payout|transfer|topup|balance)\./
const MONEY_TOO = /^invoice\.pa/
const NO_MONEY: ReadonlySet<string> = new Set([
  'payment_intent.created',
  'checkout.session.expired',
])

export function isMoney(body: Buffer): boolean {
  const type = TYPE.exec(body.toString('latin1', Math.max(body.length - WITHIN, 0)))?.[1]
  return type === undefined || (!NO_MONEY.has(type) && (MONEY.test(type) || MONEY_TOO.test(type)))
}
