/** An operation that changes what is kept in a cache: the cache is told, whatever becomes of it. */
import type { Changes } from '../base/cache.ts'
import type { Asked, Operation } from './operation.ts'

/** The operation, run as a change of these names. */
export function changing(
  cache: Changes,
  namesOf: (asked: Asked) => readonly string[] | Promise<readonly string[]>,
  one: Operation,
): Operation {
  if (one.permission === 'public') {
    throw new Error(`${one.id} has nobody whose settings it could change`)
  }
  return {
    ...one,
    run: async (asked, parts) =>
      await cache.change(await namesOf(asked), async () => await one.run(asked, parts)),
  }
}
