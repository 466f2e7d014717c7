/** The register of receipts: every number that was given, in its series, and what became of it. */
import type { Cell } from '../../../reports/csv.ts'
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import type { Books } from '../books.ts'
import { entrySums, openEntryChecks } from '../entry-sums.ts'
import type { Outcome, Parameters } from '../report.ts'
import { decimalOf, type Table } from '../tables.ts'

const TOGETHER = 1000

interface Row {
  series: string
  year: string
  serial: number
  number: string
  receipt_id: string
  donation_id: string
  payment_id: string
  entry_no: bigint
  donor_name: string
  amount: bigint
  currency: string
  donated_on: IsoDate
  issued_on: IsoDate
  cancelled_on: IsoDate | null
  pdf_sha256: Buffer | null
}

/** A series and how far its numbers went when the export began. */
interface Series {
  series: string
  year: string
  last_serial: number
}

export const receiptsRegister: Table = {
  columns: [
    'number',
    'series',
    'year',
    'serial',
    'issued_on',
    'donated_on',
    'donor',
    'currency',
    'amount_minor',
    'amount',
    'state',
    'cancelled_on',
    'receipt',
    'donation',
    'payment',
    'entry',
    'pdf_sha256',
  ],
  async *rows(books, asked): AsyncGenerator<Cell[][], Outcome> {
    const checks = openEntryChecks('receipts')
    const all = await books.db.read(
      books.orgId,
      async (trx) =>
        await trx.query<Series>(
          `select series, year, last_serial from receipt_series
            where org_id = $1 order by year, series`,
          [books.orgId],
        ),
    )
    for (const series of all) {
      for (let after = 0; after < series.last_serial; after += TOGETHER) {
        const [rows, sums] = await books.db.read(books.orgId, async (trx) => {
          const found = await select(trx, books, asked, { ...series, after })
          const entryNos = found.map((row) => row.entry_no)
          return [found, await entrySums(trx, entryNos, 'income')] as const
        })
        yield rows.map((row) => rowOf(books, row))
        for (const { entry_no: entryNo, amount, currency } of rows) {
          checks.add(currency, amount, sums.get(entryNo))
        }
        checks.count(rows.length)
      }
    }
    return checks.outcome()
  },
}

async function select(
  trx: Trx,
  books: Books,
  asked: Parameters,
  { series, year, last_serial: last, after }: Series & { after: number },
): Promise<Row[]> {
  return await trx.query<Row>(
    `select r.series, r.year, r.serial, r.number, r.receipt_id, r.donation_id, r.payment_id,
            r.entry_no, r.donor_name, r.amount, r.currency, r.donated_on,
            (r.issued_at at time zone 'Asia/Kolkata')::date as issued_on,
            (c.cancelled_at at time zone 'Asia/Kolkata')::date as cancelled_on, r.pdf_sha256
       from receipts r
       left join receipt_cancellations c on c.org_id = $1 and c.receipt_id = r.receipt_id
      where r.org_id = $1 and r.series = $2 and r.year = $3
        and r.serial > $4 and r.serial <= least($4::integer + $5::integer, $6::integer)
        and r.entry_no <= $7
        and ($8::date is null or r.donated_on >= $8)
        and ($9::date is null or r.donated_on <= $9)
        and ($10::text is null
             or $10 = case when c.receipt_id is null then 'issued' else 'cancelled' end)
      order by r.serial`,
    [
      books.orgId,
      series,
      year,
      after,
      TOGETHER,
      last,
      books.through,
      asked.from,
      asked.to,
      asked.state,
    ],
  )
}

function rowOf(books: Books, row: Row): Cell[] {
  return [
    row.number,
    row.series,
    row.year,
    row.serial,
    row.issued_on,
    row.donated_on,
    row.donor_name,
    row.currency,
    row.amount,
    decimalOf(books, row.amount, row.currency),
    row.cancelled_on === null ? 'issued' : 'cancelled',
    row.cancelled_on,
    row.receipt_id,
    row.donation_id,
    row.payment_id,
    `je_${row.entry_no}`,
    row.pdf_sha256?.toString('hex') ?? null,
  ]
}
