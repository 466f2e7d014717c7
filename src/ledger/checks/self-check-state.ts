/** How far the self-check is in each organisation, and what it found: two tables and the gauges. */
import type { Database, Trx } from '../../base/db.ts'
import { accountsFrozen, selfCheckAgeSeconds, selfCheckDifferences } from '../../base/metrics.ts'
import { encodeWalk, walkState, type Difference, type Walk } from './account-walk.ts'
import type { Finding } from './finding.ts'

/** Where a round goes on, and how far it goes. */
export interface RoundPosition {
  nextEntryNo: bigint
  throughEntryNo: bigint
  nextAccountId: number
  throughAccountId: number
  walk: Walk | null
}

/** A run that this worker has, and nobody else. */
export interface Claim {
  runs: bigint
  /** Null where a new round is to begin. */
  position: RoundPosition | null
}

interface PositionRow {
  next_entry_no: bigint
  through_entry_no: bigint
  next_account_id: number
  through_account_id: number
}

/** A worker that died in the middle of a run is not waited for any longer. */
const LEASE = '60 seconds'
/** Between two runs of a round: the check takes a few hundredths of a core, however far behind. */
const PAUSE = '3 seconds'
/** Between two rounds. */
const REST = '30 seconds'

/**
 * Claims the organisation's next run; null where none is due. Whether one is stands in the table
 * alone, so that several workers do not do the same and a lost bell costs nothing.
 */
export async function claimRun(db: Database, orgId: number): Promise<Claim | null> {
  const [row] = await db.transact(
    orgId,
    async (trx) =>
      await trx.query<PositionRow & { runs: bigint; walk: unknown; round_started_at: Date | null }>(
        `insert into self_checks as c (org_id, runs, due_at)
         values ($1, 1, now() + $2::interval)
         on conflict (org_id) do update set runs = c.runs + 1, due_at = excluded.due_at
           where c.due_at <= now()
         returning runs, round_started_at, next_entry_no, through_entry_no, next_account_id,
                   through_account_id, walk`,
        [orgId, LEASE],
      ),
    { isolation: 'read committed' },
  )
  if (row === undefined) {
    return null
  }
  const walk = row.walk === null ? null : walkState.safeParse(row.walk)
  if (row.round_started_at === null || walk?.success === false) {
    // A walk that another version of this code has left is not understood: a new round begins.
    return { runs: row.runs, position: null }
  }
  const position = {
    nextEntryNo: row.next_entry_no,
    throughEntryNo: row.through_entry_no,
    nextAccountId: row.next_account_id,
    throughAccountId: row.through_account_id,
    walk: walk?.data ?? null,
  }
  return { runs: row.runs, position }
}

/** Notes how far a run came, unless another worker has claimed a later one since. */
export async function saveRun(
  trx: Trx,
  claim: Claim,
  run: { position: RoundPosition; isRoundDone: boolean; differences: number },
): Promise<void> {
  const { position } = run
  await trx.query(
    `update self_checks
        set next_entry_no = $3, through_entry_no = $4, next_account_id = $5,
            through_account_id = $6, walk = $7, checked_at = clock_timestamp(),
            rounds = rounds + case when $8 then 1 else 0 end,
            round_started_at = case when $8 then null else coalesce(round_started_at, now()) end,
            round_ended_at = case when $8 then clock_timestamp() else round_ended_at end,
            differences = case when $8 then round_differences + $9
              else greatest(differences, round_differences + $9) end,
            round_differences = case when $8 then 0 else round_differences + $9 end,
            frozen_accounts = (select count(*) from accounts where org_id = $1 and frozen),
            due_at = now() + case when $8 then $11::interval else $10::interval end
      where org_id = $1 and runs = $2`,
    [
      trx.scope,
      claim.runs,
      position.nextEntryNo,
      position.throughEntryNo,
      position.nextAccountId,
      position.throughAccountId,
      encodeWalk(position.walk),
      run.isRoundDone,
      run.differences,
      PAUSE,
      REST,
    ],
  )
}

/** More findings of one organisation are counted and no longer kept. */
const FINDINGS_MAX = 1000

/** Those that nobody was told of yet, or whose account takes postings again. */
export async function newsAmong(
  trx: Trx,
  differences: readonly Difference[],
): Promise<Difference[]> {
  if (differences.length === 0) {
    return []
  }
  const rows = await trx.query<{ n: bigint }>(
    `select w.n
       from unnest($2::text[], $3::text[], $4::integer[], $5::bigint[]) with ordinality
         as w (check_name, detail, account_id, entry_no, n)
      where exists (
              select from accounts a
               where a.org_id = $1 and a.account_id = w.account_id and not a.frozen)
         or (select count(*) from self_check_findings where org_id = $1) < $6
            and not exists (
              select from self_check_findings f
               where f.org_id = $1 and f.check_name = w.check_name
                 and f.account_id = w.account_id
                 -- Where in a frozen account it shows depends on where slices end.
                 and (w.account_id > 0 or f.entry_no = w.entry_no and f.detail = w.detail))
      order by w.n`,
    [trx.scope, ...columnsOf(differences), FINDINGS_MAX],
  )
  return rows.flatMap(({ n }) => differences[Number(n) - 1] ?? [])
}

