/** Bank statements as CSV, or as text with tabs that is called .xls: read by names alone. */
import { bankAmount, cellDay, cellText, decimalsOf, type DayOrder } from './cells.ts'
import { BalanceCheck } from './balances.ts'
import { BANK_LAYOUTS, placesIn, type BankColumn, type BankLayout } from './bank-layouts.ts'
import { csvRows, type CsvRow } from './csv.ts'
import { NARRATION_MAX, normalReference, REFERENCE_MAX, type BankLine } from './line.ts'
import { plainName } from './named.ts'
import { BadCell, emptyBatch, readInto, Unreadable, type Batch, type Reader } from './reading.ts'

export interface BankMapping {
  /** The layout that was saved for the source; null: one of those that are known here. */
  layout: BankLayout | null
  currency: string
}

/** Lines in which the names of the columns are looked for: statements begin with an address. */
const HEAD_LINES = 100
const DELIMITERS = [',', '\t', ';', '|']

/**
 * The lines of a statement. What stands above the names of the columns, titles, totals and lines of
 * stars are passed over; a row with a day or an amount that is no line is a fault. Where the
 * statement tells balances, each that does not follow from the one before is a fault of the file.
 */
export function bankCsv(mapping: BankMapping): Reader<BankLine> {
  return async function* lines(bytes) {
    const layouts = mapping.layout === null ? BANK_LAYOUTS : [mapping.layout]
    const balances = new BalanceCheck()
    let found: Found | null = null
    let above = 0
    for await (const rows of csvRows(bytes, (text) => delimiterIn(text, layouts))) {
      const batch = emptyBatch<BankLine>()
      for (const one of rows) {
        if (found === null) {
          found = foundIn(one.cells, layouts)
          above += 1
          batch.skipped += 1
          if (found === null && above >= HEAD_LINES) {
            throw noNames(layouts)
          }
        } else {
          readRow(batch, one, found, mapping)
        }
      }
      for (const line of batch.lines) {
        balances.see(line.row, line.amount, line.balanceAfter)
      }
      yield batch
    }
    if (found === null) {
      throw noNames(layouts)
    }
    yield { ...emptyBatch<BankLine>(), faults: balances.faults() }
  }
}

function noNames(layouts: readonly BankLayout[]): Unreadable {
  const wanted = layouts.map(({ name, headers }) => {
    const names = Object.values(headers).map((all) => all[0])
    return `${names.join(', ')} (${name})`
  })
  return new Unreadable(
    `None of its first ${HEAD_LINES} lines has the names of the columns: ${wanted.join('; ')}. ` +
      'Say in the source which column is called what.',
  )
}

interface Found {
  places: ReadonlyMap<BankColumn, number>
  header: string
  days: DayOrder
  /** Set from the row of stars behind the lines on: what follows are totals. */
  isOver: boolean
  hasLines: boolean
}

function foundIn(cells: readonly string[], layouts: readonly BankLayout[]): Found | null {
  for (const { headers, days } of layouts) {
    const places = placesIn(cells, headers)
    if (places !== null) {
      return { places, header: headerOf(cells), days, isOver: false, hasLines: false }
    }
  }
  return null
}

function headerOf(cells: readonly string[]): string {
  return cells.map(plainName).join()
}

/** The one by which a line near the beginning has the names of the columns. */
function delimiterIn(text: string, layouts: readonly BankLayout[]): string {
  const lines = text.split('\n', HEAD_LINES)
  const found = DELIMITERS.find((delimiter) =>
    lines.some((line) => foundIn(bareCells(line, delimiter), layouts) !== null),
  )
  return found ?? ','
}

function bareCells(line: string, delimiter: string): string[] {
  return line.split(delimiter).map((cell) => cell.trim().replaceAll(/^"|"$/g, ''))
}

const RULE = /^[\s*=_.-]*$/

function readRow(
  batch: Batch<BankLine>,
  { row, cells, fault }: CsvRow,
  found: Found,
  mapping: BankMapping,
): void {
  const isRule = cells.every((cell) => RULE.test(cell))
  if (isRule || headerOf(cells) === found.header) {
    found.isOver ||= isRule && found.hasLines && cells.some((cell) => cell.trim().length > 2)
    batch.skipped += 1
    return
  }
  readInto(batch, row, () => {
    if (fault !== null) {
      throw new BadCell(null, fault)
    }
    const line = lineOf(row, cells, found, mapping)
    found.hasLines ||= line !== null
    return line
  })
}

function lineOf(
  row: number,
  cells: readonly string[],
  found: Found,
  { currency }: BankMapping,
): BankLine | null {
  const at = (column: BankColumn): string => cells[found.places.get(column) ?? -1] ?? ''
  const decimals = decimalsOf('major', currency)
  const day = at('booked_on').trim()
  if (found.isOver && !looksLikeDay(day)) {
    return null
  }
  const money = ['debit', 'credit', 'amount'] as const
  if (!looksLikeDay(day) && money.every((column) => !/\d/.test(at(column)))) {
    return null
  }
  const bookedOn = cellDay('booked_on', day, found.days)
  if (bookedOn === null) {
    throw new BadCell('booked_on', 'is empty, and the row has an amount')
  }
  const balance = bankAmount('balance', at('balance'), decimals)
  return {
    row,
    bookedOn,
    valueOn: cellDay('value_on', at('value_on'), found.days),
    amount: amountIn(at, decimals),
    currency,
    balanceAfter: balance,
    reference: referenceIn(at('reference')),
    narration: narrationOf(at('narration')),
  }
}

/** Three parts of a day, whatever they say: a title or a sum has none. */
function looksLikeDay(text: string): boolean {
  return /^\d{1,4}[-/. ](?:\d{1,2}|[a-z]{3,9})[-/., ]+\d{1,4}/i.test(text)
}

/** One signed column, one with a mark beside it, or one for each way. */
function amountIn(at: (column: BankColumn) => string, decimals: number): bigint {
  const one = bankAmount('amount', at('amount'), decimals)
  if (one !== null) {
    const mark = at('mark').trim().toLowerCase()
    if (mark !== '' && !/^[cd]/.test(mark) && mark !== '+' && mark !== '-') {
      throw new BadCell('mark', 'is neither Cr nor Dr')
    }
    const isDebit = mark.startsWith('d') || mark === '-'
    return notZero(isDebit && one > 0n ? -one : one)
  }
  const debit = bankAmount('debit', at('debit'), decimals) ?? 0n
  const credit = bankAmount('credit', at('credit'), decimals) ?? 0n
  if (debit !== 0n && credit !== 0n) {
    throw new BadCell('debit', 'and credit are both there')
  }
  // Some banks put a minus in front of what stands in the column of debits.
  return notZero(debit === 0n ? credit : debit < 0n ? debit : -debit)
}

function notZero(amount: bigint): bigint {
  if (amount === 0n) {
    throw new BadCell('amount', 'is empty or zero')
  }
  return amount
}

/** A bank writes zeros, dashes or blanks for no reference. */
export function referenceIn(text: string): string | null {
  const reference = normalReference(cellText(text) ?? '')
  if ((reference?.length ?? 0) > REFERENCE_MAX) {
    throw new BadCell('reference', `is longer than ${REFERENCE_MAX} characters`)
  }
  return reference
}

/** The narration in one line, cut where the table cuts it. */
export function narrationOf(text: string): string {
  const plain = (cellText(text) ?? '').replaceAll(/\s+/g, ' ')
  return plain.slice(0, NARRATION_MAX).toWellFormed()
}
