/** Cookies: the session of a browser, and who may make it write. */
import type { Request } from 'express'
import { Problem } from '../base/problem.ts'

export const SESSION_COOKIE = 'bahi_session'
/** Browsers take such a cookie from this very host over https only, never from a neighbour. */
export const HOST_ONLY = '__Host-'

/** As many sessions of one request are looked up at most. */
const SESSIONS_MAX = 3

/** Where the service stands. */
export interface Site {
  production: boolean
  publicUrl: string | null
}

/** The value of a cookie; undefined where it is not there, or twice. */
export function cookieOf(request: Request, name: string): string | undefined {
  const found = cookiesOf(request, name)
  return found.length === 1 ? found[0] : undefined
}

function cookiesOf(request: Request, name: string): string[] {
  return (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
}

/** The sessions that a browser brings. Without https another site can add one of its own. */
export function sessionsIn(request: Request, site: Site): string[] {
  const found = cookiesOf(request, sessionCookieName(isSecure(request, site)))
  return [...new Set(found)].filter((value) => value !== '').slice(0, SESSIONS_MAX)
}

function sessionCookieName(secure: boolean): string {
  return secure ? HOST_ONLY + SESSION_COOKIE : SESSION_COOKIE
}

export interface Cookie {
  name: string
  /** Empty to take it away. */
  value: string
  maxAgeS: number
  sameSite: 'Strict' | 'Lax'
  path: string
  secure: boolean
}

/** The header that sets a cookie which scripts do not see. */
export function setCookie({ name, value, maxAgeS, sameSite, path, secure }: Cookie): string {
  const rest = `Path=${path}; Max-Age=${maxAgeS}; HttpOnly; SameSite=${sameSite}`
  return `${name}=${value}; ${rest}${secure ? '; Secure' : ''}`
}

/** The header that sets, or with an empty token takes away, a session's cookie. */
export function sessionCookie(token: string, maxAgeS: number, secure: boolean): string {
  return setCookie({
    name: sessionCookieName(secure),
    value: token,
    maxAgeS,
    sameSite: 'Strict',
    path: '/',
    secure,
  })
}

/** Whether cookies are for encrypted connections only. */
export function isSecure(request: Request, { production, publicUrl }: Site): boolean {
  return request.secure || production || (publicUrl?.startsWith('https:') ?? false)
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])
const OWN_SITE = new Set(['same-origin', 'none'])

/**
 * Problem `forbidden` for a request that would write and that another site may have made a browser
 * send with the cookie: the browser says so itself, or at least from where the request comes.
 */
export function assertOwnSite(request: Request, own: Site): void {
  if (READING.has(request.method)) {
    return
  }
  const site = request.get('sec-fetch-site')
  const isOwn = site === undefined ? isOwnOrigin(request, own) : OWN_SITE.has(site)
  if (!isOwn) {
    const detail = 'With a cookie, only pages of this service may write; others use a token.'
    throw new Problem('forbidden', { detail })
  }
}

/** The same host by another scheme is another origin: anybody on the way writes its pages. */
function isOwnOrigin(request: Request, own: Site): boolean {
  const [origin, host] = [request.get('origin'), request.get('host')]
  const scheme = isSecure(request, own) ? 'https' : 'http'
  return (
    origin !== undefined &&
    (origin === own.publicUrl || (host !== undefined && origin === `${scheme}://${host}`))
  )
}
