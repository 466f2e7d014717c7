/** The header Idempotency-Key: with the same key, the same thing is done once. */
import type { Request } from 'express'
import { z } from 'zod'
import { Problem } from '../base/problem.ts'

export const KEY_MAX = 180

export const idempotencyKey = z
  .string()
  .regex(
    new RegExp(`^[\\x21-\\x7e]{1,${KEY_MAX}}$`),
    `must have 1 to ${KEY_MAX} visible ASCII characters`,
  )

/**
 * The caller's key, bare or in quotes as a structured field; null where there is none and none is
 * needed. Throws `idempotency_key_missing` or, where it is none, `invalid_request` (moved: no).
 */
export function keyOf(request: Request, policy: 'required' | 'optional'): string | null {
  const header = request.get('idempotency-key')
  if (header === undefined && policy === 'optional') {
    return null
  }
  if (header === undefined || header === '') {
    throw new Problem('idempotency_key_missing', {
      detail: 'Send the header Idempotency-Key: the same key posts once, however often it is sent.',
      moved: 'no',
    })
  }
  // A structured field may have parameters behind its text (RFC 8941, 3.3); they mean nothing here.
  const quoted = /^"([^"]*)"(?:;.*)?$/.exec(header)?.[1]
  const read = idempotencyKey.safeParse(quoted ?? (header.startsWith('"') ? '' : header))
  if (!read.success) {
    const detail = `The header Idempotency-Key ${read.error.issues[0]?.message ?? 'is not valid'}.`
    throw new Problem('invalid_request', { detail, moved: 'no' })
  }
  return read.data
}
