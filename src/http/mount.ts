/** Puts operations on routes: permission, key, body, work, answer; 405 for what a path has not. */
import { Router, type NextFunction, type Request, type Response } from 'express'
import type { Parts } from '../base/parts.ts'
import { Problem } from '../base/problem.ts'
import { principalOf } from './auth.ts'
import { keyOf } from './idempotency-key.ts'
import { jsonBody } from './json-body.ts'
import { METHODS, type AnyReply, type Operation } from './operation.ts'
import { rolesWith } from './permissions.ts'
import { requestIdOf } from './request.ts'

const JSON_BYTES_MAX = 64 * 1024

/** Routes for these operations, behind authentication. */
export function mount(operations: readonly Operation[], parts: Parts): Router {
  const routes = Router()
  // What is written out comes before what any text fits: /batch before /{id}.
  const inOrder = operations.toSorted((one, other) => (rankOf(one) < rankOf(other) ? -1 : 1))
  for (const [path, here] of Map.groupBy(inOrder, (one) => one.path)) {
    const route = routes.route(path.replaceAll(/\{(\w+)\}/g, ':$1'))
    for (const one of here) {
      route[one.method](
        permitted(one),
        ...(one.body === undefined ? [] : jsonBody(one.bodyBytesMax ?? JSON_BYTES_MAX)),
        worker(one, parts),
      )
    }
    route.all(otherMethod(here))
  }
  return routes
}

/** Sorts paths with a parameter behind the same ones without. */
function rankOf({ path }: Operation): string {
  return path.replaceAll('{', '~')
}

/** Problem `forbidden` for a role without the operation's permission. */
function permitted({ permission }: Operation) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    const { role } = principalOf(request)
    const roles = rolesWith(permission)
    if (!roles.includes(role)) {
      const detail = `The role ${role} may not do that; it takes ${roles.join(' or ')}.`
      throw new Problem('forbidden', { detail })
    }
    next()
  }
}

function worker(one: Operation, parts: Parts) {
  return async (request: Request, response: Response): Promise<void> => {
    const key = one.key === undefined ? null : keyOf(request, one.key)
    const reply = await one.run({ request, response, principal: principalOf(request), key }, parts)
    if (reply !== null) {
      send(response, reply)
    }
  }
}

function send(response: Response, { status, body, headers = {} }: AnyReply): void {
  response.status(status).set(headers)
  if (status < 400) {
    response.json(body)
    return
  }
  // A refusal that was kept: all but the id is as it was then.
  const refused = { ...Object(body), request_id: requestIdOf(response.req) }
  response.type('application/problem+json').send(JSON.stringify(refused))
}

/** OPTIONS says what the path has; another method is refused, with the same header. */
function otherMethod(here: readonly Operation[]) {
  const own = METHODS.filter((method) => here.some((one) => one.method === method))
  const names = own.flatMap((method) => (method === 'get' ? ['GET', 'HEAD'] : method.toUpperCase()))
  const allowed = [...names, 'OPTIONS'].join(', ')
  return (request: Request, response: Response): void => {
    response.setHeader('Allow', allowed)
    if (request.method !== 'OPTIONS') {
      throw new Problem('method_not_allowed', { detail: `This resource has ${allowed}.` })
    }
    response.status(204).end()
  }
}
