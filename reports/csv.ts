/** CSV as in RFC 4180, with text cells that a spreadsheet would run made harmless. */

/** Text is neutralised and quoted where needed; a number or bigint is written as it is. */
export type Cell = string | number | bigint | null

/** One line with its end (CRLF). */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

function csvCell(cell: Cell): string {
  if (cell === null) {
    return ''
  }
  if (typeof cell !== 'string') {
    return cell.toString()
  }
  // A leading apostrophe stops evaluation (OWASP); one that was there is doubled, to be told apart.
  const text = /^'?[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
