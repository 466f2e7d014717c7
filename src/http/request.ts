/** What each request carries: its id and its log, and who is asking. */
import type { NextFunction, Request, Response } from 'express'
import { newId } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import { httpSeconds } from '../base/metrics.ts'
import type { Role } from './permissions.ts'

export interface Principal {
  /** User, API key or job. */
  subject: string
  orgId: number
  role: Role
}

const requestIds = new WeakMap<Request, string>()

/** The id in this request's `Request-Id` header, log lines and problem documents. */
export function requestIdOf(request: Request): string {
  return requestIds.get(request) ?? ''
}

/** Gives each request an id and, when it is answered, one log line and one observation. */
export function observeRequests(log: Log) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const requestId = newId('req')
    requestIds.set(request, requestId)
    response.setHeader('Request-Id', requestId)
    const start = process.hrtime.bigint()
    response.on('close', () => {
      const seconds = Number(process.hrtime.bigint() - start) / 1e9
      const route = routeOf(request)
      const status = String(response.statusCode)
      httpSeconds.observe({ method: request.method, route, status }, seconds)
      const level = response.statusCode >= 500 ? 'error' : 'debug'
      log[level]({ requestId, method: request.method, route, status, seconds }, 'request')
    })
    next()
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
