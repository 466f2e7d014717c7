/** /v1/recon/exceptions: what does not agree, with both sides and by age. */
import { z } from 'zod'
import type { Trx } from '../../base/db.ts'
import { loadBehind, recordsById } from '../../recon/work/behind.ts'
import { bankLinesById, settlementLinesById } from '../../recon/files/lines-by-id.ts'
import { sumOpen } from '../../recon/work/summary.ts'
import { findWork, listWork, type WorkRow } from '../../recon/work/worklist.ts'
import { pageOf } from '../answers.ts'
import { expandable, expandableOperation, type Expansion } from '../expand.ts'
import { idOfKind } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { bankLine, bankLineView, settlementLine, settlementLineView } from '../recon-view.ts'
import { exceptionQuery, filterOfQuery } from '../recon-work-input.ts'
import {
  exceptionInWork,
  exceptionSummary,
  reconRecord,
  recordView,
  summaryView,
  workView,
} from '../recon-work-view.ts'

const tag = 'Reconciliation'
const params = z.object({ id: idOfKind('exc') })

export function reconExceptionOperations(): Operation[] {
  return [listOperation(), summaryOperation(), getOperation()]
}

const lineExpansion: Expansion = {
  permission: 'recon.read',
  view: settlementLine,
  async load(trx, ids) {
    const rows = await settlementLinesById(trx, ids)
    return new Map([...rows].map(([id, row]) => [id, settlementLineView(row)]))
  },
}

const bankLineExpansion: Expansion = {
  permission: 'recon.read',
  view: bankLine,
  async load(trx, ids) {
    const rows = await bankLinesById(trx, ids)
    return new Map([...rows].map(([id, row]) => [id, bankLineView(row)]))
  },
}

const recordExpansion: Expansion = {
  permission: 'payments.read',
  view: reconRecord,
  async load(trx, ids) {
    const rows = await recordsById(trx, ids)
    return new Map([...rows].map(([id, row]) => [id, recordView(row)]))
  },
}

const expand = expandable(exceptionInWork, {
  record: recordExpansion,
  line: lineExpansion,
  bank_line: bankLineExpansion,
})

type View = z.input<typeof exceptionInWork>

async function viewsOf(trx: Trx, rows: readonly WorkRow[]): Promise<View[]> {
  const behind = await loadBehind(trx, rows)
  return rows.flatMap((row) => {
    const one = behind.get(row.exception_id)
    return one === undefined ? [] : [workView(row, one)]
  })
}

/** As it is in answers. Throws `not_found`. */
export async function viewOf(trx: Trx, id: string): Promise<View> {
  const [view] = await viewsOf(trx, [await findWork(trx, id)])
  if (view === undefined) {
    throw new Error(`nothing stands behind ${id}`)
  }
  return view
}

function listOperation(): Operation {
  return expandableOperation(
    {
      id: 'listReconExceptions',
      method: 'get',
      path: '/recon/exceptions',
      tag,
      summary: 'What does not agree: field by field, whose it is and by when it is due',
      permission: 'recon.read',
      query: exceptionQuery,
      answers: { 200: { what: 'The newest first, or by due date.', body: pageOf(expand.plain) } },
      expand,
    },
    {
      async read(trx, { query }) {
        const { limit, sort, starting_after: after = null } = query
        const rows = await listWork(trx, filterOfQuery(query), { limit: limit + 1, sort, after })
        const views = await viewsOf(trx, rows)
        return { status: 200, body: listOf(views, limit, (view) => view) }
      },
    },
  )
}

function summaryOperation(): Operation {
  return operation(
    {
      id: 'sumReconExceptions',
      method: 'get',
      path: '/recon/exceptions/summary',
      tag,
      summary: 'Open exceptions by age, kind, currency and severity, with what is at stake',
      permission: 'recon.read',
      answers: { 200: { what: 'All of one instant.', body: exceptionSummary } },
    },
    {
      async read(trx) {
        const { at, rows } = await sumOpen(trx)
        return { status: 200, body: summaryView(at, rows) }
      },
    },
  )
}

function getOperation(): Operation {
  return expandableOperation(
    {
      id: 'getReconException',
      method: 'get',
      path: '/recon/exceptions/{id}',
      tag,
      summary: 'One exception, field by field',
      permission: 'recon.read',
      params,
      answers: { 200: { what: 'As it is now.', body: expand.plain } },
      expand,
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: await viewOf(trx, id) }
      },
    },
  )
}
