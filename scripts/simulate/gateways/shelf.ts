/** What a test gateway remembers: things by their ids, so many of them, the oldest forgotten. */
import { Impossible } from './wire.ts'

export interface Shelf<Thing> {
  find(id: string): Thing | undefined
  /** Throws `Impossible` where there is none. */
  get(id: string): Thing
  put(id: string, thing: Thing): Thing
  /** Newest first. */
  all(): Thing[]
}

/** `what` is for messages: "payment". */
export function createShelf<Thing>(what: string, limit: number): Shelf<Thing> {
  const things = new Map<string, Thing>()
  const shelf: Shelf<Thing> = {
    find: (id) => things.get(id),
    get(id) {
      const thing = things.get(id)
      if (thing === undefined) {
        throw new Impossible(`There is no ${what} ${id} here.`)
      }
      return thing
    },
    put(id, thing) {
      things.set(id, thing)
      const [oldest] = things.keys()
      if (things.size > limit && oldest !== undefined) {
        things.delete(oldest)
      }
      return thing
    },
    all: () => [...things.values()].reverse(),
  }
  return shelf
}
