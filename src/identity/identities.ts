/** Whom an identity provider means: a user is bound to issuer and subject as he first comes in. */
import type { Trx } from '../base/db.ts'

/** Somebody as the provider names him for ever (OpenID Connect Core 1.0, 5.7). */
export interface Subject {
  issuer: string
  subject: string
}

/** The user who is bound to that subject, active or not. */
export async function boundUser(trx: Trx, { issuer, subject }: Subject): Promise<string | null> {
  const [row] = await trx.query<{ user_id: string }>(
    'select user_id from user_identities where org_id = $1 and issuer = $2 and subject = $3',
    [trx.scope, issuer, subject],
  )
  return row?.user_id ?? null
}

/**
 * Binds a user to a subject; true where he is bound to it now, or was already. False where he, or
 * the subject, is bound to another, at this issuer or at one from before: whoever names another
 * provider does not become all who came in by the old one. Who comes at the same time waits for
 * the first.
 */
export async function bind(trx: Trx, userId: string, who: Subject): Promise<boolean> {
  await trx.query(
    `insert into user_identities (org_id, user_id, issuer, subject) values ($1, $2, $3, $4)
     on conflict do nothing`,
    [trx.scope, userId, who.issuer, who.subject],
  )
  return (await boundUser(trx, who)) === userId
}

/** Sets a user free of his subjects: the next one with his email is bound. */
export async function unbind(trx: Trx, userId: string): Promise<void> {
  await trx.query('delete from user_identities where org_id = $1 and user_id = $2', [
    trx.scope,
    userId,
  ])
}
