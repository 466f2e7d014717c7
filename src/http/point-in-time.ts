/** The two time axes as query parameters: as_of (a day) and known_at (an instant). */
import { z } from 'zod'
import type { PointInTime } from '../ledger/reading/balances.ts'
import { isoDate } from './input.ts'

/** RFC 3339 with its zone; finer than a millisecond is cut, because posting is no finer. */
const instant = z.iso
  .datetime({
    offset: true,
    error: 'must be an instant, 2026-05-04T18:30:00Z or with an offset (its + written %2B)',
  })
  .transform((text) => new Date(text))

export const asOf = isoDate.optional()
export const knownAt = instant.optional()

/** What was asked for, as the ledger takes it. */
export function pointOf(asked: { as_of?: string | undefined; known_at?: Date | undefined }) {
  return { asOf: asked.as_of ?? null, knownAt: asked.known_at ?? null } satisfies PointInTime
}