/** Keeps what is not kept yet. */
export async function keepFindings(trx: Trx, found: readonly Difference[]): Promise<void> {
  await trx.query(
    `insert into self_check_findings (org_id, check_name, detail, account_id, entry_no)
     select $1, w.* from unnest($2::text[], $3::text[], $4::integer[], $5::bigint[]) as w
      limit greatest(0, $6 - (select count(*) from self_check_findings where org_id = $1))
     on conflict do nothing`,
    [trx.scope, ...columnsOf(found), FINDINGS_MAX],
  )
}

/**
 * Adds to a round that has ended what else does not agree, of no account in particular; gives those
 * that nobody was told of.
 */
export async function noteAtEnd(
  db: Database,
  orgId: number,
  findings: readonly Finding[],
): Promise<Difference[]> {
  if (findings.length === 0) {
    return []
  }
  const differences = findings.map(({ check, detail }) => ({
    check,
    detail: detail.slice(0, 500),
    accountId: null,
    entryNo: null,
  }))
  return await db.transact(
    orgId,
    async (trx) => {
      const news = await newsAmong(trx, differences)
      await keepFindings(trx, news)
      await trx.query('update self_checks set differences = differences + $2 where org_id = $1', [
        trx.scope,
        findings.length,
      ])
      return news
    },
    { isolation: 'read committed' },
  )
}

function columnsOf(differences: readonly Difference[]): unknown[][] {
  return [
    differences.map(({ check }) => check),
    differences.map(({ detail }) => detail),
    differences.map(({ accountId }) => accountId ?? 0),
    differences.map(({ entryNo }) => entryNo ?? 0n),
  ]
}

/** Of all organisations: how old the newest run and round are, differences, frozen accounts. */
export async function noteSelfChecks(db: Database): Promise<void> {
  const rows = await db.statement<{
    slug: string
    since_run: number
    since_round: number
    differences: number
    frozen_accounts: number
  }>(
    `select o.slug, c.differences, c.frozen_accounts,
            extract(epoch from now() - coalesce(c.checked_at, c.created_at))::float8 as since_run,
            extract(epoch from now() - coalesce(c.round_ended_at, c.created_at))::float8
              as since_round
       from self_checks c join organisations o using (org_id)`,
  )
  for (const row of rows) {
    const organisation = row.slug
    selfCheckAgeSeconds.set({ organisation, since: 'run' }, Math.max(0, row.since_run))
    selfCheckAgeSeconds.set({ organisation, since: 'round' }, Math.max(0, row.since_round))
    selfCheckDifferences.set({ organisation }, row.differences)
    accountsFrozen.set({ organisation }, row.frozen_accounts)
  }
}

/** The self-check of the transaction's organisation, for people to read. */
export interface SelfCheckView extends PositionRow {
  checked_at: Date | null
  rounds: bigint
  round_started_at: Date | null
  round_ended_at: Date | null
  differences: number
  frozen: { account_id: number; code: string; currency: string }[]
  findings: FindingRow[]
}

export interface FindingRow {
  found_at: Date
  check_name: string
  detail: string
  account_id: number
  entry_no: bigint
}

/** With up to `limit` frozen accounts and newest findings; undefined before the first run. */
export async function findSelfCheck(trx: Trx, limit: number): Promise<SelfCheckView | undefined> {
  const [row] = await trx.query<Omit<SelfCheckView, 'frozen' | 'findings'>>(
    `select checked_at, rounds, round_started_at, round_ended_at, differences, next_entry_no,
            through_entry_no, next_account_id, through_account_id
       from self_checks where org_id = $1`,
    [trx.scope],
  )
  if (row === undefined) {
    return undefined
  }
  const frozen = await trx.query<SelfCheckView['frozen'][number]>(
    `select account_id, code, currency from accounts
      where org_id = $1 and frozen order by account_id limit $2`,
    [trx.scope, limit],
  )
  const findings = await trx.query<FindingRow>(
    `select found_at, check_name, detail, account_id, entry_no from self_check_findings
      where org_id = $1 order by found_at desc, detail limit $2`,
    [trx.scope, limit],
  )
  return { ...row, frozen, findings }
}
