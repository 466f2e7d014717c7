/** The one writer of lines of settlements and banks: copied in, then through the walls. */
import { sqlStateOf } from '../../base/database-error.ts'
import type { BulkTrx } from '../../base/db.ts'
import {
  bankText,
  keyOf,
  ownerText,
  settlementText,
  tokensOf,
  type BankLine,
  type SettlementLine,
  type SettlementOwner,
} from '../sources/line.ts'
import type { Batch } from '../sources/reading.ts'

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
  return await load(trx, STATEMENTS.settlement, file.fileNo, partsOf(batches, text))
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
  return await load(trx, STATEMENTS.bank, file.fileNo, partsOf(batches, text))
}

/** Bytes that are read while Postgres writes those before them. */
const PART_MAX = 2_000_000

/**
 * The lines as Postgres copies them in, in parts. They are made in two buffers by turns: whoever
 * asks for the part after the next is done with the first. A buffer for each would be memory that
 * nothing frees until much of it is there.
 */
async function* partsOf<Line>(
  batches: AsyncIterable<Batch<Line>>,
  text: (line: Line) => string,
): AsyncGenerator<Buffer> {
  let [part, other] = [Buffer.allocUnsafe(PART_MAX), Buffer.allocUnsafe(PART_MAX)]
  let length = 0
  for await (const { lines } of batches) {
    let piece = ''
    for (const line of lines) {
      piece += text(line)
    }
    const more = Buffer.byteLength(piece)
    if (length + more > PART_MAX && length > 0) {
      yield part.subarray(0, length)
      ;[part, other, length] = [other, part, 0]
    }
    if (more > PART_MAX) {
      yield Buffer.from(piece)
    } else {
      length += part.write(piece, length)
    }
  }
  if (length > 0) {
    yield part.subarray(0, length)
  }
}

/** The largest `repeated` that the table holds. */
const REPEATED_MAX = 32_767
/** Lines that are looked up before all of them are taken for new. */
const LOOKED_AT = 1000

const STATEMENTS = {
  settlement: statementsOf('settlement_lines', 'pg_temp.recon_load_settlement'),
  bank: statementsOf('bank_lines', 'pg_temp.recon_load_bank'),
} as const

type Statements = (typeof STATEMENTS)[keyof typeof STATEMENTS]

function statementsOf(table: 'settlement_lines' | 'bank_lines', loaded: string) {
  const named = 'org_id, file_no, row_no, row_key'
  const said =
    table === 'bank_lines'
      ? `ledger_account, booked_on, value_on, amount, currency, balance_after, reference, narration,
         tokens`
      : `gateway, account, kind, told_kind, external_id, payment_ref, order_ref, settlement_ref,
         utr, amount, fee, tax, net, currency, occurred_on, settled_on`
  const insert = `insert into ${table} (${named}, repeated, ${said})`
  return {
    copy: `copy ${loaded} from stdin`,
    /** A key that the table has among the first lines. */
    known: `select 1 from (select row_key from ${loaded} limit ${LOOKED_AT}) k
             cross join lateral (
               select 1 from ${table} t
                where t.row_key = k.row_key and t.repeated = 0 and t.org_id = $1 limit 1
             ) l limit 1`,
    /** Where each key stands once and is new: an index is not asked before it is written to. */
    allNew: `${insert} select ${named}, 0, ${said} from ${loaded}`,
    empty: `truncate ${loaded}`,
    /** What parts before them brought in of this file counts as standing in it before. */
    onlyNew: `${insert}
      select ${named}, again::smallint, ${said}
        from (select l.*, row_number() over (partition by l.row_key order by l.row_no) - 1
                            + (t.row_key is not null)::integer as again
                from ${loaded} l
                left join ${table} t
                  on t.row_key = l.row_key and t.repeated = 0 and t.org_id = $1
                 and t.file_no = $2) counted
       where again <= ${REPEATED_MAX}
          on conflict do nothing`,
    written: `select count(*)::integer as fresh from ${table} where org_id = $1 and file_no = $2`,
  }
}

/**
 * Copies part by part and writes each through the walls, while the next one is read. From the first
 * part on that has a line which was there before, or twice, all others are looked up one by one.
 */
async function load(
  trx: BulkTrx,
  sql: Statements,
  fileNo: number,
  parts: AsyncGenerator<Buffer>,
): Promise<Loaded> {
  // Sorting and hashing the keys of a million lines in memory, for this transaction only.
  await trx.query(`set local work_mem = '64MB'`)
  await trx.query('select recon_open_load()')
  let all = 0
  let seemNew = true
  try {
    let part = await parts.next()
    while (part.done !== true) {
      const ahead = parts.next()
      // Where the copying fails as well, that is what is told.
      ahead.catch(() => undefined)
      const copied = await trx.copyIn(sql.copy, [part.value])
      seemNew &&= all > 0 || (await trx.query(sql.known, [trx.scope])).length === 0
      seemNew &&= await insertedAll(trx, sql)
      all += copied
      part = await ahead
    }
  } finally {
    await parts.return(undefined)
  }
  if (seemNew) {
    return { fresh: all, known: 0 }
  }
  await trx.query(sql.onlyNew, [trx.scope, fileNo])
  const [row] = await trx.query<{ fresh: number }>(sql.written, [trx.scope, fileNo])
  const fresh = row?.fresh ?? 0
  return { fresh, known: all - fresh }
}

/** False, and none of the part written, where a line was known after all. */
async function insertedAll(trx: BulkTrx, sql: Statements): Promise<boolean> {
  await trx.query('savepoint all_new')
  try {
    await trx.query(sql.allNew)
    await trx.query('release savepoint all_new')
    await trx.query(sql.empty)
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
