/** A history of callers at once whose wires are cut while others hold the rows they need. */
import type { Books } from '../ledger/books.ts'
import { startWireCutter } from '../support/wire-cutter.ts'
import { liveAtOnce, type AtOnce } from './at-once.ts'
import type { Notes } from './callers.ts'
import { Cuts, disturbRows, randomOf } from './disturbers.ts'

export interface CutOff {
  notes: Notes
  /** What was cut, and before or after which message. */
  cuts: string[]
}

export async function liveCutOff(
  books: Books,
  how: Omit<AtOnce, 'url' | 'onCall'>,
): Promise<CutOff> {
  const random = randomOf(how.seed)
  const url = new URL(books.database.url)
  const wire = await startWireCutter({ host: url.hostname, port: Number(url.port) })
  url.port = String(wire.port)
  const cuts = new Cuts(wire, random)
  const disturber = await disturbRows(books.database.ownerUrl, how.orgId, random)
  try {
    const notes = await liveAtOnce({
      ...how,
      url: url.href,
      onCall: (heard) => {
        if (typeof heard !== 'string') {
          cuts.next()
        }
      },
    })
    return { notes, cuts: cuts.done }
  } finally {
    cuts.stop()
    await disturber.stop()
    await wire.close()
  }
}
