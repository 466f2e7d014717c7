/** Files of gateways: a row in, a line of a settlement out, whichever gateway wrote it. */
import { isObject, type JsonObject } from '../../gateways/json.ts'
import type { Unit } from './cells.ts'
import { REFERENCE_MAX, type SettlementLine } from './line.ts'
import { csvNamed, jsonNamed, type Cells, type NamedRow } from './named.ts'
import { BadCell, emptyBatch, readInto, type Batch, type Reader } from './reading.ts'

/** What of a gateway's file is set and not seen. */
export interface GatewayMapping {
  unit: Unit
  /** Whether what is called the fee has its tax in it. */
  feeHasTax: boolean
  /** Our name of a column → the file's. */
  headers: Readonly<Record<string, string>>
}

/** How a gateway writes its lines. */
export interface GatewayForm {
  /** The columns that are read, by the names that the gateway's API has. */
  columns: readonly string[]
  needed: readonly string[]
  /** The rows in an answer of the API, or in a row of it. */
  rowsIn(document: unknown): JsonObject[]
  /** Null for a row that is no line. Throws `BadCell`. */
  line(row: number, cells: Cells, mapping: GatewayMapping): SettlementLine | null
}

export function gatewayCsv(form: GatewayForm, mapping: GatewayMapping): Reader<SettlementLine> {
  const { columns, needed } = form
  return (bytes) => lines(csvNamed(bytes, { columns, needed, headers: mapping.headers }))
  async function* lines(all: AsyncIterable<NamedRow[]>) {
    for await (const rows of all) {
      yield batchOf(rows, form, mapping)
    }
  }
}

export function gatewayJson(form: GatewayForm, mapping: GatewayMapping): Reader<SettlementLine> {
  const rowsIn = (document: unknown): JsonObject[] =>
    isObject(document) && typeof document[UNREADABLE] === 'string'
      ? [document]
      : form.rowsIn(document)
  return async function* lines(bytes) {
    for await (const rows of jsonNamed(bytes, rowsIn)) {
      yield batchOf(rows, form, mapping)
    }
  }
}

/** What a gateway's list could not give stands among its rows, noted when it was fetched. */
const UNREADABLE = 'unreadable'

function batchOf(
  rows: readonly NamedRow[],
  form: GatewayForm,
  mapping: GatewayMapping,
): Batch<SettlementLine> {
  const batch = emptyBatch<SettlementLine>()
  for (const { row, cells, fault } of rows) {
    readInto(batch, row, () => {
      if (fault !== null) {
        throw new BadCell(null, fault)
      }
      const unreadable = cells.at(UNREADABLE)
      if (unreadable !== '') {
        throw new BadCell(null, unreadable)
      }
      const line = form.line(row, cells, mapping)
      if (line !== null && (line.utr?.length ?? 0) > REFERENCE_MAX) {
        throw new BadCell('utr', `is longer than ${REFERENCE_MAX} characters`)
      }
      return line
    })
  }
  return batch
}
