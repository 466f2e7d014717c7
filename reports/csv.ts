/** CSV as in RFC 4180, with text cells that a spreadsheet would run made harmless. */

/**
 * Text is neutralised and quoted where needed; a number or bigint, and plain digits that we made,
 * are written as they are. A cell that is any number of apostrophes, at least one, and then one of
 * `=`, `+`, `-`, `@`, tab or carriage return has one apostrophe more than its text had.
 */
export type Cell = string | number | bigint | null | { plain: string }

/** One line with its end (CRLF). */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

function csvCell(cell: Cell): string {
  if (cell === null) {
    return ''
  }
  if (typeof cell !== 'string') {
    return typeof cell === 'object' ? cell.plain : cell.toString()
  }
  // A leading apostrophe stops evaluation (OWASP). Where apostrophes were there it is one more, so
  // that taking one off gives the text and no two texts share a cell.
  const text = /^'*[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  // A reader that takes semicolons or tabs to part cells finds one cell too.
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
