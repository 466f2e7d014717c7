/** What of a bank account stands on one side only: in our books, or in the bank's statement. */
import type { IsoDate } from '../base/clock.ts'
import type { AccountView } from '../ledger/accounts/accounts.ts'
import type { Books } from './books.ts'

/** Signed minor units: what came in is positive. */
export interface Outstanding {
  side: 'books' | 'bank'
  day: IsoDate
  item: string
  reference: string | null
  entry_no: bigint | null
  /** Of the bank's line. */
  place: string | null
  amount: bigint
}

export interface BankSums {
  /** Postings that a bank line stands for, and those that another takes back. */
  tied: bigint
  tied_lines: bigint
  /** All lines. */
  lines: bigint
  /** The balance before the first line, and after the last one with its day; where they say it. */
  brought: bigint | null
  closing: bigint | null
  closing_on: IsoDate | null
}

const TOGETHER = 2000

/** In the metadata of an entry by hand: the line of a statement that it stands for. */
const BANK_LINE = 'bank_line'

/**
 * A posting and a line stand for the same money where a reconciliation posted the one for the
 * other, where a resolution of the line did, or where the line names the bank's reference of a
 * transfer or a cheque, in that amount. What was posted and taken back again is neither here nor
 * there.
 */
const SIDES = `
  with postings_here as (
    select p.entry_no, p.line_no, p.effective_on, e.kind, e.description, e.reverses, e.metadata,
           case p.direction when 'debit' then p.amount else -p.amount end as amount
      from postings p
      join journal_entries e on e.org_id = p.org_id and e.entry_no = p.entry_no
     where p.org_id = $1 and p.account_id = $2 and p.effective_on <= $3::date and p.entry_no <= $4
  ), lines_here as (
    select l.file_no, l.row_no, l.booked_on, l.amount, l.reference, l.narration, l.tokens
      from bank_lines l
     where l.org_id = $1 and l.ledger_account = $5 and l.currency = $6 and l.booked_on <= $3::date
  ), taken_back as (
    select r.reverses as entry_no from postings_here r
      join postings_here p on p.entry_no = r.reverses
     union
    select r.entry_no from postings_here r join postings_here p on p.entry_no = r.reverses
  ), posted as (
    select distinct on (m.entry_no) m.entry_no, m.file_no, m.row_no
      from recon_bank_matches m
     where m.org_id = $1 and m.entry_no is not null and m.undone_at is null
     order by m.entry_no, m.file_no, m.row_no
  ), referred as (
    select entry_no, amount,
           case when plain ~ '^\\d+$' then ltrim(plain, '0') else plain end as token
      from (
        select case channel when 'cheque' then realised_entry else received_entry end as entry_no,
               amount, upper(regexp_replace(reference, '[^A-Za-z0-9]', '', 'g')) as plain
          from offline_payments
         where org_id = $1 and reference is not null and channel <> 'cash'
      ) o
     where entry_no is not null
     union all
    -- An entry by hand names the line itself; no token of a line has a hyphen.
    select entry_no, amount, metadata ->> '${BANK_LINE}' from postings_here
     where metadata ->> '${BANK_LINE}' is not null
  ), named as (
    -- A cheque that was credited twice has two entries and two lines: each its own, as they came.
    select distinct on (entry_no) entry_no, file_no, row_no
      from (
        select r.entry_no, l.file_no, l.row_no,
               dense_rank() over (partition by r.token, r.amount order by r.entry_no)
                 - dense_rank() over (partition by r.token, r.amount
                                      order by l.booked_on, l.file_no, l.row_no) as apart
          from referred r
          join (select file_no, row_no, booked_on, amount,
                       unnest(tokens || concat(file_no, '-', row_no)) as token
                  from lines_here) l
            on l.token = r.token and l.amount = r.amount
         where r.entry_no in (select entry_no from postings_here)
      ) all_named
     order by entry_no, abs(apart), file_no, row_no
  ), resolved as (
    select r.entry_no, c.file_no, c.row_no
      from recon_closed_lines c
      join recon_resolutions r on r.org_id = c.org_id and r.resolution_id = c.resolution_id
     where c.org_id = $1 and c.side = 'bank' and r.state = 'done' and r.entry_no is not null
  ), pairs as (
    select 1 as rank, * from posted union all select 2, * from resolved
     union all select 3, * from named
  ), by_line as (
    -- Of two postings for one line, and of two lines for one posting, the first; whole pairs only.
    select distinct on (c.file_no, c.row_no) c.rank, c.entry_no, c.file_no, c.row_no
      from pairs c
      join (select entry_no, sum(amount) as amount from postings_here group by entry_no) p
        on p.entry_no = c.entry_no
      join lines_here l
        on l.file_no = c.file_no and l.row_no = c.row_no and l.amount = p.amount
     where c.entry_no not in (select entry_no from taken_back)
     order by c.file_no, c.row_no, c.rank, c.entry_no
  ), ties as (
    select distinct on (entry_no) entry_no, file_no, row_no from by_line
     order by entry_no, rank, file_no, row_no
  )`

