/** The rows of the comparisons with gateways' own lists: which are due, whose turn it is. */
import type { Database, Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import { pollLagSeconds, differencesOpen } from '../../base/metrics-gateways.ts'
import { Problem } from '../../base/problem.ts'
import { GATEWAY_NAMES, type GatewayName } from '../../gateways/fact.ts'
import { DIFFERENCE_KINDS } from './differences.ts'
import { allLists, LISTS, listsOf, type ListName, type PassKind } from './timetable.ts'

export interface Poll {
  org_id: number
  gateway: GatewayName
  account: string
  list: ListName
  since: Date
  compared_until: Date
  next_due_at: Date
  deep_due_at: Date
  asked_from: Date | null
  asked_to: Date | null
  asked_by: string | null
  pass: PassKind | null
  pass_began_at: Date | null
  pass_to: Date | null
  window_from: Date | null
  window_to: Date | null
  cursor: string | null
  window_seconds: number | null
  window_pages: number
  lease: string | null
  failures: number
  last_problem: string | null
  last_tried_at: Date | null
  last_ok_at: Date | null
  seen: bigint
  missing: bigint
  fed: bigint
  usual_silence_seconds: number | null
  heard_at: Date | null
  silent_since: Date | null
}

export const COLUMNS = `p.org_id, p.gateway, p.account, p.list, p.since, p.compared_until,
  p.next_due_at, p.deep_due_at, p.asked_from, p.asked_to, p.asked_by, p.pass, p.pass_began_at,
  p.pass_to, p.window_from, p.window_to, p.cursor, p.window_seconds, p.window_pages, p.lease,
  p.failures, p.last_problem, p.last_tried_at, p.last_ok_at, p.seen, p.missing, p.fed,
  p.usual_silence_seconds, p.heard_at, p.silent_since`

/** Longer than a page with all its calls takes; it is renewed with every page. */
export const LEASE_SECONDS = 300
/** An old account is compared from so many days ago on; somebody may ask for more. */
const FIRST_DAYS = 31

const MAKE = `insert into gateway_polls (org_id, gateway, account, list, since, compared_until,
    deep_due_at)
  select a.org_id, a.gateway, a.account, n.list, a.created_at,
         greatest(a.created_at, now() - interval '${FIRST_DAYS} days'), now() + interval '1 day'
    from unnest($1::text[], $2::text[]) as n (gateway, list)
    join gateway_accounts a on a.gateway = n.gateway
   where not exists (select from gateway_polls p
                      where p.org_id = a.org_id and p.gateway = a.gateway and p.list = n.list)
      on conflict do nothing`

/** Gives every account that has none its rows, one a list that its gateway has. */
export async function makePolls(db: Database): Promise<void> {
  const all = allLists()
  await db.statement(MAKE, [all.gateways, all.lists])
}

/** A paused gateway is not polled either. */
const NOT_PAUSED = `not exists (select from inbox_pauses z
  where z.org_id = p.org_id and z.gateway = p.gateway and z.event_type is null
    and z.resumed_at is null)`

/** True where a list is due, or an account has none of its rows yet. */
export async function isPollDue(db: Database): Promise<boolean> {
  const all = allLists()
  const rows = await db.statement(
    `select 1 from gateway_polls p
      where p.next_due_at <= now() and (p.leased_until is null or p.leased_until < now())
        and ${NOT_PAUSED}
      union all
     select 1 from gateway_accounts a
      where a.gateway = any($1::text[])
        and not exists (select from gateway_polls p
                         where p.org_id = a.org_id and p.gateway = a.gateway)
      limit 1`,
    [[...new Set(all.gateways)]],
  )
  return rows.length > 0
}

/**
 * Takes the list of that gateway that is due for longest, of whatever organisation, so that nobody
 * else compares it meanwhile; null where none is due. One that is not done after its turn stands
 * behind all others.
 */
export async function takePoll(db: Database, gateway: GatewayName): Promise<Poll | null> {
  const [poll] = await db.statement<Poll>(
    `update gateway_polls p
        set lease = $2, leased_until = now() + make_interval(secs => ${LEASE_SECONDS}),
            last_tried_at = now()
      where (p.org_id, p.gateway, p.list) = (
        select p.org_id, p.gateway, p.list from gateway_polls p
         where p.gateway = $1 and p.next_due_at <= now()
           and (p.leased_until is null or p.leased_until < now()) and ${NOT_PAUSED}
         order by p.next_due_at, p.org_id, p.list limit 1
           for update skip locked)
     returning ${COLUMNS}`,
    [gateway, newId('obx')],
  )
  return poll ?? null
}

/** The lists of an organisation, by gateway. */
export async function listPolls(trx: Trx, gateway: GatewayName | null): Promise<Poll[]> {
  return await trx.query<Poll>(
    `select ${COLUMNS} from gateway_polls p
      where p.org_id = $1 and ($2::text is null or p.gateway = $2)
      order by p.gateway, array_position($3::text[], p.list) limit 100`,
    [trx.scope, gateway, [...LISTS]],
  )
}

export interface AskedFor {
  gateway: GatewayName
  /** Null: all lists of the gateway. */
  list: ListName | null
  /** Null: what is due by the timetable anyway. */
  range: { from: Date; to: Date } | null
  by: string
}

/**
 * Lets lists be compared at once; gives them. Throws `not_found` where the organisation has no
 * account there or the gateway no such list, and `limit_reached` while a range that was asked for
 * is being compared.
 */
export async function askForPoll(trx: Trx, asked: AskedFor): Promise<Poll[]> {
  const { gateway, range } = asked
  const lists = listsOf(gateway).filter((name) => asked.list === null || name === asked.list)
  await trx.query(MAKE, [lists.map(() => gateway), lists])
  const rows = await trx.query<Poll>(
    `select ${COLUMNS} from gateway_polls p
      where p.org_id = $1 and p.gateway = $2 and p.list = any($3::text[]) for update`,
    [trx.scope, gateway, lists],
  )
  if (rows.length === 0) {
    throw new Problem('not_found', { detail: `There is no such list of ${gateway} here.` })
  }
  if (range !== null && rows.some((row) => row.asked_from !== null)) {
    const detail = 'A range that was asked for is being compared; wait until that is done.'
    throw new Problem('limit_reached', { detail })
  }
  await trx.query(
    `update gateway_polls
        set next_due_at = least(next_due_at, now()), asked_from = coalesce($4, asked_from),
            asked_to = coalesce($5, asked_to), asked_by = coalesce($6, asked_by)
      where org_id = $1 and gateway = $2 and list = any($3::text[])`,
    [
      trx.scope,
      gateway,
      lists,
      range?.from ?? null,
      range?.to ?? null,
      range === null ? null : asked.by,
    ],
  )
  return await listPolls(trx, gateway)
}

/** Notes as metrics how far the lists that lag most are compared, and what differences are open. */
export async function notePolls(db: Database): Promise<void> {
  const lags = await db.statement<{ gateway: GatewayName; list: string; seconds: number }>(
    `select p.gateway, p.list,
            extract(epoch from now() - min(p.compared_until))::float8 as seconds
       from gateway_polls p join gateway_accounts a using (org_id, gateway)
      where a.disabled_at is null
      group by p.gateway, p.list`,
  )
  pollLagSeconds.reset()
  for (const { gateway, list, seconds } of lags) {
    pollLagSeconds.set({ gateway, list }, Math.max(0, seconds))
  }
  const open = await db.statement<{ gateway: string; kind: string; count: number }>(
    `select gateway, kind, count(*)::integer as count
       from gateway_differences where resolved_at is null group by gateway, kind`,
  )
  for (const gateway of GATEWAY_NAMES) {
    for (const kind of DIFFERENCE_KINDS) {
      const row = open.find((one) => one.gateway === gateway && one.kind === kind)
      differencesOpen.set({ gateway, kind }, row?.count ?? 0)
    }
  }
}
