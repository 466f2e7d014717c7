/** Who is asking, as identity knows it: an organisation's user, key, or bearer of a token. */
import { Problem } from '../base/problem.ts'
import type { Role } from './roles.ts'

export interface Caller {
  /** `user:usr_…`, `key:key_…`, or what a token calls its bearer. */
  subject: string
  orgId: number
  role: Role
  /** The permissions that a key was given of its role's; null for all of them. */
  only: readonly string[] | null
  /** The role of the user who answers for a key: it does no more than he; null for others. */
  ownerRole: Role | null
  /** The user and his session where it is one. */
  user: { userId: string; sessionId: string } | null
}

/** Problem `unauthenticated`, with what to do about it. */
export function unknownCaller(detail: string): Problem {
  return new Problem('unauthenticated', { detail })
}
