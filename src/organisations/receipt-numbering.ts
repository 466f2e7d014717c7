/** What receipt numbers begin with, per series and financial year; numbers issued stay. */
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'

export const SERIES = ['80G', 'GEN'] as const

/** `80G` with a deduction statement, `GEN` without. */
export type Series = (typeof SERIES)[number]

export interface SeriesYear {
  series: Series
  /** Financial year, `2026-27`. */
  year: string
  prefix: string
  /** Receipts numbered so far. */
  issued: number
}

const YEARS_MAX = 100

/** The prefix of a series in a year: the newest that was set for it or before, else its name. */
export async function prefixOf(trx: Trx, series: string, year: string): Promise<string> {
  const [row] = await trx.query<{ prefix: string }>(
    `select prefix from receipt_prefixes
      where org_id = $1 and series = $2 and year <= $3 order by year desc limit 1`,
    [trx.scope, series, year],
  )
  return row?.prefix ?? series
}

/** Every year with receipts or a prefix of its own, and the current one; newest first. */
export async function listSeries(trx: Trx, currentYear: string): Promise<SeriesYear[]> {
  return await trx.query<SeriesYear>(
    `select y.series, y.year, coalesce(s.last_serial, 0) as issued,
            coalesce((select p.prefix from receipt_prefixes p
                       where p.org_id = $1 and p.series = y.series and p.year <= y.year
                       order by p.year desc limit 1), y.series) as prefix
       from (select series, year collate "C" as year from receipt_series where org_id = $1
             union select series, year from receipt_prefixes where org_id = $1
             union select series, $2 from unnest($3::text[]) as c (series)) y
       left join receipt_series s on s.org_id = $1 and s.series = y.series and s.year = y.year
      order by y.year desc, y.series limit $4`,
    [trx.scope, currentYear, SERIES, YEARS_MAX],
  )
}

/**
 * Sets the prefix from a year on in which the series has no receipt yet. Throws
 * `numbering_fixed` where it has, or the year is over, or the other series has the prefix.
 * Wants the organisation's turn in the queue `receipts`.
 */
export async function setPrefix(
  trx: Trx,
  series: Series,
  year: string,
  prefix: string,
): Promise<void> {
  const [row] = await trx.query<{ over: boolean; issued: boolean; taken: boolean }>(
    `select left($3, 4)::integer
              < extract(year from today) - (extract(month from today) < 4)::integer as over,
            exists (select from receipt_series s
                     where s.org_id = $1 and s.series = $2 and s.year >= $3) as issued,
            ($4 = any($5) and $4 <> $2)
              or exists (select from receipt_prefixes p
                          where p.org_id = $1 and p.prefix = $4 and p.series <> $2) as taken
       from (select (now() at time zone 'Asia/Kolkata')::date as today) d`,
    [trx.scope, series, year, prefix, SERIES],
  )
  if (row?.over === true || row?.issued === true) {
    const detail = `Receipts of ${year} are numbered already; choose a later financial year.`
    throw new Problem('numbering_fixed', { detail })
  }
  if (row?.taken === true) {
    const detail = `The other series has, or had, the prefix "${prefix}".`
    throw new Problem('numbering_fixed', { detail })
  }
  await trx.query(
    `insert into receipt_prefixes (org_id, series, year, prefix) values ($1, $2, $3, $4)
     on conflict (org_id, series, year) do update set prefix = excluded.prefix, set_at = now()`,
    [trx.scope, series, year, prefix],
  )
}
