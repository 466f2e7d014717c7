/** Stripe's signature: an HMAC over the time of sending and the raw bytes, for five minutes. */
import { createHmac } from 'node:crypto'
import { Problem } from '../../base/problem.ts'
import type { RawWebhook, VerifiedWebhook, WebhookSecret } from '../gateway.ts'
import { isObject, parseJson } from '../json.ts'
import { signerOf } from '../signature.ts'
import { idOf } from '../text.ts'

/** What Stripe's own libraries allow; each retry is signed anew, so that no old one is needed. */
const TOLERANCE_S = 300
/** While a secret is rolled Stripe signs with each of two; many are no call of Stripe. */
const SIGNATURES_MAX = 8

/**
 * Throws `bad_signature` unless one `v1` of `Stripe-Signature` is the lower-case hex HMAC-SHA256 of
 * `t.body` under one of the secrets, and `t` is at most 300 s before the receipt
 * (docs.stripe.com/webhooks/signature). Like Stripe's libraries it takes a `t` that lies ahead:
 * only who has the secret can sign one. The event's id is in the signed bytes.
 */
export function verifySignature(
  webhook: RawWebhook,
  _account: string,
  secrets: readonly WebhookSecret[],
): VerifiedWebhook {
  const { time, signatures } = partsOf(webhook.headers['stripe-signature'] ?? '')
  const digests = new Map<string, string>()
  const digestOf = (secret: string): string[] => {
    const known =
      digests.get(secret) ??
      createHmac('sha256', secret).update(`${time}.`).update(webhook.body).digest('hex')
    digests.set(secret, known)
    return [known]
  }
  const signers = signatures.map((given) => signerOf(secrets, given, digestOf))
  const secretId = signers.find((signer) => signer !== undefined)
  if (secretId === undefined) {
    throw new Problem('bad_signature')
  }
  if (webhook.receivedAt.getTime() - Number(time) * 1000 > TOLERANCE_S * 1000) {
    throw badSignature(`The signature was made more than ${TOLERANCE_S} seconds ago.`)
  }
  const body = parseJson(webhook.body.toString('utf8'))
  return { secretId, gatewayEventId: (isObject(body) ? idOf(body['id']) : undefined) ?? null }
}

/** The time and the `v1` signatures in the header; other schemes are not for us. */
function partsOf(header: string): { time: string; signatures: string[] } {
  const parts = header.split(',').map((part): [string, string] => {
    const at = part.indexOf('=')
    return at < 0 ? ['', ''] : [part.slice(0, at).trim(), part.slice(at + 1).trim()]
  })
  const times = parts.filter(([name]) => name === 't').map(([, value]) => value)
  const signatures = parts
    .filter(([name, value]) => name === 'v1' && /^[0-9a-f]{64}$/.test(value))
    .map(([, value]) => value)
  const [time = ''] = times
  if (times.length !== 1 || !/^\d{1,12}$/.test(time) || signatures.length === 0) {
    throw badSignature('Stripe-Signature is missing or malformed.')
  }
  if (signatures.length > SIGNATURES_MAX) {
    throw badSignature('Stripe-Signature has too many signatures.')
  }
  return { time, signatures }
}

function badSignature(detail: string): Problem {
  return new Problem('bad_signature', { detail })
}
