/**
 * The journal as CSV, made by Postgres: the same bytes as from the table of journal.ts, several
 * times as fast. Of each part the text, and what it adds up to by account, come from the same rows.
 */
import { csvLine } from '../../../reports/csv.ts'
import type { Trx } from '../../base/db.ts'
import type { Books } from '../books.ts'
import { byCurrency, type Parameters, type Pieces, type Total } from '../report.ts'
import { JOURNAL_COLUMNS, outcomeOf } from './journal.ts'

/** Entries of a part, and bytes of its text, about; one entry at least. */
const ENTRIES_MAX = 10_000
const BYTES_MAX = 4_000_000
/** What a row takes beside the texts of its entry. */
const ROW_BYTES = 150

interface Part {
  text: string
  lines: number
  nets: [accountId: number, currency: string, debits: bigint, credits: bigint][]
}

/** Parts in hand: two that are being made while one is on its way. */
const AHEAD = 3

export async function* journalCsv(books: Books, asked: Parameters): Pieces {
  yield csvLine(JOURNAL_COLUMNS)
  const sums = openPartSums()
  const coming: Promise<Part>[] = []
  const ranges = rangesOf(books)
  for (;;) {
    while (coming.length < AHEAD) {
      const range = await ranges.next()
      if (range.done === true) {
        break
      }
      const part = readPart(books, asked, range.value)
      // Whoever stops reading awaits it no more.
      part.catch(() => undefined)
      coming.push(part)
    }
    const part = await coming.shift()
    if (part === undefined) {
      return await outcomeOf(books, asked, sums)
    }
    sums.add(part)
    books.progress.rows = sums.lines
    if (part.text !== '') {
      yield part.text
    }
  }
}

interface EntryRange {
  after: bigint
  last: bigint
}

/** Where one part ends and the next begins. */
async function* rangesOf({ db, orgId, through }: Books): AsyncGenerator<EntryRange> {
  for (let after = 0n; after < through;) {
    const from = after
    const last = await db.read(orgId, async (trx) => await lastOfPart(trx, from, through))
    yield { after, last }
    after = last
  }
}

async function readPart(books: Books, asked: Parameters, range: EntryRange): Promise<Part> {
  const currencies = [...books.exponents]
  const params = [
    books.orgId,
    range.after,
    range.last,
    asked.from,
    asked.to,
    asked.kind,
    currencies.map(([code]) => code),
    currencies.map(([, exponent]) => scaleOf(exponent)),
  ]
  const [row] = await books.db.read(books.orgId, async (trx) => {
    await trx.query(PART_SETTINGS)
    return await trx.query<{ text: string | null; lines: number; nets: string[] }>(PART_SQL, params)
  })
  const nets = (row?.nets ?? []).map((net): Part['nets'][number] => {
    const [accountId = '', currency = '', debits = '', credits = ''] = net.split(' ')
    return [Number(accountId), currency, BigInt(debits), BigInt(credits)]
  })
  return { text: row?.text ?? '', lines: row?.lines ?? 0, nets }
}

/**
 * A part fits into memory, its rows are joined at once whatever a planner believes, and parts are
 * made beside each other instead of by several workers each.
 */
const PART_SETTINGS = `select set_config('work_mem', '32MB', true),
  set_config('enable_nestloop', 'off', true),
  set_config('max_parallel_workers_per_gather', '0', true)`

/** What minor units are multiplied with, written with as many digits as the product has. */
function scaleOf(exponent: number): string {
  return exponent === 0 ? '1' : `0.${'1'.padStart(exponent, '0')}`
}

async function lastOfPart(trx: Trx, after: bigint, through: bigint): Promise<bigint> {
  const [found] = await trx.query<{ last: bigint | null }>(
    `select max(entry_no) as last
       from (
         select entry_no,
                sum(lines * ($4::integer + octet_length(description) + octet_length(source)
                  + octet_length(idempotency_key) + octet_length(actor)))
                  over (order by entry_no) as bytes
           from journal_entries
          where org_id = $1 and entry_no > $2 and entry_no <= least($2::bigint + $5::integer, $3)
       ) running
      where bytes <= $6`,
    [trx.scope, after, through, ROW_BYTES, ENTRIES_MAX, BYTES_MAX],
  )
  return found?.last ?? after + 1n
}

/** The cells of `JOURNAL_COLUMNS`: of the entry, of the line, of the entry again. */
const PART_SQL = `
  with scales as materialized (
    select * from unnest($7::text[], $8::numeric[]) as s (currency, scale)
  ), entries as materialized (
    select entry_no,
           'je_' || entry_no || ',' || effective_on || ','
             || to_char(posted_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || ','
             || csv_cell(kind) || ',' as head,
           csv_cell(description) || ',' || coalesce('je_' || reverses, '') || ','
             || coalesce('je_' || adjusts, '') || ',' || csv_cell(source) || ','
             || csv_cell(idempotency_key) || ',' || csv_cell(actor) || E'\\r\\n' as tail
      from journal_entries
     where org_id = $1 and entry_no > $2 and entry_no <= $3
       and ($4::date is null or effective_on >= $4)
       and ($5::date is null or effective_on <= $5)
       and ($6::text is null or kind = $6)
  ), lines as materialized (
    select p.entry_no, p.line_no, p.account_id, a.currency, p.direction, p.amount,
           e.head || p.line_no || ',' || a.code || ',' || p.direction || ',' || p.amount || ','
             || a.currency
             || case p.direction when 'debit' then ',' || p.amount * s.scale || ',,'
                  else ',,' || p.amount * s.scale || ',' end
             || e.tail as text
      from entries e
      join postings p on p.org_id = $1 and p.entry_no = e.entry_no
       and p.entry_no > $2 and p.entry_no <= $3
      join accounts a on a.org_id = $1 and a.account_id = p.account_id
      join scales s on s.currency = a.currency
  )
  select (select string_agg(text, '' order by entry_no, line_no) from lines) as text,
         (select count(*)::integer from lines) as lines,
         array(
           select account_id || ' ' || currency
                  || ' ' || coalesce(sum(amount) filter (where direction = 'debit'), 0)
                  || ' ' || coalesce(sum(amount) filter (where direction = 'credit'), 0)
             from lines group by account_id, currency
         ) as nets`

function openPartSums() {
  const nets = new Map<number, bigint>()
  const totals = new Map<string, Total>()
  let lines = 0
  return {
    nets,
    get lines() {
      return lines
    },
    add(part: Part): void {
      lines += part.lines
      for (const [accountId, currency, debits, credits] of part.nets) {
        nets.set(accountId, (nets.get(accountId) ?? 0n) + debits - credits)
        const total = totals.get(currency) ?? { currency, debit: 0n, credit: 0n }
        total.debit += debits
        total.credit += credits
        totals.set(currency, total)
      }
    },
    totals: () => [...totals.values()].sort(byCurrency),
  }
}
