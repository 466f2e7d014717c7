/** Settlements of gateways with the entries that were posted for them. */
import type { Cell } from '../../../reports/csv.ts'
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import type { Settlement } from '../../payments/settlements.ts'
import type { Books } from '../books.ts'
import { entrySums, openEntryChecks } from '../entry-sums.ts'
import type { Outcome, Parameters } from '../report.ts'
import { decimalOf, type Table } from '../tables.ts'

const TOGETHER = 1000

/** A settlement as the entries up to the last one leave it. */
type Row = Pick<
  Settlement,
  | 'settlement_id'
  | 'gateway'
  | 'account'
  | 'gateway_settlement_id'
  | 'state'
  | 'amount'
  | 'currency'
  | 'utr'
  | 'settled_entry'
  | 'returned_entry'
> & { began_on: IsoDate; settled_on: IsoDate | null; returned_on: IsoDate | null }

export const settlementsTable: Table = {
  columns: [
    'settlement',
    'gateway',
    'gateway_account',
    'gateway_settlement_id',
    'state',
    'began_on',
    'settled_on',
    'returned_on',
    'utr',
    'currency',
    'amount_minor',
    'amount',
    'settled_entry',
    'returned_entry',
  ],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const checks = openEntryChecks('settlements')
    for (let after = '', isMore = true; isMore;) {
      const [rows, sums] = await books.db.read(books.orgId, async (trx) => {
        const found = await select(trx, books, asked, after)
        const entryNos = found.flatMap((row) => [row.settled_entry, row.returned_entry])
        return [found, await entrySums(trx, entryNos)] as const
      })
      yield rows.map((row) => rowOf(books, row))
      for (const { settled_entry: settled, returned_entry: returned, amount, currency } of rows) {
        checks.add(currency, settled === null ? 0n : amount, sums.get(settled ?? 0n))
        checks.add(currency, returned === null ? 0n : amount, sums.get(returned ?? 0n))
      }
      checks.count(rows.length)
      after = rows.at(-1)?.settlement_id ?? after
      isMore = rows.length === TOGETHER
    }
    return checks.outcome()
  },
}

async function select(trx: Trx, books: Books, asked: Parameters, after: string): Promise<Row[]> {
  return await trx.query<Row>(
    `select * from (
       select settlement_id, gateway, account, gateway_settlement_id, amount, currency, utr,
              case when returned_entry <= $2 then 'returned' else 'processed' end as state,
              case when settled_entry <= $2 then settled_entry end as settled_entry,
              case when returned_entry <= $2 then returned_entry end as returned_entry,
              (began_at at time zone 'Asia/Kolkata')::date as began_on,
              case when settled_entry <= $2
                then (settled_at at time zone 'Asia/Kolkata')::date end as settled_on,
              case when returned_entry <= $2
                then (returned_at at time zone 'Asia/Kolkata')::date end as returned_on
         from settlements
        where org_id = $1 and (settled_entry <= $2 or returned_entry <= $2)
          and settlement_id > $3
     ) known
      where ($4::date is null or began_on >= $4) and ($5::date is null or began_on <= $5)
        and ($6::text is null or gateway = $6) and ($7::text is null or state = $7)
      order by settlement_id limit $8`,
    [books.orgId, books.through, after, asked.from, asked.to, asked.gateway, asked.state, TOGETHER],
  )
}

function rowOf(books: Books, row: Row): Cell[] {
  const entryId = (entryNo: bigint | null) => (entryNo === null ? null : `je_${entryNo}`)
  return [
    row.settlement_id,
    row.gateway,
    row.account,
    row.gateway_settlement_id,
    row.state,
    row.began_on,
    row.settled_on,
    row.returned_on,
    row.utr,
    row.currency,
    row.amount,
    decimalOf(books, row.amount, row.currency),
    entryId(row.settled_entry),
    entryId(row.returned_entry),
  ]
}
