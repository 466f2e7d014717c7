/** A file of a source as lines: which reader, what it comes to, what of it is known already. */
import type { BulkTrx, Database, Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import type { Preview, Read } from './files.ts'
import { loadBankLines, loadSettlementLines, type Loaded } from './load.ts'
import { bankPreview, settlementPreview } from './line-view.ts'
import type { ReconSource } from './sources-of-lines.ts'
import {
  bankReader,
  settlementReader,
  BANK_FORMATS,
  GATEWAY_FORMATS,
  type Mapping,
  type SourceFormat,
} from '../sources/formats.ts'
import {
  bankText,
  keyOf,
  ownerText,
  settlementText,
  type BankLine,
  type SettlementLine,
} from '../sources/line.ts'
import { Unreadable, type Batch } from '../sources/reading.ts'
import { Tally } from '../sources/tally.ts'

/** Lines that a preview shows, and lines of which it says how many are known. */
const SHOWN = 20
const LOOKED_AT_MAX = 1000

export interface Reading {
  source: Pick<ReconSource, 'side' | 'gateway' | 'account' | 'ledger_account'>
  format: SourceFormat
  mapping: Mapping
}

/** The lines of either side, with what is done to each of them. */
interface Side<Line> {
  batches: AsyncIterable<Batch<Line>>
  key(line: Line): string
  view(line: Line): object
  load(trx: BulkTrx, fileNo: number, batches: AsyncIterable<Batch<Line>>): Promise<Loaded>
  table: 'settlement_lines' | 'bank_lines'
}

function settlementSide(
  { source, format, mapping }: Reading,
  bytes: AsyncIterable<Buffer>,
): Side<SettlementLine> {
  const { gateway, account } = source
  const known = GATEWAY_FORMATS.find((one) => one === format)
  if (gateway === null || account === null || known === undefined) {
    throw new Problem('internal', { detail: `A source cannot be read as ${format}.` })
  }
  const owner = { gateway, account }
  const ownersText = ownerText(owner)
  return {
    batches: settlementReader(gateway, known, mapping)(bytes),
    key: (line) => keyOf(settlementText(ownersText, line), line.lineId),
    view: settlementPreview,
    load: async (trx, fileNo, batches) =>
      await loadSettlementLines(trx, { fileNo, owner }, batches),
    table: 'settlement_lines',
  }
}

function bankSide(
  { source, format, mapping }: Reading,
  bytes: AsyncIterable<Buffer>,
): Side<BankLine> {
  const ledgerAccount = source.ledger_account
  const known = BANK_FORMATS.find((one) => one === format)
  if (ledgerAccount === null || known === undefined) {
    throw new Problem('internal', { detail: `A source cannot be read as ${format}.` })
  }
  return {
    batches: bankReader(known, mapping)(bytes),
    key: (line) => keyOf(bankText(ledgerAccount, line)),
    view: bankPreview,
    load: async (trx, fileNo, batches) =>
      await loadBankLines(trx, { fileNo, ledgerAccount }, batches),
    table: 'bank_lines',
  }
}

/** Reads a file through and keeps none of its lines but the first. */
export async function previewBytes(
  db: Database,
  orgId: number,
  reading: Reading,
  bytes: AsyncIterable<Buffer>,
): Promise<Read> {
  return reading.source.side === 'gateway'
    ? await previewOf(db, orgId, settlementSide(reading, bytes))
    : await previewOf(db, orgId, bankSide(reading, bytes))
}

async function previewOf<Line extends SettlementLine | BankLine>(
  db: Database,
  orgId: number,
  side: Side<Line>,
): Promise<Read> {
  const tally = new Tally()
  const lines: object[] = []
  const sample = new Sample<Line>()
  try {
    for await (const batch of side.batches) {
      tally.add(batch as Batch<SettlementLine> | Batch<BankLine>)
      lines.push(...batch.lines.slice(0, SHOWN - lines.length).map(side.view))
      sample.add(batch.lines)
    }
  } catch (error) {
    if (!(error instanceof Unreadable)) {
      throw error
    }
    return { tally, preview: { lines, looked_at: 0, known: 0 }, problem: error.message }
  }
  if (tally.lines === 0 && tally.faultCount === 0) {
    const problem = 'It has no lines.'
    return { tally, preview: { lines, looked_at: 0, known: 0 }, problem }
  }
  const keys = sample.lines.map(side.key)
  const known = await db.read(orgId, async (trx) => await countKnown(trx, side.table, keys))
  const preview: Preview = { lines, looked_at: keys.length, known }
  return { tally, preview, problem: null }
}

/** Lines evenly from a file of unknown length: every first, then every second, every fourth … */
class Sample<Line> {
  lines: Line[] = []
  #every = 1
  #seen = 0

  add(more: readonly Line[]): void {
    for (const line of more) {
      if (this.#seen % this.#every === 0) {
        this.lines.push(line)
      }
      this.#seen += 1
      if (this.lines.length > LOOKED_AT_MAX) {
        this.lines = this.lines.filter((_line, place) => place % 2 === 0)
        this.#every *= 2
      }
    }
  }
}

async function countKnown(
  trx: Trx,
  table: Side<never>['table'],
  keys: readonly string[],
): Promise<number> {
  const [row] = await trx.query<{ known: number }>(
    `select count(l.found)::integer as known
       from unnest($1::uuid[]) as k (id)
       left join lateral (
         select 1 as found from ${table} t
          where t.row_key = k.id and t.repeated = 0 and t.org_id = $2 limit 1
       ) l on true`,
    [keys, trx.scope],
  )
  return row?.known ?? 0
}

/**
 * Writes a file's lines, all or none, and counts while it does. `onProgress` hears how many lines
 * are on their way. Throws `Unreadable`.
 */
export async function loadBytes(
  trx: BulkTrx,
  fileNo: number,
  reading: Reading,
  bytes: AsyncIterable<Buffer>,
  onProgress: (lines: number) => Promise<void>,
): Promise<{ tally: Tally; loaded: Loaded }> {
  return reading.source.side === 'gateway'
    ? await loadSide(trx, fileNo, settlementSide(reading, bytes), onProgress)
    : await loadSide(trx, fileNo, bankSide(reading, bytes), onProgress)
}

async function loadSide<Line extends SettlementLine | BankLine>(
  trx: BulkTrx,
  fileNo: number,
  side: Side<Line>,
  onProgress: (lines: number) => Promise<void>,
): Promise<{ tally: Tally; loaded: Loaded }> {
  const tally = new Tally()
  async function* counted(): AsyncGenerator<Batch<Line>> {
    for await (const batch of side.batches) {
      tally.add(batch as Batch<SettlementLine> | Batch<BankLine>)
      await onProgress(tally.lines)
      yield batch
    }
  }
  const loaded = await side.load(trx, fileNo, counted())
  return { tally, loaded }
}
