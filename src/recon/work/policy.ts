/** How exceptions are worked on: by when, whose they are, who is reminded; version by version. */
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import type { ExceptionKind } from '../match/kinds.ts'

/** From the worst; a case has its place in this list. */
export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const

export type Severity = (typeof SEVERITIES)[number]

/** Who may own an exception: users of these roles may do what there is to do about one. */
export const OWNER_ROLES = ['finance', 'admin'] as const

/** A step is reached by the amount at once, else by age, and gives its hours from then on. */
export interface DueStep {
  severity: Severity
  hours: number
  age_hours: number
  /** Minor units by currency, as text. */
  amounts: Readonly<Record<string, string>>
}

/** What is found goes to the owner of the first route that fits; all fit that says nothing. */
export interface Route {
  owner: string
  kinds?: readonly ExceptionKind[]
  gateways?: readonly string[]
  currency?: string
  amount_from?: string
}

/** As it is kept: a trigger reads it, where exceptions are written (0041_recon_work.sql). */
export interface WorkPolicy {
  due: readonly DueStep[]
  routes: readonly Route[]
  reminders: { every_hours: number; times: number; addresses: readonly string[] } | null
}

/** What holds now; version 0 where nobody made one. */
export async function workPolicyOf(trx: Trx): Promise<{ version: number; policy: WorkPolicy }> {
  const [row] = await trx.query<{ version: number; policy: WorkPolicy }>(
    `select version, policy from recon_work_policy($1)`,
    [trx.scope],
  )
  if (row === undefined) {
    throw new Error('recon_work_policy() gave nothing')
  }
  return row
}

/** Makes a new version, for what is found from then on. Throws `unknown_owner`. */
export async function addWorkPolicy(
  trx: Trx,
  policy: WorkPolicy,
  by: { actor: string; reason: string },
): Promise<number> {
  for (const { owner } of policy.routes) {
    await assertOwner(trx, owner)
  }
  const [made] = await trx.query<{ version: number }>(
    `insert into recon_work_policies (org_id, version, policy, made_by, reason)
     select $1, coalesce(max(version), 0) + 1, $2, $3, $4
       from recon_work_policies where org_id = $1
     returning version`,
    [trx.scope, JSON.stringify(policy), by.actor, by.reason],
  )
  return made?.version ?? 0
}

/** Throws `unknown_owner` for whoever is no active user that may work on exceptions. */
export async function assertOwner(trx: Trx, userId: string): Promise<void> {
  const known = await trx.query(
    `select 1 from users
      where org_id = $1 and user_id = $2 and state = 'active' and role = any($3::text[])`,
    [trx.scope, userId, OWNER_ROLES],
  )
  if (known.length === 0) {
    const detail = `${userId} is no active user with the role ${OWNER_ROLES.join(' or ')}.`
    throw new Problem('unknown_owner', { detail, moved: 'no' })
  }
}
