/** A real identity provider on this machine: keys, OpenID Connect, and ways to go wrong. */
import jwt from 'jsonwebtoken'
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { sha256 } from '../../src/base/crypto.ts'

export interface ProviderKey {
  kid: string
  privateKey: KeyObject
  publicKey: KeyObject
  jwk: Record<string, unknown>
}

export function rsaKey(kid: string, more: object = {}, bits = 2048): ProviderKey {
  return keyOf(kid, generateKeyPairSync('rsa', { modulusLength: bits }), more)
}

export function ecKey(kid: string, more: object = {}, namedCurve = 'P-256'): ProviderKey {
  return keyOf(kid, generateKeyPairSync('ec', { namedCurve }), more)
}

function keyOf(
  kid: string,
  pair: { privateKey: KeyObject; publicKey: KeyObject },
  more: object,
): ProviderKey {
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig', ...more }
  return { kid, ...pair, jwk }
}

/** What somebody has agreed to at the provider, by the code that he was given for it. */
interface Consent {
  clientId: string
  redirectUri: string
  nonce: string
  challenge: string
}

export interface IdentityProvider {
  url: string
  key: ProviderKey
  /** What is at /jwks; undefined for an answer of 500. */
  keys: unknown
  /** How often /jwks was asked. */
  asked: number
  client: { id: string; secret: string; ways: readonly string[] }
  /** What the next id tokens say beside what they have to. */
  claims: Record<string, unknown>
  /** Signs the next id tokens in another way. */
  sign: ((claims: object) => string) | undefined
  /** What else /jwks does: it says nothing at all, too much, or where else to ask. */
  mood: 'good' | 'silent' | 'endless' | 'elsewhere'
  close(): Promise<void>
}

export async function startProvider(): Promise<IdentityProvider> {
  const key = rsaKey('first')
  const consents = new Map<string, Consent>()
  const server = createServer((request, response) => {
    void answer(provider, consents, request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const provider: IdentityProvider = {
    url: `http://127.0.0.1:${port}`,
    key,
    keys: { keys: [key.jwk] },
    asked: 0,
    client: {
      id: 'bahi',
      secret: randomBytes(16).toString('hex'),
      ways: ['client_secret_basic'],
    },
    claims: { email: 'asha@example.org', email_verified: true },
    sign: undefined,
    mood: 'good',
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return provider
}

async function answer(
  provider: IdentityProvider,
  consents: Map<string, Consent>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', provider.url)
  const json = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  switch (url.pathname) {
    case '/.well-known/openid-configuration':
      return json(200, descriptionOf(provider))
    case '/jwks':
      provider.asked += 1
      if (provider.mood === 'silent') {
        return
      }
      if (provider.mood === 'elsewhere') {
        response.writeHead(302, { location: `${provider.url}/jwks?again` }).end()
        return
      }
      if (provider.mood === 'endless') {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(`{"keys":[],"more":"${'x'.repeat(300_000)}"}`)
        return
      }
      return json(provider.keys === undefined ? 500 : 200, provider.keys ?? {})
    case '/authorize': {
      const code = randomBytes(8).toString('hex')
      const asked = url.searchParams
      const redirectUri = asked.get('redirect_uri') ?? ''
      consents.set(code, {
        clientId: asked.get('client_id') ?? '',
        redirectUri,
        nonce: asked.get('nonce') ?? '',
        challenge: asked.get('code_challenge') ?? '',
      })
      const back = new URL(redirectUri)
      back.searchParams.set('code', code)
      back.searchParams.set('state', asked.get('state') ?? '')
      response.writeHead(302, { location: back.href }).end()
      return
    }
    case '/token': {
      const form = new URLSearchParams(await text(request))
      const consent = consents.get(form.get('code') ?? '')
      consents.delete(form.get('code') ?? '')
      if (!isClient(provider, request.headers.authorization, form)) {
        return json(401, { error: 'invalid_client' })
      }
      const challenge = sha256(form.get('code_verifier') ?? '').toString('base64url')
      if (
        consent?.challenge !== challenge ||
        consent.redirectUri !== form.get('redirect_uri') ||
        consent.clientId !== provider.client.id
      ) {
        return json(400, { error: 'invalid_grant' })
      }
      return json(200, {
        access_token: 'nothing is asked with it',
        token_type: 'Bearer',
        expires_in: 60,
        id_token: idToken(provider, consent.nonce),
      })
    }
    default:
      return json(404, {})
  }
}

function descriptionOf({ url, client }: IdentityProvider): object {
  return {
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    jwks_uri: `${url}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: client.ways,
    code_challenge_methods_supported: ['S256'],
  }
}

function isClient(
  { client }: IdentityProvider,
  authorization: string | undefined,
  form: URLSearchParams,
): boolean {
  const basic = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`
  return client.ways.includes('client_secret_basic')
    ? authorization === basic
    : form.get('client_id') === client.id && form.get('client_secret') === client.secret
}

function idToken(provider: IdentityProvider, nonce: string): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: provider.url,
    aud: provider.client.id,
    // Each address is somebody of his own, unless the claims say another thing.
    sub: `person ${JSON.stringify(provider.claims['email'] ?? null).toLowerCase()}`,
    iat: now,
    exp: now + 60,
    nonce,
    ...provider.claims,
  }
  return provider.sign === undefined
    ? jwt.sign(claims, provider.key.privateKey, { algorithm: 'RS256', keyid: provider.key.kid })
    : provider.sign(claims)
}
