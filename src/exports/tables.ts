/** Reports that are tables: rows of cells in, CSV or an Excel file out. */
import { csvLine, type Cell } from '../../reports/csv.ts'
import { formatDecimal } from '../base/money.ts'
import { Problem } from '../base/problem.ts'
import { digitsOf, type Books } from './books.ts'
import type { Maker, Outcome, Parameters } from './report.ts'
import { XLSX_ROWS_MAX, xlsxFile } from './xlsx.ts'

export interface Table {
  columns: readonly string[]
  /** Some at a time. */
  rows(books: Books, asked: Parameters): AsyncGenerator<Cell[][], Outcome>
}

/** Minor units as people read them, with the currency's digits. */
export function decimalOf(books: Books, minor: bigint, currency: string): Cell {
  return { plain: formatDecimal(minor, currency, digitsOf(books, currency)) }
}

/** The same of a currency that others told; nothing where it is none of these books. */
export function knownDecimal(books: Books, minor: bigint, currency: string): Cell {
  return books.exponents.has(currency) ? decimalOf(books, minor, currency) : null
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
    const rows = table.rows(books, asked)
    // What the report refuses it refuses here, before there is anything of a file.
    let next = await rows.next()
    async function* all(): AsyncGenerator<Cell[][]> {
      for (let count = 0; next.done !== true; next = await rows.next()) {
        count += next.value.length
        if (count > XLSX_ROWS_MAX) {
          const detail = `An Excel file has at most ${XLSX_ROWS_MAX} rows; ask for CSV or for less.`
          throw new Problem('limit_reached', { detail })
        }
        books.progress.rows = count
        yield next.value
      }
    }
    yield* xlsxFile(table.columns, all())
    if (next.done !== true) {
      throw new Error('the file ended before its table')
    }
    return next.value
  }
}
