/** Ends a process in order when it is asked to, and at once when it is asked again. */
import { isConnectionError } from './database-error.ts'
import type { Log } from './log.ts'

const LONGEST_END_MS = 30_000
/** A Ctrl-C under npm arrives twice, from the terminal and from npm: that is one wish. */
const SAME_WISH_MS = 1000

/** On SIGTERM or SIGINT runs `close`, then exits: 0 when all went well, 1 otherwise. */
export function endOnSignal(log: Log, close: () => Promise<void>): void {
  let endingSince: number | null = null
  const end = (signal: NodeJS.Signals): void => {
    if (endingSince !== null) {
      if (Date.now() - endingSince > SAME_WISH_MS) {
        process.exit(1)
      }
      return
    }
    endingSince = Date.now()
    log.info({ signal }, 'ending')
    setTimeout(() => {
      log.error('did not end in time')
      process.exit(1)
    }, LONGEST_END_MS).unref()
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'did not end in order')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

/**
 * A database connection that a library forgot to listen to reports its end as an uncaught error:
 * that connection is gone, and is no reason for the process to go too. Anything else ends it.
 */
export function outliveLostConnections(log: Log): void {
  process.on('uncaughtException', (error) => {
    if (isConnectionError(error)) {
      log.warn({ err: error }, 'a connection was lost')
      return
    }
    log.fatal({ err: error }, 'an error that nobody caught')
    process.exit(1)
  })
}
