/** What something throws or rejects with, for expectations about it. */
import { Problem, type ProblemCode } from '../../src/base/problem.ts'

/** The code of the problem that `work` throws. */
export function codeOf(work: () => unknown): ProblemCode | undefined {
  try {
    work()
  } catch (error) {
    if (error instanceof Problem) {
      return error.code
    }
    throw error
  }
  return undefined
}

/** The message of the error that `work` throws; empty where it throws none. */
export function messageOfThrown(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return ''
}

/** What a promise rejects with; throws where it is fulfilled. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  )
  if (outcome === undefined) {
    throw new Error('it was expected to fail')
  }
  return outcome
}
