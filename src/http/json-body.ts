/** Reads JSON bodies, and refuses what JSON.parse passes over: doubled names, numbers it rounds. */
import { isUtf8 } from 'node:buffer'
import express, { type NextFunction, type Request, type Response } from 'express'
import { Problem } from '../base/problem.ts'
import { faultsInJson } from './exact-json.ts'

/**
 * Handlers that put a body of up to `limit` bytes into `request.body`. Problems: `body_too_large`
 * before the body has come where its length is known, `malformed_json`, `unsupported_media_type`,
 * and `invalid_request` for JSON that two readers could understand differently, or that is deeper
 * or wider than any that is asked for.
 */
export function jsonBody(limit: number) {
  return [
    (request: Request, _response: Response, next: NextFunction): void => {
      const isRead = request.body !== undefined
      // Node reads off what still comes; the caller need not send it all to hear this.
      if (!isRead && Number(request.headers['content-length'] ?? 0) > limit) {
        throw new Problem('body_too_large', { detail: `At most ${limit} bytes.` })
      }
      next()
    },
    express.raw({ type: 'application/json', limit, inflate: false }),
    (request: Request, _response: Response, next: NextFunction): void => {
      const bytes: unknown = request.body
      if (Buffer.isBuffer(bytes)) {
        request.body = parsed(bytes, request.get('content-type') ?? '')
      }
      next()
    },
  ]
}

/** The faults are looked for first: parsing what is nested very deep takes seconds. */
function parsed(bytes: Buffer, contentType: string): unknown {
  const [, charset = 'utf-8'] = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType) ?? []
  if (!/^utf-?8$/i.test(charset)) {
    throw new Problem('unsupported_media_type', { detail: 'Send the body as UTF-8.' })
  }
  if (bytes.length === 0) {
    return {}
  }
  if (!isUtf8(bytes)) {
    throw malformed()
  }
  const errors = faultsInJson(bytes)
  if (errors.length > 0) {
    const detail = 'See errors for what could be read in two ways, or is too much, and where.'
    throw new Problem('invalid_request', { detail, errors })
  }
  const body = parseText(bytes.toString('utf8'))
  if (typeof body !== 'object' || body === null) {
    throw malformed()
  }
  return body
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // V8's words quote the body, which may hold anything.
    throw malformed()
  }
}

function malformed(): Problem {
  return new Problem('malformed_json', { detail: 'Send one JSON object in UTF-8.' })
}
