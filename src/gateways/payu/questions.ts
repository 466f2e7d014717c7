/** What PayU can be asked to confirm, as the text by which its answer is found again. */

export type Question = { about: 'order'; orderRef: string } | { about: 'refund'; refundId: string }

/** Asks what became of an order (verify_payment). */
export function aboutOrder(orderRef: string): string {
  return `order:${orderRef}`
}

/** Asks what became of a refund (check_action_status). */
export function aboutRefund(refundId: string): string {
  return `refund:${refundId}`
}

/** The question in such a text; undefined where it is none. */
export function questionIn(ref: string): Question | undefined {
  const [, about, id = ''] = /^(order|refund):([^|]+)$/s.exec(ref) ?? []
  switch (about) {
    case 'order':
      return { about, orderRef: id }
    case 'refund':
      return { about, refundId: id }
    default:
      return undefined
  }
}
