/** Puts a corpus into books: records as the gateways' facts would have left them, and files. */
import type pg from 'pg'
import type { Database } from '../../src/base/db.ts'
import { loadBankLines, loadSettlementLines } from '../../src/recon/files/load.ts'
import { bankReader, settlementReader } from '../../src/recon/sources/formats.ts'
import type { Batch, Fault } from '../../src/recon/sources/reading.ts'
import type { Corpus, CorpusFile } from './corpus.ts'
import { GATEWAYS, type BookRecord } from './lives.ts'

/** The merchant account of each gateway. */
export const ACCOUNT = 'corpus'
export const BANK_ACCOUNT = 'assets:bank:current'
/** Files in this order, counted from 1; the statement is the last. */
export const FILE_NO = { razorpay: 1, payu: 2, stripe: 3, statement: 4 } as const

const TOGETHER = 20_000

/** Writes the records of a corpus; `client` is the owner's, with the organisation set. */
export async function writeBooks(client: pg.Client, orgId: number, corpus: Corpus): Promise<void> {
  const payments = corpus.records.filter(({ kind }) => kind === 'payment')
  const refunds = corpus.records.filter(({ kind }) => kind === 'refund')
  await inParts(payments, async (part, from) => {
    await client.query(
      `insert into payments (org_id, payment_id, gateway, account, gateway_payment_id, order_ref,
         state, method, amount, currency, fee, tax, captured_at, failed_at, entry_no, booked_to)
       select $1, n.id, n.gateway, '${ACCOUNT}', n.external_id, n.order_ref, n.state, 'upi',
              n.amount, 'INR', n.fee, n.tax,
              case when n.state = 'captured' then n.day end,
              case when n.state = 'failed' then n.day end,
              case when n.state = 'captured' then $10 + n.place end,
              case when n.state = 'captured' then 'income:donations:general' end
         from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                     $8::bigint[], $9::bigint[], $11::timestamptz[])
              with ordinality
           as n (id, gateway, external_id, order_ref, state, amount, fee, tax, day, place)`,
      [orgId, ...columnsOf(part), from, part.map(({ on }) => `${on}T12:00:00+05:30`)],
    )
  })
  await inParts(refunds, async (part) => {
    await client.query(
      `insert into refunds (org_id, refund_id, gateway, account, gateway_refund_id,
         gateway_payment_id, state, amount, currency, booked_to, began_at, processed_at,
         created_entry, processed_entry)
       select $1, n.id, n.gateway, '${ACCOUNT}', n.external_id, n.payment, 'processed', n.amount,
              'INR', 'income:donations:general', n.day, n.day, 1, 1
         from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                     $7::timestamptz[])
           as n (id, gateway, external_id, payment, amount, day)`,
      [
        orgId,
        part.map(({ recordId }) => recordId),
        part.map(({ gateway }) => gateway),
        part.map(({ externalId }) => externalId),
        part.map(({ paymentRef }) => paymentRef),
        part.map(({ amount }) => amount),
        part.map(({ on }) => `${on}T12:00:00+05:30`),
      ],
    )
  })
  await writeDonations(client, orgId, payments)
  await client.query(
    `insert into settlements (org_id, settlement_id, gateway, account, gateway_settlement_id,
       state, amount, currency, utr, began_at, settled_at, settled_entry)
     select $1, n.id, n.gateway, '${ACCOUNT}', n.external_id, 'processed', n.amount, 'INR', n.utr,
            n.day, n.day, 1
       from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[])
         as n (id, gateway, external_id, amount, utr, day)`,
    [
      orgId,
      corpus.settlements.map(({ settlementId }) => settlementId),
      corpus.settlements.map(({ gateway }) => gateway),
      corpus.settlements.map(({ externalId }) => externalId),
      corpus.settlements.map(({ amount }) => amount),
      corpus.settlements.map(({ utr }) => utr),
      corpus.settlements.map(({ on }) => `${on}T18:00:00+05:30`),
    ],
  )
}

function columnsOf(part: readonly BookRecord[]): unknown[] {
  return [
    part.map(({ recordId }) => recordId),
    part.map(({ gateway }) => gateway),
    part.map(({ externalId }) => externalId),
    part.map(({ orderRef }) => orderRef),
    part.map(({ state }) => state),
    part.map(({ amount }) => amount),
    part.map(({ fee }) => fee),
    part.map(({ tax }) => tax),
  ]
}

/** A donation is there for each payment that was taken twice. */
async function writeDonations(
  client: pg.Client,
  orgId: number,
  payments: readonly BookRecord[],
): Promise<void> {
  const twice = payments.filter(({ paidBy }) => paidBy !== null)
  await client.query(
    `insert into donors (org_id, donor_id, name, email)
     values ($1, 'dnr_corpus', 'Asha', 'asha@example.org')`,
    [orgId],
  )
  await client.query(
    `insert into donations (org_id, donation_id, donor_id, gateway, order_ref, amount, currency,
       fund, nature, state, payment_id, paid_at)
     select $1, 'don_' || n.order_ref, 'dnr_corpus', n.gateway, n.order_ref, n.amount, 'INR',
            (select fund from funds where org_id = $1 order by fund limit 1), 'general', 'paid',
            n.payment, now()
       from unnest($2::text[], $3::text[], $4::bigint[], $5::text[])
         as n (gateway, order_ref, amount, payment)`,
    [
      orgId,
      twice.map(({ gateway }) => gateway),
      twice.map(({ orderRef }) => orderRef),
      twice.map(({ amount }) => amount),
      twice.map(({ paidBy }) => paidBy),
    ],
  )
}

async function inParts<T>(
  all: readonly T[],
  write: (part: readonly T[], from: number) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < all.length; from += TOGETHER) {
    await write(all.slice(from, from + TOGETHER), from)
  }
}

/** Reads and loads the corpus' files as the service does; gives the rows that could not be read. */
export async function loadFiles(
  db: Database,
  orgId: number,
  corpus: Corpus,
): Promise<Map<number, Fault[]>> {
  const faults = new Map<number, Fault[]>()
  for (const gateway of GATEWAYS) {
    const fileNo = FILE_NO[gateway]
    const read = settlementReader(gateway, 'csv', {})
    const kept: Fault[] = []
    faults.set(fileNo, kept)
    await db.bulk(orgId, async (trx) => {
      const batches = noting(read(bytesOf(corpus.reports[gateway])), kept)
      await loadSettlementLines(trx, { fileNo, owner: { gateway, account: ACCOUNT } }, batches)
    })
  }
  const kept: Fault[] = []
  faults.set(FILE_NO.statement, kept)
  await db.bulk(orgId, async (trx) => {
    const batches = noting(bankReader('bank_csv', {})(bytesOf(corpus.statement)), kept)
    const file = { fileNo: FILE_NO.statement, ledgerAccount: BANK_ACCOUNT }
    await loadBankLines(trx, file, batches)
  })
  return faults
}

const PIECE = 65_536

async function* bytesOf({ text }: CorpusFile): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let from = 0; from < bytes.length; from += PIECE) {
    yield bytes.subarray(from, from + PIECE)
  }
}

async function* noting<Line>(
  batches: AsyncIterable<Batch<Line>>,
  kept: Fault[],
): AsyncGenerator<Batch<Line>> {
  for await (const batch of batches) {
    kept.push(...batch.faults)
    yield batch
  }
}
