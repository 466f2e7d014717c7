/** Sources: whose lines an organisation reads, and how; each change of how is a version. */
import type { Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import { Problem } from '../../base/problem.ts'
import type { GatewayName } from '../../gateways/fact.ts'
import { templateOf } from '../../ledger/core/chart.ts'
import type { Mapping, SourceFormat } from '../sources/formats.ts'

/** So many of an organisation, archived ones too. */
const SOURCES_MAX = 100

export interface ReconSource {
  source_id: string
  name: string
  side: 'gateway' | 'bank'
  gateway: GatewayName | null
  account: string | null
  ledger_account: string | null
  version: number
  format: SourceFormat
  mapping: Mapping
  fetched_daily: boolean
  fetched_on: string | null
  made_by: string
  made_at: Date
  archived_by: string | null
  archived_at: Date | null
}

const SELECT = `select s.source_id, s.name, s.side, s.gateway, s.account, s.ledger_account,
       s.version, m.format, m.mapping, s.fetched_daily, s.fetched_on, s.made_by, s.made_at,
       s.archived_by, s.archived_at
  from recon_sources s
  join recon_source_mappings m
    on m.org_id = s.org_id and m.source_id = s.source_id and m.version = s.version`

/** In the order in which they were made. */
export async function listSources(
  trx: Trx,
  page: { limit: number; after: string | null },
): Promise<ReconSource[]> {
  return await trx.query<ReconSource>(
    `${SELECT} where s.org_id = $1 and ($2::text is null or s.source_id > $2)
      order by s.source_id limit $3`,
    [trx.scope, page.after, page.limit],
  )
}

/** Throws `not_found`. */
export async function findSource(trx: Trx, sourceId: string): Promise<ReconSource> {
  const [row] = await trx.query<ReconSource>(`${SELECT} where s.org_id = $1 and s.source_id = $2`, [
    trx.scope,
    sourceId,
  ])
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such source.' })
  }
  return row
}

/** As `findSource`; throws `switched_off` for one that takes nothing any more. */
export async function findOpenSource(trx: Trx, sourceId: string): Promise<ReconSource> {
  const source = await findSource(trx, sourceId)
  if (source.archived_at !== null) {
    const detail = 'The source is archived; its lines stay, and it takes no more.'
    throw new Problem('switched_off', { detail, moved: 'no' })
  }
  return source
}

export interface NewSource {
  name: string
  of:
    | { side: 'gateway'; gateway: GatewayName; account: string }
    | { side: 'bank'; ledgerAccount: string }
  format: SourceFormat
  mapping: Mapping
  fetchedDaily: boolean
  by: string
}

/**
 * Gives its id. Throws `recon_source_exists` for a name that another one has, `unknown_account` for
 * an account that the books do not have, `limit_reached`.
 */
export async function addSource(trx: Trx, given: NewSource): Promise<string> {
  const all = await trx.query('select 1 from recon_sources where org_id = $1 limit $2', [
    trx.scope,
    SOURCES_MAX,
  ])
  if (all.length >= SOURCES_MAX) {
    const detail = `An organisation has at most ${SOURCES_MAX} sources.`
    throw new Problem('limit_reached', { detail, moved: 'no' })
  }
  await assertNameFree(trx, given.name, null)
  const { of } = given
  if (of.side === 'bank') {
    await assertAccount(trx, of.ledgerAccount)
  }
  const sourceId = newId('rsc')
  await trx.query(
    `insert into recon_sources (org_id, source_id, name, side, gateway, account, ledger_account,
       fetched_daily, made_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      trx.scope,
      sourceId,
      given.name,
      of.side,
      of.side === 'gateway' ? of.gateway : null,
      of.side === 'gateway' ? of.account : null,
      of.side === 'bank' ? of.ledgerAccount : null,
      given.fetchedDaily,
      given.by,
    ],
  )
  await setMapping(trx, sourceId, { version: 1, ...given })
  return sourceId
}

export interface SourceChange {
  name?: string | undefined
  reading?: { format: SourceFormat; mapping: Mapping } | undefined
  fetchedDaily?: boolean | undefined
  archived?: true | undefined
}

/** Files that came before keep the mapping with which they were read. Throws as `addSource`. */
export async function changeSource(
  trx: Trx,
  source: ReconSource,
  change: SourceChange,
  by: string,
): Promise<ReconSource> {
  const { name, reading, fetchedDaily, archived } = change
  const version = source.version + (reading === undefined ? 0 : 1)
  if (name !== undefined) {
    await assertNameFree(trx, name, source.source_id)
  }
  if (reading !== undefined) {
    await setMapping(trx, source.source_id, { version, ...reading, by })
  }
  await trx.query(
    `update recon_sources
        set name = coalesce($3, name), version = $4, fetched_daily = coalesce($5, fetched_daily),
            archived_by = case when $6 then coalesce(archived_by, $7) else archived_by end,
            archived_at = case when $6 then coalesce(archived_at, now()) else archived_at end
      where org_id = $1 and source_id = $2`,
    [
      trx.scope,
      source.source_id,
      name ?? null,
      version,
      fetchedDaily ?? null,
      archived === true,
      by,
    ],
  )
  return await findSource(trx, source.source_id)
}

/** A mapping as it was set under that version. */
export async function mappingOf(
  trx: Trx,
  sourceId: string,
  version: number,
): Promise<{ format: SourceFormat; mapping: Mapping }> {
  const [row] = await trx.query<{ format: SourceFormat; mapping: Mapping }>(
    `select format, mapping from recon_source_mappings
      where org_id = $1 and source_id = $2 and version = $3`,
    [trx.scope, sourceId, version],
  )
  if (row === undefined) {
    throw new Problem('internal', { detail: 'The mapping of a file is not there.' })
  }
  return row
}

async function setMapping(
  trx: Trx,
  sourceId: string,
  set: { version: number; format: SourceFormat; mapping: Mapping; by: string },
): Promise<void> {
  await trx.query(
    `insert into recon_source_mappings (org_id, source_id, version, format, mapping, set_by)
     values ($1, $2, $3, $4, $5, $6)`,
    [trx.scope, sourceId, set.version, set.format, JSON.stringify(set.mapping), set.by],
  )
}

async function assertNameFree(trx: Trx, name: string, but: string | null): Promise<void> {
  const taken = await trx.query(
    `select 1 from recon_sources
      where org_id = $1 and lower(name) = lower($2) and archived_at is null
        and source_id is distinct from $3`,
    [trx.scope, name, but],
  )
  if (taken.length > 0) {
    const detail = 'Another source has that name; choose one by which people know it.'
    throw new Problem('recon_source_exists', { detail, moved: 'no' })
  }
}

/** One of the chart is opened when it is first posted to. */
async function assertAccount(trx: Trx, code: string): Promise<void> {
  const found = await trx.query('select 1 from accounts where org_id = $1 and code = $2', [
    trx.scope,
    code,
  ])
  if (found.length === 0 && templateOf(code) === undefined) {
    const detail = `The books have no account ${code}; open it first.`
    throw new Problem('unknown_account', { detail, moved: 'no' })
  }
}
