/** Users, sessions and keys as callers see them. */
import { z } from 'zod'
import type { ApiKey } from '../identity/api-keys.ts'
import type { OidcProvider } from '../identity/oidc-provider.ts'
import type { Session } from '../identity/sessions.ts'
import type { User } from '../identity/users.ts'
import { idText, instant } from './answers.ts'
import { email } from './line.ts'
import { PERMISSION_NAMES, ROLES } from './permissions.ts'

export const role = z.enum(ROLES)

/** In lower case: an address is one user, however it is written. */
export const emailAddress = email.transform((text) => text.toLowerCase())

export const permissionName = z.enum(PERMISSION_NAMES)

export const user = z
  .strictObject({
    id: idText('usr'),
    email: z.string(),
    name: z.string(),
    role,
    state: z.enum(['active', 'disabled']),
    has_password: z.boolean(),
    has_identity: z.boolean().meta({
      description: 'Bound to somebody at the identity provider, by his first sign-in there.',
    }),
    invitation_shown_to: z
      .string()
      .nullable()
      .meta({
        description:
          'Who was shown the invitation by which he set his password: could have set it himself, ' +
          'so that the user does not consent to what that person asks for.',
      }),
    locked_until: instant.nullable(),
    signed_in_at: instant.nullable(),
    created_by: z.string(),
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'User' })

export function userView(one: User): z.input<typeof user> {
  return {
    id: one.userId,
    email: one.email,
    name: one.name,
    role: one.role,
    state: one.state,
    has_password: one.hasPassword,
    has_identity: one.hasIdentity,
    invitation_shown_to: one.invitationShownTo,
    locked_until: one.lockedUntil?.toISOString() ?? null,
    signed_in_at: one.signedInAt?.toISOString() ?? null,
    created_by: one.createdBy,
    created_at: one.createdAt.toISOString(),
    updated_at: one.updatedAt.toISOString(),
  }
}

export const session = z
  .strictObject({
    id: idText('ses'),
    method: z.enum(['password', 'oidc']),
    is_this: z.boolean().meta({ description: 'The one that asks.' }),
    user_agent: z.string().nullable(),
    remote_address: z.string().nullable(),
    created_at: instant,
    last_used_at: instant,
    expires_at: instant,
  })
  .meta({ id: 'Session' })

export function sessionView(one: Session, own: string): z.input<typeof session> {
  return {
    id: one.sessionId,
    method: one.method,
    is_this: one.sessionId === own,
    user_agent: one.userAgent,
    remote_address: one.remoteAddress,
    created_at: one.createdAt.toISOString(),
    last_used_at: one.lastUsedAt.toISOString(),
    expires_at: one.expiresAt.toISOString(),
  }
}

export const apiKey = z
  .strictObject({
    id: idText('key'),
    name: z.string(),
    role,
    permissions: z
      .array(z.string())
      .nullable()
      .meta({ description: 'Null for all that the role may do.' }),
    owner: z.string().meta({
      description:
        'The person who answers for it: who made it or took it over. It does no more than he.',
    }),
    owner_disabled: z.boolean().meta({
      description: 'The key does not work until another admin takes it over.',
    }),
    created_by: z.string(),
    created_at: instant,
    expires_at: instant,
    last_used_at: instant.nullable().meta({ description: 'To the minute.' }),
    revoked_at: instant.nullable(),
    revoked_by: z.string().nullable(),
  })
  .meta({ id: 'ApiKey' })

export function keyView(one: ApiKey): z.input<typeof apiKey> {
  return {
    id: one.keyId,
    name: one.name,
    role: one.role,
    permissions: one.permissions,
    owner: one.owner,
    owner_disabled: one.isOwnerDisabled,
    created_by: one.createdBy,
    created_at: one.createdAt.toISOString(),
    expires_at: one.expiresAt.toISOString(),
    last_used_at: one.lastUsedAt?.toISOString() ?? null,
    revoked_at: one.revokedAt?.toISOString() ?? null,
    revoked_by: one.revokedBy,
  }
}

export const oidcProvider = z
  .strictObject({
    issuer: z.string(),
    client_id: z.string(),
    enabled: z.boolean(),
    redirect_uri: z.string().meta({ description: 'What the provider has to be told to allow.' }),
    updated_by: z.string(),
    updated_at: instant,
  })
  .meta({ id: 'OidcProvider' })

export function providerView(one: OidcProvider, redirectUri: string): z.input<typeof oidcProvider> {
  return {
    issuer: one.issuer,
    client_id: one.clientId,
    enabled: one.enabled,
    redirect_uri: redirectUri,
    updated_by: one.updatedBy,
    updated_at: one.updatedAt.toISOString(),
  }
}
