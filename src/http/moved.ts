/** Every refusal of a request that would post says whether anything moved. */
import type { NextFunction, Request, Response } from 'express'
import { Problem } from '../base/problem.ts'
import { asProblem } from './problem-json.ts'

/**
 * An error handler for the paths that post. Whoever has sent a COMMIT says himself what became of
 * it; what is thrown without a word about it was thrown before: nothing moved. Only of a failure
 * that nobody foresaw nothing can be said.
 */
// Express tells an error handler by its four parameters.
export function sayWhetherMoved(
  thrown: unknown,
  request: Request,
  _response: Response,
  next: NextFunction,
): void {
  const problem = asProblem(thrown)
  if (request.method === 'GET' || problem.extras.moved !== undefined) {
    next(thrown)
    return
  }
  const moved = problem.code === 'internal' ? 'unknown' : 'no'
  next(new Problem(problem.code, { ...problem.extras, moved }))
}
