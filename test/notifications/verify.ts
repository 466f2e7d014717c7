/** A receiver’s check of a webhook, written from the standard: no code of the sender is in it. */

/** What a receiver got. */
export interface Got {
  headers: Record<string, string | string[] | undefined>
  body: string
}

/** Which of the signatures verify with this secret; throws where the call is no webhook. */
export async function validSignatures(got: Got, secret: string): Promise<number> {
  const one = (name: string): string => {
    const value = got.headers[name]
    if (typeof value !== 'string') {
      throw new Error(`no header ${name}`)
    }
    return value
  }
  if (!secret.startsWith('whsec_')) {
    throw new Error('no secret of Standard Webhooks')
  }
  const raw = Uint8Array.from(atob(secret.slice(6)), (char) => char.charCodeAt(0))
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', raw, hmac, false, ['verify'])
  const content = `${one('webhook-id')}.${one('webhook-timestamp')}.${got.body}`
  const results = one('webhook-signature')
    .split(' ')
    .map(async (signature) => {
      const [version, encoded = ''] = signature.split(',')
      const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0))
      const isValid = await crypto.subtle.verify(
        'HMAC',
        key,
        bytes,
        new TextEncoder().encode(content),
      )
      return version === 'v1' && isValid
    })
  return (await Promise.all(results)).filter(Boolean).length
}
