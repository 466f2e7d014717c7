/** Files of lines: each a row with its state, from the moment in which it came. */
import type { Trx } from '../../base/db.ts'
import { sqlStateOf } from '../../base/database-error.ts'
import { newId } from '../../base/ids.ts'
import { Problem } from '../../base/problem.ts'
import type { Received } from './stored.ts'
import type { CurrencyTotal, Tally } from '../sources/tally.ts'
import { noteTally } from './tallies.ts'

export const FILE_STATES = [
  'asked',
  'previewed',
  'loading',
  'loaded',
  'refused',
  'forgotten',
] as const

export type FileState = (typeof FILE_STATES)[number]

/** Looked at and not loaded yet: so many of an organisation, and for so long. */
const PREVIEWS_MAX = 50
export const PREVIEW_DAYS = 30

/** A total as it is stored: sums as text, because JSON's numbers end at 2^53. */
export type StoredTotal = {
  [Name in keyof CurrencyTotal]: CurrencyTotal[Name] extends bigint ? string : CurrencyTotal[Name]
}

/** The first lines, as answers show them, and how many of some lines were there already. */
export interface Preview {
  lines: object[]
  looked_at: number
  known: number
}

export interface ReconFile {
  file_id: string
  file_no: number
  source_id: string
  mapping_version: number
  name: string
  fetched_day: string | null
  sha256: Buffer | null
  bytes: bigint
  stored_as: string | null
  pieces: number
  state: FileState
  problem: string | null
  lines: number
  skipped: number
  refused: number
  faults: number
  fresh: number | null
  known: number | null
  first_day: string | null
  last_day: string | null
  totals: StoredTotal[]
  preview: Preview | null
  done: number
  made_by: string
  made_at: Date
  committed_by: string | null
  committed_at: Date | null
  ended_at: Date | null
  /** The loaded file of the source that has the same bytes; null where there is none. */
  same_bytes: string | null
}

const SELECT = `select f.file_id, f.file_no, f.source_id, f.mapping_version, f.name, f.fetched_day,
       f.sha256, f.bytes, f.stored_as, f.pieces, f.state, f.problem, f.lines, f.skipped, f.refused,
       f.faults, f.fresh, f.known, f.first_day, f.last_day, f.totals, f.preview, f.done, f.made_by,
       f.made_at, f.committed_by, f.committed_at, f.ended_at,
       case when f.state = 'previewed' then
         (select o.file_id from recon_files o
           where o.source_id = f.source_id and o.sha256 = f.sha256 and o.org_id = f.org_id
             and o.state in ('loading', 'loaded') and o.fetched_day is null)
       end as same_bytes
  from recon_files f`

export interface FileFilter {
  sourceId: string | null
  state: FileState | null
}

/** Newest first. */
export async function listFiles(
  trx: Trx,
  filter: FileFilter,
  page: { limit: number; before: string | null },
): Promise<ReconFile[]> {
  return await trx.query<ReconFile>(
    `${SELECT}
      where f.org_id = $1 and ($2::text is null or f.source_id = $2)
        and ($3::text is null or f.state = $3) and ($4::text is null or f.file_id < $4)
      order by f.file_id desc limit $5`,
    [trx.scope, filter.sourceId, filter.state, page.before, page.limit],
  )
}

/** Throws `not_found`. */
export async function findFile(trx: Trx, fileId: string): Promise<ReconFile> {
  const [row] = await trx.query<ReconFile>(`${SELECT} where f.org_id = $1 and f.file_id = $2`, [
    trx.scope,
    fileId,
  ])
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such file.' })
  }
  return row
}

/** Throws `limit_reached` while too many files wait to be loaded. */
export async function assertRoom(trx: Trx): Promise<void> {
  const waiting = await trx.query(
    `select 1 from recon_files where org_id = $1 and state = 'previewed' limit $2`,
    [trx.scope, PREVIEWS_MAX],
  )
  if (waiting.length >= PREVIEWS_MAX) {
    const detail =
      `${PREVIEWS_MAX} files wait to be loaded; load one, or wait: they are forgotten ` +
      `${PREVIEW_DAYS} days after they came.`
    throw new Problem('limit_reached', { detail, moved: 'no' })
  }
}

