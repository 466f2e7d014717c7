/** /v1/users: who works for the organisation, as what, and the invitations to come in. */
import { z } from 'zod'
import type { Keyring } from '../../base/crypto.ts'
import type { Trx } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { promiseEmail } from '../../identity/invitation-emails.ts'
import { invitationSettings } from '../../identity/invitation-settings.ts'
import { invite } from '../../identity/invitations.ts'
import { personOf } from '../../identity/persons.ts'
import {
  changeUser,
  createUser,
  findUser,
  listUsers,
  takeWaysIn,
  type User,
} from '../../identity/users.ts'
import { instant, pageOf } from '../answers.ts'
import { assertGives } from '../auth.ts'
import { emailAddress, role, user, userView } from '../identity-view.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { ringAfter } from '../ring-after.ts'
import { INVITATION_PATH } from './invitations.ts'

const createBody = z.strictObject({ email: emailAddress, name: line(200), role })

const changeBody = z
  .strictObject({
    name: line(200).optional(),
    role: role.optional(),
    state: z.enum(['active', 'disabled']).optional(),
  })
  .refine((given) => Object.keys(given).length > 0, 'must have something to change')
  .meta({ minProperties: 1 })

const params = z.object({ id: idOfKind('usr') })

const invited = z
  .strictObject({
    user,
    invitation: z.strictObject({
      token: z
        .string()
        .nullable()
        .meta({
          description:
            'It sets a password once, and is shown here and in the email to him only; null where ' +
            'the organisation has chosen that only the email has it. Who was shown it is noted: ' +
            'the user does not consent to what that person asks for.',
        }),
      expires_at: instant,
    }),
  })
  .meta({ id: 'InvitedUser' })

export function userOperations(parts: Inviting, publicUrl: () => string): Operation[] {
  return [
    listOperation(),
    createOperation(parts, publicUrl),
    getOperation(),
    changeOperation(),
    resetOperation(parts, publicUrl),
  ]
}

type Inviting = Pick<Parts, 'bells' | 'keyring'>

function listOperation(): Operation {
  return operation(
    {
      id: 'listUsers',
      method: 'get',
      path: '/users',
      tag: 'Identity',
      summary: 'The organisation’s users',
      permission: 'users.manage',
      query: z.strictObject({ limit, starting_after: idOfKind('usr').optional() }),
      answers: { 200: { what: 'Newest first.', body: pageOf(user) } },
    },
    {
      async read(trx, { query }) {
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        return { status: 200, body: listOf(await listUsers(trx, page), query.limit, userView) }
      },
    },
  )
}

function createOperation(parts: Inviting, publicUrl: () => string): Operation {
  return operation(
    {
      id: 'createUser',
      method: 'post',
      path: '/users',
      tag: 'Identity',
      summary: 'Add a user, and invite him to set a password',
      permission: 'users.manage',
      key: 'optional',
      body: createBody,
      answers: { 201: { what: 'He has 7 days; an email takes it to him.', body: invited } },
      problems: ['user_exists'],
    },
    {
      queue: null,
      async write(trx, { body, principal, response }) {
        assertGives(principal, { role: body.role, only: null, to: 'user' })
        const made = await createUser(trx, body, principal.subject)
        const inviter = { keyring: parts.keyring, actor: principal.subject, publicUrl: publicUrl() }
        ringAfter(response, parts.bells, 'send-invitations')
        return { status: 201, ...(await invitedReply(trx, made, inviter)) }
      },
    },
  )
}

/** Invites, and promises the email that says so, in the same transaction. */
async function invitedReply(
  trx: Trx,
  one: User,
  inviter: { keyring: Keyring; actor: string; publicUrl: string },
) {
  const { emailOnly } = await invitationSettings(trx)
  const shownTo = emailOnly ? null : await personOf(trx, inviter.actor)
  const { token, expiresAt } = await invite(trx, one.userId, inviter.actor, shownTo)
  const page = inviter.publicUrl + INVITATION_PATH
  await promiseEmail(trx, inviter.keyring, { userId: one.userId, token }, page)
  const { userId: id, email, name, role: as } = one
  return {
    headers: { 'Cache-Control': 'no-store' },
    body: {
      user: userView(one),
      invitation: { token: emailOnly ? null : token, expires_at: expiresAt.toISOString() },
    },
    audited: { user: { id, email, name, role: as }, shown_to: shownTo },
  }
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getUser',
      method: 'get',
      path: '/users/{id}',
      tag: 'Identity',
      summary: 'One user',
      permission: 'users.manage',
      params,
      answers: { 200: { what: 'The user.', body: user } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: userView(there(await findUser(trx, id))) }
      },
    },
  )
}

function changeOperation(): Operation {
  return operation(
    {
      id: 'changeUser',
      method: 'patch',
      path: '/users/{id}',
      tag: 'Identity',
      summary: 'Rename a user, give him another role, disable or enable him',
      permission: 'users.manage',
      params,
      body: changeBody,
      answers: { 200: { what: 'As he is now; disabled, his sessions have ended.', body: user } },
      problems: ['last_admin'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body, principal }) {
        const was = there(await findUser(trx, id))
        assertGives(principal, { role: was.role, only: null, to: 'user' })
        assertGives(principal, { role: body.role ?? was.role, only: null, to: 'user' })
        const now = there(await changeUser(trx, id, body, principal.subject))
        const before = { name: was.name, role: was.role, state: was.state }
        return { status: 200, body: userView(now), before }
      },
    },
  )
}

function resetOperation(parts: Inviting, publicUrl: () => string): Operation {
  return operation(
    {
      id: 'resetUser',
      method: 'post',
      path: '/users/{id}/reset',
      tag: 'Identity',
      summary: 'Take away all ways in, end the sessions, unlock and invite a user anew',
      permission: 'users.manage',
      key: 'optional',
      params,
      answers: { 200: { what: 'He has 7 days; an email takes it to him.', body: invited } },
      problems: ['user_disabled'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, principal, response }) {
        const was = there(await findUser(trx, id))
        assertGives(principal, { role: was.role, only: null, to: 'user' })
        if (was.state !== 'active') {
          throw new Problem('user_disabled', { detail: 'Enable him first.' })
        }
        await takeWaysIn(trx, id, principal.subject)
        const now = there(await findUser(trx, id))
        const inviter = { keyring: parts.keyring, actor: principal.subject, publicUrl: publicUrl() }
        ringAfter(response, parts.bells, 'send-invitations')
        return { status: 200, ...(await invitedReply(trx, now, inviter)) }
      },
    },
  )
}

function there(found: User | undefined): User {
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such user.' })
  }
  return found
}
