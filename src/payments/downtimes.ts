/** Disturbed ways to pay, as the gateways tell of them: for operators, no money. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Downtime as DowntimeFact, Fact, GatewayName } from '../gateways/fact.ts'
import { changing, earlier, jsonOf, keyAt, lookUp, rowsOf, type Rows } from './rows.ts'

/** From the first to the last; what is well again stays so. */
export const DOWNTIME_STATES = ['started', 'updated', 'resolved'] as const

export type DowntimeState = (typeof DOWNTIME_STATES)[number]

export interface Downtime {
  downtime_id: string
  gateway: GatewayName
  account: string
  gateway_downtime_id: string
  method: string
  instrument: string | null
  severity: string | null
  state: DowntimeState
  began_at: Date
  ended_at: Date | null
  /** When the gateway told of it last. */
  told_at: Date
}

/** The downtimes that the facts are about, as far as they are known. */
export async function loadDowntimes(trx: Trx, facts: readonly Fact[]): Promise<Rows<Downtime>> {
  const wanted = facts.flatMap((fact) =>
    fact.kind === 'downtime' ? [{ ...fact, id: fact.downtimeId }] : [],
  )
  if (wanted.length === 0) {
    return rowsOf<Downtime>([], () => '')
  }
  const rows = await trx.query<Downtime>(
    `select d.*
       from unnest($2::text[], $3::text[], $4::text[]) as w (gateway, account, id)
      cross join lateral (
        select downtime_id, gateway, account, gateway_downtime_id, method, instrument, severity,
               state, began_at, ended_at, told_at
          from gateway_downtimes
         where org_id = $1 and gateway = w.gateway and account = w.account
           and gateway_downtime_id = w.id
         limit 1
      ) d`,
    [trx.scope, ...lookUp(wanted)],
  )
  return rowsOf(rows, (row) => row.gateway_downtime_id)
}

/** Adds a fact to its downtime, new or told again: what was told last counts. */
export function applyToDowntime(downtimes: Rows<Downtime>, fact: DowntimeFact, now: Date): void {
  const key = keyAt(fact, fact.downtimeId)
  const downtime = changing(downtimes, key, () => newDowntime(fact, now))
  downtime.began_at = earlier(downtime.began_at, fact.beganAt)
  downtime.ended_at ??= fact.endedAt
  const { severity, state, told_at } = downtime
  const told = { severity: fact.severity, state: fact.state, told_at: fact.occurredAt }
  if (orderOf({ severity, state, told_at }) < orderOf(told)) {
    Object.assign(downtime, told)
  }
}

/** Sorts what was told of one downtime, the last behind all others. */
function orderOf(told: Pick<Downtime, 'severity' | 'state' | 'told_at'>): string {
  const isOver = told.state === 'resolved' ? '1' : '0'
  const place = DOWNTIME_STATES.indexOf(told.state)
  return `${isOver} ${told.told_at.toISOString()} ${place} ${told.severity ?? ''}`
}

function newDowntime(fact: DowntimeFact, now: Date): Downtime {
  return {
    downtime_id: newId('dwn', now.getTime()),
    gateway: fact.gateway,
    account: fact.account,
    gateway_downtime_id: fact.downtimeId,
    method: fact.method,
    instrument: fact.instrument,
    severity: fact.severity,
    state: fact.state,
    began_at: fact.beganAt,
    ended_at: null,
    told_at: fact.occurredAt,
  }
}

/** Writes the downtimes that changed back in one statement. */
export async function saveDowntimes(trx: Trx, downtimes: Rows<Downtime>): Promise<void> {
  if (downtimes.changed.size === 0) {
    return
  }
  await trx.query(
    `insert into gateway_downtimes (org_id, downtime_id, gateway, account, gateway_downtime_id,
       method, instrument, severity, state, began_at, ended_at, told_at)
     select $1, n.*
       from jsonb_to_recordset($2) as n (downtime_id text, gateway text, account text,
         gateway_downtime_id text, method text, instrument text, severity text, state text,
         began_at timestamptz, ended_at timestamptz, told_at timestamptz)
     on conflict (org_id, downtime_id) do update
       set severity = excluded.severity, state = excluded.state, began_at = excluded.began_at,
           ended_at = excluded.ended_at, told_at = excluded.told_at`,
    [trx.scope, jsonOf([...downtimes.changed])],
  )
}
