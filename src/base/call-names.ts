/** Which members of requests and answers may be written down: those that tell of nobody. */

const words = (text: string) => new Set(text.trim().split(/\s+/))

/**
 * Members whose values are shown where they look like an id, a code, an amount or a time. What is
 * not named here is left out: a new member of a gateway's answer is private until somebody looks.
 */
export const PLAIN = words(`
  id entity object type event status state code currency method mode phase livemode captured
  paid refunded attempts quantity count skip limit total_count has_more page expand form command
  action order_id payment_id refund_id invoice_id settlement_id dispute_id payout_id transfer_id
  entity_id subscription_id charge payment_intent balance_transaction
  failure_balance_transaction refund payout dispute source_id receipt reference bahi_reference
  client_reference_id reference_id source step field param request_id mihpayid txnid
  unmappedstatus var1 var2 var3 var4 var5 starting_after ending_before error_code error_source
  error_step failure_code decline_code reason_code amount amount_paid amount_due amount_refunded
  amount_total amount_captured amount_received amount_to_capture amount_capturable
  amount_settled unit_amount fee fees tax credit debit net amt base_amount transaction_amount
  net_amount_debit additional_charges disc speed speed_processed speed_requested created
  created_at captured_at processed_at arrival_date addedon value_date settled_at Settled_At
  available_on reporting_category fee_type on_hold gte gt lte lt from to year month day utr
  UTR_no Merchant_UTR rrn arn bank_arn bank_ref_num capture_method submit_type payment_capture
  partial_payment
`)

/** Twelve digits there are a number of a gateway or a bank, never of a person. */
export const NUMBERED = words(
  'mihpayid request_id txnid utr UTR_no Merchant_UTR rrn arn bank_arn bank_ref_num',
)

/** Members in which gateways say in words what is wrong. */
export const WORDS = words(`
  message msg error error_message error_Message error_description failure_message failure_reason
  error_reason reason detail remark
`)

/** Members that hold others and are called by their name. */
export const HOLDERS = words(`
  error errors payload data items payment order refunds refund latest_charge payment_intent
  charge balance_transaction metadata notes acquirer_data transaction_details result line_items
  price_data payment_intent_data created outcome
`)

/** Headers that hold nothing of a secret. */
export const OPEN_HEADERS = words(`
  accept content-type date user-agent stripe-version idempotency-key x-refund-idempotency
  x-payout-idempotency
`)
