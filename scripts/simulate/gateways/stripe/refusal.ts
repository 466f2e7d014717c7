/** How Stripe says no. */
import { newId, reply, type Json, type Reply } from '../wire.ts'

/** An answer that is an error; `param` names what was wrong with the request. */
export class StripeRefusal extends Error {
  override readonly name = 'StripeRefusal'
  readonly status: number
  readonly param: string | null
  readonly kind: string

  constructor(
    status: number,
    message: string,
    param: string | null = null,
    kind = 'invalid_request_error',
  ) {
    super(message)
    this.status = status
    this.param = param
    this.kind = kind
  }
}

export function refusalReply({ status, message, param, kind }: StripeRefusal): Reply {
  const error: Record<string, Json> = { message, type: kind, ...(param === null ? {} : { param }) }
  return reply(status, { error }, { 'request-id': newId('req_') })
}
