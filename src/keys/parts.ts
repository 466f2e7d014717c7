/** What a rotation of data keys works with. */
import type { Keyring } from '../base/crypto.ts'
import type { Database } from '../base/db.ts'
import type { Files } from '../base/files.ts'
import type { Log } from '../base/log.ts'

export interface RotationParts {
  db: Database
  keyring: Keyring
  files: Files
  log: Log
  /** True from the moment the worker was asked to end; the next run goes on. */
  shouldStop(): boolean
}
