/** The donation receipt as a PDF: a pure function of the document, the same bytes every time. */
import type { ReceiptDocument } from './receipt-document.ts'
import { receiptText, type ReceiptText, type Row, type Section } from './receipt-text.ts'
import {
  fillBox,
  finish,
  heightOf,
  LEFT,
  newSheet,
  placeImage,
  reserve,
  WIDTH,
  writeColumns,
  writeRow,
  type Cell,
  type Sheet,
} from './sheet.ts'
import type { Style } from './typeset.ts'

/** The red of a bahi-khata's cloth binding, where an organisation has no colour; on its paper. */
const RED = '#8a1c2b'
const PAPER = '#faf3ea'
const INK = '#1d1b1a'
const GREY = '#625c57'
const LINE = '#ddd3c8'

const GAP = 14
const PADDING = 14
/** Two columns of sections, with the width of their labels. */
const COLUMN = { x: LEFT, width: WIDTH / 2 - 12, labels: 74 }
const RIGHT_COLUMN = { ...COLUMN, x: LEFT + WIDTH - COLUMN.width }
const KEY_EXTRA = 36
const LOGO = { x: LEFT + WIDTH - 120, width: 120, height: 54 }

/**
 * Renders a receipt as PDF (PDF/A-2b, fonts embedded, one A4 page unless its texts are very long).
 * Refuses, by assertion, what `receiptText` refuses: no amount, or a tax receipt without its
 * particulars. `logo` is the picture that the document names, which must be one that PDFKit reads.
 */
export async function renderReceipt(
  receipt: ReceiptDocument,
  logo: Buffer | null = null,
): Promise<Buffer> {
  const text = receiptText(receipt)
  const sheet = newSheet(`Donation receipt ${receipt.number}`, receipt.issuedAt)
  const colour = receipt.branding?.colour ?? RED
  writeOrganisation(sheet, text, colour, logo)
  writeTitle(sheet, text, colour)
  writeKeys(sheet, text.keys)
  writeAmount(sheet, text, colour)
  writeColumns(
    sheet,
    () => writeSection(sheet, text.donor, COLUMN, colour),
    () => writeSection(sheet, text.donation, RIGHT_COLUMN, colour),
  )
  if (text.tax !== null) {
    writeSection(sheet, text.tax, { x: LEFT, width: WIDTH, labels: 128 }, colour)
  }
  writeEnd(sheet, text)
  return finish(sheet, text.foot, style('Regular', 7.5, GREY))
}

function writeOrganisation(
  sheet: Sheet,
  { organisation }: ReceiptText,
  colour: string,
  logo: Buffer | null,
): void {
  writeLine(sheet, colour, 3)
  sheet.y += 15
  const { page, y } = sheet
  if (logo !== null) {
    placeImage(sheet, LOGO, logo)
  }
  const width = logo === null ? WIDTH : WIDTH - LOGO.width - GAP
  const beside = (text: string, look: Style) => ({ ...full(text, look), width })
  writeRow(sheet, [beside(organisation.name, style('Bold', 15, INK))])
  sheet.y += 2
  writeRow(sheet, [beside(organisation.address, style('Regular', 9, GREY))])
  writeRow(sheet, [beside(organisation.ids, style('Regular', 9, GREY))])
  if (logo !== null && sheet.page === page) {
    sheet.y = Math.max(sheet.y, y + LOGO.height)
  }
  sheet.y += GAP
}

function writeTitle(sheet: Sheet, text: ReceiptText, colour: string): void {
  reserve(sheet, 60)
  writeLine(sheet)
  sheet.y += GAP
  writeRow(sheet, [full(text.title, style('Bold', 19, colour))])
  writeRow(sheet, [full(text.subtitle, style('Regular', 9.5, INK))])
  sheet.y += GAP
}