function paramsOf(books: Books, { account_id: id, code, currency }: AccountView, to: IsoDate) {
  return [books.orgId, id, to, books.through, code, currency]
}

/** First what our books have, then what the bank has; by day. */
export async function* outstanding(
  books: Books,
  account: AccountView,
  to: IsoDate,
): AsyncGenerator<Outstanding[]> {
  let after = { side: 0, day: '0001-01-01', one: 0n, two: 0 }
  for (let isMore = true; isMore;) {
    const rows: (Outstanding & { one: bigint; two: number })[] = await books.db.read(
      books.orgId,
      async (trx) =>
        await trx.query(
          `${SIDES}
           select side, day, item, reference, entry_no, place, amount, one, two from (
             select 1 as no, 'books' as side, p.effective_on as day, p.description as item,
                    p.kind as reference, p.entry_no, null as place, p.amount, p.entry_no as one,
                    p.line_no::integer as two
               from postings_here p
              where p.entry_no not in (select entry_no from taken_back)
                and p.entry_no not in (select entry_no from ties)
              union all
             select 2, 'bank', l.booked_on, l.narration, l.reference, null,
                    l.file_no || '-' || l.row_no, l.amount, l.file_no, l.row_no
               from lines_here l
              where (l.file_no, l.row_no) not in (select file_no, row_no from ties)
           ) open
            where (no, day, one, two) > ($7, $8::date, $9, $10)
            order by no, day, one, two limit ${TOGETHER}`,
          [...paramsOf(books, account, to), after.side, after.day, after.one, after.two],
        ),
    )
    yield rows
    const last = rows.at(-1)
    if (last !== undefined) {
      const side = last.side === 'books' ? 1 : 2
      after = { side, day: last.day, one: last.one, two: last.two }
    }
    isMore = rows.length === TOGETHER
  }
}

export async function bankSums(books: Books, account: AccountView, to: IsoDate): Promise<BankSums> {
  const [sums] = await books.db.read(
    books.orgId,
    async (trx) =>
      await trx.query<BankSums>(
        `${SIDES}
         select coalesce((select sum(p.amount) from postings_here p
                           where p.entry_no in (select entry_no from ties)
                              or p.entry_no in (select entry_no from taken_back)), 0)::bigint
                  as tied,
                coalesce((select sum(l.amount) from lines_here l
                            join ties t on t.file_no = l.file_no and t.row_no = l.row_no),
                         0)::bigint as tied_lines,
                coalesce((select sum(amount) from lines_here), 0)::bigint as lines,
                first.balance as brought, last.balance_after as closing,
                last.booked_on as closing_on
           from (values (1)) one (row)
           left join lateral (
             select balance_after - amount as balance from bank_lines
              where org_id = $1 and ledger_account = $5 and currency = $6 and booked_on <= $3::date
              order by booked_on, file_no, row_no limit 1
           ) first on true
           left join lateral (
             select balance_after, booked_on from bank_lines
              where org_id = $1 and ledger_account = $5 and currency = $6 and booked_on <= $3::date
              order by booked_on desc, file_no desc, row_no desc limit 1
           ) last on true`,
        paramsOf(books, account, to),
      ),
  )
  if (sums === undefined) {
    throw new Error('a sum over nothing is a row')
  }
  return sums
}
