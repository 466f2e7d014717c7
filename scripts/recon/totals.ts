/** Every rupee of a corpus in one place: what came in is matched, open, in breaks, or refused. */
import type pg from 'pg'
import type { Fault } from '../../src/recon/sources/reading.ts'
import { FILE_NO } from './books.ts'
import type { Corpus } from './corpus.ts'

/** Of one source in one currency; minor units. */
export interface SourceTotal {
  source: string
  currency: string
  /** Of all rows that were written into the file. */
  rows: bigint
  matched: bigint
  broken: bigint
  /** Neither matched nor a break. */
  open: bigint
  refused: bigint
}

/** True where nothing is left over and nothing is counted twice, to the paisa. */
export function isWhole({ rows, matched, broken, open, refused }: SourceTotal): boolean {
  return rows === matched + broken + open + refused
}

/** Adds up what a run left; `client` is the owner's, with the organisation set. */
export async function totalsOf(
  client: pg.Client,
  corpus: Corpus,
  faults: ReadonlyMap<number, readonly Fault[]>,
): Promise<SourceTotal[]> {
  const { rows: found } = await client.query<
    Record<'file_no' | 'matched' | 'broken' | 'open', string> & { currency: string }
  >(
    `select l.file_no, l.currency, ${sumOf('is_matched')} as matched,
            ${sumOf('not is_matched and is_broken')} as broken,
            ${sumOf('not is_matched and not is_broken')} as open
       from (
         select file_no, currency, amount, 'line ' || file_no || ' ' || row_no as subject,
                exists (select from recon_matches m
                         where m.file_no = s.file_no and m.row_no = s.row_no
                           and m.undone_at is null) as is_matched
           from settlement_lines s
          union all
         select file_no, currency, abs(amount), 'bank ' || file_no || ' ' || row_no,
                exists (select from recon_bank_matches m
                         where m.file_no = b.file_no and m.row_no = b.row_no
                           and m.undone_at is null)
           from bank_lines b
       ) l
      cross join lateral (
        select exists (select from recon_exceptions e
                        where e.subject = l.subject and e.state <> 'gone') as is_broken
      ) e
      group by l.file_no, l.currency`,
  )
  return Object.entries(FILE_NO).flatMap(([source, fileNo]) => {
    const file = source === 'statement' ? corpus.statement : corpus.reports[source as 'payu']
    const refused = new Set(faults.get(fileNo)?.map(({ row }) => row))
    const written = new Map<string, { rows: bigint; refused: bigint }>()
    for (const [row, { amount, currency }] of file.written) {
      const sum = written.get(currency) ?? { rows: 0n, refused: 0n }
      sum.rows += amount
      sum.refused += refused.has(row) ? amount : 0n
      written.set(currency, sum)
    }
    return [...written]
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([currency, sum]) => {
        const one = found.find((row) => Number(row.file_no) === fileNo && row.currency === currency)
        return {
          source,
          currency,
          ...sum,
          matched: BigInt(one?.matched ?? 0),
          broken: BigInt(one?.broken ?? 0),
          open: BigInt(one?.open ?? 0),
        }
      })
  })
}

function sumOf(which: string): string {
  return `coalesce(sum(amount) filter (where ${which}), 0)::text`
}

/** The totals as a table in Markdown. */
export function totalsTable(totals: readonly SourceTotal[]): string {
  const decimal = (minor: bigint) => `${minor / 100n}.${String(minor % 100n).padStart(2, '0')}`
  const rows = totals.map(
    ({ source, currency, rows: all, matched, broken, open, refused }) =>
      `| ${source} | ${currency} | ` +
      `${[all, matched, broken, open, refused].map(decimal).join(' | ')} |`,
  )
  return [
    '| file | currency | rows in | matched | in breaks | open | refused |',
    '|---|---|---:|---:|---:|---:|---:|',
    ...rows,
  ].join('\n')
}
