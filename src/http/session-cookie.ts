/** Cookies: the session of a browser, and who may make it write. */
import type { Request } from 'express'
import { Problem } from '../base/problem.ts'

export const SESSION_COOKIE = 'bahi_session'

/** The value of a cookie; undefined where it is not there, or twice. */
export function cookieOf(request: Request, name: string): string | undefined {
  const found = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
  return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined
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
    name: SESSION_COOKIE,
    value: token,
    maxAgeS,
    sameSite: 'Strict',
    path: '/',
    secure,
  })
}

/** Whether cookies are for encrypted connections only. */
export function isSecure(
  request: Request,
  config: { production: boolean; publicUrl: string | null },
) {
  return request.secure || config.production || (config.publicUrl?.startsWith('https:') ?? false)
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])
const OWN_SITE = new Set(['same-origin', 'none'])

/**
 * Problem `forbidden` for a request that would write and that another site may have made a browser
 * send with the cookie: the browser says so itself, or at least from where the request comes.
 */
export function assertOwnSite(request: Request, publicUrl: string | null): void {
  if (READING.has(request.method)) {
    return
  }
  const site = request.get('sec-fetch-site')
  const isOwn =
    site === undefined
      ? isOwnOrigin(request.get('origin'), request.get('host'), publicUrl)
      : OWN_SITE.has(site)
  if (!isOwn) {
    const detail = 'With a cookie, only pages of this service may write; others use a token.'
    throw new Problem('forbidden', { detail })
  }
}

function isOwnOrigin(
  origin: string | undefined,
  host: string | undefined,
  publicUrl: string | null,
): boolean {
  if (origin === undefined || !URL.canParse(origin)) {
    return false
  }
  return origin === publicUrl || (host !== undefined && new URL(origin).host === host)
}
