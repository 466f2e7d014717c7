/** Catches what a call throws, so that a test can look at the problem itself. */
import { inspect } from 'node:util'
import { expect } from 'chai'
import { Problem, type ProblemCode } from '../../src/base/problem.ts'

/** The problem that `call` throws; fails where it throws nothing or something else. */
export function problemOf(call: () => unknown): Problem {
  let given: unknown
  try {
    given = call()
  } catch (thrown) {
    return asProblem(thrown)
  }
  return expect.fail(`nothing was thrown, but ${inspect(given)} returned`)
}

/** The problem that a promise rejects with; fails where it resolves or rejects otherwise. */
export async function rejectionOf(promise: Promise<unknown>): Promise<Problem> {
  let given: unknown
  try {
    given = await promise
  } catch (thrown) {
    return asProblem(thrown)
  }
  return expect.fail(`the promise resolved with ${inspect(given)}`)
}

/** Asserts that `call` throws this problem and gives its detail. */
export function detailOf(code: ProblemCode, call: () => unknown): string {
  const problem = problemOf(call)
  expect(problem.code, problem.message).to.equal(code)
  return problem.message
}

function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) {
    return thrown
  }
  throw thrown
}
