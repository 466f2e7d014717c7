/** Proposals: what open lines and credits may tell of, for a person to decide. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { addDays } from './match/days.ts'
import { piecesOf, proposalsFor, type Proposable, type Score } from './match/propose.ts'
import type { LinePlace } from './files/lines.ts'
import { normalReference } from './sources/line.ts'

/** What is open, with what it may tell of, the likeliest first. */
export interface Proposed {
  side: 'line' | 'credit'
  place: LinePlace
  amount: bigint
  currency: string
  day: IsoDate | null
  proposals: Proposal[]
}

export interface Proposal {
  /** A record of ours, or a settlement. */
  id: string
  reversal: boolean
  amount: bigint
  day: IsoDate
  score: Score
  /** No other candidate has the same score. */
  isAlone: boolean
}

export interface ProposalsAsked {
  side: 'line' | 'credit'
  /** One of them, or a page of all that are open. */
  only: LinePlace | null
  /** Only what may tell of this record or settlement. */
  of: string | null
  after: LinePlace | null
  limit: number
}

const PROPOSALS_MAX = 5
/** Candidates of one statement; of those that agree in the amount twenty a line. */
const CANDIDATES_MAX = 2000
/** Days around a line within which a reference is looked for that is nearly its own. */
const DAYS_AROUND = 10

interface OpenRow {
  file_no: number
  row_no: number
  amount: bigint
  currency: string
  day: IsoDate | null
  references: (string | null)[]
}

type Candidate = Proposable & { id: string; recordId: string; reversal: boolean; day: IsoDate }

export async function proposalsOf(trx: Trx, asked: ProposalsAsked): Promise<Proposed[]> {
  const rows = asked.side === 'line' ? await openLines(trx, asked) : await openCredits(trx, asked)
  const found =
    asked.side === 'line' ? await recordsFor(trx, rows) : await settlementsFor(trx, rows)
  return rows.map((row, at) => {
    const one = { ...row, references: referencesOf(row.references) }
    const proposals = proposalsFor(one, found(at), PROPOSALS_MAX)
      .filter(({ candidate }) => asked.of === null || candidate.recordId === asked.of)
      .map(({ candidate, score, isAlone }) => ({
        id: candidate.recordId,
        reversal: candidate.reversal,
        amount: candidate.amount,
        day: candidate.day,
        score,
        isAlone,
      }))
    const { amount, currency, day } = row
    const place = { fileNo: row.file_no, rowNo: row.row_no }
    return { side: asked.side, place, amount, currency, day, proposals }
  })
}

function referencesOf(given: readonly (string | null)[]): string[] {
  return given.flatMap((one) => (one === null ? [] : (normalReference(one) ?? [])))
}

async function openLines(trx: Trx, { only, of, after, limit }: ProposalsAsked): Promise<OpenRow[]> {
  return await trx.query<OpenRow>(
    `select l.*
       from recon_open_lines o
      cross join lateral (
        select file_no, row_no, amount, currency, coalesce(occurred_on, settled_on) as day,
               array[external_id, payment_ref, order_ref] as references
          from settlement_lines
         where org_id = $1 and file_no = o.file_no and row_no = o.row_no
           and kind not in ('adjustment', 'fee', 'other') limit 1
      ) l
      where o.org_id = $1 and ($2::integer is null or o.file_no = $2 and o.row_no = $3)
        and ($4::integer is null or o.file_no < $4 or o.file_no = $4 and o.row_no > $5)
        and ($6::text is null or exists (
          select from recon_open_records r
           where r.org_id = $1 and r.record_id = $6 and r.currency = l.currency
             and (r.amount = l.amount or r.occurred_on between l.day - ${DAYS_AROUND}
                                                          and l.day + ${DAYS_AROUND})))
      order by o.file_no desc, o.row_no limit $7`,
    [trx.scope, only?.fileNo, only?.rowNo, after?.fileNo, after?.rowNo, of, limit],
  )
}

async function openCredits(
  trx: Trx,
  { only, of, after, limit }: ProposalsAsked,
): Promise<OpenRow[]> {
  return await trx.query<OpenRow>(
    `select l.*
       from recon_open_bank_lines o
      cross join lateral (
        select file_no, row_no, amount, currency, booked_on as day, tokens as references
          from bank_lines
         where org_id = $1 and file_no = o.file_no and row_no = o.row_no limit 1
      ) l
      where o.org_id = $1 and ($2::integer is null or o.file_no = $2 and o.row_no = $3)
        and ($4::integer is null or o.file_no < $4 or o.file_no = $4 and o.row_no > $5)
        and ($6::text is null or exists (
          select from settlements s
           where s.org_id = $1 and s.settlement_id = $6 and s.currency = l.currency
             and (s.settled_at at time zone 'Asia/Kolkata')::date
                 between l.day - ${DAYS_AROUND} and l.day + ${DAYS_AROUND}))
      order by o.file_no desc, o.row_no limit $7`,
    [trx.scope, only?.fileNo, only?.rowNo, after?.fileNo, after?.rowNo, of, limit],
  )
}

