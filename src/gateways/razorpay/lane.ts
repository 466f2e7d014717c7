/** Which of Razorpay's events go first, told by their names. */

/** The name stands at the beginning of the body. */
const WITHIN = 300
const NAME = /"event":\s*"([^"]{1,100})"/

const MONEY = /^(?:payment|refund|settlement|transfer|payout|transaction)\./
const MONEY_TOO: ReadonlySet<string> = new Set([
  'order.paid',
  'invoice.paid',
  'invoice.partially_paid',
  'payment_link.paid',
  'payment_link.partially_paid',
  'subscription.charged',
  'qr_code.credited',
  'virtual_account.credited',
])
const DOWNTIME = /^(?:payment|payout)\.downtime/

export function isMoney(body: Buffer): boolean {
  const name = NAME.exec(body.toString('latin1', 0, WITHIN))?.[1]
  return name === undefined || (!DOWNTIME.test(name) && (MONEY.test(name) || MONEY_TOO.has(name)))
}
