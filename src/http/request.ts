/** What each request carries: its id and its log, and who is asking. */
import type { NextFunction, Request, Response } from 'express'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { newId } from '../base/ids.ts'
import { forRequest, type Log } from '../base/log.ts'
import { httpSeconds } from '../base/metrics.ts'
import { endSpan, tracePlace, withSpan } from '../base/tracing.ts'
import type { Permission, Role } from './permissions.ts'

export interface Principal {
  /** `user:usr_…`, `key:key_…`, or what a token calls its bearer. */
  subject: string
  orgId: number
  role: Role
  /** What he may do: his role's permissions, or fewer where a key was given fewer. */
  permissions: ReadonlySet<Permission>
  /** The user and his session where it is one; null for keys and tokens. */
  user: { userId: string; sessionId: string } | null
}

const requestIds = new WeakMap<IncomingMessage, string>()

/** The id in this request's `Request-Id` header, log lines and problem documents. */
export function requestIdOf(request: IncomingMessage): string {
  return requestIds.get(request) ?? ''
}

/**
 * Gives a request an id and, when it is answered, one log line and one observation under its route.
 * Its span goes on from where the caller's `traceparent` says that it began.
 */
export function observe(
  log: Log,
  exchange: { request: IncomingMessage; response: ServerResponse; routeOf(): string },
  work: () => void,
): void {
  const { request, response } = exchange
  const requestId = newId('req')
  requestIds.set(request, requestId)
  response.setHeader('Request-Id', requestId)
  const method = request.method ?? ''
  const start = performance.now()
  const { traceparent } = request.headers
  const parent = typeof traceparent === 'string' ? traceparent : null
  const attributes = { 'http.request.method': method, 'bahi.request_id': requestId }
  withSpan(method, { kind: 'server', parent, attributes }, (span) => {
    response.on('close', () => {
      const seconds = (performance.now() - start) / 1000
      const route = exchange.routeOf()
      const status = String(response.statusCode)
      httpSeconds.observe({ method, route, status }, seconds)
      const isOurs = response.statusCode >= 500
      // The socket closes outside of what the request began, so that its places are said here.
      const where = { request_id: requestId, ...tracePlace(span) }
      log[isOurs ? 'error' : 'debug']({ ...where, method, route, status, seconds }, 'request')
      span?.updateName(`${method} ${route}`)
      span?.setAttributes({ 'http.route': route, 'http.response.status_code': Number(status) })
      endSpan(span, isOurs)
    })
    forRequest(requestId, work)
  })
}

/** Observes every request that Express takes. */
export function observeRequests(log: Log) {
  return (request: Request, response: Response, next: NextFunction): void => {
    observe(log, { request, response, routeOf: () => routeOf(request) }, next)
  }
}

/**
 * The route's pattern, never the path: ids are no labels. The mount point is taken from the path
 * itself, because Express has forgotten it when an error was handled.
 */
function routeOf(request: Request): string {
  const route: unknown = request.route
  if (typeof route !== 'object' || route === null || !('path' in route)) {
    return 'none'
  }
  const pattern = String(route.path)
  const path = (request.originalUrl.split('?')[0] ?? '').replace(/\/+$/, '').split('/')
  const mount = path.slice(0, path.length - pattern.split('/').length + 1)
  return mount.join('/') + pattern
}
