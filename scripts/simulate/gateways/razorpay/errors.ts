/** How Razorpay says no. */
import { reply, type Json, type Reply } from '../wire.ts'

/** Razorpay's shape of an error. */
export function razorpayError(status: number, description: string, field?: string): Reply {
  const error: Record<string, Json> = {
    code: status >= 500 ? 'SERVER_ERROR' : 'BAD_REQUEST_ERROR',
    description,
    source: 'business',
    step: 'payment_initiation',
    reason: 'input_validation_failed',
    metadata: {},
  }
  return reply(status, { error: field === undefined ? error : { ...error, field } })
}
