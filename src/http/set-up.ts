/** A new organisation with its first admin, as the operator asks for it by HTTP or command. */
import type { z } from 'zod'
import { notePeople } from '../audit/append.ts'
import type { PeopleNote } from '../audit/people.ts'
import type { Keyring } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { invite } from '../identity/invitations.ts'
import { createUser } from '../identity/users.ts'
import { setUpOrganisation, type SetUp } from '../organisations/create.ts'
import { specOf, type newOrganisation } from './organisation-input.ts'

/** Who asked for it, and from where. */
export type Asker = Omit<PeopleNote, 'operation' | 'before' | 'after' | 'reason'>

/**
 * Sets it up in one transaction and tells what was made; an organisation with that slug is left as
 * it is, and `created` is false. Secrets that were made are in the answer, and nowhere else.
 */
export async function setUp(
  db: Database,
  keyring: Keyring,
  given: z.output<typeof newOrganisation>,
  more: { now: Date; publicUrl: string; asker: Asker },
) {
  const { now, publicUrl, asker } = more
  return await db.transact(
    'all',
    async (trx) => {
      const made = await setUpOrganisation(trx, keyring, specOf(given, now))
      const own: Trx = { ...trx, scope: made.orgId }
      const admin = made.isNew ? await firstAdmin(own, given.admin, asker.actor) : null
      if (made.isNew) {
        const after = { organisation: `org_${made.orgId}`, slug: given.slug, admin: admin?.email }
        const note = { operation: 'createOrganisation', before: null, after, reason: null }
        await notePeople(own, { ...asker, ...note })
      }
      return viewOf(given.slug, made, admin, publicUrl)
    },
    { isolation: 'read committed' },
  )
}

async function firstAdmin(
  trx: Trx,
  admin: z.output<typeof newOrganisation>['admin'],
  actor: string,
) {
  if (admin === null) {
    return null
  }
  const { userId, email } = await createUser(trx, { ...admin, role: 'admin' }, actor)
  const { token, expiresAt } = await invite(trx, userId, actor, actor)
  return { id: userId, email, invitation: { token, expires_at: expiresAt.toISOString() } }
}

function viewOf(
  slug: string,
  made: SetUp,
  admin: Awaited<ReturnType<typeof firstAdmin>>,
  publicUrl: string,
) {
  return {
    id: `org_${made.orgId}`,
    slug,
    created: made.isNew,
    admin,
    webhook_endpoints: made.endpoints.map(({ gateway, endpointId, madeSecret }) => ({
      id: endpointId,
      gateway,
      url: `${publicUrl}/webhooks/${gateway}/${endpointId}`,
      secret: madeSecret,
    })),
  }
}
