/** What comparisons found that nobody may guess about: kept until a later one finds it no more. */
import type { Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import type { GatewayName } from '../../gateways/fact.ts'
import type { ListName } from './timetable.ts'

/**
 * `money`: another amount than was recorded. `state`: less than was recorded. `unreadable`: a row
 * that cannot be read. `overdue`: unfinished for longer than the gateway's own limit.
 */
export const DIFFERENCE_KINDS = ['money', 'state', 'unreadable', 'overdue'] as const

export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number]

export interface Found {
  /** The gateway's id of it; empty for a row that has none. */
  ref: string
  kind: DifferenceKind
  detail: string
}

export interface Difference {
  difference_id: string
  gateway: GatewayName
  account: string
  list: ListName
  gateway_ref: string
  kind: DifferenceKind
  detail: string
  first_seen_at: Date
  last_seen_at: Date
  resolved_at: Date | null
}

export interface Where {
  gateway: GatewayName
  account: string
  list: ListName
}

const REF_LENGTH_MAX = 200
const DETAIL_LENGTH_MAX = 1000

/** Postgres has no NUL in text, and a gateway may say anything. */
function storable(text: string, most: number): string {
  return text.replaceAll('\0', '').slice(0, most)
}

/**
 * Notes what was found, once each, and takes what was compared and not found any more as resolved;
 * `overdue` is left to who asked about it.
 */
export async function noteDifferences(
  trx: Trx,
  where: Where,
  found: readonly Found[],
  compared: readonly string[],
): Promise<void> {
  const rows = new Map(
    found.map((one) => {
      const row = { ...one, ref: storable(one.ref, REF_LENGTH_MAX) }
      return [`${row.kind} ${row.ref}`, row] as const
    }),
  )
  const still = [...rows.values()]
  if (compared.length > 0) {
    await trx.query(
      `update gateway_differences d
          set resolved_at = now()
        where d.org_id = $1 and d.gateway = $2 and d.account = $3 and d.list = $4
          and d.gateway_ref = any($5::text[]) and d.resolved_at is null and d.kind <> 'overdue'
          and not exists (select from unnest($6::text[], $7::text[]) as n (ref, kind)
                           where n.ref = d.gateway_ref and n.kind = d.kind)`,
      [
        trx.scope,
        where.gateway,
        where.account,
        where.list,
        [...compared],
        still.map((one) => one.ref),
        still.map((one) => one.kind),
      ],
    )
  }
  if (still.length > 0) {
    await trx.query(
      `insert into gateway_differences as d (org_id, gateway, account, list, difference_id,
         gateway_ref, kind, detail)
       select $1, $2, $3, $4, n.* from unnest($5::text[], $6::text[], $7::text[], $8::text[]) as n
       on conflict (gateway_ref, gateway, list, kind, account, org_id) do update
         set detail = excluded.detail, last_seen_at = now(), resolved_at = null`,
      [
        trx.scope,
        where.gateway,
        where.account,
        where.list,
        still.map(() => newId('dif')),
        still.map((one) => one.ref),
        still.map((one) => one.kind),
        still.map((one) => storable(one.detail, DETAIL_LENGTH_MAX)),
      ],
    )
  }
}

/** What was overdue and is not any more. */
export async function resolveOverdue(
  trx: Trx,
  where: Where,
  refs: readonly string[],
): Promise<void> {
  await trx.query(
    `update gateway_differences set resolved_at = now()
      where org_id = $1 and gateway = $2 and account = $3 and list = $4 and kind = 'overdue'
        and gateway_ref = any($5::text[]) and resolved_at is null`,
    [trx.scope, where.gateway, where.account, where.list, [...refs]],
  )
}

/** Rows without an id that no deep comparison since then met any more. */
export async function resolveNameless(trx: Trx, where: Where, since: Date): Promise<void> {
  await trx.query(
    `update gateway_differences set resolved_at = now()
      where org_id = $1 and gateway = $2 and account = $3 and list = $4 and gateway_ref = ''
        and last_seen_at < $5 and resolved_at is null`,
    [trx.scope, where.gateway, where.account, where.list, since],
  )
}

export interface DifferenceFilter {
  gateway: GatewayName | null
  kind: DifferenceKind | null
  open: boolean | null
  before: string | null
  limit: number
}

/** Newest first. */
export async function listDifferences(
  trx: Trx,
  { gateway, kind, open, before, limit }: DifferenceFilter,
): Promise<Difference[]> {
  return await trx.query<Difference>(
    `select difference_id, gateway, account, list, gateway_ref, kind, detail, first_seen_at,
            last_seen_at, resolved_at
       from gateway_differences
      where org_id = $1 and ($2::text is null or gateway = $2) and ($3::text is null or kind = $3)
        and ($4::boolean is null or (resolved_at is null) = $4)
        and ($5::text is null or difference_id < $5)
      order by difference_id desc limit $6`,
    [trx.scope, gateway, kind, open, before, limit],
  )
}
