/** What the audit of people keeps of a request: where it came from, what it asked and of what. */
import type { Request } from 'express'
import type { PeopleNote } from '../audit/people.ts'
import { requestIdOf } from './request.ts'

export type Origin = Pick<PeopleNote, 'requestId' | 'ip' | 'userAgent' | 'target'>

/** Where a request came from, and its path: queries are left out, nothing personal is in a path. */
export function originOf(request: Request): Origin {
  return {
    requestId: requestIdOf(request),
    // An IPv4 caller of a socket that takes both.
    ip: request.ip?.replace(/^::ffff:(?=\d+\.)/, '') ?? null,
    userAgent: request.get('user-agent') ?? null,
    target: request.originalUrl.split('?')[0] ?? null,
  }
}

/** What a handler may add to what is recorded of its request. */
export interface Audited {
  before?: object | null | undefined
  /** What is recorded in place of the body. */
  after?: object | null | undefined
  reason?: string | null | undefined
  target?: string | undefined
}

/** The record of a request: what it asked for where nothing else is given. */
export function noteOf(
  asked: { request: Request; principal: { subject: string }; body: unknown },
  operation: string,
  { before = null, after, reason, target }: Audited,
): PeopleNote {
  const origin = originOf(asked.request)
  const { reason: given, ...rest } = Object(asked.body) as Record<string, unknown>
  const body = Object.keys(rest).length === 0 ? null : rest
  return {
    ...origin,
    actor: asked.principal.subject,
    operation,
    before,
    after: after === undefined ? body : after,
    reason: reason ?? (typeof given === 'string' ? given : null),
    target: target ?? origin.target,
  }
}

/** The path of what was made: the answer's id below the path of the list that it came into. */
export function targetOf(request: Request, body: unknown): string | undefined {
  const { id } = Object(body) as { id?: unknown }
  const path = request.originalUrl.split('?')[0] ?? ''
  const isNew = request.method === 'POST' && typeof id === 'string'
  return isNew && !path.split('/').includes(id) ? `${path}/${id}` : undefined
}

/** The members of what was there that a request is about. */
export function membersOf(was: object, asked: object): object {
  return Object.fromEntries(Object.entries(was).filter(([name]) => Object.hasOwn(asked, name)))
}
