/** Renders whatever a route throws as an RFC 9457 problem document; nothing internal leaks. */
import type { NextFunction, Request, Response } from 'express'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { NotOpened } from '../base/crypto.ts'
import { isConnectionError, sqlStateOf } from '../base/database-error.ts'
import type { Log } from '../base/log.ts'
import { z } from 'zod'
import { withoutIds } from '../base/private.ts'
import { Problem, PROBLEMS, type FieldError, type ProblemCode } from '../base/problem.ts'
import { requestIdOf } from './request.ts'

const TYPE_BASE = 'urn:bahi:problem:'
const RETRY_AFTER_S = 5
/** Postgres gave the statement up because it took too long. */
const QUERY_CANCELED = '57014'
/** Text that Postgres cannot hold: U+0000, half a surrogate pair. */
const UNTRANSLATABLE = new Set(['22021', '22P05'])

/** The last handler but one: no route took the request. */
export function noSuchRoute(request: Request, _response: Response, next: NextFunction): void {
  next(
    new Problem('not_found', { detail: `There is nothing at ${request.method} ${request.path}.` }),
  )
}

/** The last handler. */
export function renderProblems(log: Log) {
  // Express tells an error handler by its four parameters.
  return (thrown: unknown, request: Request, response: Response, next: NextFunction): void => {
    if (response.headersSent) {
      logOurs(log, thrown, request)
      // Half an answer went out: breaking the connection is the only way to say so.
      next(thrown)
      return
    }
    answerProblem(log, thrown, request, response)
  }
}

/** Answers with the problem that a thrown thing is to a caller; ours is logged. */
export function answerProblem(
  log: Log,
  thrown: unknown,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  logOurs(log, thrown, request)
  const problem = asProblem(thrown)
  const { retryAfter } = problem.extras
  if (retryAfter !== undefined) {
    response.setHeader('Retry-After', String(retryAfter))
  }
  if (problem.status === 401) {
    response.setHeader('WWW-Authenticate', 'Bearer')
  }
  const body = JSON.stringify({ ...problemView(problem), request_id: requestIdOf(request) })
  response.setHeader('Content-Type', 'application/problem+json; charset=utf-8')
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.statusCode = problem.status
  response.end(request.method === 'HEAD' ? undefined : body)
}

function logOurs(log: Log, thrown: unknown, request: IncomingMessage): void {
  if (asProblem(thrown).status >= 500) {
    log.error({ err: thrown, request_id: requestIdOf(request) }, 'request failed')
  }
}

const CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]

const problemFields = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(CODES),
  detail: z.string().optional(),
  errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
  moved: z.enum(['yes', 'no', 'unknown']).optional(),
  request_id: z.string(),
})

/** What the contract says of every refusal; some say more. */
export const problemSchema = z
  .looseObject(problemFields.shape)
  .meta({ description: 'RFC 9457. Tell problems apart by `code`.' })

/** A problem as callers see it, alone or as a member of a larger answer. */
export function problemView(problem: Problem): Omit<z.input<typeof problemFields>, 'request_id'> {
  const { detail, errors, moved } = problem.extras
  return {
    type: TYPE_BASE + problem.code,
    title: problem.title,
    status: problem.status,
    code: problem.code,
    // A caller's own path or text may be quoted; a PAN in it is not.
    ...(detail === undefined || problem.code === 'internal' ? {} : { detail: withoutIds(detail) }),
    ...(errors === undefined ? {} : { errors: errors.map(plainly) }),
    ...(moved === undefined ? {} : { moved }),
  }
}

function plainly({ pointer, detail }: FieldError): FieldError {
  return { pointer: withoutIds(pointer), detail: withoutIds(detail) }
}

/** The problem that a thrown thing is to a caller. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) {
    return thrown
  }
  if (isConnectionError(thrown) || sqlStateOf(thrown) === QUERY_CANCELED) {
    return new Problem('unavailable', {
      detail: 'The database does not answer. Try again.',
      retryAfter: RETRY_AFTER_S,
    })
  }
  if (thrown instanceof NotOpened) {
    const detail = 'What is kept encrypted cannot be opened by this process now. Try again.'
    return new Problem('unavailable', { detail, retryAfter: RETRY_AFTER_S })
  }
  if (UNTRANSLATABLE.has(sqlStateOf(thrown) ?? '')) {
    return new Problem('invalid_request', { detail: 'A text holds a character that is none.' })
  }
  const type = bodyParserType(thrown)
  switch (type) {
    case 'entity.parse.failed':
      return new Problem('malformed_json', { detail: 'Send one JSON object in UTF-8.' })
    case 'entity.too.large':
      return new Problem('body_too_large')
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new Problem('unsupported_media_type', {
        detail: 'Send the body uncompressed, as UTF-8.',
      })
    case 'request.aborted':
    case 'request.size.invalid':
      return new Problem('invalid_request', { detail: 'The body did not come in whole.' })
    case 'uri':
      return new Problem('invalid_request', { detail: 'The path is not valid.' })
    default:
      return new Problem('internal', { cause: thrown })
  }
}

/** What Express' own body parsers and router call their errors. */
function bodyParserType(thrown: unknown): string | undefined {
  if (thrown instanceof URIError) {
    return 'uri'
  }
  return thrown instanceof Error && 'type' in thrown && typeof thrown.type === 'string'
    ? thrown.type
    : undefined
}
