/** Opens what every process of the service needs, from its configuration, and closes it again. */
import type { Config } from './config.ts'
import type { Keyring } from './crypto.ts'
import { openDatabase, type Database } from './db.ts'
import { openFiles, type Files } from './files.ts'
import { openLog, type Log } from './log.ts'
import { openBells, queueBackend, type Bells, type QueueBackend } from './queue.ts'

export interface Parts {
  config: Config
  log: Log
  db: Database
  keyring: Keyring
  files: Files
  queues: QueueBackend
  bells: Bells
  close(): Promise<void>
}

/** `name` stands in log lines and in Postgres' list of connections. */
export function openParts(config: Config, name: string): Parts {
  const log = openLog(config.logLevel, name)
  const db = openDatabase({
    url: config.databaseUrl,
    poolSize: config.databasePoolSize,
    log,
    applicationName: name,
  })
  const queues = queueBackend(config, log)
  const bells = openBells(queues, log)
  return {
    config,
    log,
    db,
    keyring: config.dataKeys,
    files: openFiles(config.filesDir, config.dataKeys),
    queues,
    bells,
    async close() {
      await bells.close()
      await db.close()
    },
  }
}
