/** SQL: what a record of ours was charged, as our books have it now. */

/** Of the record whose id the expression gives; $1 is the organisation. */
export function chargeNow(id: string): string {
  return `
    select fee, tax from payments where org_id = $1 and payment_id = ${id}
     union all
    select fee, tax from refunds where org_id = $1 and refund_id = ${id}
     union all
    select fee, tax from gateway_transfers where org_id = $1 and transfer_id = ${id}
     union all
    select null::bigint, null::bigint from disputes where org_id = $1 and dispute_id = ${id}`
}
