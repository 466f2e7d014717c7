/** Puts operations on routes: permission, key, body, work, answer; 405 for what a path has not. */
import express, { Router, type NextFunction, type Request, type Response } from 'express'
import { notePeople } from '../audit/append.ts'
import type { Parts } from '../base/parts.ts'
import { Problem } from '../base/problem.ts'
import { authenticate, principalOf } from './auth.ts'
import { noteOf } from './audited.ts'
import { keyOf } from './idempotency-key.ts'
import { jsonBody } from './json-body.ts'
import type { Limits } from './limits.ts'
import { METHODS, type AnyReply, type Operation } from './operation.ts'
import { rolesWith, takesPerson } from './permissions.ts'
import { requestIdOf } from './request.ts'

const JSON_BYTES_MAX = 64 * 1024

/** Routes for these operations: the public ones, and behind authentication all others. */
export function mount(operations: readonly Operation[], parts: Parts, limits: Limits): Router {
  const isPublic = (one: Operation) => one.permission === 'public'
  const routes = Router()
  addRoutes(routes, operations.filter(isPublic), parts, limits)
  // A path that is not there is no secret, but nobody is told before he is known.
  routes.use(authenticate(parts, limits))
  const others = operations.filter((one) => !isPublic(one))
  addRoutes(routes, others, parts, limits)
  return routes
}

function addRoutes(
  routes: Router,
  operations: readonly Operation[],
  parts: Parts,
  limits: Limits,
): void {
  // What is written out comes before what any text fits: /batch before /{id}.
  const inOrder = operations.toSorted((one, other) => (rankOf(one) < rankOf(other) ? -1 : 1))
  for (const [path, here] of Map.groupBy(inOrder, (one) => one.path)) {
    const route = routes.route(path.replaceAll(/\{(\w+)\}/g, ':$1'))
    for (const one of here) {
      route[one.method](
        limits.caller(one),
        permitted(one, parts),
        ...(one.body === undefined ? [] : jsonBody(one.bodyBytesMax ?? JSON_BYTES_MAX)),
        ...(one.upload === undefined || one.upload.streamed ? [] : [rawBody(one.upload)]),
        ...limits.email(one),
        worker(one, parts),
      )
    }
    route.all(otherMethod(here))
  }
}

/** Puts a file's bytes into `request.body`, as they are; nothing where it is of another kind. */
function rawBody({ media, bytesMax }: NonNullable<Operation['upload']>) {
  return express.raw({ type: [...media], limit: bytesMax, inflate: false })
}

/** Sorts paths with a parameter behind the same ones without. */
function rankOf({ path }: Operation): string {
  return path.replaceAll('{', '~')
}

/** Problem `forbidden` for a role, or a key, without the operation's permission. */
function permitted(one: Operation, { db }: Parts) {
  const { permission } = one
  return async (request: Request, _response: Response, next: NextFunction): Promise<void> => {
    if (permission === 'public' || permission === 'self') {
      next()
      return
    }
    const principal = principalOf(request)
    const { role, permissions } = principal
    if (!permissions.has(permission)) {
      if (one.notesRefusals === true) {
        const note = noteOf({ request, principal, body: null }, one.id, {
          after: { refused: 'forbidden' },
        })
        const isolation = 'read committed'
        await db.transact(principal.orgId, async (trx) => await notePeople(trx, note), {
          isolation,
        })
      }
      const roles = rolesWith(permission)
      const detail = roles.includes(role)
        ? takesPerson(permission)
          ? `No API key does that (${permission}): it takes somebody in person.`
          : `This key of the role ${role} was not given ${permission}.`
        : `The role ${role} may not do that; it takes ${roles.join(' or ')}.`
      throw new Problem('forbidden', { detail })
    }
    next()
  }
}

function worker(one: Operation, parts: Parts) {
  return async (request: Request, response: Response): Promise<void> => {
    const reply =
      one.permission === 'public'
        ? await one.run({ request, response })
        : await one.run(
            {
              request,
              response,
              principal: principalOf(request),
              key: one.key === undefined ? null : keyOf(request, one.key),
            },
            parts,
          )
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
