/** Who may do what: a role's permissions, and nothing else, decide. */

import { ROLES, type Role } from '../identity/roles.ts'

export { ROLES, type Role }

/**
 * Each operation of the API needs one of these. An API key has the permissions of its role, or
 * fewer.
 */
export const PERMISSIONS = {
  'books.read': ['viewer', 'finance', 'approver', 'auditor', 'admin'],
  'books.post': ['finance', 'admin', 'service'],
  'books.post_late': ['admin'],
  'accounts.write': ['finance', 'admin'],
  'accounts.unfreeze': ['admin'],
  'approvals.read': ['viewer', 'finance', 'approver', 'auditor', 'admin'],
  'approvals.decide': ['approver', 'admin'],
  'approvals.limits': ['admin'],
  'periods.close': ['finance', 'admin'],
  'periods.close_hard': ['admin'],
  'periods.reopen': ['admin'],
  'years.close': ['admin'],
  'donations.open': ['finance', 'admin', 'service'],
  'donations.read': ['viewer', 'finance', 'approver', 'auditor', 'admin', 'service'],
  'payments.read': ['viewer', 'finance', 'approver', 'auditor', 'admin'],
  // Refunds, captures and transfers: they go where the payment came from, or to linked accounts.
  'payments.instruct': ['finance', 'admin', 'service'],
  // To anybody, out of the balance at the gateway.
  'payouts.send': ['finance', 'admin'],
  'offline.record': ['finance', 'admin'],
  'donors.read': ['viewer', 'finance', 'approver', 'auditor', 'admin'],
  'donors.contacts': ['finance', 'auditor', 'admin'],
  'donors.search': ['finance', 'auditor', 'admin'],
  'donors.erase': ['admin'],
  'ids.reveal': ['finance', 'admin'],
  'receipts.read': ['finance', 'auditor', 'admin'],
  'inbox.read': ['finance', 'auditor', 'admin'],
  'inbox.operate': ['finance', 'admin'],
  'webhooks.read': ['finance', 'auditor', 'admin'],
  'webhooks.manage': ['admin'],
  'recon.read': ['viewer', 'finance', 'approver', 'auditor', 'admin'],
  'recon.write': ['finance', 'admin'],
  // Posts entries and facts.
  'recon.resolve': ['finance', 'admin'],
  'exports.read': ['finance', 'auditor', 'admin'],
  // Emails others that there is something to fetch.
  'exports.schedule': ['finance', 'admin'],
  'people_audit.read': ['auditor', 'admin'],
  'identity.manage': ['admin'],
  'users.manage': ['admin'],
  'keys.manage': ['admin'],
  'settings.read': ['finance', 'auditor', 'admin'],
  'settings.write': ['admin'],
} as const satisfies Record<string, readonly Role[]>

export type Permission = keyof typeof PERMISSIONS

/**
 * What an operation needs: a permission; `self`, to be known, whoever it is; `public`, nothing, in
 * which case it does not hear who is asking either.
 */
export type Access = Permission | 'self' | 'public'

export const PERMISSION_NAMES = Object.keys(PERMISSIONS) as [Permission, ...Permission[]]

/** What a role may do: all of it, or as much of it as a key was given. */
export function permissionsOf(role: Role, only: readonly string[] | null): Set<Permission> {
  return new Set(
    PERMISSION_NAMES.filter(
      (name) => rolesWith(name).includes(role) && (only === null || only.includes(name)),
    ),
  )
}

/** What takes somebody in person: no API key does it, whatever its role. */
const IN_PERSON: ReadonlySet<Permission> = new Set(['approvals.decide', 'identity.manage'])

export function takesPerson(permission: Permission): boolean {
  return IN_PERSON.has(permission)
}

/**
 * What an API key may do: of its role's permissions those that it was given, that take nobody in
 * person, and that the user who answers for it has himself (`ownerRole`; null where none does).
 */
export function permissionsOfKey(
  role: Role,
  only: readonly string[] | null,
  ownerRole: Role | null,
): Set<Permission> {
  const all = [...permissionsOf(role, only)]
  return new Set(
    all.filter(
      (name) => !takesPerson(name) && (ownerRole === null || rolesWith(name).includes(ownerRole)),
    ),
  )
}

/** The roles that have a permission. */
export function rolesWith(permission: Permission): readonly Role[] {
  return PERMISSIONS[permission]
}
