/** /invitation, /v1/invitation-settings, /v1/users/{id}/invitation: how the invited come in. */
import { Router } from 'express'
import { z } from 'zod'
import { Problem } from '../../base/problem.ts'
import { emailOf, INVITATION_EMAIL_STATES } from '../../identity/invitation-emails.ts'
import {
  invitationSettings,
  setInvitationSettings,
  type InvitationSettings,
} from '../../identity/invitation-settings.ts'
import { invitationOf } from '../../identity/invitations.ts'
import { instant } from '../answers.ts'
import { idOfKind } from '../input.ts'
import { INVITATION_PAGE, INVITATION_PAGE_POLICY } from '../invitation-page.ts'
import { operation, type Operation } from '../operation.ts'

/** The page that the link in an invitation's email leads to. */
export const INVITATION_PATH = '/invitation'

export function invitationPageRoutes(): Router {
  const routes = Router()
  routes.get(INVITATION_PATH, (_request, response) => {
    response.setHeader('Content-Security-Policy', INVITATION_PAGE_POLICY)
    response.setHeader('Cache-Control', 'no-store')
    response.type('text/html').send(INVITATION_PAGE)
  })
  return routes
}

export function invitationOperations(): Operation[] {
  return [getOperation(), getSettingsOperation(), setSettingsOperation()]
}

const invitation = z
  .strictObject({
    created_by: z.string(),
    created_at: instant,
    expires_at: instant,
    email: z
      .strictObject({
        state: z.enum(INVITATION_EMAIL_STATES).meta({
          description:
            'Not delivered: refused (the address), unconfirmed (SES never answered: it may have ' +
            'arrived), dead, withdrawn (the invitation ended before).',
        }),
        attempts: z.int(),
        sent_at: instant.nullable(),
        last_error: z.string().nullable(),
      })
      .nullable()
      .meta({ description: 'Null where none was promised: for the first admin.' }),
  })
  .meta({ id: 'Invitation' })

function getOperation(): Operation {
  return operation(
    {
      id: 'getInvitation',
      method: 'get',
      path: '/users/{id}/invitation',
      tag: 'Identity',
      summary: 'The invitation of a user that is still open, or has expired, and its email',
      permission: 'users.manage',
      params: z.object({ id: idOfKind('usr') }),
      answers: { 200: { what: 'Without its secret.', body: invitation } },
    },
    {
      async read(trx, { params: { id } }) {
        const found = await invitationOf(trx, id)
        if (found === undefined) {
          throw new Problem('not_found', { detail: 'The user has no invitation, or has used it.' })
        }
        const email = await emailOf(trx, found.tokenHash)
        return {
          status: 200,
          body: {
            created_by: found.createdBy,
            created_at: found.createdAt.toISOString(),
            expires_at: found.expiresAt.toISOString(),
            email:
              email === undefined
                ? null
                : { ...email, sent_at: email.sent_at?.toISOString() ?? null },
          },
        }
      },
    },
  )
}

const settings = z
  .strictObject({
    email_only: z.boolean().meta({
      description: 'Whether only the invited get to see the secret, and not who invites as well.',
    }),
    updated_by: z.string().nullable(),
    updated_at: instant.nullable(),
  })
  .meta({ id: 'InvitationSettings' })

function settingsView(one: InvitationSettings): z.input<typeof settings> {
  return {
    email_only: one.emailOnly,
    updated_by: one.updatedBy,
    updated_at: one.updatedAt?.toISOString() ?? null,
  }
}

const SHARED = { path: '/invitation-settings', tag: 'Identity' } as const

function getSettingsOperation(): Operation {
  return operation(
    {
      ...SHARED,
      id: 'getInvitationSettings',
      method: 'get',
      summary: 'Who gets to see the secret of an invitation',
      permission: 'settings.read',
      answers: { 200: { what: 'As it is set.', body: settings } },
    },
    {
      async read(trx) {
        return { status: 200, body: settingsView(await invitationSettings(trx)) }
      },
    },
  )
}

function setSettingsOperation(): Operation {
  return operation(
    {
      ...SHARED,
      id: 'setInvitationSettings',
      method: 'put',
      summary: 'Say who gets to see the secret of an invitation',
      permission: 'settings.write',
      body: z.strictObject({ email_only: z.boolean() }),
      answers: { 200: { what: 'As it is set now; older invitations stay.', body: settings } },
    },
    {
      queue: null,
      async write(trx, { body, principal }) {
        const was = await invitationSettings(trx)
        const now = await setInvitationSettings(trx, body.email_only, principal.subject)
        return {
          status: 200,
          body: settingsView(now),
          before: { email_only: was.emailOnly },
          audited: { email_only: now.emailOnly },
        }
      },
    },
  )
}
