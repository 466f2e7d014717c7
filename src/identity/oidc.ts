/** Coming in by an organisation's identity provider: OpenID Connect with code, PKCE and nonce. */
import * as oidc from 'openid-client'
import { z } from 'zod'
import { isSafe } from '../base/config.ts'
import { seal, unseal } from '../base/crypto.ts'
import { isConnectionError } from '../base/database-error.ts'
import type { Trx } from '../base/db.ts'
import type { Parts } from '../base/parts.ts'
import { messageOf, Problem } from '../base/problem.ts'
import { bind, boundUser, type Subject } from './identities.ts'
import { enabledProvider, type OidcProvider } from './oidc-provider.ts'
import { organisationOf } from './organisations.ts'
import { fetchOutside, fetchUpTo } from './outside.ts'
import type { Origin } from './sessions.ts'
import { note, ONE_ROW, open, type SignedIn } from './sign-in.ts'
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
  /** A session for who comes back. Throws `sign_in_failed`, `other_identity`, `unavailable`. */
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
      let who: Claimed
      try {
        who = await claimedFrom(await clientOf(begun.orgId, provider), back, begun)
      } catch (error) {
        log.warn({ orgId: begun.orgId, reason: messageOf(error) }, 'identity provider sign-in')
        throw isAway(error) ? away(error) : refused('The identity provider did not confirm it.')
      }
      const how = { origin, jwtSecret: config.jwtSecret }
      const outcome = await db.transact(
        begun.orgId,
        async (trx) => await enter(trx, who, how),
        ONE_ROW,
      )
      return signedInBy(outcome)
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

/** Who somebody is as the provider says, and his email where it has verified it. */
interface Claimed extends Subject {
  email: string | null
}

const claimed = z.object({
  iss: z.string().min(1).max(500),
  sub: z.string().regex(/^[ -~]{1,255}$/),
})

/** As users' emails are; what else a provider calls one is nobody's here. */
const verifiedEmail = z.object({
  email: z
    .string()
    .max(254)
    .regex(/^[!-?A-~]+@[!-?A-~]+$/),
  email_verified: z.literal(true),
})

/** Changes the code for an id token and reads it. */
async function claimedFrom(
  client: oidc.Configuration,
  back: URL,
  begun: z.infer<typeof journey>,
): Promise<Claimed> {
  const tokens = await oidc.authorizationCodeGrant(client, back, {
    expectedState: begun.state,
    expectedNonce: begun.nonce,
    pkceCodeVerifier: begun.verifier,
    idTokenExpected: true,
  })
  const claims = tokens.claims()
  const { iss: issuer, sub: subject } = claimed.parse(claims)
  const read = verifiedEmail.safeParse(claims)
  return { issuer, subject, email: read.success ? read.data.email.toLowerCase() : null }
}

type Outcome = SignedIn | 'no email' | 'nobody' | 'other identity'

/**
 * Whoever is bound to the subject comes in, whatever his email is by now. A new subject is bound to
 * the user with its verified email, unless he is bound to another: that is refused and noted,
 * because an address may have been given to somebody else.
 */
async function enter(
  trx: Trx,
  who: Claimed,
  how: { origin: Origin; jwtSecret: string },
): Promise<Outcome> {
  const enterAs = async (userId: string): Promise<Outcome> =>
    (await open(trx, { userId, password: null }, { ...how, method: 'oidc' })) ?? 'nobody'
  const bound = await boundUser(trx, who)
  if (bound !== null) {
    return await enterAs(bound)
  }
  if (who.email === null) {
    return 'no email'
  }
  const user = await activeUser(trx, who.email)
  if (user === undefined) {
    return 'nobody'
  }
  const { issuer, subject } = who
  const isBound = await bind(trx, user.userId, { issuer, subject })
  const operation = isBound ? 'bindIdentity' : 'bindIdentityRefused'
  await note(trx, user.userId, operation, how.origin, { issuer, subject })
  return isBound ? await enterAs(user.userId) : 'other identity'
}

function signedInBy(outcome: Outcome): SignedIn {
  switch (outcome) {
    case 'no email':
      throw refused('The identity provider names no verified email.')
    case 'nobody':
      throw refused('Nobody with that email may come in; ask an admin to add you.')
    case 'other identity': {
      const detail =
        'The user with that email came in as somebody else at the provider before. ' +
        'If that was you, ask an admin to reset your user.'
      throw new Problem('other_identity', { detail })
    }
    default:
      return outcome
  }
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
