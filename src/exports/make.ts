/** Makes an export: its bytes in pieces, hashed on the way, and the manifest that proves it. */
import { createHash } from 'node:crypto'
import type { Database } from '../base/db.ts'
import { minorOrText } from '../base/money.ts'
import { openBooks, type Books } from './books.ts'
import { disagreement } from './checks.ts'
import { givenOf, type Outcome } from './report.ts'
import { makerOf, type Asked } from './registry.ts'

/** What is known of a file beside its bytes; as JSON it stands with an export. */
export interface Manifest {
  format: 'bahi/export/1'
  organisation: string
  report: string
  file_format: string
  parameters: Record<string, string | number>
  /** The last entry that it holds, and that one's hash in the journal's chain. */
  entries_through: string
  chain_hash: string
  rows: number
  bytes: number
  sha256: string
  totals: { currency: string; debit: number | string; credit: number | string }[]
  /** Whether each check below has the same number twice. */
  agrees: boolean
  checks: { what: string; currency: string; export: number | string; books: number | string }[]
}

/** The export does not agree with the books: nobody gets it. */
export class Disagreement extends Error {
  readonly manifest: Manifest

  constructor(detail: string, manifest: Manifest) {
    super(detail)
    this.name = 'Disagreement'
    this.manifest = manifest
  }
}

/**
 * The export's bytes as they are made, then its manifest. `through` is the last entry that it
 * reads; `onRows` hears how many rows there are so far.
 * Throws `Disagreement` at the end where what was written is not what the books hold, and what the
 * report refuses: `not_found`, `limit_reached`, `report_unfit`.
 */
export async function* makeExport(
  db: Database,
  orgId: number,
  asked: Asked,
  through: bigint,
  onRows: (rows: number) => void = () => undefined,
): AsyncGenerator<Buffer, Manifest> {
  const books = await openBooks(db, orgId, through)
  const hash = createHash('sha256')
  let bytes = 0
  const pieces = makerOf(asked)(books, asked.parameters)
  for (;;) {
    const next = await pieces.next()
    if (next.done === true) {
      const file = { bytes, sha256: hash.digest('hex') }
      const manifest = manifestOf(books, asked, next.value, file)
      const detail = disagreement(next.value.checks)
      if (detail !== null) {
        throw new Disagreement(detail, manifest)
      }
      return manifest
    }
    const piece = Buffer.from(next.value)
    hash.update(piece)
    bytes += piece.length
    onRows(books.progress.rows)
    if (piece.length > 0) {
      yield piece
    }
  }
}

function manifestOf(
  books: Books,
  { report, format, parameters }: Asked,
  { rows, totals, checks }: Outcome,
  file: { bytes: number; sha256: string },
): Manifest {
  return {
    format: 'bahi/export/1',
    organisation: books.organisation,
    report,
    file_format: format,
    parameters: givenOf(parameters),
    entries_through: books.through.toString(),
    chain_hash: books.hash.toString('hex'),
    rows,
    ...file,
    totals: totals.map(({ currency, debit, credit }) => ({
      currency,
      debit: minorOrText(debit),
      credit: minorOrText(credit),
    })),
    agrees: disagreement(checks) === null,
    checks: checks.map((one) => ({
      ...one,
      export: minorOrText(one.export),
      books: minorOrText(one.books),
    })),
  }
}
