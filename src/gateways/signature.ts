/** Finds which of an endpoint's secrets made a signature, without telling by the time it takes. */
import { timingSafeEqual } from 'node:crypto'
import type { WebhookSecret } from './gateway.ts'

/**
 * The id of the first secret of which one digest equals the given one; undefined where none does.
 * A blank secret never counts: anybody could sign with it. All secrets are always tried.
 */
export function signerOf(
  secrets: readonly WebhookSecret[],
  given: string,
  digestsOf: (secret: string) => readonly string[],
): string | undefined {
  let signer: string | undefined
  for (const secret of secrets) {
    if (secret.value.trim() === '') {
      continue
    }
    for (const digest of digestsOf(secret.value)) {
      if (sameText(digest, given)) {
        signer ??= secret.secretId
      }
    }
  }
  return signer
}

function sameText(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)]
  return left.length === right.length && timingSafeEqual(left, right)
}
