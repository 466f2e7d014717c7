/** Aadhaar numbers are refused wherever they are not asked for (Aadhaar Act 2016, section 29). */
import { holdsAadhaar } from '../base/aadhaar.ts'

export const NO_AADHAAR =
  'must not hold an Aadhaar number: a donor’s goes into tax_id, which is encrypted; ' +
  'before a bank’s reference of 12 digits write RRN or UTR'

/** True for a text of its own without an Aadhaar number. */
export function hasNoAadhaar(text: string): boolean {
  return !holdsAadhaar(text)
}

/** What is wrong with texts by name; the name `rrn` says of twelve digits that they are none. */
export function aadhaarsIn(given: Readonly<Record<string, string>>) {
  return Object.entries(given)
    .filter(([name, text]) => holdsAadhaar(name) || holdsAadhaar(`${name} ${text}`))
    .map(([name]) => ({ code: 'custom' as const, path: [name], message: NO_AADHAAR }))
}
