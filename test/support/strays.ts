/** Errors that come in a worker of mocha between two files, where nobody listens for them. */
import { appendFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { inspect } from 'node:util'

/**
 * Writes such errors into the file. Without this the worker would end and mocha, which has all its
 * results, would wait for it for ever. While a test runs, mocha hears of its errors as before.
 */
export function keepStrays(file: string): void {
  const listeners: NodeJS.EventEmitter = process
  process.setUncaughtExceptionCaptureCallback((error) => {
    if (!listeners.emit('uncaughtException', error, 'uncaughtException')) {
      appendFileSync(file, `${inspect(error)}\n`)
    }
  })
}

/** Throws what was written, so that the run fails. */
export async function expectNoStrays(file: string): Promise<void> {
  const found = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      return ''
    }
    throw error
  })
  if (found !== '') {
    throw new Error(`after their test file was done:\n${found}`)
  }
}