/** Number, dates and year side by side, the number with the most room. */
function writeKeys(sheet: Sheet, keys: readonly Row[]): void {
  const width = (WIDTH - KEY_EXTRA) / keys.length
  const cells = (look: Style, textOf: (key: Row) => string): Cell[] => {
    return keys.map((key, index) => ({
      text: textOf(key),
      style: look,
      x: LEFT + index * width + (index === 0 ? 0 : KEY_EXTRA),
      width: width + (index === 0 ? KEY_EXTRA : 0) - 10,
    }))
  }
  reserve(sheet, 28)
  writeRow(
    sheet,
    cells(style('Regular', 8, GREY), ({ label }) => label),
  )
  writeRow(
    sheet,
    cells(style('Bold', 10.5, INK), ({ text }) => text),
  )
  sheet.y += GAP
}

function writeAmount(sheet: Sheet, text: ReceiptText, colour: string): void {
  const inside = { x: LEFT + PADDING, width: WIDTH - 2 * PADDING }
  const cells: Cell[] = [
    { ...inside, text: 'Amount received', style: style('Regular', 8, GREY) },
    { ...inside, text: text.amount, style: style('Bold', 24, INK) },
    { ...inside, text: text.amountInWords, style: style('Regular', 10, INK) },
  ]
  const height = cells.reduce((sum, cell) => sum + heightOf(sheet, cell), 2 * PADDING - 6)
  reserve(sheet, height)
  const top = sheet.y
  fillBox(sheet, { x: LEFT, width: WIDTH, height }, PAPER)
  fillBox(sheet, { x: LEFT, width: 3, height }, colour)
  sheet.y += PADDING - 4
  for (const cell of cells) {
    writeRow(sheet, [cell])
  }
  sheet.y = top + height + GAP
}

function writeSection(sheet: Sheet, section: Section, place: typeof COLUMN, colour: string): void {
  const { x, width, labels } = place
  reserve(sheet, 50)
  writeRow(sheet, [{ text: section.title, style: style('Bold', 10, colour), x, width }])
  sheet.y += 1
  fillBox(sheet, { x, width, height: 0.7 }, LINE)
  sheet.y += 4
  for (const { label, text, strong } of section.rows) {
    const look = strong === true ? style('Bold', 10.5, INK) : style('Regular', 9.5, INK)
    writeRow(sheet, [
      { text: label, style: style('Regular', 9, GREY), x, width: labels - 8 },
      { text, style: look, x: x + labels, width: width - labels },
    ])
    sheet.y += 2
  }
  sheet.y += GAP - 4
}

/** The notes, and beside them who signs. */
function writeEnd(sheet: Sheet, { notes, signatory }: ReceiptText): void {
  const signature: Cell[] = [
    { ...RIGHT_COLUMN, text: signatory.organisation, style: style('Regular', 9, GREY) },
    { ...RIGHT_COLUMN, text: signatory.name, style: style('Bold', 11, INK) },
    { ...RIGHT_COLUMN, text: signatory.designation, style: style('Regular', 9.5, INK) },
    { ...RIGHT_COLUMN, text: signatory.role, style: style('Regular', 8.5, GREY) },
  ]
  const look = style('Regular', 8.5, GREY)
  const remarks = notes.map((text): Cell => ({ ...COLUMN, text, style: look }))
  const height = (cells: Cell[]) => cells.reduce((sum, cell) => sum + heightOf(sheet, cell), 20)
  // Who signs must not stand alone on a page; a block longer than that flows all the same.
  reserve(sheet, Math.min(Math.max(height(signature), height(remarks)), 300))
  writeLine(sheet)
  sheet.y += 8
  writeColumns(
    sheet,
    () => writeStack(sheet, remarks),
    () => writeStack(sheet, signature),
  )
}

function writeStack(sheet: Sheet, cells: readonly Cell[]): void {
  for (const cell of cells) {
    writeRow(sheet, [cell])
    sheet.y += 2
  }
}

function writeLine(sheet: Sheet, colour = LINE, height = 0.7): void {
  fillBox(sheet, { x: LEFT, width: WIDTH, height }, colour)
}

function full(text: string, look: Style): Cell {
  return { text, style: look, x: LEFT, width: WIDTH }
}

function style(weight: Style['weight'], size: number, colour: string): Style {
  return { weight, size, colour }
}
