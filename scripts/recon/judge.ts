/** Holds what a run found against the truth of its corpus, class by class. */
import type pg from 'pg'
import type { Fault } from '../../src/recon/sources/reading.ts'
import { FILE_NO } from './books.ts'
import type { Corpus } from './corpus.ts'
import { GATEWAYS } from './lives.ts'

/** How often something of a class was found to be of another; and what that comes to. */
export interface Judged {
  /** `side: expected` → what was found → how often. */
  confusion: Map<string, Map<string, number>>
  /** Lines or credits that were matched with what they do not tell of. */
  wrong: number
  /** Pairs that can be decided, and how many of them were matched. */
  decidable: number
  matched: number
  /** Rows of all files, and those that are matched, open or refused. */
  rows: number
  accounted: number
}

interface Found {
  /** Lines: `<file> <row>` → the records that it was matched with. */
  matches: Map<string, string[]>
  credits: Map<string, string[]>
  /** What it is about → the kinds of its breaks. */
  breaks: Map<string, string[]>
  open: Set<string>
  /** Records that no line told of. */
  waiting: Set<string>
}

/** Everything that a run left in the tables; `client` is the owner's, with the organisation set. */
export async function judge(
  client: pg.Client,
  corpus: Corpus,
  faults: ReadonlyMap<number, readonly Fault[]>,
): Promise<Judged> {
  const found = await foundIn(client)
  const judged: Judged = {
    confusion: new Map(),
    wrong: 0,
    decidable: 0,
    matched: 0,
    rows: 0,
    accounted: 0,
  }
  const refused = new Set(
    [...faults].flatMap(([file, all]) => all.map(({ row }) => `${file} ${row}`)),
  )
  for (const gateway of GATEWAYS) {
    for (const [row, expected] of corpus.reports[gateway].expected) {
      const key = `${FILE_NO[gateway]} ${row}`
      const breaks = found.breaks.get(`line ${key}`) ?? []
      judgeRow(judged, 'line', {
        expected,
        told: found.matches.get(key) ?? [],
        breaks: refused.has(key) ? ['parse_error'] : breaks,
        isOpen: found.open.has(key),
      })
    }
  }
  for (const [row, expected] of corpus.statement.expected) {
    const key = `${FILE_NO.statement} ${row}`
    judgeRow(judged, 'credit', {
      expected,
      told: found.credits.get(key) ?? [],
      breaks: found.breaks.get(`bank ${key}`) ?? [],
      isOpen: true,
    })
  }
  for (const record of corpus.records.filter(({ state }) => state === 'captured')) {
    const breaks = found.breaks.get(`record ${record.recordId}`) ?? []
    // Open, and no break yet: a line may still come in time.
    const isWaiting = record.expected === 'timing' && found.waiting.has(record.recordId)
    const got = breaks.join(' ') || (isWaiting ? 'timing' : 'none')
    count(judged, `record: ${record.expected || 'none'}`, got)
  }
  for (const one of corpus.settlements) {
    const total = found.breaks.get(`settlement ${one.gateway} corpus ${one.externalId}`) ?? []
    count(judged, `total: ${one.expectedTotal || 'none'}`, total.join(' ') || 'none')
    const credit = found.breaks.get(`credit of ${one.settlementId}`) ?? []
    count(judged, `settlement: ${one.expectedCredit || 'none'}`, credit.join(' ') || 'none')
  }
  return judged
}

interface Row {
  expected: string
  told: readonly string[]
  breaks: readonly string[]
  isOpen: boolean
}

function judgeRow(judged: Judged, side: string, { expected, told, breaks, isOpen }: Row): void {
  const [what = '', record = '', more] = expected.split(' ')
  const isDue = what === 'match' || what === 'both'
  const due = what === 'both' ? [record, more] : [record]
  const isRight =
    isDue && told.length === due.length && due.every((one) => told.includes(one ?? ''))
  judged.rows += 1
  judged.decidable += isDue ? 1 : 0
  judged.matched += isRight ? 1 : 0
  judged.wrong += told.length > 0 && !isRight ? 1 : 0
  judged.accounted += told.length > 0 || breaks.length > 0 || isOpen ? 1 : 0
  const name = what === 'match' ? ['match', more].filter(Boolean).join(' + ') : what || 'none'
  const got = [told.length === 0 ? '' : isRight ? 'match' : 'WRONG', ...breaks].filter(Boolean)
  count(judged, `${side}: ${name}`, got.join(' + ') || 'none')
}

function count({ confusion }: Judged, expected: string, found: string): void {
  const row = confusion.get(expected) ?? new Map<string, number>()
  confusion.set(expected, row)
  row.set(found, (row.get(found) ?? 0) + 1)
}

async function foundIn(client: pg.Client): Promise<Found> {
  const lists = async (sql: string): Promise<Map<string, string[]>> => {
    const { rows } = await client.query<{ key: string; one: string }>(sql)
    const found = new Map<string, string[]>()
    for (const { key, one } of rows) {
      found.set(key, [...(found.get(key) ?? []), one])
    }
    return found
  }
  const open = await lists(
    `select file_no || ' ' || row_no as key, '' as one from recon_open_lines`,
  )
  const waiting = await lists(`select record_id as key, '' as one from recon_open_records`)
  return {
    matches: await lists(
      `select file_no || ' ' || row_no as key, record_id as one from recon_matches
        where undone_at is null`,
    ),
    credits: await lists(
      `select file_no || ' ' || row_no as key, settlement_id as one from recon_bank_matches
        where undone_at is null`,
    ),
    breaks: await lists(
      `select subject as key, kind as one from recon_exceptions
        where state <> 'gone' order by kind`,
    ),
    open: new Set(open.keys()),
    waiting: new Set(waiting.keys()),
  }
}

/** The confusion as a table in Markdown: what it is, what it was found to be, how often. */
export function tableOf({ confusion }: Judged): string {
  const rows = [...confusion]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([expected, found]) =>
      [...found].map(([what, times]) => {
        const [side = '', kind = ''] = expected.split(': ')
        return `| ${side} | ${kind} | ${what} | ${times} |`
      }),
    )
  return ['| | it is | it was found to be | times |', '|---|---|---|---:|', ...rows].join('\n')
}
