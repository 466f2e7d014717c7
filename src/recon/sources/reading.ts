/** What every reader of a file has in common: batches of lines, and faults that end nothing. */

/** What is wrong with a row; of the file as a whole where `row` is null. */
export interface Fault {
  row: number | null
  column: string | null
  reason: string
}

export interface Batch<Line> {
  lines: Line[]
  faults: Fault[]
  /** Rows that are no lines and do not pretend to be: titles, totals, what is not booked yet. */
  skipped: number
}

/** Bytes in, lines out, in constant memory. Throws `Unreadable` where it is no such file at all. */
export type Reader<Line> = (bytes: AsyncIterable<Buffer>) => AsyncGenerator<Batch<Line>>

/** The file as a whole cannot be read; the message says why, to whoever sent it. */
export class Unreadable extends Error {
  override name = 'Unreadable'
}

/** A row that cannot be read; becomes a fault, and the rest goes on. */
export class BadCell extends Error {
  override name = 'BadCell'
  readonly column: string | null

  constructor(column: string | null, reason: string) {
    super(reason)
    this.column = column
  }
}

export function emptyBatch<Line>(): Batch<Line> {
  return { lines: [], faults: [], skipped: 0 }
}

/** Reads one row into the batch; what it throws as `BadCell` is noted as its fault. */
export function readInto<Line>(batch: Batch<Line>, row: number, read: () => Line | null): void {
  try {
    const line = read()
    if (line === null) {
      batch.skipped += 1
    } else {
      batch.lines.push(line)
    }
  } catch (error) {
    if (!(error instanceof BadCell)) {
      throw error
    }
    batch.faults.push({ row, column: error.column, reason: error.message })
  }
}

/** What a cell says, in a sentence about it. */
export function quoted(text: string): string {
  return `"${text.length > 40 ? `${text.slice(0, 39)}…` : text}"`
}
