/** Text made to break an encoding, and a reader of the encoding that shares no code with it. */
import { expect } from 'chai'
import fc from 'fast-check'

/** Text that tries to look like a field, a length or the end of a line. */
export const hostileText = fc.oneof(
  fc.string({ unit: fc.constantFrom('=', ':', '\n', '0', '1', '3', 'a', 'ₐ', '₹', '😀', '\r') }),
  fc.constantFrom('a=1:x\n', '0:\n', '\n', 'name=3:abc', '', '0', '१', 'é', 'e\u0301'),
  fc.string({ unit: 'binary' }),
)

/** Reads an encoding back, written from the description alone. */
export function decodeFields(bytes: Buffer): { version: string; fields: [string, string][] } {
  let place = bytes.indexOf('\n')
  const version = bytes.subarray(0, place).toString()
  const fields: [string, string][] = []
  place += 1
  while (place < bytes.length) {
    const equals = bytes.indexOf('=', place)
    const colon = bytes.indexOf(':', equals)
    const length = Number(bytes.subarray(equals + 1, colon).toString())
    const end = colon + 1 + length
    fields.push([bytes.subarray(place, equals).toString(), bytes.toString('utf8', colon + 1, end)])
    expect(bytes[end]).to.equal(0x0a)
    place = end + 1
  }
  return { version, fields }
}
