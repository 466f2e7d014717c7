/** The audit of people as data: what of a request may be recorded, and the chain over records. */
import { sha256 } from '../base/crypto.ts'
import { withoutIds, withoutSecrets } from '../base/private.ts'
import { encodeFields } from './chain.ts'

/** What somebody did. */
export interface PeopleNote {
  /** User, API key, job or script. */
  actor: string
  /** An operation of the API, a job's or a script's name. */
  operation: string
  requestId: string | null
  ip: string | null
  userAgent: string | null
  /** To what it was done: the path, without a query. */
  target: string | null
  before: object | null
  after: object | null
  reason: string | null
}

/** A note in the chain; `before` and `after` as the text that the hash covers. */
export interface PeopleLink extends Omit<PeopleNote, 'before' | 'after'> {
  auditNo: bigint
  at: Date
  before: string | null
  after: string | null
}

const LAYOUT = 'bahi/people-audit/1'

/** The hash before an organisation's first link. */
export function peopleGenesisOf(organisation: string): Buffer {
  return sha256(encodeFields(LAYOUT, [['organisation', organisation]]))
}

/** SHA-256 over the link before and this one; `link_people_audit()` computes the same. */
export function peopleHash(previous: Buffer, link: PeopleLink): Buffer {
  return sha256(
    encodeFields(LAYOUT, [
      ['previous', previous.toString('hex')],
      ['audit_no', link.auditNo.toString()],
      ['at_ms', String(link.at.getTime())],
      ['actor', link.actor],
      ['operation', link.operation],
      // No text in the table is empty, so that none can be mistaken for one that is not there.
      ['request_id', link.requestId ?? ''],
      ['ip', link.ip ?? ''],
      ['user_agent', link.userAgent ?? ''],
      ['target', link.target ?? ''],
      ['before', link.before ?? ''],
      ['after', link.after ?? ''],
      ['reason', link.reason ?? ''],
    ]),
  )
}

/** What may be recorded of a value: no secrets, no personal ids, names in order. */
export function cleaned(value: unknown): unknown {
  return inOrder(withoutSecrets(value))
}

function inOrder(value: unknown): unknown {
  if (typeof value === 'string') {
    return withoutIds(value)
  }
  if (typeof value === 'bigint') {
    return value.toString()
  }
  if (typeof value !== 'object' || value === null || value instanceof Date) {
    return value
  }
  if (Array.isArray(value)) {
    return value.map(inOrder)
  }
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, one]) => [withoutIds(name), inOrder(one)]),
  )
}

const JSON_BYTES_MAX = 32_768

/** JSON with its names in order; of what is larger than 32 KiB its size and SHA-256. */
export function recordedText(value: object | null): string | null {
  if (value === null) {
    return null
  }
  const text = JSON.stringify(cleaned(value))
  const bytes = Buffer.byteLength(text)
  return bytes <= JSON_BYTES_MAX
    ? text
    : JSON.stringify({ bytes, sha256: sha256(text).toString('hex') })
}

/** One line of at most so many characters that Postgres can hold; null where nothing is left. */
export function recordedLine(text: string | null, most: number): string | null {
  const clean = withoutIds((text ?? '').toWellFormed().replaceAll(/\p{Cc}+/gu, ' ')).trim()
  // By code points, so that no character is cut in two.
  const cut = clean.length > most ? Array.from(clean).slice(0, most).join('') : clean
  return cut === '' ? null : cut
}
