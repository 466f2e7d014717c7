/** Once an hour: who left has nothing any more, what is older is worse, what is overdue is told. */
import type { Database, Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import { traceContext } from '../../base/tracing.ts'
import {
  countReminders,
  dueReminders,
  noteReminders,
  raiseSeverities,
  releaseLeft,
  type Reminded,
} from './cases.ts'
import { OWNER_ROLES, workPolicyOf } from './policy.ts'

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
      await releaseLeft(trx, OWNER_ROLES)
      await raiseSeverities(trx)
      await remind(trx)
      return true
    },
    { isolation: 'read committed' },
  )
}

async function remind(trx: Trx): Promise<void> {
  const { policy } = await workPolicyOf(trx)
  const { every_hours: everyHours, times, addresses } = policy.reminders ?? OFF
  const isOn = policy.reminders !== null
  const hasAddresses = addresses.length > 0
  const ids = await dueReminders(trx)
  const reminded = await countReminders(trx, ids, { isOn, everyHours, times, hasAddresses })
  const alike = Map.groupBy(reminded, (one) => `${one.owner} ${one.reminders} ${one.expired}`)
  for (const those of alike.values()) {
    const [first] = those
    if (first !== undefined) {
      const { owner, reminders: time, expired } = first
      const told = { time, owner, expired, addresses: goesToAddresses(first) ? addresses : [] }
      await noteReminders(
        trx,
        those.map((one) => one.exception_id),
        told,
      )
    }
  }
  const users = new Set(reminded.map(({ owner }) => owner).filter((owner) => owner !== null))
  const isForAll = reminded.some(goesToAddresses)
  await promise(trx, [...users].toSorted(), isForAll ? addresses : [])
}

/** The owner first, and whoever is above him from the second time on. */
function goesToAddresses({ owner, reminders }: Reminded): boolean {
  return owner === null || reminders > 1
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