const KIND_OF_RECORD = `case l.kind when 'refund_reversal' then 'refund'
  when 'transfer_reversal' then 'transfer' when 'dispute_reversal' then 'dispute' else l.kind end`
const IS_REVERSAL = `(l.kind in ('refund_reversal', 'transfer_reversal', 'dispute_reversal'))`

/** Open records of a line's kind and account: of its amount or with a reference near its own. */
async function recordsFor(
  trx: Trx,
  rows: readonly OpenRow[],
): Promise<(at: number) => Candidate[]> {
  const found = await trx.query<{
    place: number
    record_id: string
    reversal: boolean
    amount: bigint
    currency: string
    day: IsoDate
    references: (string | null)[]
  }>(
    `with lines as materialized (
       select w.place::integer - 1 as place, l.gateway, l.account, l.amount, l.currency, w.pieces,
              ${KIND_OF_RECORD} as kind, ${IS_REVERSAL} as reversal,
              coalesce(l.occurred_on, l.settled_on) as day
         from unnest($2::integer[], $3::integer[], $4::text[])
                with ordinality as w (file_no, row_no, pieces, place)
        cross join lateral (
          select * from settlement_lines
           where org_id = $1 and file_no = w.file_no and row_no = w.row_no limit 1
        ) l
     ), near as (
       select l.place, r.record_id, r.reversal
         from recon_open_records r
         join lines l on l.gateway = r.gateway and l.account = r.account and l.kind = r.kind
          and l.reversal = r.reversal and l.currency = r.currency
        where r.org_id = $1
          and r.occurred_on between l.day - ${DAYS_AROUND} and l.day + ${DAYS_AROUND}
          and exists (
            select from unnest(string_to_array(l.pieces, ' ')) piece
             where strpos(upper(r.external_id), piece) > 0
                or strpos(upper(r.order_ref), piece) > 0)
        order by l.place, r.record_id limit ${CANDIDATES_MAX}
     ), equal as (
       select l.place, r.record_id, r.reversal
         from lines l
        cross join lateral (
          select record_id, reversal from recon_open_records
           where amount = l.amount and org_id = $1 and gateway = l.gateway
             and account = l.account and kind = l.kind and reversal = l.reversal
             and currency = l.currency
           order by abs(occurred_on - l.day), record_id limit 20
        ) r
     )
     select f.place, r.record_id, r.reversal, r.amount, r.currency, r.occurred_on as day,
            array[r.external_id, r.payment_ref, r.order_ref] as references
       from (select * from near union select * from equal) f
       join recon_open_records r
         on r.record_id = f.record_id and r.reversal = f.reversal and r.org_id = $1
      order by f.place, r.record_id, r.reversal`,
    [
      trx.scope,
      rows.map((row) => row.file_no),
      rows.map((row) => row.row_no),
      rows.map(({ references }) => referencesOf(references).flatMap(piecesOf).join(' ')),
    ],
  )
  const of = Map.groupBy(found, ({ place }) => place)
  return (at) =>
    (of.get(at) ?? []).map((row) => ({
      ...row,
      id: `${row.record_id} ${row.reversal}`,
      recordId: row.record_id,
      references: referencesOf(row.references),
    }))
}

/** Settlements that no credit told of, around the days of the credits. */
async function settlementsFor(
  trx: Trx,
  rows: readonly OpenRow[],
): Promise<(at: number) => Candidate[]> {
  const days = rows.flatMap(({ day }) => day ?? []).toSorted()
  const [first, last] = [days[0], days.at(-1)]
  if (first === undefined || last === undefined) {
    return () => []
  }
  const found = await trx.query<{
    settlement_id: string
    utr: string | null
    amount: bigint
    currency: string
    day: IsoDate
  }>(
    `select s.settlement_id, s.utr, s.amount, s.currency, d.day
       from settlements s
      cross join lateral (
        select (s.settled_at at time zone 'Asia/Kolkata')::date as day
      ) d
      where s.org_id = $1 and s.state = 'processed' and d.day between $2 and $3
        and not exists (
          select from recon_bank_matches m
           where m.settlement_id = s.settlement_id and m.org_id = $1 and m.undone_at is null)
      order by s.settlement_id limit ${CANDIDATES_MAX}`,
    [trx.scope, addDays(first, -DAYS_AROUND), addDays(last, DAYS_AROUND)],
  )
  const candidates = found.map((row) => ({
    ...row,
    id: row.settlement_id,
    recordId: row.settlement_id,
    reversal: false,
    references: referencesOf([row.utr]),
  }))
  return () => candidates
}
