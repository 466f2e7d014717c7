/** Reads JSON bodies, and refuses what JSON.parse passes over: doubled names, numbers it rounds. */
import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import express, { type NextFunction, type Request, type Response } from 'express'
import { Problem, type FieldError } from '../base/problem.ts'

const FAULTS_MAX = 20

/**
 * Handlers that put a body of up to `limit` bytes into `request.body`. Problems: `body_too_large`
 * before the body has come where its length is known, `malformed_json`, `unsupported_media_type`,
 * and `invalid_request` for JSON that two readers could understand differently.
 */
export function jsonBody(limit: number) {
  const read = new WeakMap<IncomingMessage, { bytes: Buffer; encoding: string }>()
  return [
    (request: Request, _response: Response, next: NextFunction): void => {
      const isRead = request.body !== undefined
      // Node reads off what still comes; the caller need not send it all to hear this.
      if (!isRead && Number(request.headers['content-length'] ?? 0) > limit) {
        throw new Problem('body_too_large', { detail: `At most ${limit} bytes.` })
      }
      next()
    },
    express.json({
      limit,
      inflate: false,
      verify: (request, _response, bytes, encoding) => {
        read.set(request, { bytes, encoding })
      },
    }),
    (request: Request, _response: Response, next: NextFunction): void => {
      const body = read.get(request)
      if (body !== undefined) {
        assertExact(body.bytes, body.encoding)
      }
      next()
    },
  ]
}

function assertExact(bytes: Buffer, encoding: string): void {
  if (encoding !== 'utf-8') {
    throw new Problem('unsupported_media_type', { detail: 'Send the body as UTF-8.' })
  }
  if (!isUtf8(bytes)) {
    throw new Problem('malformed_json', { detail: 'Send one JSON object in UTF-8.' })
  }
  const errors = ambiguities(bytes.toString('utf8'))
  if (errors.length > 0) {
    const detail = 'See errors for what could be read in two ways, and where.'
    throw new Problem('invalid_request', { detail, errors })
  }
}

/** An object with the names seen in it, or an array; and where in it the reading is. */
interface Level {
  names: Set<string> | null
  at: string | number
}

/**
 * What in this JSON does not mean the same to everybody: a name that stands twice in an object, and
 * a number that is not written as a whole one or that a double cannot hold. The text must be valid.
 */
export function ambiguities(text: string): FieldError[] {
  const faults: FieldError[] = []
  const levels: Level[] = []
  const fault = (detail: string) => {
    const pointer = levels.map(({ at }) => `/${String(at)}`).join('')
    faults.push({ pointer, detail })
  }
  for (const [token, quoted, colon] of text.matchAll(TOKEN)) {
    const level = levels.at(-1)
    if (token === '{' || token === '[') {
      levels.push(token === '{' ? { names: new Set(), at: '' } : { names: null, at: 0 })
    } else if (token === '}' || token === ']') {
      levels.pop()
    } else if (token === ',') {
      if (typeof level?.at === 'number') {
        level.at += 1
      }
    } else if (quoted === undefined) {
      if (!/^-?\d+$/.test(token) || !Number.isSafeInteger(Number(token))) {
        fault('must be a whole number of at most 2^53 - 1, written without point or exponent')
      }
    } else if (colon !== undefined && level?.names) {
      const name = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1)
      level.at = name
      if (level.names.has(name) || name === '__proto__') {
        fault(name === '__proto__' ? 'is no name for a field' : 'stands here twice')
      }
      level.names.add(name)
    }
    if (faults.length === FAULTS_MAX) {
      break
    }
  }
  return faults
}

/** A string, with the colon behind it where it is a name; a bracket or comma; a number. */
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}[\],]|-?\d[\d.eE+-]*/g
