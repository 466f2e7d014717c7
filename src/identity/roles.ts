/** What somebody is in his organisation; what a role may do is decided where operations are. */

export const ROLES = ['viewer', 'finance', 'approver', 'auditor', 'admin', 'service'] as const

export type Role = (typeof ROLES)[number]
