/** A bulkhead: so many calls to one service at a time, so that a slow one does not take all. */

export interface Bulkhead {
  /**
   * Runs the work when there is room for it. Those who wait go in turn by organisation, so that
   * one's flood does not hold up another. Throws what `full` makes where too many wait already, or
   * where no room comes within `waitMs`.
   */
  run<T>(orgId: number, waitMs: number, work: () => Promise<T>): Promise<T>
}

export interface BulkheadLimits {
  /** Calls at a time. */
  together: number
  /** Calls that wait for room; one organisation's are at most half of them. */
  waitingMax: number
  full(): Error
}

interface Waiting {
  go(): void
  timer: NodeJS.Timeout
}

export function openBulkhead({ together, waitingMax, full }: BulkheadLimits): Bulkhead {
  /** Who waits, by organisation; whose turn it is next stands first. */
  const queues = new Map<number, Set<Waiting>>()
  let running = 0
  let waiting = 0

  const leave = (orgId: number, one: Waiting): void => {
    const queue = queues.get(orgId)
    if (queue?.delete(one) === true) {
      waiting -= 1
      clearTimeout(one.timer)
    }
    if (queue?.size === 0) {
      queues.delete(orgId)
    }
  }

  const wait = async (orgId: number, waitMs: number): Promise<void> => {
    const queue = queues.get(orgId) ?? new Set()
    if (waiting >= waitingMax || queue.size >= waitingMax / 2) {
      throw full()
    }
    queues.set(orgId, queue)
    waiting += 1
    await new Promise<void>((resolve, reject) => {
      const one: Waiting = {
        go: resolve,
        timer: setTimeout(() => {
          leave(orgId, one)
          reject(full())
        }, waitMs),
      }
      queue.add(one)
    })
  }

  const next = (): void => {
    const [first] = queues
    const [orgId, queue] = first ?? []
    const [one] = queue ?? []
    if (orgId === undefined || queue === undefined || one === undefined) {
      running -= 1
      return
    }
    leave(orgId, one)
    if (queues.delete(orgId)) {
      // The organisation's others stand behind everybody who waits now.
      queues.set(orgId, queue)
    }
    one.go()
  }

  return {
    async run(orgId, waitMs, work) {
      if (running < together) {
        running += 1
      } else {
        // Who leaves hands his place over, so that `running` stays as it is.
        await wait(orgId, waitMs)
      }
      try {
        return await work()
      } finally {
        next()
      }
    },
  }
}
