/** ETag and If-Match: who changes settings can say which ones he saw (RFC 9110, 8.8.3, 13.1.1). */
import type { Request } from 'express'
import { sha256 } from '../base/crypto.ts'
import { Problem } from '../base/problem.ts'

/** The tag of an answer as it is sent. */
export function etagOf(view: unknown): string {
  return `"${sha256(JSON.stringify(view)).toString('base64url').slice(0, 27)}"`
}

/**
 * The header that gives an answer's tag. What somebody has already is sent whole again: whether it
 * changed is asked for here where something is changed only.
 */
export function tagged(request: Request, view: unknown): { ETag: string } {
  delete request.headers['if-none-match']
  return { ETag: etagOf(view) }
}

const TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g
const TAGS = new RegExp(`^${TAG.source}(?:\\s*,\\s*${TAG.source})*$`)

/**
 * Throws `precondition_failed` where the request has an If-Match and none of its tags is that of
 * what is there; null stands for nothing. Without the header nothing is asked. A weak tag matches
 * nothing. Throws `invalid_request` where the header is none.
 */
export function assertMatch(request: Request, current: unknown): void {
  const header = request.get('if-match')?.trim()
  if (header === undefined) {
    return
  }
  if (header !== '*' && !TAGS.test(header)) {
    const detail = 'The header If-Match takes an ETag in its quotes, several with commas, or *.'
    throw new Problem('invalid_request', { detail, moved: 'no' })
  }
  const tags: readonly string[] = header.match(TAG) ?? []
  if (current === null || (header !== '*' && !tags.includes(etagOf(current)))) {
    const detail =
      'It is not, or not any more, what you read. Read it again, look at what was changed ' +
      'meanwhile, and send your change with its new ETag in If-Match.'
    throw new Problem('precondition_failed', { detail, moved: 'no' })
  }
}
