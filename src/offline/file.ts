/** A file of payments as spreadsheets save it: CSV in UTF-8, read into cells by column and line. */
import { parse, CsvError } from 'csv-parse/sync'
import { isUtf8 } from 'node:buffer'
import { csvLine } from '../../reports/csv.ts'
import { Problem } from '../base/problem.ts'

export const FILE_BYTES_MAX = 2 * 1024 * 1024
export const ROWS_MAX = 5000
/** Characters of one row: ten times what the longest right one has. */
const ROW_MAX = 20_000

/** In the order of the template; each stands in a file once or not at all. */
export const COLUMNS = [
  'channel',
  'amount',
  'received_on',
  'reference',
  'cheque_date',
  'ifsc',
  'bank',
  'account',
  'fund',
  'nature',
  'corpus_direction',
  'purpose',
  'donor_id',
  'donor_name',
  'donor_email',
  'donor_phone',
  'citizenship',
  'pan',
  'address_line1',
  'address_line2',
  'city',
  'state',
  'pin',
] as const

export type Column = (typeof COLUMNS)[number]

/** Without these there is nothing to record. */
const NEEDED: readonly Column[] = ['channel', 'amount', 'received_on', 'fund']

export interface FileRow {
  /** Where it begins in the file, counted from 1. */
  line: number
  /** What is written, without spaces around; what is empty is left out. */
  cells: ReadonlyMap<Column, string>
  /** Why its cells cannot be told apart; null where they can. */
  fault: string | null
}

/**
 * The rows of a file. Throws `invalid_request` for what is no such file at all: other bytes than
 * UTF-8, no CSV, columns that are unknown, missing or doubled, no rows, or more than `ROWS_MAX`.
 */
export function readRows(bytes: Buffer): FileRow[] {
  if (!isUtf8(bytes)) {
    throw noFile('It is not in UTF-8; save it as "CSV UTF-8".')
  }
  const [header, ...rows] = recordsOf(bytes)
  if (header === undefined) {
    throw noFile('It is empty; the first line has the names of the columns.')
  }
  const columns = columnsOf(header.cells)
  if (rows.length === 0) {
    throw noFile('It has no row below the names of the columns.')
  }
  if (rows.length > ROWS_MAX) {
    throw noFile(`It has more than ${ROWS_MAX} rows; part it.`)
  }
  return rows.map(({ line, cells }) => {
    const isAligned = cells.slice(columns.length).every((cell) => cell.trim() === '')
    const fault =
      cells.length < columns.length || !isAligned
        ? `has ${cells.length} cells, and the first line has ${columns.length}`
        : null
    const filled = columns.flatMap((column, place): [Column, string][] => {
      const text = (cells[place] ?? '').trim()
      return text === '' ? [] : [[column, text]]
    })
    return { line, cells: new Map(filled), fault }
  })
}

interface CsvRecord {
  line: number
  cells: string[]
}

function recordsOf(bytes: Buffer): CsvRecord[] {
  try {
    const records = parse(bytes, {
      bom: true,
      record_delimiter: ['\r\n', '\n', '\r'],
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_empty_values: true,
      max_record_size: ROW_MAX,
      // One more than may be, and the names: enough to say that there are too many.
      to: ROWS_MAX + 2,
    }) as unknown as { record: string[]; info: { lines: number } }[]
    return records.map(({ record: cells, info }) => ({
      line: info.lines - cells.reduce((sum, cell) => sum + linesIn(cell), 0),
      cells,
    }))
  } catch (error) {
    if (error instanceof CsvError) {
      // Its words quote the file, which may hold anything.
      const where = typeof error['lines'] === 'number' ? ` in or before line ${error['lines']}` : ''
      throw noFile(`It is no CSV${where}: a quote stands wrong, or a row is too long.`)
    }
    throw error
  }
}

function linesIn(cell: string): number {
  return cell.split(/\r\n|\r|\n/).length - 1
}

function columnsOf(header: readonly string[]): Column[] {
  const names = header.map((name) =>
    name
      .trim()
      .toLowerCase()
      .replaceAll(/[\s-]+/g, '_'),
  )
  while (names.at(-1) === '') {
    names.pop()
  }
  const known = names.filter((name): name is Column => COLUMNS.some((column) => column === name))
  const unknown = names.findIndex((name) => !COLUMNS.some((column) => column === name))
  if (unknown >= 0) {
    throw noFile(
      `Column ${unknown + 1} has no name that is known. There are ${COLUMNS.join(', ')}, with ` +
        'commas between the cells.',
    )
  }
  const twice = known.find((name, place) => known.indexOf(name) !== place)
  if (twice !== undefined) {
    throw noFile(`The column ${twice} is there twice.`)
  }
  const missing = NEEDED.filter((name) => !known.includes(name))
  if (missing.length > 0) {
    throw noFile(`The column ${missing.join(', ')} is missing.`)
  }
  return known
}

function noFile(detail: string): Problem {
  return new Problem('invalid_request', { detail: `The file cannot be taken. ${detail}` })
}

/** A file with the names of the columns and a row for each way in which money comes. */
export function templateCsv(): string {
  const address = ['7 Tilak Road', '', 'Pune', 'Maharashtra', '411030']
  const gift = ['general', 'general', '', '']
  const donor = ['', 'Asha Kulkarni', 'asha@example.org', '9812345678', 'indian', 'ABCPK1234F']
  const rows = [
    ['cash', '1,500.00', '04/05/2026', 'CV-17', '', '', '', ''],
    ['cheque', '1,00,000.50', '04/05/2026', '004711', '02/05/2026', 'HDFC0000123', 'HDFC Bank', ''],
    ['bank_transfer', '25000', '2026-05-04', 'AXISCN1153863727', '', '', '', 'assets:bank:main'],
    ['upi', '501', '2026-05-04', '612345678901', '', '', '', ''],
  ]
  return [[...COLUMNS], ...rows.map((row) => [...row, ...gift, ...donor, ...address])]
    .map((cells) => csvLine(cells))
    .join('')
}
