/** Every failure that a caller may see is one row here (RFC 9457); nothing else reaches one. */

export const PROBLEMS = {
  invalid_request: [400, 'The request is not valid'],
  idempotency_key_missing: [400, 'The header Idempotency-Key is required'],
  malformed_json: [400, 'The body is not valid JSON'],
  malformed_event: [400, 'The webhook body cannot be read'],
  unauthenticated: [401, 'A valid bearer token is required'],
  sign_in_failed: [401, 'The organisation, email or password is wrong'],
  bad_signature: [401, 'The signature does not match any valid secret of this endpoint'],
  forbidden: [403, 'This role may not do that'],
  other_identity: [403, 'The user is bound to another identity at the provider'],
  own_proposal: [403, 'Maker and checker are different people'],
  not_found: [404, 'There is no such resource'],
  method_not_allowed: [405, 'This resource does not have that method'],
  not_acceptable: [406, 'This representation is not available'],
  idempotency_running: [409, 'The first request with this idempotency key is still running'],
  account_exists: [409, 'Another account has that code and currency'],
  approval_decided: [409, 'It was decided already, or nobody decided in time'],
  maker_left: [409, 'Who asked for it may not do it himself any more'],
  approval_exists: [409, 'Another tax approval has that number'],
  donor_in_use: [409, 'A receipt or a payment of this donor is still on its way'],
  reference_used: [409, 'Another payment has that reference'],
  resolution_state: [409, 'The state of the exception or its resolution does not allow that'],
  run_going: [409, 'A reconciliation of the organisation is going on'],
  offline_step: [409, 'The payment is past that step'],
  recon_not_open: [409, 'It is matched already, or no run has looked at it yet'],
  recon_file_known: [409, 'These bytes were loaded before'],
  recon_file_state: [409, 'The state of the file does not allow that'],
  exception_state: [409, 'The state of the exception does not allow that'],
  recon_source_exists: [409, 'Another source has that name'],
  not_dead: [409, 'Only an event that nothing tries any more can be dismissed'],
  currency_exists: [409, 'Another currency has that code'],
  user_exists: [409, 'Another user has that email'],
  fund_exists: [409, 'Another fund has that id'],
  gateway_account_exists: [409, 'The organisation has an account at that gateway'],
  not_payable: [409, 'The state of the payment does not allow that'],
  instruction_state: [409, 'The state of the instruction does not allow that'],
  precondition_failed: [412, 'It was changed since it was read'],
  body_too_large: [413, 'The body is larger than the limit'],
  unsupported_media_type: [415, 'This content type is not accepted here'],
  idempotency_conflict: [422, 'The idempotency key was used for other content'],
  unbalanced_entry: [422, 'Debits and credits of the entry are not equal'],
  invalid_entry: [422, 'The journal entry is not valid'],
  unknown_account: [422, 'There is no such account'],
  account_closed: [422, 'The account takes no more postings'],
  account_frozen: [422, 'The account is frozen until its balance has been looked into'],
  account_not_empty: [422, 'The account still has a balance'],
  unknown_currency: [422, 'The organisation has no such currency'],
  period_closed: [422, 'The period is closed'],
  period_not_over: [422, 'The period has not ended yet'],
  period_order: [422, 'Periods are closed in order and reopened in reverse'],
  not_reversible: [422, 'The entry cannot be reversed or adjusted so'],
  approval_required: [422, 'An entry is above the limit of what is posted without consent'],
  resolution_unfit: [422, 'That does not resolve this exception'],
  batch_refused: [422, 'Another entry of the same batch was refused'],
  balance_below_floor: [422, 'The posting would take the account below its floor'],
  unknown_fund: [422, 'There is no such fund'],
  fund_closed: [422, 'The fund takes no new donations'],
  unknown_gateway: [422, 'The organisation has no such gateway account'],
  gateway_disabled: [422, 'The gateway account takes no new donations'],
  amount_above_left: [422, 'There is less left of the payment than that'],
  not_offered: [422, 'The gateway cannot do that'],
  payout_limits: [422, 'Payouts of that mode have other limits'],
  switched_off: [422, 'The organisation has switched this off'],
  unknown_owner: [422, 'There is no such user who could work on exceptions'],
  unknown_donor: [422, 'There is no such donor'],
  cash_limit: [422, 'So much cash from one person on one day is forbidden'],
  cheque_stale: [422, 'The cheque is too old for any bank'],
  numbering_fixed: [422, 'Receipts cannot be numbered so'],
  invalid_image: [422, 'The picture cannot be printed'],
  limit_reached: [422, 'There are as many of these as there may be'],
  foreign_contribution: [422, 'The organisation may not take foreign contributions'],
  in_kind_or_cash: [422, 'Only money that comes through a gateway can be taken here'],
  weak_password: [422, 'The password is not accepted'],
  invalid_invitation: [422, 'The invitation is not valid, or not any more'],
  user_disabled: [422, 'The user is disabled'],
  last_admin: [422, 'The organisation needs an active admin'],
  webhook_disabled: [422, 'The webhook subscription is disabled'],
  webhook_limit: [422, 'There are more subscriptions, secrets or messages than are possible'],
  report_unfit: [422, 'The report cannot be had so'],
  recon_not_equal: [422, 'The two sides are not the same money'],
  rate_limited: [429, 'Too many requests in this window of time'],
  internal: [500, 'Something failed on our side'],
  gateway_refused: [502, 'The payment gateway refused the request'],
  unavailable: [503, 'The service cannot take the request now'],
  gateway_unavailable: [503, 'The payment gateway does not answer'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ProblemCode = keyof typeof PROBLEMS

/** One thing that is wrong with a request body, and where (a JSON pointer). */
export interface FieldError {
  pointer: string
  detail: string
}

export interface ProblemExtras {
  /** What happened and what to do, in words for the caller. */
  detail?: string
  errors?: FieldError[]
  /** Whether money moved; every money error says so. */
  moved?: 'yes' | 'no' | 'unknown'
  /** Seconds until trying again makes sense. */
  retryAfter?: number
  cause?: unknown
}

export class Problem extends Error {
  readonly code: ProblemCode
  readonly extras: ProblemExtras

  constructor(code: ProblemCode, extras: ProblemExtras = {}) {
    super(
      extras.detail ?? PROBLEMS[code][1],
      extras.cause === undefined ? {} : { cause: extras.cause },
    )
    this.name = 'Problem'
    this.code = code
    this.extras = extras
  }

  get status(): number {
    return PROBLEMS[this.code][0]
  }

  get title(): string {
    return PROBLEMS[this.code][1]
  }
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === '') {
    return thrown.errors.map(messageOf).join('; ')
  }
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
