/** Every refusal of a request that would write says whether anything moved. */
import type { NextFunction, Request, Response } from 'express'
import { Problem } from '../base/problem.ts'
import { asProblem } from './problem-json.ts'

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * An error handler for the API. A refusal that says nothing about it was thrown before anything was
 * written: nothing moved. Of a failure on our side (5xx: the database lost, what nobody foresaw)
 * nothing is known, unless whoever has sent the COMMIT says himself what became of it.
 */
// Express tells an error handler by its four parameters.
export function sayWhetherMoved(
  thrown: unknown,
  request: Request,
  _response: Response,
  next: NextFunction,
): void {
  const problem = asProblem(thrown)
  if (READING.has(request.method) || problem.extras.moved !== undefined) {
    next(thrown)
    return
  }
  const moved = problem.status >= 500 ? 'unknown' : 'no'
  next(new Problem(problem.code, { cause: thrown, ...problem.extras, moved }))
}
