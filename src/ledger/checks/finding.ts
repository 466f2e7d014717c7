/** What a verification finds. */

/** Something that is not as it must be. */
export interface Finding {
  check: string
  detail: string
}

/** More findings of one kind tell nothing new. */
export const FINDINGS_MAX = 20
