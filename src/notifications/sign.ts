/** Signs webhooks as Standard Webhooks say, with every secret that is valid. */
import { createHmac, randomBytes } from 'node:crypto'

const PREFIX = 'whsec_'
const SECRET_BYTES = 32

/** A new secret, as receivers' libraries take it: `whsec_` and base64 of 32 random bytes. */
export function newSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64')
}

/** What is signed: the same message in each attempt, the second in which this one is made. */
export interface Signable {
  messageId: string
  /** Unix time in seconds. */
  timestamp: number
  payload: string
}

/**
 * The headers webhook-id, webhook-timestamp and webhook-signature: one signature for each secret,
 * so that a receiver may know either while they are rotated (Standard Webhooks 1.0, signatures).
 */
export function signatureHeaders(
  message: Signable,
  secrets: readonly string[],
): Record<string, string> {
  if (secrets.length === 0) {
    throw new Error('a webhook without a secret cannot be signed')
  }
  const signed = `${message.messageId}.${message.timestamp}.${message.payload}`
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
    return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
  })
  return {
    'webhook-id': message.messageId,
    'webhook-timestamp': String(message.timestamp),
    'webhook-signature': signatures.join(' '),
  }
}
