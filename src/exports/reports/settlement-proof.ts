/** Each settlement proved: its lines, what the gateway says it sent, and what the bank credited. */
import type { Cell } from '../../../reports/csv.ts'
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import type { Books } from '../books.ts'
import { entrySums, openEntryChecks } from '../entry-sums.ts'
import type { Outcome, Parameters } from '../report.ts'
import { decimalOf, type Table } from '../tables.ts'

const TOGETHER = 1000

/** Minor units. */
interface Row {
  settlement_id: string
  gateway: string
  account: string
  gateway_settlement_id: string
  settled_on: IsoDate
  utr: string | null
  currency: string
  amount: bigint
  settled_entry: bigint
  lines: number
  gross: bigint
  refunds: bigint
  /** Transfers, disputes, adjustments and what else: without their charges, signed. */
  other: bigint
  /** Contains the tax. */
  charges: bigint
  tax: bigint
  net: bigint
  bank: bigint | null
  bank_line: string | null
  bank_on: IsoDate | null
  rule: string | null
  made_by: string | null
  bank_entry: bigint | null
}

export const settlementProof: Table = {
  columns: [
    'settlement',
    'gateway',
    'gateway_account',
    'gateway_settlement_id',
    'settled_on',
    'utr',
    'currency',
    'lines',
    'gross_minor',
    'refunds_minor',
    'fees_minor',
    'tax_minor',
    'other_minor',
    'net_minor',
    'unexplained_minor',
    'sent_minor',
    'net_less_sent_minor',
    'bank_minor',
    'sent_less_bank_minor',
    'net',
    'sent',
    'bank',
    'bank_on',
    'bank_line',
    'matched_by',
    'settled_entry',
    'bank_entry',
    'proven',
  ],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const checks = openEntryChecks('sent to the bank')
    for (let after = '', isMore = true; isMore;) {
      const [rows, sums] = await books.db.read(books.orgId, async (trx) => {
        const found = await select(trx, books, asked, after)
        return [
          found,
          await entrySums(
            trx,
            found.map((row) => row.settled_entry),
          ),
        ] as const
      })
      yield rows.map((row) => rowOf(books, row))
      for (const { settled_entry: entryNo, amount, currency } of rows) {
        checks.add(currency, amount, sums.get(entryNo))
      }
      checks.count(rows.length)
      after = rows.at(-1)?.settlement_id ?? after
      isMore = rows.length === TOGETHER
    }
    return checks.outcome()
  },
}

const SETTLED_ON = `(s.settled_at at time zone 'Asia/Kolkata')::date`

async function select(trx: Trx, books: Books, asked: Parameters, after: string): Promise<Row[]> {
  return await trx.query<Row>(
    `select s.settlement_id, s.gateway, s.account, s.gateway_settlement_id, s.utr, s.currency,
            s.amount, s.settled_entry, ${SETTLED_ON} as settled_on, p.*,
            m.amount as bank, m.file_no || '-' || m.row_no as bank_line, m.booked_on as bank_on,
            m.rule, m.made_by, case when m.entry_no <= $2 then m.entry_no end as bank_entry
       from settlements s
      cross join lateral (
        select count(*)::integer as lines,
               coalesce(sum(amount) filter (where kind = 'payment'), 0)::bigint as gross,
               coalesce(sum(case kind when 'refund' then amount
                              when 'refund_reversal' then -amount end), 0)::bigint as refunds,
               coalesce(sum(net + coalesce(fee, 0)) filter (
                 where kind not in ('payment', 'refund', 'refund_reversal')), 0)::bigint as other,
               coalesce(sum(fee), 0)::bigint as charges, coalesce(sum(tax), 0)::bigint as tax,
               coalesce(sum(net), 0)::bigint as net
          from settlement_lines
         where settlement_ref = s.gateway_settlement_id and org_id = $1 and gateway = s.gateway
           and account = s.account and currency = s.currency and repeated = 0
      ) p
       left join lateral (
         select b.amount, b.file_no, b.row_no, b.rule, b.entry_no, l.booked_on, w.made_by
           from recon_bank_matches b
           join bank_lines l
             on l.org_id = b.org_id and l.file_no = b.file_no and l.row_no = b.row_no
           left join recon_matched_by w on w.org_id = b.org_id and w.file_no = b.file_no
            and w.row_no = b.row_no and w.part <= b.part and b.rule = 'person'
          where b.settlement_id = s.settlement_id and b.org_id = $1 and b.undone_at is null
          order by w.part desc limit 1
       ) m on true
      where s.org_id = $1 and s.settlement_id > $3 and s.settled_entry <= $2
        and (s.returned_entry is null or s.returned_entry > $2)
        and ($4::date is null or ${SETTLED_ON} >= $4) and ($5::date is null or ${SETTLED_ON} <= $5)
        and ($6::text is null or s.gateway = $6)
      order by s.settlement_id limit $7`,
    [books.orgId, books.through, after, asked.from, asked.to, asked.gateway, TOGETHER],
  )
}

function rowOf(books: Books, row: Row): Cell[] {
  const { currency, gross, refunds, charges, tax, other, net, amount: sent, bank } = row
  // The gateway's own net stands; where it is not what its parts come to, that is said.
  const unexplained = net - (gross - refunds - charges + other)
  const isProven = row.lines > 0 && unexplained === 0n && net === sent && bank === sent
  const entryId = (entryNo: bigint | null) => (entryNo === null ? null : `je_${entryNo}`)
  return [
    row.settlement_id,
    row.gateway,
    row.account,
    row.gateway_settlement_id,
    row.settled_on,
    row.utr,
    currency,
    row.lines,
    gross,
    refunds,
    charges - tax,
    tax,
    other,
    net,
    unexplained,
    sent,
    net - sent,
    bank,
    bank === null ? null : sent - bank,
    decimalOf(books, net, currency),
    decimalOf(books, sent, currency),
    bank === null ? null : decimalOf(books, bank, currency),
    row.bank_on,
    row.bank_line,
    row.made_by ?? row.rule,
    entryId(row.settled_entry),
    entryId(row.bank_entry),
    isProven ? 'yes' : 'no',
  ]
}
