/** Who may do what: a role's permissions, and nothing else, decide. */

export const ROLES = ['viewer', 'finance', 'approver', 'auditor', 'admin', 'service'] as const

export type Role = (typeof ROLES)[number]

/**
 * Each operation of the API needs one of these. An API key has the permissions of its role, or
 * fewer.
 */
export const PERMISSIONS = {
  'books.read': ['viewer', 'finance', 'approver', 'auditor', 'admin'],
  'books.post': ['finance', 'admin', 'service'],
  'accounts.write': ['finance', 'admin'],
  'periods.close': ['finance', 'admin'],
  'periods.reopen': ['admin'],
  'years.close': ['admin'],
  'donations.open': ['finance', 'admin', 'service'],
  'payments.read': ['viewer', 'finance', 'approver', 'auditor', 'admin'],
  'receipts.read': ['finance', 'auditor', 'admin'],
  'inbox.read': ['finance', 'auditor', 'admin'],
  'exports.read': ['finance', 'auditor', 'admin'],
} as const satisfies Record<string, readonly Role[]>

export type Permission = keyof typeof PERMISSIONS

/** The roles that have a permission. */
export function rolesWith(permission: Permission): readonly Role[] {
  return PERMISSIONS[permission]
}
