/** /v1/recon/settlement-lines and /v1/recon/bank-lines: what gateways and banks report. */
import { z } from 'zod'
import { listBankLines, listSettlementLines, type LinePlace } from '../../recon/files/lines.ts'
import { LINE_KINDS, normalReference } from '../../recon/sources/line.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, isoDate, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { bankLine, bankLineView, settlementLine, settlementLineView } from '../recon-view.ts'

const tag = 'Reconciliation'

/** `12-345`: the number of the file, and of the row in it. */
const place = z
  .string()
  .regex(/^[1-9]\d{0,8}-[1-9]\d{0,8}$/, 'must be the id of a line')
  .transform((text): LinePlace => {
    const [fileNo, rowNo] = text.split('-').map(Number)
    return { fileNo: fileNo ?? 0, rowNo: rowNo ?? 0 }
  })

const amount = z
  .string()
  .regex(/^-?\d{1,16}$/, 'must be a whole number of minor units')
  .transform(BigInt)

const common = {
  limit,
  starting_after: place.optional(),
  source: idOfKind('rsc').optional(),
  file: idOfKind('rfl').optional(),
  from: isoDate.optional(),
  to: isoDate.optional(),
  amount: amount.optional(),
}

interface Common {
  source?: string | undefined
  file?: string | undefined
  from?: string | undefined
  to?: string | undefined
  amount?: bigint | undefined
}

function filterOf(query: Common) {
  return {
    sourceId: query.source ?? null,
    fileId: query.file ?? null,
    from: query.from ?? null,
    to: query.to ?? null,
    amount: query.amount ?? null,
  }
}

export function reconLineOperations(): Operation[] {
  return [settlementLinesOperation(), bankLinesOperation()]
}

function settlementLinesOperation(): Operation {
  return operation(
    {
      id: 'listSettlementLines',
      method: 'get',
      path: '/recon/settlement-lines',
      tag,
      summary: 'Lines of settlements as the gateways report them',
      permission: 'recon.read',
      query: z.strictObject({
        ...common,
        settlement_ref: line(200, true).optional(),
        utr: line(100, true).optional(),
        kind: z.enum(LINE_KINDS).optional(),
      }),
      answers: { 200: { what: 'The newest file first.', body: pageOf(settlementLine) } },
    },
    {
      async read(trx, { query }) {
        const filter = {
          ...filterOf(query),
          settlementRef: query.settlement_ref ?? null,
          utr: query.utr === undefined ? null : (normalReference(query.utr) ?? '-'),
          kind: query.kind ?? null,
        }
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        const rows = await listSettlementLines(trx, filter, page)
        return { status: 200, body: listOf(rows, query.limit, settlementLineView) }
      },
    },
  )
}

function bankLinesOperation(): Operation {
  return operation(
    {
      id: 'listBankLines',
      method: 'get',
      path: '/recon/bank-lines',
      tag,
      summary: 'Lines of bank statements',
      permission: 'recon.read',
      query: z.strictObject({
        ...common,
        utr: line(100, true)
          .optional()
          .meta({ description: 'Anywhere in the reference or the narration.' }),
      }),
      answers: { 200: { what: 'The newest file first.', body: pageOf(bankLine) } },
    },
    {
      async read(trx, { query }) {
        const token = query.utr === undefined ? null : (normalReference(query.utr) ?? '-')
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        const rows = await listBankLines(trx, { ...filterOf(query), token }, page)
        return { status: 200, body: listOf(rows, query.limit, bankLineView) }
      },
    },
  )
}
