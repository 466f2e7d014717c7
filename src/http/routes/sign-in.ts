/** /v1/sign-in, /v1/sign-out, /v1/me: coming in, going out, and one's own password and sessions. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { endSession, listSessions, SESSION_HOURS } from '../../identity/sessions.ts'
import { acceptInvitation, changePassword, signIn } from '../../identity/sign-in.ts'
import { findUser } from '../../identity/users.ts'
import { idText, instant, pageOf } from '../answers.ts'
import { originOf } from '../audited.ts'
import {
  emailAddress,
  permissionName,
  role,
  session,
  sessionView,
  user,
  userView,
} from '../identity-view.ts'
import { idOfKind } from '../input.ts'
import { operation, publicOperation, type Operation } from '../operation.ts'
import type { Principal } from '../request.ts'
import { isSecure, sessionCookie } from '../session-cookie.ts'

/** As it comes: what is no password is not found to be one either. */
const password = z.string().min(1).max(1000)

const signInBody = z.strictObject({
  organisation: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,40}$/, 'must be an organisation’s short name, such as asha-kiran'),
  email: emailAddress,
  password,
})

const acceptBody = z.strictObject({ token: z.string().min(1).max(200), password })

const passwordBody = z.strictObject({ current_password: password, new_password: password })

const done = z.strictObject({ done: z.literal(true) })

const noStore = { 'Cache-Control': 'no-store' }

export function signInOperations(parts: Parts): Operation[] {
  return [
    signInOperation(parts),
    acceptOperation(parts),
    signOutOperation(parts),
    meOperation(),
    passwordOperation(parts),
    ...sessionOperations(),
  ]
}

function signInOperation({ db, config }: Parts): Operation {
  return publicOperation(
    {
      id: 'signIn',
      method: 'post',
      path: '/sign-in',
      tag: 'Identity',
      summary: 'Sign in with email and password',
      body: signInBody,
      answers: {
        200: {
          what: 'A session of 12 hours that ends after an hour without a request; also a cookie.',
          body: z.strictObject({ token: z.string(), expires_at: instant, user }),
        },
      },
      problems: ['sign_in_failed'],
    },
    async ({ request, body }) => {
      const signedIn = await signIn(db, body, {
        origin: originOf(request),
        jwtSecret: config.jwtSecret,
      })
      const secure = isSecure(request, config)
      return {
        status: 200,
        headers: {
          ...noStore,
          'Set-Cookie': sessionCookie(signedIn.token, SESSION_HOURS * 3600, secure),
        },
        body: {
          token: signedIn.token,
          expires_at: signedIn.expiresAt.toISOString(),
          user: userView(signedIn.user),
        },
      }
    },
  )
}

function acceptOperation({ db }: Parts): Operation {
  return publicOperation(
    {
      id: 'acceptInvitation',
      method: 'post',
      path: '/invitations/accept',
      tag: 'Identity',
      summary: 'Set the password that one was invited to set',
      body: acceptBody,
      answers: {
        200: { what: 'Sign in with it now.', body: z.strictObject({ email: z.string() }) },
      },
      problems: ['invalid_invitation', 'weak_password'],
    },
    async ({ request, body }) => ({
      status: 200,
      body: await acceptInvitation(db, body, originOf(request)),
    }),
  )
}

function signOutOperation({ config }: Parts): Operation {
  return operation(
    {
      id: 'signOut',
      method: 'post',
      path: '/sign-out',
      tag: 'Identity',
      summary: 'End the session that asks; keys and JWTs are not sessions and stay',
      permission: 'self',
      answers: { 200: { what: 'There is no such session any more.', body: done } },
    },
    {
      queue: null,
      async write(trx, { principal, request }) {
        if (principal.user !== null) {
          await endSession(trx, principal.user.userId, principal.user.sessionId)
        }
        const cookie = sessionCookie('', 0, isSecure(request, config))
        return { status: 200, body: { done: true as const }, headers: { 'Set-Cookie': cookie } }
      },
    },
  )
}

function meOperation(): Operation {
  return operation(
    {
      id: 'getMe',
      method: 'get',
      path: '/me',
      tag: 'Identity',
      summary: 'Who one is, and what one may do',
      permission: 'self',
      answers: {
        200: {
          what: 'The user is null for keys and JWTs.',
          body: z
            .strictObject({
              subject: z.string(),
              organisation: z.int(),
              role,
              permissions: z.array(permissionName),
              user: user.nullable(),
            })
            .meta({ id: 'Me' }),
        },
      },
    },
    {
      async read(trx, { principal }) {
        const { subject, orgId, permissions } = principal
        const found =
          principal.user === null ? undefined : await findUser(trx, principal.user.userId)
        return {
          status: 200,
          headers: noStore,
          body: {
            subject,
            organisation: orgId,
            role: principal.role,
            permissions: [...permissions],
            user: found === undefined ? null : userView(found),
          },
        }
      },
    },
  )
}

function passwordOperation({ db }: Parts): Operation {
  return operation(
    {
      id: 'changeMyPassword',
      method: 'put',
      path: '/me/password',
      tag: 'Identity',
      summary: 'Change one’s own password, and end one’s other sessions',
      permission: 'self',
      body: passwordBody,
      answers: { 200: { what: 'Changed.', body: done } },
      problems: ['sign_in_failed', 'weak_password'],
    },
    {
      async handle({ principal, body, audit }) {
        const who = userOf(principal)
        const { orgId } = principal
        const found = await db.read(orgId, async (trx) => await findUser(trx, who.userId))
        const asked = { current: body.current_password, fresh: body.new_password }
        const whose = { ...who, email: found?.email ?? '' }
        const noted = async (trx: Parameters<typeof audit>[0]) => await audit(trx, { after: null })
        await changePassword(db, orgId, whose, asked, noted)
        return { status: 200, body: { done: true as const } }
      },
    },
  )
}

/** Problem `forbidden` for a key or a JWT. */
function userOf({ user: one }: Principal): { userId: string; sessionId: string } {
  if (one === null) {
    const detail = 'Only a user who has signed in may do that, not a key or a JWT.'
    throw new Problem('forbidden', { detail })
  }
  return one
}

function sessionOperations(): Operation[] {
  return [
    operation(
      {
        id: 'listMySessions',
        method: 'get',
        path: '/me/sessions',
        tag: 'Identity',
        summary: 'One’s own sessions',
        permission: 'self',
        answers: { 200: { what: 'Newest first, at most 20.', body: pageOf(session) } },
      },
      {
        async read(trx, { principal: { user: one } }) {
          const found = one === null ? [] : await listSessions(trx, one.userId)
          const data = found.map((each) => sessionView(each, one?.sessionId ?? ''))
          return { status: 200, body: { data, has_more: false } }
        },
      },
    ),
    operation(
      {
        id: 'endMySession',
        method: 'delete',
        path: '/me/sessions/{id}',
        tag: 'Identity',
        summary: 'End one of one’s own sessions',
        permission: 'self',
        params: z.object({ id: idOfKind('ses') }),
        answers: {
          200: {
            what: 'Ended.',
            body: z.strictObject({ id: idText('ses'), deleted: z.literal(true) }),
          },
        },
      },
      {
        queue: null,
        async write(trx, { principal: { user: one }, params: { id } }) {
          if (one === null || !(await endSession(trx, one.userId, id))) {
            throw new Problem('not_found', { detail: 'You have no such session.' })
          }
          return { status: 200, body: { id, deleted: true as const } }
        },
      },
    ),
  ]
}