/** What was read of a file when it came. */
export interface Read {
  tally: Tally
  preview: Preview
  /** Why it cannot be read at all; null where it can. */
  problem: string | null
}

export interface NewFile {
  sourceId: string
  mappingVersion: number
  name: string
  by: string
}

/** A file that somebody sent, as it was read. Gives its id. */
export async function addPreviewed(
  trx: Trx,
  given: NewFile,
  received: Received,
  { tally, preview, problem }: Read,
): Promise<string> {
  const fileId = newId('rfl')
  const isRefused = problem !== null
  await insertFile(trx, fileId, given, isRefused ? 'refused' : 'previewed', null)
  await trx.query(
    `update recon_files
        set sha256 = $3, bytes = $4, stored_as = $5, pieces = $6, problem = $7, preview = $8,
            ended_at = case when $9 then now() end
      where org_id = $1 and file_id = $2`,
    [
      trx.scope,
      fileId,
      received.sha256,
      received.bytes,
      received.storedAs,
      received.pieces,
      problem,
      JSON.stringify(preview),
      isRefused,
    ],
  )
  await noteTally(trx, fileId, tally)
  return fileId
}

/** A day at the gateway that is to be fetched. Gives its id. */
export async function addAsked(trx: Trx, given: NewFile, day: string): Promise<string> {
  const fileId = newId('rfl')
  await insertFile(trx, fileId, given, 'asked', day)
  return fileId
}

async function insertFile(
  trx: Trx,
  fileId: string,
  { sourceId, mappingVersion, name, by }: NewFile,
  state: FileState,
  day: string | null,
): Promise<void> {
  await holdLoads(trx)
  await trx.query(
    `insert into recon_files (org_id, file_id, file_no, source_id, mapping_version, name, state,
       fetched_day, made_by, ended_at)
     select $1, $2, coalesce(max(file_no), 0) + 1, $3, $4, $5, $6, $7, $8,
            case when $6 = 'refused' then now() end
       from recon_files where org_id = $1`,
    [trx.scope, fileId, sourceId, mappingVersion, name, state, day, by],
  )
}

/** The first half of an advisory key pair; the second is the organisation. */
const NUMBERS_LOCK = 0x6261686e
const LOADS_LOCK = 0x6261686f

/** Numbers are given one after the other, so that none is given twice. */
async function holdLoads(trx: Trx): Promise<void> {
  await trx.query('select pg_advisory_xact_lock($1, $2)', [NUMBERS_LOCK, trx.scope])
}

/** One load of an organisation after the other: two would wait for each other's lines. */
export async function holdLoading(trx: Trx): Promise<void> {
  await trx.query('select pg_advisory_xact_lock($1, $2)', [LOADS_LOCK, trx.scope])
}

/**
 * Lets the lines of a file be loaded; a job does it. What is being loaded, or is, stays as it is.
 * Throws `not_found`, `recon_file_state`, and `recon_file_known` with the first file's id.
 */
export async function commitFile(trx: Trx, fileId: string, by: string): Promise<void> {
  const file = await findFile(trx, fileId)
  if (file.state === 'loading' || file.state === 'loaded') {
    return
  }
  if (file.state !== 'previewed') {
    const detail = `The file is ${file.state}: ${file.problem ?? 'send it again'}.`
    throw new Problem('recon_file_state', { detail, moved: 'no' })
  }
  if (file.same_bytes !== null) {
    throw sameBytes(file.same_bytes)
  }
  try {
    await trx.query(
      `update recon_files
          set state = 'loading', committed_by = $3, committed_at = now(), next_try_at = now()
        where org_id = $1 and file_id = $2 and state = 'previewed'`,
      [trx.scope, fileId, by],
    )
  } catch (error) {
    throw sqlStateOf(error) === '23505' ? sameBytes('another one, at this moment') : error
  }
}

function sameBytes(fileId: string): Problem {
  const detail = `The same bytes were loaded for this source as ${fileId}; nothing was changed.`
  return new Problem('recon_file_known', { detail, moved: 'no' })
}
