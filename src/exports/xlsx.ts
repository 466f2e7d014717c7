/**
 * Writes an Excel file as it is read: one sheet, zipped on the way, in constant memory. Texts stand
 * in their cells (inline strings), so that none is ever a formula. Office Open XML, ECMA-376.
 */
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw } from 'node:zlib'
import type { Cell } from '../../reports/csv.ts'
import { escapedXml } from './xml.ts'

/** A sheet has at most 1,048,576 rows, the header among them. */
export const XLSX_ROWS_MAX = 1_000_000
/** Above so many digits a spreadsheet's number is not exact. */
const DIGITS_MAX = 15
/** The longest text that a cell holds. */
const CELL_MAX = 32_767
/** Number formats with so many digits behind the point. */
const DECIMALS_MAX = 6
/** Styles: 0 is plain, 1 the header's, from 2 on numbers by their digits behind the point. */
const BOLD = 1
const FIRST_NUMBER = 2

/** The file in pieces: its header, then rows as they come. */
export async function* xlsxFile(
  columns: readonly string[],
  rows: AsyncIterable<readonly (readonly Cell[])[]>,
): AsyncGenerator<Buffer> {
  const zip = openZip()
  for (const [name, content] of STATIC_FILES) {
    yield* zip.file(name, [Buffer.from(content)])
  }
  yield* zip.file('xl/worksheets/sheet1.xml', sheetXml(columns, rows))
  yield zip.end()
}

async function* sheetXml(
  columns: readonly string[],
  rows: AsyncIterable<readonly (readonly Cell[])[]>,
): AsyncGenerator<Buffer> {
  let row = 1
  const header = columns.map((name, column) => textXml(name, row, column, BOLD)).join('')
  yield Buffer.from(`${SHEET_HEAD}<row r="1">${header}</row>`)
  for await (const some of rows) {
    const xml = some.map((cells) => {
      row += 1
      return `<row r="${row}">${cells.map((cell, at) => cellXml(cell, row, at)).join('')}</row>`
    })
    yield Buffer.from(xml.join(''))
  }
  yield Buffer.from('</sheetData></worksheet>')
}

function cellXml(cell: Cell, row: number, column: number): string {
  if (cell === null || cell === '') {
    return ''
  }
  if (typeof cell === 'string') {
    return textXml(cell, row, column, 0)
  }
  const plain = typeof cell === 'object' ? cell.plain : cell.toString()
  if (plain.replaceAll(/\D/g, '').length > DIGITS_MAX) {
    return textXml(plain, row, column, 0)
  }
  const decimals = plain.split('.')[1]?.length ?? 0
  const style = FIRST_NUMBER + Math.min(decimals, DECIMALS_MAX)
  return `<c r="${nameOf(row, column)}" s="${style}"><v>${plain}</v></c>`
}

function textXml(text: string, row: number, column: number, style: number): string {
  const place = `r="${nameOf(row, column)}" s="${style}"`
  return `<c ${place} t="inlineStr"><is><t xml:space="preserve">${inlineXml(text)}</t></is></c>`
}

/** What XML cannot hold Excel writes as _xHHHH_, and what looks like that too. */
function inlineXml(text: string): string {
  const escaped = text
    .slice(0, CELL_MAX)
    .toWellFormed()
    .replaceAll(/_(?=x[0-9A-Fa-f]{4}_)/g, '_x005F_')
    .replaceAll(
      /(?![\t\n])\p{Cc}|[\ufffe\uffff]/gu,
      (one) => `_x${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`,
    )
  return escapedXml(escaped)
}

/** A1, Z1, AA1. */
function nameOf(row: number, column: number): string {
  let name = ''
  for (let rest = column; rest >= 0; rest = Math.floor(rest / 26) - 1) {
    name = String.fromCharCode(65 + (rest % 26)) + name
  }
  return `${name}${row}`
}

const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const PACKAGE = 'http://schemas.openxmlformats.org/package/2006'
const SHEET_TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml'

const SHEET_HEAD =
  `${HEAD}<worksheet xmlns="${MAIN}"><sheetViews><sheetView workbookViewId="0">` +
  '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>' +
  '</sheetViews><sheetFormatPr defaultRowHeight="15" baseColWidth="14"/><sheetData>'

const NUMBERS = Array.from({ length: DECIMALS_MAX + 1 }, (_none, digits) => ({
  id: 164 + digits,
  code: digits === 0 ? '0' : `0.${'0'.repeat(digits)}`,
}))

