/** The one writer of lines of settlements and bank statements: copied in, then through the walls. */
import type { BulkTrx } from '../base/db.ts'
import {
  bankText,
  keyOf,
  ownerText,
  settlementText,
  tokensOf,
  type BankLine,
  type SettlementLine,
  type SettlementOwner,
} from './sources/line.ts'
import type { Batch } from './sources/reading.ts'

/** What became of the lines of a file. */
export interface Loaded {
  /** Lines that no file had before. */
  fresh: number
  /** Lines that were there already, or so often in this one file that no count holds them. */
  known: number
}

/**
 * Writes the lines of a file, all or none; those that another file brought already are counted and
 * left out. A line that stands in the file twice is two lines, and in another file again these two.
 * The caller holds the organisation's loads apart (`files.ts`): two at once would wait for each
 * other's lines.
 */
export async function loadSettlementLines(
  trx: BulkTrx,
  file: { fileNo: number; owner: SettlementOwner },
  batches: AsyncIterable<Batch<SettlementLine>>,
): Promise<Loaded> {
  const owner = ownerText(file.owner)
  const start = `${trx.scope}\t${file.fileNo}\t`
  const text = (line: SettlementLine): string => {
    const said = settlementText(owner, line)
    return `${start}${line.row}\t${keyOf(said, line.lineId)}\t0\t${said}\n`
  }
  await openLoad(trx)
  const all = await trx.copyIn(COPY_SETTLEMENT, textOf(batches, text))
  return await insertLines(trx, 'settlement', all)
}

/** The same for the lines of a bank statement. */
export async function loadBankLines(
  trx: BulkTrx,
  file: { fileNo: number; ledgerAccount: string },
  batches: AsyncIterable<Batch<BankLine>>,
): Promise<Loaded> {
  const start = `${trx.scope}\t${file.fileNo}\t`
  const text = (line: BankLine): string => {
    const said = bankText(file.ledgerAccount, line)
    const tokens = `{${tokensOf(line).join()}}`
    return `${start}${line.row}\t${keyOf(said)}\t0\t${said}\t${tokens}\n`
  }
  await openLoad(trx)
  const all = await trx.copyIn(COPY_BANK, textOf(batches, text))
  return await insertLines(trx, 'bank', all)
}

const COPY_SETTLEMENT = 'copy pg_temp.recon_load_settlement from stdin'
const COPY_BANK = 'copy pg_temp.recon_load_bank from stdin'

async function openLoad(trx: BulkTrx): Promise<void> {
  // Sorting and hashing the keys of a million lines in memory, for this transaction only.
  await trx.query(`set local work_mem = '64MB'`)
  await trx.query('select recon_open_load()')
}

async function* textOf<Line>(
  batches: AsyncIterable<Batch<Line>>,
  text: (line: Line) => string,
): AsyncGenerator<string> {
  for await (const { lines } of batches) {
    let piece = ''
    for (const line of lines) {
      piece += text(line)
    }
    if (piece !== '') {
      yield piece
    }
  }
}

/** The largest `repeated` that the table holds. */
const REPEATED_MAX = 32_767

const INSERTS = {
  settlement: insertOf('settlement_lines', 'recon_load_settlement'),
  bank: insertOf('bank_lines', 'recon_load_bank'),
} as const

/** Few files have a line twice, so that only keys which stand there again are counted out. */
function insertOf(table: 'settlement_lines' | 'bank_lines', load: string) {
  const ofBoth = 'org_id, file_no, row_no, row_key'
  const rest =
    table === 'bank_lines'
      ? `ledger_account, booked_on, value_on, amount, currency, balance_after, reference, narration,
         tokens`
      : `gateway, account, kind, told_kind, external_id, payment_ref, order_ref, settlement_ref,
         utr, amount, fee, tax, net, currency, occurred_on, settled_on`
  return {
    again: `select 1 from pg_temp.${load} group by row_key having count(*) > 1 limit 1`,
    insert: (isAgain: boolean) => `with placed as (
        select ${ofBoth}, ${rest},
               ${isAgain ? '(row_number() over (partition by row_key order by row_no) - 1)' : '0'}
                 as repeated
          from pg_temp.${load}
      ), written as (
        insert into ${table} (${ofBoth}, repeated, ${rest})
        select ${ofBoth}, repeated::smallint, ${rest}
          from placed where repeated <= ${REPEATED_MAX}
            on conflict do nothing
        returning 1
      )
      select count(*)::integer as fresh from written`,
  }
}

async function insertLines(trx: BulkTrx, side: keyof typeof INSERTS, all: number): Promise<Loaded> {
  const { again, insert } = INSERTS[side]
  const isAgain = (await trx.query(again)).length > 0
  const [row] = await trx.query<{ fresh: number }>(insert(isAgain))
  const fresh = row?.fresh ?? 0
  return { fresh, known: all - fresh }
}
