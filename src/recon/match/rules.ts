/** How matching is done: data with a version, so that every match can say what it followed. */
import type { IsoDate } from '../../base/clock.ts'

export interface Rules {
  /** Differences up to both are taken for none; minor units, and hundredths of a per cent. */
  tolerance: { below: bigint; above: bigint; basisPoints: bigint }
  /** Business days that may lie between our record and the gateway's line. */
  window: { before: number; after: number }
  /** Business days after which a record without a line is missing, and not only late. */
  dueAfter: number
  /** Business days between a settlement and the bank's credit. */
  bankWindow: { before: number; after: number }
  /** Days on which banks are closed, beside Sundays and second and fourth Saturdays. */
  holidays: readonly IsoDate[]
  /** How far a sum of several settlements is looked for where no reference names them. */
  subset: { items: number; steps: number }
}

/**
 * Nothing is tolerated until somebody says so. Gateways settle domestic payments two working days
 * after capture; what is not there after five is missing.
 */
export const DEFAULT_RULES: Rules = {
  tolerance: { below: 0n, above: 0n, basisPoints: 0n },
  window: { before: 1, after: 5 },
  dueAfter: 5,
  bankWindow: { before: 0, after: 3 },
  holidays: [],
  subset: { items: 30, steps: 100_000 },
}

/** True where what the line says instead of what the record says may be let pass. */
export function isTolerated(rules: Rules, recorded: bigint, told: bigint): boolean {
  const { below, above, basisPoints } = rules.tolerance
  const off = told - recorded
  const size = off < 0n ? -off : off
  return size <= (off < 0n ? below : above) && size * 10_000n <= recorded * basisPoints
}
