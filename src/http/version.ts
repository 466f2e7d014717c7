/** The dated version of the API: on every answer, and what a caller may ask for. */
import type { NextFunction, Request, Response } from 'express'
import { Problem } from '../base/problem.ts'

/** It changes only where a client that knows the contract would no longer understand an answer. */
export const API_VERSION = '2026-11-20'

/** Says the version; a caller who asks for another one is refused: problem `invalid_request`. */
export function sayVersion(request: Request, response: Response, next: NextFunction): void {
  response.setHeader('Bahi-Version', API_VERSION)
  const asked = request.get('bahi-version')
  if (asked !== undefined && asked !== API_VERSION) {
    const detail = `This service speaks Bahi-Version ${API_VERSION}, not "${asked.slice(0, 40)}".`
    throw new Problem('invalid_request', { detail })
  }
  next()
}
