/** Reports that are tables: rows of cells in, CSV or an Excel file out. */
import writeExcelFile from 'write-excel-file/node'
import { csvLine, type Cell } from '../../reports/csv.ts'
import { formatDecimal } from '../base/money.ts'
import { Problem } from '../base/problem.ts'
import { digitsOf, type Books } from './books.ts'
import type { Maker, Outcome, Parameters } from './report.ts'

export interface Table {
  columns: readonly string[]
  /** Some at a time. */
  rows(books: Books, asked: Parameters): AsyncGenerator<Cell[][], Outcome>
}

/** What an Excel file may hold: all of it stands in memory, and people scroll no further. */
export const XLSX_ROWS_MAX = 100_000
/** Above so many digits a spreadsheet's number is not exact. */
const DIGITS_MAX = 15
/** The longest text that a cell holds. */
const CELL_MAX = 32_767

/** Minor units as people read them, with the currency's digits. */
export function decimalOf(books: Books, minor: bigint, currency: string): Cell {
  return { plain: formatDecimal(minor, currency, digitsOf(books, currency)) }
}

/** The table as CSV: a header, then its rows, and nothing else. */
export function csvOf(table: Table): Maker {
  return async function* csv(books, asked) {
    const rows = table.rows(books, asked)
    // What the report refuses it refuses here, before there is anything of a file.
    let next = await rows.next()
    yield csvLine(table.columns)
    for (; ; next = await rows.next()) {
      if (next.done === true) {
        return next.value
      }
      yield next.value.map((row) => csvLine(row)).join('')
      books.progress.rows += next.value.length
    }
  }
}

/** The table as an Excel file. Throws `limit_reached` above `XLSX_ROWS_MAX` rows. */
export function xlsxOf(table: Table): Maker {
  return async function* xlsx(books, asked) {
    const header = table.columns.map((value) => ({ value, fontWeight: 'bold' as const }))
    const sheet: SheetCell[][] = [header]
    const rows = table.rows(books, asked)
    for (;;) {
      const next = await rows.next()
      if (next.done === true) {
        yield await writeExcelFile(sheet, { stickyRowsCount: 1 }).toBuffer()
        return next.value
      }
      if (sheet.length + next.value.length > XLSX_ROWS_MAX + 1) {
        const detail = `An Excel file has at most ${XLSX_ROWS_MAX} rows: ask for CSV, or for less.`
        throw new Problem('limit_reached', { detail })
      }
      books.progress.rows += next.value.length
      for (const row of next.value) {
        sheet.push(row.map(sheetCell))
      }
    }
  }
}

type SheetCell = { value: string | number; fontWeight?: 'bold'; format?: string } | null

function sheetCell(cell: Cell): SheetCell {
  if (cell === null || cell === '') {
    return null
  }
  if (typeof cell === 'string') {
    return { value: storable(cell) }
  }
  const plain = typeof cell === 'object' ? cell.plain : cell.toString()
  if (plain.replaceAll(/\D/g, '').length > DIGITS_MAX) {
    return { value: plain }
  }
  const [, behind = ''] = plain.split('.')
  return {
    value: Number(plain),
    format: behind === '' ? '0' : `0.${behind.replaceAll(/\d/g, '0')}`,
  }
}

/** XML has no control characters, and Excel no longer cells. */
function storable(text: string): string {
  return xmlText(text).slice(0, CELL_MAX)
}

/** Text that XML 1.0 can hold: what it cannot is U+FFFD. */
export function xmlText(text: string): string {
  return text.replaceAll(
    /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu,
    '\ufffd',
  )
}
