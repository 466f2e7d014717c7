/** What our books and the other side say of one thing, held against each other field by field. */
import type { IsoDate } from '../../base/clock.ts'
import type { ExceptionKind } from './kinds.ts'

/** What one side says, as far as it does. Minor units; net is signed as the settlement has it. */
export interface Side {
  amount: bigint | null
  fee: bigint | null
  tax: bigint | null
  net: bigint | null
  currency: string | null
  status: string | null
  reference: string | null
  day: IsoDate | null
}

export const FIELDS = [
  'amount',
  'fee',
  'tax',
  'net',
  'currency',
  'status',
  'reference',
  'day',
] as const satisfies readonly (keyof Side)[]

export type Field = (typeof FIELDS)[number]

export interface Difference {
  field: Field
  ours: bigint | string | null
  theirs: bigint | string | null
  /** Theirs less ours: minor units, of days how many; null where that means nothing. */
  difference: bigint | null
}

export const NOTHING_SAID: Side = {
  amount: null,
  fee: null,
  tax: null,
  net: null,
  currency: null,
  status: null,
  reference: null,
  day: null,
}

/** What only one of two sides says is no difference in these: not everybody tells them. */
const TOLD_BY_SOME: ReadonlySet<Field> = new Set(['status', 'reference', 'day'])

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * The fields in which the sides say something else, or all that one says where the other is not
 * there. The state of a record and the kind of a line are compared where they are the matter.
 */
export function differencesOf(
  kind: ExceptionKind,
  ours: Side | null,
  theirs: Side | null,
): Difference[] {
  const one = ours ?? NOTHING_SAID
  const other = theirs ?? NOTHING_SAID
  const areBoth = ours !== null && theirs !== null
  return FIELDS.filter((field) => field !== 'status' || kind === 'status_mismatch')
    .filter((field) => one[field] !== other[field])
    .filter(
      (field) =>
        !areBoth || !TOLD_BY_SOME.has(field) || (one[field] !== null && other[field] !== null),
    )
    .map((field): Difference => ({
      field,
      ours: one[field],
      theirs: other[field],
      difference: distance(field, one[field], other[field]),
    }))
}

function distance(
  field: Field,
  ours: bigint | string | null,
  theirs: bigint | string | null,
): bigint | null {
  if (typeof ours === 'bigint' && typeof theirs === 'bigint') {
    return theirs - ours
  }
  if (field === 'day' && typeof ours === 'string' && typeof theirs === 'string') {
    return BigInt((Date.parse(theirs) - Date.parse(ours)) / DAY_MS)
  }
  return null
}

/** What a record of ours should bring to a settlement: its amount, less what it cost. */
export function netOf(amount: bigint, fee: bigint | null, brings: boolean): bigint {
  return (brings ? amount : -amount) - (fee ?? 0n)
}
