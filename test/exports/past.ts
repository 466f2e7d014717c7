/** Books whose clock can be set: entries are posted and receipts issued on days that are over. */
import { issueReceipts } from '../../src/donations/receipts.ts'
import { recordPdfHash } from '../../src/donations/receipt-file.ts'
import { sha256 } from '../../src/base/crypto.ts'
import { sealNextDay } from '../../src/exports/day-seals.ts'
import type { DaySeal } from '../../src/exports/seal.ts'
import { captured, openFor, record } from '../donations/facts.ts'
import { openBooks, ORG, type Books } from '../ledger/books.ts'

export interface PastBooks extends Books {
  /** From now on entries are posted at that instant, ISO 8601. */
  setClock(instant: string): Promise<void>
  /** A paid donation of ₹500 with its receipt, issued at that instant; gives the receipt's id. */
  receipt(instant: string, name: string): Promise<string>
  /** Gives receipts without one the hash of a PDF. */
  makePdfs(): Promise<void>
  /** Seals days until none is due, or `most` of them. */
  seal(most?: number): Promise<DaySeal[]>
}

/** Two organisations that exist since 1 May 2026; the clock stands at noon of that day. */
export async function openPastBooks(): Promise<PastBooks> {
  const books = await openBooks()
  await books.own(CLOCK_OF_OUR_OWN)
  const setClock = async (instant: string) =>
    await books.own(`update past.present set instant = '${new Date(instant).toISOString()}'`)
  await setClock('2026-05-01T12:00:00+05:30')
  return {
    ...books,
    setClock,
    async receipt(instant, name) {
      await setClock(instant)
      const now = new Date(instant)
      await openFor(books, { order: `order_${name}` })
      await record(books, [captured({ payment: `pay_${name}`, order: `order_${name}`, at: now })])
      await issueReceipts(books.db, ORG, books.keyring, now)
      const [row] = await books.read<{ receipt_id: string }>(
        'select receipt_id from receipts order by receipt_id desc limit 1',
      )
      return row?.receipt_id ?? ''
    },
    async makePdfs() {
      const rows = await books.read<{ receipt_id: string }>('select receipt_id from receipts')
      await books.db.transact(ORG, async (trx) => {
        for (const { receipt_id: id } of rows) {
          await recordPdfHash(trx, id, sha256(`the PDF of ${id}`))
        }
      })
    },
    async seal(most = 10) {
      const seals: DaySeal[] = []
      while (seals.length < most) {
        const seal = await sealNextDay(books.db, ORG)
        if (seal === null) {
          break
        }
        seals.push(seal)
      }
      return seals
    },
  }
}

/** Puts a clock before Postgres' own one, for posting only: sealing keeps the real one. */
export const CLOCK_OF_OUR_OWN = `
    update organisations set created_at = '2026-05-01T09:00:00+05:30';
    create schema past;
    create table past.present (instant timestamptz not null);
    insert into past.present values (now());
    create function past.clock_timestamp() returns timestamptz language sql
      as 'select instant from past.present';
    do $$ begin
      execute format('alter function %s set search_path = past, pg_catalog, public, pg_temp',
                     'post_entries'::regproc::regprocedure);
    end $$;`

/** Lets the owner do what the guards forbid. */
export async function tamper(books: Books, table: string, sql: string): Promise<void> {
  await books.own(`
    alter table ${table} disable trigger user;
    ${sql};
    alter table ${table} enable trigger user;`)
}
