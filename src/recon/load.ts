/** The one writer of lines of settlements and banks: copied in, then through the walls. */
import { sqlStateOf } from '../base/database-error.ts'
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
  return await insertLines(trx, 'settlement', { fileNo: file.fileNo, all })
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
  return await insertLines(trx, 'bank', { fileNo: file.fileNo, all })
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
/** Lines that are looked up before all of them are taken for new. */
const LOOKED_AT = 1000

const STATEMENTS = {
  settlement: statementsOf('settlement_lines', 'recon_load_settlement'),
  bank: statementsOf('bank_lines', 'recon_load_bank'),
} as const

function statementsOf(table: 'settlement_lines' | 'bank_lines', load: string) {
  const named = 'org_id, file_no, row_no, row_key'
  const said =
    table === 'bank_lines'
      ? `ledger_account, booked_on, value_on, amount, currency, balance_after, reference, narration,
         tokens`
      : `gateway, account, kind, told_kind, external_id, payment_ref, order_ref, settlement_ref,
         utr, amount, fee, tax, net, currency, occurred_on, settled_on`
  const insert = `insert into ${table} (${named}, repeated, ${said})`
  return {
    // A key twice in the file, and a key that the table has among the first lines.
    twice: `select 1 from pg_temp.${load} group by row_key having count(*) > 1 limit 1`,
    known: `select 1 from (select row_key from pg_temp.${load} limit ${LOOKED_AT}) k
             cross join lateral (
               select 1 from ${table} t
                where t.row_key = k.row_key and t.repeated = 0 and t.org_id = $1 limit 1
             ) l limit 1`,
    /** Where each key stands once and is new: an index is not asked before it is written to. */
    allNew: `${insert} select ${named}, 0, ${said} from pg_temp.${load}`,
    onlyNew: `${insert}
      select ${named}, again::smallint, ${said}
        from (select l.*, row_number() over (partition by row_key order by row_no) - 1 as again
                from pg_temp.${load} l) counted
       where again <= ${REPEATED_MAX}
          on conflict do nothing`,
    written: `select count(*)::integer as fresh from ${table} where org_id = $1 and file_no = $2`,
  }
}

async function insertLines(
  trx: BulkTrx,
  side: keyof typeof STATEMENTS,
  { fileNo, all }: { fileNo: number; all: number },
): Promise<Loaded> {
  const { twice, known, allNew, onlyNew, written } = STATEMENTS[side]
  const seemNew =
    (await trx.query(twice)).length === 0 && (await trx.query(known, [trx.scope])).length === 0
  if (!seemNew || !(await insertedAll(trx, allNew))) {
    await trx.query(onlyNew)
  }
  const [row] = await trx.query<{ fresh: number }>(written, [trx.scope, fileNo])
  const fresh = row?.fresh ?? 0
  return { fresh, known: all - fresh }
}

/** False, and nothing written, where a line was known after all. */
async function insertedAll(trx: BulkTrx, sql: string): Promise<boolean> {
  await trx.query('savepoint all_new')
  try {
    await trx.query(sql)
    return true
  } catch (error) {
    if (sqlStateOf(error) !== UNIQUE_VIOLATION) {
      throw error
    }
    await trx.query('rollback to savepoint all_new')
    return false
  }
}

const UNIQUE_VIOLATION = '23505'
