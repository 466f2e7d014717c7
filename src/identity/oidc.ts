/** Coming in by an organisation's identity provider: OpenID Connect with code, PKCE and nonce. */
import * as oidc from 'openid-client'
import { z } from 'zod'
import { isSafe } from '../base/config.ts'
import { seal, unseal } from '../base/crypto.ts'
import { isConnectionError } from '../base/database-error.ts'
import type { Parts } from '../base/parts.ts'
import { messageOf, Problem } from '../base/problem.ts'
import { enabledProvider, type OidcProvider } from './oidc-provider.ts'
import { organisationOf } from './organisations.ts'
import { fetchOutside, fetchUpTo } from './outside.ts'
import type { Origin } from './sessions.ts'
import { open, type SignedIn } from './sign-in.ts'
import { activeUser } from './users.ts'

/** Until then one has to come back from the provider. */
export const JOURNEY_MINUTES = 10
const TIMEOUT_S = 3
const DISCOVERED_MS = 10 * 60_000
const DISCOVERED_MAX = 1000
const SEAL_CONTEXT = 'oidc sign-in'

/** What is kept with the browser while it is away at the provider. */
const journey = z.strictObject({
  orgId: z.int(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  until: z.int(),
})

export interface OidcSignIn {
  /** Where to send the browser, and what to keep with it. Throws `not_found`, `unavailable`. */
  begin(slug: string, redirectUri: string): Promise<{ url: URL; kept: string }>
  /** A session for who comes back. Throws `sign_in_failed`, `unavailable`. */
  finish(kept: string, back: URL, origin: Origin): Promise<SignedIn>
}

type Opened = Pick<Parts, 'config' | 'db' | 'keyring' | 'log'>

/** True for what can be a provider's issuer: https, and http on this machine outside production. */
export function isIssuer(text: string, production: boolean): boolean {
  if (!URL.canParse(text)) {
    return false
  }
  const url = new URL(text)
  const isPlain = url.username === '' && url.password === '' && !/[?#]/.test(text)
  return isPlain && (url.protocol === 'https:' || (url.protocol === 'http:' && !production))
    ? isSafe(text)
    : false
}

type WithSecret = OidcProvider & { clientSecret: string }

/** Providers' own descriptions of themselves, kept for ten minutes or until one is changed here. */
function openClients(production: boolean) {
  const discovered = new Map<number, { of: string; until: number; client: oidc.Configuration }>()
  return async (orgId: number, provider: WithSecret): Promise<oidc.Configuration> => {
    const of = `${provider.issuer} ${provider.clientId} ${provider.updatedAt.toISOString()}`
    const known = discovered.get(orgId)
    if (known?.of === of && known.until > Date.now()) {
      return known.client
    }
    const client = await discover(provider, production)
    if (discovered.size >= DISCOVERED_MAX) {
      discovered.clear()
    }
    discovered.set(orgId, { of, until: Date.now() + DISCOVERED_MS, client })
    return client
  }
}

export function openOidc(parts: Opened): OidcSignIn {
  const { config, db, keyring, log } = parts
  const clientOf = openClients(config.production)
  return {
    async begin(slug, redirectUri) {
      const orgId = await organisationOf(db, slug)
      const provider = orgId === undefined ? undefined : await providerFor(parts, orgId)
      if (orgId === undefined || provider === undefined) {
        const detail = 'This organisation has no identity provider here.'
        throw new Problem('not_found', { detail })
      }
      const client = await clientOf(orgId, provider).catch((error: unknown) => {
        log.warn({ orgId, reason: messageOf(error) }, 'identity provider not reached')
        throw away(error)
      })
      const verifier = oidc.randomPKCECodeVerifier()
      const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
      const url = oidc.buildAuthorizationUrl(client, {
        redirect_uri: redirectUri,
        scope: 'openid email',
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
      })
      const until = Date.now() + JOURNEY_MINUTES * 60_000
      const text = JSON.stringify({ orgId, state, nonce, verifier, until })
      return { url, kept: seal(keyring, text, SEAL_CONTEXT).toString('base64url') }
    },

    async finish(kept, back, origin) {
      const begun = readJourney(parts, kept)
      const provider = await providerFor(parts, begun.orgId)
      if (provider === undefined) {
        throw refused('This organisation has no identity provider here.')
      }
      let email: string | undefined
      try {
        email = await emailFrom(await clientOf(begun.orgId, provider), back, begun)
      } catch (error) {
        log.warn({ orgId: begun.orgId, reason: messageOf(error) }, 'identity provider sign-in')
        throw isAway(error) ? away(error) : refused('The identity provider did not confirm it.')
      }
      if (email === undefined) {
        throw refused('The identity provider names no verified email.')
      }
      const user = await db.read(begun.orgId, async (trx) => await activeUser(trx, email))
      const who = user === undefined ? undefined : { userId: user.userId, password: null }
      const signedIn = who && (await open(db, begun.orgId, who, { method: 'oidc', origin }))
      if (signedIn === undefined) {
        throw refused('Nobody with that email may come in; ask an admin to add you.')
      }
      return signedIn
    },
  }
}

async function providerFor({ db, keyring }: Opened, orgId: number) {
  return await db.read(orgId, async (trx) => await enabledProvider(trx, keyring))
}

async function discover(provider: WithSecret, production: boolean): Promise<oidc.Configuration> {
  const issuer = new URL(provider.issuer)
  const isLocal = !production && isLocalHost(issuer)
  const call = isLocal ? fetchUpTo : fetchOutside
  return await oidc.discovery(issuer, provider.clientId, {}, clientAuth(provider.clientSecret), {
    timeout: TIMEOUT_S,
    [oidc.customFetch]: async (url, { method, headers, redirect, body, signal }) =>
      await call(url, { method, headers, redirect, body: body ?? null, signal: signal ?? null }),
    // The id token's signature is checked too, not only from whom the connection says it is.
    execute: [oidc.enableNonRepudiationChecks, ...(isLocal ? [oidc.allowInsecureRequests] : [])],
  })
}

function isLocalHost({ hostname }: URL): boolean {
  return isSafe(`http://${hostname}`)
}

/** How the provider wants the client's secret: in the header, unless it takes only the body. */
function clientAuth(secret: string): oidc.ClientAuth {
  const [basic, post] = [oidc.ClientSecretBasic(secret), oidc.ClientSecretPost(secret)]
  return (server, client, body, headers) => {
    const ways = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    const way = ways.includes('client_secret_basic') ? basic : post
    return way(server, client, body, headers)
  }
}

/** Changes the code for an id token; its email where the provider has verified it. */
async function emailFrom(
  client: oidc.Configuration,
  back: URL,
  begun: z.infer<typeof journey>,
): Promise<string | undefined> {
  const tokens = await oidc.authorizationCodeGrant(client, back, {
    expectedState: begun.state,
    expectedNonce: begun.nonce,
    pkceCodeVerifier: begun.verifier,
    idTokenExpected: true,
  })
  const claims = tokens.claims()
  const email = claims?.['email']
  const isVerified = claims?.['email_verified'] === true
  return isVerified && typeof email === 'string' ? email.toLowerCase() : undefined
}

function readJourney({ keyring }: Opened, kept: string): z.infer<typeof journey> {
  try {
    const text = unseal(keyring, Buffer.from(kept, 'base64url'), SEAL_CONTEXT).toString()
    const begun = journey.parse(JSON.parse(text))
    if (begun.until > Date.now()) {
      return begun
    }
  } catch {
    // A cookie that somebody made himself, or one from before a rotation: begin again.
  }
  throw refused('It took too long, or began in another browser; begin again.')
}

function refused(detail: string): Problem {
  return new Problem('sign_in_failed', { detail })
}

/** Whether it was the network and not what the provider said. */
function isAway(error: unknown): boolean {
  const [name, code] = error instanceof Error ? [error.name, Reflect.get(error, 'code')] : []
  const cause = error instanceof Error ? error.cause : undefined
  return (
    code === 'OAUTH_TIMEOUT' ||
    name === 'TimeoutError' ||
    isConnectionError(error) ||
    (cause !== undefined && isAway(cause))
  )
}

function away(cause: unknown): Problem {
  const detail = 'The identity provider does not answer as one. Try again.'
  return new Problem('unavailable', { detail, retryAfter: 5, cause })
}