const STATIC_FILES: readonly [name: string, content: string][] = [
  [
    '[Content_Types].xml',
    `${HEAD}<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ` +
      'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
      `<Override PartName="/xl/workbook.xml" ContentType="${SHEET_TYPE}.sheet.main+xml"/>` +
      `<Override PartName="/xl/styles.xml" ContentType="${SHEET_TYPE}.styles+xml"/>` +
      '<Override PartName="/xl/worksheets/sheet1.xml" ' +
      `ContentType="${SHEET_TYPE}.worksheet+xml"/></Types>`,
  ],
  [
    '_rels/.rels',
    `${HEAD}<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" ` +
      `Type="${OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
  ],
  [
    'xl/workbook.xml',
    `${HEAD}<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><sheets>` +
      '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
  ],
  [
    'xl/_rels/workbook.xml.rels',
    `${HEAD}<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" ` +
      `Type="${OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" ` +
      `Type="${OFFICE}/styles" Target="styles.xml"/></Relationships>`,
  ],
  [
    'xl/styles.xml',
    `${HEAD}<styleSheet xmlns="${MAIN}"><numFmts count="${NUMBERS.length}">` +
      NUMBERS.map(({ id, code }) => `<numFmt numFmtId="${id}" formatCode="${code}"/>`).join('') +
      '</numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>' +
      '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>' +
      '<fills count="2"><fill><patternFill patternType="none"/></fill>' +
      '<fill><patternFill patternType="gray125"/></fill></fills>' +
      '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>' +
      `<cellXfs count="${FIRST_NUMBER + NUMBERS.length}"><xf/><xf fontId="1" applyFont="1"/>` +
      NUMBERS.map(({ id }) => `<xf numFmtId="${id}" applyNumberFormat="1"/>`).join('') +
      '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/>' +
      '</cellStyles></styleSheet>',
  ],
]

const deflate = promisify(
  (
    bytes: Buffer,
    options: { finishFlush: number },
    done: (error: Error | null, out: Buffer) => void,
  ) => deflateRaw(bytes, options, done),
)

/** The end of a deflate stream: an empty last block. */
const DEFLATE_END = Buffer.from([3, 0])
/** Names are UTF-8; size and checksum stand behind the content. */
const FLAGS = 0x0808
const VERSION = 20
const DEFLATED = 8
/** 1 January 1980: the same content is the same file, whenever it is made. */
const DOS_DAY = 0x21

/** A zip archive, written file by file. */
function openZip() {
  const central: Buffer[] = []
  let at = 0
  const sent = (bytes: Buffer): Buffer => {
    at += bytes.length
    return bytes
  }
  return {
    async *file(
      name: string,
      pieces: Iterable<Buffer> | AsyncIterable<Buffer>,
    ): AsyncGenerator<Buffer> {
      const start = at
      yield sent(Buffer.concat([localHeader(name), Buffer.from(name)]))
      let [sum, size, packed] = [0, 0, 0]
      for await (const piece of pieces) {
        sum = crc32(piece, sum)
        size += piece.length
        // Each piece ends on a byte, so that they can stand behind each other.
        const out = await deflate(piece, { finishFlush: constants.Z_SYNC_FLUSH })
        packed += out.length
        yield sent(out)
      }
      packed += DEFLATE_END.length
      yield sent(Buffer.concat([DEFLATE_END, descriptor(sum, packed, size)]))
      central.push(centralHeader({ name, start, sum, packed, size }), Buffer.from(name))
    },
    end(): Buffer {
      const directory = Buffer.concat(central)
      const end = Buffer.alloc(22)
      end.writeUInt32LE(0x06054b50, 0)
      end.writeUInt16LE(central.length / 2, 8)
      end.writeUInt16LE(central.length / 2, 10)
      end.writeUInt32LE(directory.length, 12)
      end.writeUInt32LE(at, 16)
      return Buffer.concat([directory, end])
    },
  }
}

function localHeader(name: string): Buffer {
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(VERSION, 4)
  header.writeUInt16LE(FLAGS, 6)
  header.writeUInt16LE(DEFLATED, 8)
  header.writeUInt16LE(DOS_DAY, 12)
  header.writeUInt16LE(Buffer.byteLength(name), 26)
  return header
}

function descriptor(sum: number, packed: number, size: number): Buffer {
  const behind = Buffer.alloc(16)
  behind.writeUInt32LE(0x08074b50, 0)
  behind.writeUInt32LE(sum, 4)
  behind.writeUInt32LE(packed, 8)
  behind.writeUInt32LE(size, 12)
  return behind
}

function centralHeader(file: {
  name: string
  start: number
  sum: number
  packed: number
  size: number
}): Buffer {
  const header = Buffer.alloc(46)
  header.writeUInt32LE(0x02014b50, 0)
  header.writeUInt16LE(VERSION, 4)
  header.writeUInt16LE(VERSION, 6)
  header.writeUInt16LE(FLAGS, 8)
  header.writeUInt16LE(DEFLATED, 10)
  header.writeUInt16LE(DOS_DAY, 14)
  header.writeUInt32LE(file.sum, 16)
  header.writeUInt32LE(file.packed, 20)
  header.writeUInt32LE(file.size, 24)
  header.writeUInt16LE(Buffer.byteLength(file.name), 28)
  header.writeUInt32LE(file.start, 42)
  return header
}
