/** Once an hour: who left has nothing any more, what is older is worse, what is overdue is told. */
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { traceContext } from '../base/tracing.ts'
import { noteEvents, raiseSeverities, releaseLeft, takeReminders, type Reminded } from './cases.ts'
import { OWNER_ROLES, workPolicyOf, type WorkPolicy } from './work-policy.ts'

/** Between two turns, so that nobody gets more than one email an hour. */
export const TURN_MINUTES = 60
/** Where reminders are switched off: what is overdue is looked at again. */
const OFF = { every_hours: 24, times: 1, addresses: [] }

/**
 * An organisation's turn, all of it in one transaction: promised emails and the exceptions that
 * they tell of are there together or not at all. False where another worker had it, or it is not
 * due.
 */
export async function takeTurn(db: Database, orgId: number): Promise<boolean> {
  return await db.transact(
    orgId,
    async (trx) => {
      const mine = await trx.query(
        `insert into recon_turns as t (org_id, next_at)
         values ($1, now() + make_interval(mins => $2))
         on conflict (org_id) do update set next_at = excluded.next_at where t.next_at <= now()
         returning 1`,
        [orgId, TURN_MINUTES],
      )
      if (mine.length === 0) {
        return false
      }
      await whileAny(async () => await releaseLeft(trx, OWNER_ROLES))
      await whileAny(async () => await raiseSeverities(trx))
      await remind(trx)
      return true
    },
    { isolation: 'read committed' },
  )
}

async function whileAny(part: () => Promise<number>): Promise<void> {
  while ((await part()) > 0) {
    // Part by part: a statement has its limit.
  }
}

async function remind(trx: Trx): Promise<void> {
  const { policy } = await workPolicyOf(trx)
  const { every_hours: everyHours, times, addresses } = policy.reminders ?? OFF
  const isOn = policy.reminders !== null
  const hasAddresses = addresses.length > 0
  const users = new Set<string>()
  let isForAll = false
  await whileAny(async () => {
    const { taken, reminded } = await takeReminders(trx, {
      isOn,
      everyHours,
      times,
      hasAddresses,
    })
    for (const { owner } of reminded) {
      if (owner !== null) {
        users.add(owner)
      }
    }
    isForAll ||= reminded.some(goesToAddresses)
    await noteReminded(trx, reminded, policy)
    return taken
  })
  await promise(trx, [...users].toSorted(), isForAll ? addresses : [])
}

/** The owner first, and whoever is above him from the second time on. */
function goesToAddresses({ owner, reminders }: Reminded): boolean {
  return owner === null || reminders > 1
}

async function noteReminded(
  trx: Trx,
  reminded: readonly Reminded[],
  { reminders }: WorkPolicy,
): Promise<void> {
  const actor = 'job:remind-recon'
  const parts = new Map<string, Reminded[]>()
  for (const one of reminded) {
    const key = `${one.owner} ${one.reminders}`
    parts.set(key, [...(parts.get(key) ?? []), one])
  }
  for (const those of parts.values()) {
    const [first] = those
    if (first === undefined) {
      continue
    }
    const others = goesToAddresses(first) ? (reminders?.addresses ?? []) : []
    const detail = { time: first.reminders, owner: first.owner, addresses: others }
    const ids = those.map((one) => one.exception_id).toSorted()
    await noteEvents(trx, ids, { actor, what: 'reminded', detail })
    if (first.expired) {
      await noteEvents(trx, ids, { actor, what: 'expired', detail: { times: first.reminders } })
    }
  }
}

/** One email each; none beside one that is still on its way. */
async function promise(
  trx: Trx,
  users: readonly string[],
  addresses: readonly string[],
): Promise<void> {
  await trx.query(
    `insert into recon_emails (org_id, email_id, user_id, address, trace_context)
     select $1, n.id, n.user_id, n.address, $5
       from unnest($2::text[], $3::text[], $4::text[]) as n (id, user_id, address)
     on conflict do nothing`,
    [
      trx.scope,
      [...users, ...addresses].map(() => newId('eml')),
      [...users, ...addresses.map(() => null)],
      [...users.map(() => null), ...addresses],
      traceContext(),
    ],
  )
}
