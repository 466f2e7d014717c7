/** Paper to write on: A4 pages that fill from top to bottom, one line after the other. */
import PDFDocument from 'pdfkit'
import { buffer } from 'node:stream/consumers'
import { isRightToLeft } from './bidi.ts'
import { freshFonts, RIGHT_TO_LEFT } from './fonts.ts'
import { breakLines, inPrintOrder, type Line, type Measure, type Style } from './typeset.ts'

const PAGE = { width: 595.28, height: 841.89, top: 40, bottom: 60 }
const LEADING = 1.42
/** The baseline's distance from the top of its line, in font sizes. */
const ASCENT = 1.06

export const LEFT = 50
export const WIDTH = PAGE.width - 2 * LEFT

export interface Sheet {
  pdf: PDFKit.PDFDocument
  measure: Measure
  /** Where the next line starts: which page, and points from its top. */
  page: number
  y: number
}

export interface Cell {
  text: string
  style: Style
  x: number
  width: number
}

export interface Box {
  x: number
  width: number
  height: number
}

/** A new A4 sheet. No time or random id enters the file: the same drawing, the same bytes. */
export function newSheet(title: string, createdAt: Date): Sheet {
  const pdf = new PDFDocument({
    size: 'A4',
    margin: 0,
    autoFirstPage: false,
    bufferPages: true,
    pdfVersion: '1.7',
    subset: 'PDF/A-2b',
    lang: 'en-IN',
    displayTitle: true,
    // No first font: PDFKit would take Helvetica, which is not embedded and has no ₹.
    font: '',
    info: { Title: plainTitle(title), Creator: 'Bahi', Producer: 'Bahi', CreationDate: createdAt },
  })
  for (const [name, font] of freshFonts()) {
    pdf.registerFont(name, font)
  }
  const measure: Measure = (font, size, text) => pdf.font(font).fontSize(size).widthOfString(text)
  pdf.addPage()
  return { pdf, measure, page: 0, y: PAGE.top }
}

/** Height in points that a text takes in a cell. */
export function heightOf(sheet: Sheet, cell: Cell): number {
  const lines = breakLines(cell.text, cell.style, cell.width, sheet.measure)
  return lines.length * cell.style.size * LEADING
}

/** Writes cells side by side, line by line, going on at the next page where one is full. */
export function writeRow(sheet: Sheet, cells: readonly Cell[]): void {
  const columns = cells.map((cell) => ({
    ...cell,
    lines: breakLines(cell.text, cell.style, cell.width, sheet.measure),
  }))
  const height = Math.max(...cells.map(({ style }) => style.size * LEADING))
  const count = Math.max(...columns.map(({ lines }) => lines.length))
  for (let index = 0; index < count; index += 1) {
    reserve(sheet, height)
    for (const { lines, style, x } of columns) {
      // Cells of one row share a baseline, whatever their sizes.
      drawLine(sheet, lines[index] ?? [], style, x, sheet.y + (height / LEADING) * ASCENT)
    }
    sheet.y += height
  }
}

/** Takes a new page where fewer than `height` points are left on this one. */
export function reserve(sheet: Sheet, height: number): void {
  if (sheet.y > PAGE.top && sheet.y + height > PAGE.height - PAGE.bottom) {
    goTo(sheet, { page: sheet.page + 1, y: PAGE.top })
  }
}

/** Writes two parts beside each other, each as long as it likes, and goes on below both. */
export function writeColumns(sheet: Sheet, left: () => void, right: () => void): void {
  const start = { page: sheet.page, y: sheet.y }
  left()
  const end = { page: sheet.page, y: sheet.y }
  goTo(sheet, start)
  right()
  if (sheet.page < end.page || (sheet.page === end.page && sheet.y < end.y)) {
    goTo(sheet, end)
  }
}

function goTo(sheet: Sheet, place: { page: number; y: number }): void {
  if (place.page < sheet.pdf.bufferedPageRange().count) {
    sheet.pdf.switchToPage(place.page)
  } else {
    sheet.pdf.addPage()
  }
  sheet.page = place.page
  sheet.y = place.y
}

/** A filled rectangle from here down; draw it before the text that stands on it. */
export function fillBox(sheet: Sheet, box: Box, colour: string): void {
  sheet.pdf.rect(box.x, sheet.y, box.width, box.height).fill(colour)
}

/** A picture (PNG or JPEG) that fits into a box from here down, at its right edge. */
export function placeImage(sheet: Sheet, box: Box, picture: Buffer): void {
  const fit: [number, number] = [box.width, box.height]
  sheet.pdf.image(picture, box.x, sheet.y, { fit, align: 'right', valign: 'center' })
}

/** Rejects where PDFKit cannot print the picture. */
export async function tryImage(picture: Buffer): Promise<void> {
  const sheet = newSheet('A picture', new Date(0))
  placeImage(sheet, { x: LEFT, width: WIDTH, height: 100 }, picture)
  await finish(sheet, '', { weight: 'Regular', size: 8, colour: '#000000' })
}

/** Puts the foot under every page and gives the file's bytes. */
export function finish(sheet: Sheet, foot: string, style: Style): Promise<Buffer> {
  const { pdf, measure } = sheet
  const { count } = pdf.bufferedPageRange()
  for (let page = 0; page < count; page += 1) {
    pdf.switchToPage(page)
    const baseline = PAGE.height - 34
    const [text = []] = breakLines(foot, style, WIDTH * 0.7, measure)
    drawLine(sheet, text, style, LEFT, baseline)
    const [pages = []] = breakLines(`Page ${page + 1} of ${count}`, style, WIDTH * 0.3, measure)
    const width = pages.reduce((sum, run) => sum + measure(run.font, style.size, run.text), 0)
    drawLine(sheet, pages, style, LEFT + WIDTH - width, baseline)
  }
  pdf.end()
  return buffer(pdf)
}

function drawLine(sheet: Sheet, line: Line, style: Style, x: number, baseline: number): void {
  // Readers turn around by themselves what is printed from right to left, and what a file says is
  // written there too: the letters of such a line are left to them.
  const turned = line.some(isRightToLeft)
  const parts = turned ? inPrintOrder(line).map((run) => [run]) : [line]
  let at = x
  for (const part of parts) {
    at = asWritten(sheet, part, () => drawRuns(sheet, part, style, at, baseline))
  }
}

function drawRuns({ pdf }: Sheet, runs: Line, style: Style, x: number, baseline: number): number {
  let at = x
  for (const { font, text } of runs) {
    pdf.font(font).fontSize(style.size).fillColor(style.colour)
    pdf.text(text, at, baseline, { lineBreak: false, baseline: 'alphabetic' })
    at += pdf.widthOfString(text)
  }
  return at
}

/** Indian scripts are printed in another order than they are written in: says what was written. */
function asWritten<Result>({ pdf }: Sheet, runs: Line, draw: () => Result): Result {
  if (runs.every(({ font }) => font.startsWith('NotoSans-') || font.startsWith(RIGHT_TO_LEFT))) {
    return draw()
  }
  pdf.save().markContent('Span', { actual: runs.map(({ text }) => text).join('') })
  const result = draw()
  // PDFKit turns the page upside down around each text. Readers that place the written text by
  // the coordinates at its end (poppler) need the same ones there.
  pdf.transform(1, 0, 0, -1, 0, PAGE.height).endMarkedContent().restore()
  return result
}

/** PDFKit copies the title into XML without escaping it. */
function plainTitle(title: string): string {
  return title.replace(/[^\p{L}\p{M}\p{N} ./_-]/gu, '')
}
