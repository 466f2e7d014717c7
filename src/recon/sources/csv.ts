/** Rows of a CSV, as they come: fast where nothing is quoted, which is how large files are. */
import { textOf } from './text.ts'

export interface CsvRow {
  /** The line of the file on which it begins, from 1. */
  row: number
  cells: string[]
  /** Why its cells cannot be told apart; null where they can. */
  fault: string | null
}

/** Characters of a row: many times what the longest right one has. */
const ROW_MAX = 65_536
const QUOTE = '"'

/**
 * The rows of a file, a batch for each piece of it. Blank lines are no rows. A quote that is never
 * closed is the fault of its own line, and the next line is read as if it had not been there.
 */
export async function* csvRows(
  bytes: AsyncIterable<Buffer>,
  delimiterOf: (text: string) => string,
): AsyncGenerator<CsvRow[]> {
  const state: State = { rest: '', line: 1, delimiter: null, tooLong: false, isOldMac: false }
  for await (const piece of textOf(bytes)) {
    state.rest += state.isOldMac ? piece.replaceAll('\r', '\n') : piece
    if (state.delimiter === null && state.rest.length >= HEAD) {
      begin(state, delimiterOf)
    }
    if (state.delimiter !== null) {
      yield rowsIn(state, state.delimiter, false)
    }
  }
  yield rowsIn(state, state.delimiter ?? begin(state, delimiterOf), true)
}

/** Enough of a file to see how its cells are divided. */
const HEAD = 16_384

interface State {
  rest: string
  line: number
  delimiter: string | null
  /** The row in hand is longer than any may be: what is left of its line is passed over. */
  tooLong: boolean
  /** Its lines end with carriage returns only. */
  isOldMac: boolean
}

/** Looks at the beginning: how its lines end, and what stands between cells. */
function begin(state: State, delimiterOf: (text: string) => string): string {
  state.isOldMac = state.rest.includes('\r') && !state.rest.includes('\n')
  state.rest = state.isOldMac ? state.rest.replaceAll('\r', '\n') : state.rest
  state.delimiter = delimiterOf(state.rest)
  return state.delimiter
}

/** Takes all whole rows off the text in hand. */
function rowsIn(state: State, delimiter: string, isEnd: boolean): CsvRow[] {
  const rows: CsvRow[] = []
  const text = isEnd && !state.rest.endsWith('\n') ? `${state.rest}\n` : state.rest
  let at = 0
  let quote = text.indexOf(QUOTE)
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', at)) {
    if (quote !== -1 && quote < at) {
      quote = text.indexOf(QUOTE, at)
    }
    if (state.tooLong) {
      state.tooLong = false
      state.line += 1
      at = end + 1
    } else if (quote === -1 || quote > end) {
      plainRow(rows, state.line, text.slice(at, text[end - 1] === '\r' ? end - 1 : end), delimiter)
      state.line += 1
      at = end + 1
    } else {
      const read = quotedRow(text, at, delimiter)
      if (read === null && !isEnd && text.length - at < ROW_MAX) {
        break
      }
      const { cells, fault } = read ?? { cells: [], fault: UNCLOSED }
      rows.push({ row: state.line, cells, fault })
      state.line += read?.lines ?? 1
      at = read?.end ?? end + 1
    }
  }
  state.rest = text.slice(at)
  if (state.rest.length > ROW_MAX && !state.rest.includes('\n')) {
    if (!state.tooLong) {
      rows.push({ row: state.line, cells: [], fault: `is longer than ${ROW_MAX} characters` })
    }
    state.tooLong = true
    state.rest = ''
  }
  return rows
}

const UNCLOSED = 'has a quote that is never closed'

function plainRow(rows: CsvRow[], row: number, line: string, delimiter: string): void {
  const cells = line.split(delimiter)
  // A spreadsheet writes an empty row as its delimiters.
  const isBlank = line.length < cells.length || (cells.length === 1 && line.trim() === '')
  if (!isBlank) {
    rows.push({ row, cells, fault: null })
  }
}

interface Quoted {
  cells: string[]
  fault: string | null
  /** Behind its line feed, and how many lines it takes. */
  end: number
  lines: number
}

/** A row with quotes in it; null where it does not end in the text in hand. */
function quotedRow(text: string, start: number, delimiter: string): Quoted | null {
  const cells: string[] = []
  let lines = 1
  let fault: string | null = null
  for (let at = start; ;) {
    const cell = text[at] === QUOTE ? quotedCell(text, at) : { text: null, end: at, lines: 0 }
    const feed = cell === null ? -1 : text.indexOf('\n', cell.end)
    if (cell === null || feed === -1) {
      return null
    }
    const comma = text.indexOf(delimiter, cell.end)
    const isLast = comma === -1 || comma > feed
    const lineEnd = text[feed - 1] === '\r' && feed > cell.end ? feed - 1 : feed
    const plain = text.slice(cell.end, isLast ? lineEnd : comma)
    if (cell.text !== null && plain.trim() !== '') {
      fault = 'has text behind a closing quote'
    }
    cells.push(cell.text ?? plain)
    lines += cell.lines
    if (isLast) {
      return { cells, fault, end: feed + 1, lines }
    }
    at = comma + 1
  }
}

/** A cell in quotes, doubled ones in it; null where it is not closed. */
function quotedCell(
  text: string,
  start: number,
): { text: string; end: number; lines: number } | null {
  let from = start + 1
  for (;;) {
    const close = text.indexOf(QUOTE, from)
    if (close === -1 || close === text.length - 1) {
      return null
    }
    if (text[close + 1] !== QUOTE) {
      const cell = text.slice(start + 1, close).replaceAll('""', QUOTE)
      return { text: cell, end: close + 1, lines: cell.split('\n').length - 1 }
    }
    from = close + 2
  }
}
