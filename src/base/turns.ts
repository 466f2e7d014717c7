/** Turns at a queue within this process, so that those who wait hold nothing meanwhile. */
import { Problem } from './problem.ts'

export interface Turns {
  /**
   * Runs the work when it is its turn among those with the same key, in the order of asking. Throws
   * `unavailable` (moved: no) where that does not come in time.
   */
  take<T>(key: string, work: () => Promise<T>): Promise<T>
}

interface Waiting {
  go(): void
  timer: NodeJS.Timeout
}

const BOOKS_BUSY = 'Too many others write to the same books; nothing was written. Try again.'

/** `together` may work at once for one key; others wait for `timeoutMs`, then hear `detail`. */
export function openTurns(together: number, timeoutMs: number, detail = BOOKS_BUSY): Turns {
  const queues = new Map<string, { working: number; waiting: Set<Waiting> }>()

  const wait = async (waiting: Set<Waiting>): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      const one: Waiting = {
        go: resolve,
        timer: setTimeout(() => {
          waiting.delete(one)
          reject(new Problem('unavailable', { detail, moved: 'no', retryAfter: 1 }))
        }, timeoutMs),
      }
      waiting.add(one)
    })
  }

  return {
    async take(key, work) {
      const queue = queues.get(key) ?? { working: 0, waiting: new Set() }
      queues.set(key, queue)
      if (queue.working < together) {
        queue.working += 1
      } else {
        // Who leaves hands his turn over, so that `working` stays as it is.
        await wait(queue.waiting)
      }
      try {
        return await work()
      } finally {
        const [next] = queue.waiting
        if (next === undefined) {
          queue.working -= 1
          if (queue.working === 0) {
            queues.delete(key)
          }
        } else {
          clearTimeout(next.timer)
          queue.waiting.delete(next)
          next.go()
        }
      }
    },
  }
}
