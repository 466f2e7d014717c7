/** Seals of days as answers show them. */
import { z } from 'zod'
import { sealView, type DaySeal } from '../exports/seal.ts'
import { day, instant, sha256Hex } from './answers.ts'

export const digits = z
  .string()
  .regex(/^\d+$/)
  .meta({ description: 'A whole number as text, so that no reader rounds it.' })

export const hashOrNone = z
  .string()
  .regex(/^([0-9a-f]{64})?$/)
  .meta({ description: 'SHA-256 in hex; empty where there is none.' })

export const seal = z
  .strictObject({
    organisation: z.string(),
    day,
    previous: hashOrNone,
    first_entry: digits,
    entries: digits,
    head: sha256Hex,
    entries_root: sha256Hex,
    receipts: digits,
    receipts_root: sha256Hex,
    people: z.string().regex(/^\d*$/).meta({
      description: 'The newest record of people that it covers; empty in seals of version 1.',
    }),
    people_head: hashOrNone,
    root: sha256Hex,
  })
  .meta({ id: 'Seal' })

export const daySeal = z
  .strictObject({
    ...seal.shape,
    receipts_without_pdf: z.array(z.string()),
    sealed_at: instant,
  })
  .meta({ id: 'DaySeal' })

export function daySealView(one: DaySeal): z.input<typeof daySeal> {
  return {
    ...sealView(one),
    receipts_without_pdf: one.without_pdf,
    sealed_at: one.sealed_at.toISOString(),
  }
}
