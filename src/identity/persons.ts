/** The person behind whoever asks: a user, his API keys and his tokens are one. */
import type { Trx } from '../base/db.ts'
import type { Role } from './roles.ts'

const TOKEN = 'token:'
const KEY = 'key:'
const USER = 'user:'

/** True for the subject of an API key: nobody in person. */
export function isKey(subject: string): boolean {
  return subject.startsWith(KEY)
}

/** The person that a token's subject names, however it is written. */
export function tokenPerson(subject: string): string {
  return TOKEN + folded(subject)
}

/** A name as it is compared: width, case and spaces do not tell people apart. */
export function folded(name: string): string {
  const plain = name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC')
  return plain.replaceAll(/\s+/g, ' ').trim()
}

/** The person behind a caller: himself, or for an API key who answers for it. */
export async function personOf(trx: Trx, subject: string): Promise<string> {
  return (await behind(trx, subject)).owner
}

/** Everybody who may be behind a caller: who answers for a key, and who made it and saw it. */
export async function personsBehind(trx: Trx, subject: string): Promise<string[]> {
  const { owner, maker } = await behind(trx, subject)
  return [...new Set([owner, maker])]
}

/** Who answers for what a caller makes, and who has seen the secret that he came with. */
export async function behind(trx: Trx, subject: string): Promise<{ owner: string; maker: string }> {
  if (!isKey(subject)) {
    const person = subject.startsWith(USER) ? subject : tokenPerson(subject)
    return { owner: person, maker: person }
  }
  const [row] = await trx.query<{ owner: string; maker: string }>(
    'select owner, maker from api_keys where org_id = $1 and key_id = $2',
    [trx.scope, subject.slice(KEY.length)],
  )
  if (row === undefined) {
    throw new Error(`${subject} was there a moment ago`)
  }
  return row
}

/**
 * True where two may be the same person: also a token's bearer and the user who is bound to its
 * subject at an identity provider, or has it as his email.
 */
export async function areSamePerson(trx: Trx, one: string, other: string): Promise<boolean> {
  const [ones, others] = [await namesOf(trx, one), await namesOf(trx, other)]
  return ones.some((name) => others.includes(name))
}

async function namesOf(trx: Trx, person: string): Promise<string[]> {
  return [person, ...(await usersOf(trx, person)).map(({ userId }) => USER + userId)]
}

interface KnownUser {
  userId: string
  role: Role
  state: 'active' | 'disabled'
}

/** The users that a person is here; none for a token's bearer whom no user is bound to. */
async function usersOf(trx: Trx, person: string): Promise<KnownUser[]> {
  if (person.startsWith(USER)) {
    return await trx.query<KnownUser>(
      'select user_id as "userId", role, state from users where org_id = $1 and user_id = $2',
      [trx.scope, person.slice(USER.length)],
    )
  }
  if (!person.startsWith(TOKEN)) {
    return []
  }
  return await trx.query<KnownUser>(
    `select u.user_id as "userId", u.role, u.state
       from users u
      where u.org_id = $1 and (u.email = $2 or exists (
        select from user_identities i
         where i.org_id = u.org_id and i.user_id = u.user_id and lower(i.subject) = $2))`,
    [trx.scope, person.slice(TOKEN.length)],
  )
}

/** What somebody may be here at this moment. */
export interface Standing {
  role: Role
  /** The permissions that a key was given of its role's; null for all of them. */
  only: readonly string[] | null
  /** The role of the user who answers for a key; null where there is no such user. */
  ownerRole: Role | null
}

/**
 * What who asked earlier is by now; a token's bearer is what his token said then (`asked`). Null
 * for who may do nothing any more: a user who is disabled, or whose token or key it was, and a key
 * that was revoked or has expired.
 */
export async function standingOf(trx: Trx, subject: string, asked: Role): Promise<Standing | null> {
  const users = await usersOf(trx, await personOf(trx, subject))
  if (users.some(({ state }) => state !== 'active')) {
    return null
  }
  const [user] = users
  if (isKey(subject)) {
    const [key] = await trx.query<{ role: Role; permissions: string[] | null }>(
      `select role, permissions from api_keys
        where org_id = $1 and key_id = $2 and revoked_at is null and expires_at > now()`,
      [trx.scope, subject.slice(KEY.length)],
    )
    return key === undefined
      ? null
      : { role: key.role, only: key.permissions, ownerRole: user?.role ?? null }
  }
  if (subject.startsWith(USER)) {
    return user === undefined ? null : { role: user.role, only: null, ownerRole: null }
  }
  return { role: asked, only: null, ownerRole: null }
}

/** Who, beside the user, saw the secret of the invitation by which he set his password. */
export async function invitationSeenBy(trx: Trx, subject: string): Promise<string | null> {
  const [row] = await trx.query<{ seen_by: string | null }>(
    'select invitation_shown_to as seen_by from users where org_id = $1 and user_id = $2',
    [trx.scope, subject.startsWith(USER) ? subject.slice(USER.length) : null],
  )
  return row?.seen_by ?? null
}
