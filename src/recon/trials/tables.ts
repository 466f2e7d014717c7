/** The tables that a trial writes to in place of a run's, filled with what stands. */
import type { Trx } from '../../base/db.ts'
import { NOTHING, type Run } from '../runs.ts'
import { copyMatchesNamed, copyMatchesSince, copyOpenRecords, fill } from './fill.ts'
import { fillForPeriod } from './period.ts'
import type { Trial } from './trials.ts'

/** Another run is going on: what stands now is half of it. */
export class Unsettled extends Error {
  override name = 'Unsettled'
}

/**
 * Opens the tables of a trial and fills them: of the next run over `files`, or of a period as if
 * no rule had matched any of it. From then on the transaction can write nothing that stays:
 * Postgres refuses it. Throws `Unsettled`.
 */
export async function openTrial(trx: Trx, trial: Trial, files: readonly number[]): Promise<Run> {
  const going = await trx.query(
    `select 1 from recon_runs where org_id = $1 and state in ('waiting', 'running') limit 1`,
    [trx.scope],
  )
  if (going.length > 0) {
    throw new Unsettled('a run is going on')
  }
  const [next] = await trx.query<{ no: number }>(
    `select coalesce(max(run_no), 0) + 1 as no from recon_runs where org_id = $1`,
    [trx.scope],
  )
  const no = next?.no ?? 1
  await trx.query('select recon_open_trial($1, $2)', [trial.first_day, trial.last_day])
  // What stands on the tables of the session can be written from here on, and nothing else.
  await trx.query('set transaction read only')
  // What a person took apart no run puts together again.
  await fill(
    trx,
    'recon_matches',
    `     select * from public.recon_matches where org_id = $1 and undone_at is not null`,
    [trx.scope],
  )
  await fill(
    trx,
    'recon_bank_matches',
    `     select * from public.recon_bank_matches where org_id = $1 and undone_at is not null`,
    [trx.scope],
  )
  if (trial.first_day === null || trial.last_day === null) {
    await fillForRun(trx, no, files)
  } else {
    await fillForPeriod(trx, no, { from: trial.first_day, to: trial.last_day })
  }
  return {
    no,
    asOf: trial.as_of,
    step: 'lines',
    progress: { ...NOTHING },
    rules: trial.rules,
  }
}

async function fillForRun(trx: Trx, no: number, files: readonly number[]): Promise<void> {
  await fill(
    trx,
    'recon_runs',
    `     select * from public.recon_runs where org_id = $1 and state = 'done'`,
    [trx.scope],
  )
  await fill(
    trx,
    'recon_run_files (org_id, file_no, run_no)',
    `     select $1, file_no, $2 from unnest($3::integer[]) as f (file_no)`,
    [trx.scope, no, files],
  )
  await fill(trx, 'recon_open_lines', `select * from public.recon_open_lines where org_id = $1`, [
    trx.scope,
  ])
  await fill(
    trx,
    'recon_open_bank_lines',
    `     select * from public.recon_open_bank_lines where org_id = $1`,
    [trx.scope],
  )
  await fill(trx, 'recon_batches', `select * from public.recon_batches where org_id = $1`, [
    trx.scope,
  ])
  await fill(
    trx,
    'recon_bank_matches',
    `     select * from public.recon_bank_matches where org_id = $1 and undone_at is null`,
    [trx.scope],
  )
  await fill(
    trx,
    'recon_exceptions',
    `     select * from public.recon_exceptions where org_id = $1 and state = 'open'`,
    [trx.scope],
  )
  await copyOpenRecords(trx)
  await copyMatchesSince(trx, no)
  await copyMatchesNamed(trx, no, 'true')
}
