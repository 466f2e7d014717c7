/** The public keys of an identity provider, fetched when they are needed and kept for a while. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { systemClock, type Clock } from '../base/clock.ts'
import { messageOf, Problem } from '../base/problem.ts'
import { fetchJson } from './fetch-json.ts'

/** A key with the one algorithm that it is for. */
export interface SigningKey {
  key: KeyObject
  algorithm: 'RS256' | 'ES256'
}

export interface Jwks {
  /** The key of that id; undefined where the provider has none. */
  find(kid: string): Promise<SigningKey | undefined>
}

export interface JwksOptions {
  url: string
  clock?: Clock
  /** Hears why keys could not be fetched. */
  warn?: (message: string) => void
}

const FRESH_MS = 10 * 60_000
/** Keys are used so long where the provider is away. */
const STALE_MS = 24 * 60 * 60_000
/** Between two fetches that an unknown key id, or a failure, gives a reason for. */
const PAUSE_MS = 30_000
const LIMITS = { timeoutMs: 3000, bytesMax: 256 * 1024 }
const KEYS_MAX = 100
const RSA_BITS_MIN = 2048

export function openJwks({ url, clock = systemClock, warn }: JwksOptions): Jwks {
  let keys: ReadonlyMap<string, SigningKey> | undefined
  let fetchedAt = 0
  let triedAt = Number.NEGATIVE_INFINITY
  let running: Promise<void> | undefined

  const fetchKeys = async (): Promise<void> => {
    triedAt = clock().getTime()
    try {
      keys = readKeys(await fetchJson(url, LIMITS))
      fetchedAt = triedAt
    } catch (error) {
      warn?.(`the keys of the identity provider did not come: ${messageOf(error)}`)
    }
  }

  /** One fetch at a time, and not too soon after the last one. */
  const refresh = async (): Promise<void> => {
    if (running === undefined && clock().getTime() - triedAt >= PAUSE_MS) {
      running = fetchKeys().finally(() => {
        running = undefined
      })
    }
    await running
  }

  const current = (): ReadonlyMap<string, SigningKey> => {
    if (keys === undefined || clock().getTime() - fetchedAt > STALE_MS) {
      const detail = 'The identity provider does not answer. Try again.'
      throw new Problem('unavailable', { detail, moved: 'no', retryAfter: 5 })
    }
    return keys
  }

  return {
    async find(kid) {
      if (keys === undefined || clock().getTime() - fetchedAt > FRESH_MS) {
        await refresh()
      }
      const known = current().get(kid)
      if (known !== undefined) {
        return known
      }
      await refresh()
      return current().get(kid)
    },
  }
}

const jwkSet = z.object({ keys: z.array(z.unknown()).max(KEYS_MAX) })

const jwk = z.looseObject({
  kty: z.enum(['RSA', 'EC']),
  kid: z.string().min(1).max(200),
  use: z.literal('sig').optional(),
  key_ops: z
    .array(z.string())
    .refine((operations) => operations.includes('verify'))
    .optional(),
  alg: z.string().optional(),
})

/** The keys of a set that signatures may be checked with; of two with one id none is taken. */
export function readKeys(set: unknown): Map<string, SigningKey> {
  const keys = new Map<string, SigningKey>()
  const doubled = new Set<string>()
  for (const one of jwkSet.parse(set).keys) {
    const read = jwk.safeParse(one)
    const key = read.success ? signingKeyOf(read.data) : undefined
    if (read.success && key !== undefined) {
      if (keys.has(read.data.kid)) {
        doubled.add(read.data.kid)
      }
      keys.set(read.data.kid, key)
    }
  }
  for (const kid of doubled) {
    keys.delete(kid)
  }
  return keys
}

function signingKeyOf(given: z.infer<typeof jwk>): SigningKey | undefined {
  const algorithm = given.kty === 'RSA' ? 'RS256' : 'ES256'
  if (given.alg !== undefined && given.alg !== algorithm) {
    return undefined
  }
  let key: KeyObject
  try {
    key = createPublicKey({ key: { ...given }, format: 'jwk' })
  } catch {
    // A key of another kind among ours; tokens signed with it have an unknown key id.
    return undefined
  }
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  const isStrong = given.kty === 'RSA' ? modulusLength >= RSA_BITS_MIN : namedCurve === 'prime256v1'
  return isStrong ? { key, algorithm } : undefined
}
