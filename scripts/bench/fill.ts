/** Fills books through the engine itself, so that their chain holds and can be verified. */
import { openBatcher } from '../../src/ledger/posting/batcher.ts'
import { draftBetween, spreadPair } from './drafts.ts'
import { ORG, type BenchServer } from './server.ts'

const CALLERS = 2000
/** Entries are spread over so many effective days, a year of them. */
const DAYS = 365
const FIRST_DAY = Date.UTC(2025, 10, 21)
const DAY_MS = 86_400_000

/** Posts `entries` entries in the order of their days; gives the seconds that it took. */
export async function fill(server: BenchServer, entries: number): Promise<number> {
  const batcher = openBatcher(server.db)
  const start = performance.now()
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < entries) {
      const n = next
      next += 1
      const day = new Date(FIRST_DAY + Math.floor((n / entries) * DAYS) * DAY_MS)
      const draft = draftBetween(`fill:${n}`, spreadPair(n))
      const effectiveOn = day.toISOString().slice(0, 10)
      const result = await batcher.post(ORG, { ...draft, effectiveOn })
      if (result.status !== 'posted') {
        throw new Error(`not posted: ${result.status}`)
      }
      if (n % 100_000 === 0 && process.stderr.isTTY) {
        process.stderr.write(`\r  filling: ${n} of ${entries}`)
      }
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  await batcher.close()
  return (performance.now() - start) / 1000
}
