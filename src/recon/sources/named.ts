/** Rows whose cells have names: those of a CSV by its first line, and those of an API's JSON. */
import { isObject, parseJsonNumbersAsText, type JsonObject } from '../../gateways/json.ts'
import { csvRows } from './csv.ts'
import { quoted, Unreadable } from './reading.ts'
import { textOf } from './text.ts'

/** A row's cells by the names that our readers know; what is not there is empty. */
export interface Cells {
  at(column: string): string
}

export interface NamedRow {
  row: number
  cells: Cells
  fault: string | null
}

/** What stands in a file by which names: ours, and the file's where it has others. */
export interface Names {
  /** All that are read. */
  columns: readonly string[]
  /** Without these the file is none of this format; of each the first that is there counts. */
  needed: readonly string[]
  /** Our name → the file's. */
  headers: Readonly<Record<string, string>>
}

/** A header as it is compared: `Fee (exclusive tax)` is `fee_exclusive_tax`. */
export function plainName(header: string): string {
  return header
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
}

/** Lines in which the names of the columns are looked for. */
const HEAD_LINES = 20

/**
 * The rows below the first line that has all the needed names. Throws `Unreadable` where there is
 * no such line among the first.
 */
export async function* csvNamed(
  bytes: AsyncIterable<Buffer>,
  names: Names,
): AsyncGenerator<NamedRow[]> {
  let places: Map<string, number> | null = null
  let seen = 0
  let first: string[] = []
  for await (const rows of csvRows(bytes, delimiterIn)) {
    const named: NamedRow[] = []
    for (const { row, cells, fault } of rows) {
      if (places !== null) {
        named.push({ row, cells: new Placed(places, cells), fault })
        continue
      }
      places = placesOf(cells, names)
      first = seen === 0 ? cells : first
      seen += 1
      if (places === null && seen >= HEAD_LINES) {
        throw noNames(first, names)
      }
    }
    yield named
  }
  if (places === null) {
    throw noNames(first, names)
  }
}

/** The one that stands most often in the first line. */
function delimiterIn(text: string): string {
  const line = text.slice(0, text.indexOf('\n') + 1 || undefined)
  const count = (one: string) => line.split(one).length
  return [',', ';', '\t', '|'].reduce((best, one) => (count(one) > count(best) ? one : best))
}

function placesOf(header: readonly string[], { columns, needed, headers }: Names) {
  const there = header.map(plainName)
  const places = new Map(
    columns.flatMap((column): [string, number][] => {
      const place = there.indexOf(plainName(headers[column] ?? column))
      return place === -1 ? [] : [[column, place]]
    }),
  )
  return needed.every((column) => places.has(column)) ? places : null
}

function noNames(first: readonly string[], { needed, headers }: Names): Unreadable {
  const wanted = needed.map((column) => headers[column] ?? column).join(', ')
  const found = first.length === 0 ? 'nothing' : quoted(first.join(', '))
  return new Unreadable(`It has no line with the names ${wanted}; it begins with ${found}.`)
}

class Placed implements Cells {
  readonly #places: ReadonlyMap<string, number>
  readonly #cells: readonly string[]

  constructor(places: ReadonlyMap<string, number>, cells: readonly string[]) {
    this.#places = places
    this.#cells = cells
  }

  at(column: string): string {
    const place = this.#places.get(column)
    return place === undefined ? '' : (this.#cells[place] ?? '')
  }
}

/** One JSON document is read whole, up to here; a row a line, which has no such limit. */
export const JSON_BYTES_MAX = 16 * 1024 * 1024

/**
 * The rows of an API's answer, or of many of them: one JSON object a line, or one document from
 * which `rowsIn` takes its rows. Throws `Unreadable` for what is neither.
 */
export async function* jsonNamed(
  bytes: AsyncIterable<Buffer>,
  rowsIn: (document: unknown) => JsonObject[],
): AsyncGenerator<NamedRow[]> {
  let text = ''
  let line = 1
  let isByLine: boolean | null = null
  for await (const piece of textOf(bytes)) {
    text += piece
    isByLine ??= text.includes('\n') ? isObject(parseJsonNumbersAsText(firstLine(text))) : null
    if (isByLine === true) {
      const end = text.lastIndexOf('\n') + 1
      const rows = linesOf(text.slice(0, end), line, rowsIn)
      line += rows.length
      text = text.slice(end)
      yield rows.flatMap(({ named }) => named)
    }
    if (text.length > JSON_BYTES_MAX) {
      const most = JSON_BYTES_MAX / 1024 / 1024
      throw new Unreadable(`It is one JSON document of more than ${most} MB; write a row a line.`)
    }
  }
  if (isByLine === true) {
    yield linesOf(text, line, rowsIn).flatMap(({ named }) => named)
    return
  }
  if (text.trim() === '') {
    return
  }
  const document = parseJsonNumbersAsText(text)
  if (document === undefined) {
    throw new Unreadable('It is no JSON.')
  }
  yield rowsIn(document).map((row, place) => ({
    row: place + 1,
    cells: new Members(row),
    fault: null,
  }))
}

function firstLine(text: string): string {
  return text.slice(0, text.indexOf('\n'))
}

function linesOf(text: string, first: number, rowsIn: (document: unknown) => JsonObject[]) {
  const lines = text.endsWith('\n') ? text.slice(0, -1) : text
  return (lines === '' && text === '' ? [] : lines.split('\n')).map((one, place) => {
    const row = first + place
    const rows = one.trim() === '' ? [] : rowsOfLine(one, rowsIn)
    const named: NamedRow[] =
      rows === null
        ? [{ row, cells: new Members({}), fault: 'is no JSON object' }]
        : rows.map((cells) => ({ row, cells: new Members(cells), fault: null }))
    return { named }
  })
}

/** A line of its own holds one row; an answer with several in it would give them one name. */
function rowsOfLine(line: string, rowsIn: (document: unknown) => JsonObject[]) {
  const value = parseJsonNumbersAsText(line)
  const rows = isObject(value) ? rowsIn(value) : []
  return rows.length === 1 ? rows : null
}

class Members implements Cells {
  readonly #row: JsonObject

  constructor(row: JsonObject) {
    this.#row = row
  }

  at(column: string): string {
    const value = Object.hasOwn(this.#row, column) ? this.#row[column] : undefined
    return typeof value === 'string' || typeof value === 'boolean' ? String(value) : ''
  }
}
