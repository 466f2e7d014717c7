/** /auth/oidc and /v1/oidc-provider: coming in by the organisation's identity provider. */
import { Router } from 'express'
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { isIssuer, JOURNEY_MINUTES, openOidc } from '../../identity/oidc.ts'
import { dropProvider, findProvider, putProvider } from '../../identity/oidc-provider.ts'
import { SESSION_HOURS } from '../../identity/sessions.ts'
import { originOf } from '../audited.ts'
import { oidcProvider, providerView } from '../identity-view.ts'
import { line } from '../line.ts'
import { operation, type Operation } from '../operation.ts'
import { cookieOf, isSecure, sessionCookie, setCookie } from '../session-cookie.ts'

const JOURNEY_COOKIE = 'bahi_oidc'
const PATH = '/auth/oidc'

function redirectUriOf(publicUrl: () => string): string {
  return `${publicUrl()}${PATH}/callback`
}

/** The browser's way to the provider and back, below /auth/oidc. */
export function oidcRoutes(parts: Parts, publicUrl: () => string): Router {
  const signIn = openOidc(parts)
  const routes = Router()

  const journeyCookie = (value: string, maxAgeS: number, secure: boolean) =>
    // Lax: the browser comes back from another site, and has to bring it.
    setCookie({ name: JOURNEY_COOKIE, value, maxAgeS, sameSite: 'Lax', path: PATH, secure })

  routes.use((_request, response, next) => {
    response.setHeader('Cache-Control', 'no-store')
    response.setHeader('Referrer-Policy', 'no-referrer')
    next()
  })

  routes.get('/callback', async (request, response) => {
    const secure = isSecure(request, parts.config)
    // Whatever comes of it, it is used once.
    response.append('Set-Cookie', journeyCookie('', 0, secure))
    const kept = cookieOf(request, JOURNEY_COOKIE) ?? ''
    const back = new URL(redirectUriOf(publicUrl))
    back.search = request.originalUrl.split('?').slice(1).join('?')
    const { token } = await signIn.finish(kept, back, originOf(request))
    response.append('Set-Cookie', sessionCookie(token, SESSION_HOURS * 3600, secure))
    response.redirect(303, '/')
  })

  routes.get('/:organisation', async (request, response) => {
    const { organisation } = request.params
    const { url, kept } = await signIn.begin(organisation, redirectUriOf(publicUrl))
    const secure = isSecure(request, parts.config)
    response.append('Set-Cookie', journeyCookie(kept, JOURNEY_MINUTES * 60, secure))
    response.redirect(303, url.href)
  })
  return routes
}

const printable = z
  .string()
  .regex(/^[\x21-\x7e]{1,500}$/, 'must be 1 to 500 visible ASCII characters')

const SHARED = { path: '/oidc-provider', tag: 'Identity', permission: 'identity.manage' } as const

export function oidcProviderOperations(parts: Parts, publicUrl: () => string): Operation[] {
  const redirectUri = () => redirectUriOf(publicUrl)
  return [getOperation(redirectUri), putOperation(parts, redirectUri), deleteOperation()]
}

function getOperation(redirectUri: () => string): Operation {
  return operation(
    {
      ...SHARED,
      id: 'getOidcProvider',
      method: 'get',
      summary: 'The identity provider by which users sign in, without its secret',
      answers: { 200: { what: 'The provider.', body: oidcProvider } },
      problems: ['not_found'],
    },
    {
      async read(trx) {
        const found = await findProvider(trx)
        if (found === undefined) {
          throw noProvider()
        }
        return { status: 200, body: providerView(found, redirectUri()) }
      },
    },
  )
}

function putOperation(parts: Parts, redirectUri: () => string): Operation {
  const putBody = z.strictObject({
    issuer: z
      .string()
      .max(500)
      .refine((text) => isIssuer(text, parts.config.production), 'must be an https URL')
      .meta({ pattern: '^https?://[^\\s?#@]+$', format: 'uri' }),
    client_id: line(200),
    client_secret: printable,
    enabled: z.boolean().default(true),
  })
  return operation(
    {
      ...SHARED,
      id: 'putOidcProvider',
      method: 'put',
      summary: 'Set the identity provider (OpenID Connect) by which users sign in',
      body: putBody,
      answers: { 200: { what: 'As it is now.', body: oidcProvider } },
    },
    {
      queue: null,
      async write(trx, { body, principal }) {
        const was = await findProvider(trx)
        const asked = {
          issuer: body.issuer,
          clientId: body.client_id,
          clientSecret: body.client_secret,
          enabled: body.enabled,
        }
        const now = await putProvider(trx, parts.keyring, asked, principal.subject)
        const view = providerView(now, redirectUri())
        return {
          status: 200,
          body: view,
          before: was === undefined ? null : providerView(was, redirectUri()),
          audited: view,
        }
      },
    },
  )
}

function deleteOperation(): Operation {
  return operation(
    {
      ...SHARED,
      id: 'deleteOidcProvider',
      method: 'delete',
      summary: 'Forget the identity provider; sessions that it began go on',
      answers: {
        200: { what: 'Forgotten.', body: z.strictObject({ deleted: z.literal(true) }) },
      },
      problems: ['not_found'],
    },
    {
      queue: null,
      async write(trx) {
        if (!(await dropProvider(trx))) {
          throw noProvider()
        }
        return { status: 200, body: { deleted: true as const } }
      },
    },
  )
}

function noProvider(): Problem {
  return new Problem('not_found', { detail: 'The organisation has no identity provider.' })
}
