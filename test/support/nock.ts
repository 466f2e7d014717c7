/** The gateways' own APIs, and nothing else, answered by nock: on for a describe, off after it. */
import nock from 'nock'

// Importing it switches it on.
nock.restore()

/** Calls to this machine go through, everything else must be expected. */
export function startNock(): void {
  if (!nock.isActive()) {
    nock.activate()
  }
  nock.disableNetConnect()
  nock.enableNetConnect('127.0.0.1')
}

export function stopNock(): void {
  nock.cleanAll()
  nock.enableNetConnect()
  nock.restore()
}
