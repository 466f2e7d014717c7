/** Funds that donations are given to: opened, renamed, closed and opened again. */
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { withinCap } from './cap.ts'

export interface Fund {
  fund: string
  name: string
  createdAt: Date
  /** Null while it takes donations. */
  closedAt: Date | null
}

interface Row {
  fund: string
  name: string
  created_at: Date
  closed_at: Date | null
}

export interface Page<Cursor = string> {
  limit: number
  /** The row before the page; null for the first page. */
  after: Cursor | null
}

const COLUMNS = 'fund, name, created_at, closed_at'

function fundOf({ fund, name, created_at: createdAt, closed_at: closedAt }: Row): Fund {
  return { fund, name, createdAt, closedAt }
}

export async function listFunds(trx: Trx, page: Page): Promise<Fund[]> {
  const rows = await trx.query<Row>(
    `select ${COLUMNS} from funds
      where org_id = $1 and ($2::text is null or fund > $2) order by fund limit $3`,
    [trx.scope, page.after, page.limit],
  )
  return rows.map(fundOf)
}

/** Throws `not_found` where there is none. */
export async function findFund(trx: Trx, fund: string): Promise<Fund> {
  const [row] = await trx.query<Row>(
    `select ${COLUMNS} from funds where org_id = $1 and fund = $2`,
    [trx.scope, fund],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: `There is no fund "${fund}".` })
  }
  return fundOf(row)
}

/** Opens a fund; false where it is open. Throws `fund_exists` where it has another name. */
export async function addFund(trx: Trx, fund: string, name: string): Promise<boolean> {
  const [row] = await withinCap(
    trx.query(
      `insert into funds (org_id, fund, name) values ($1, $2, $3)
       on conflict do nothing returning fund`,
      [trx.scope, fund, name],
    ),
    'An organisation has at most 1,000 funds.',
  )
  if (row === undefined && (await findFund(trx, fund)).name !== name) {
    const detail = `There is a fund "${fund}" of another name; rename it, or choose another id.`
    throw new Problem('fund_exists', { detail })
  }
  return row !== undefined
}

export interface FundChange {
  name?: string | undefined
  open?: boolean | undefined
}

/** Renames, closes or opens a fund; what was begun before it closed may still be paid. */
export async function changeFund(trx: Trx, fund: string, change: FundChange): Promise<Fund> {
  await trx.query(
    `update funds
        set name = coalesce($3, name),
            closed_at = case when $4::boolean is null then closed_at when $4 then null
                             else coalesce(closed_at, now()) end
      where org_id = $1 and fund = $2`,
    [trx.scope, fund, change.name ?? null, change.open ?? null],
  )
  return await findFund(trx, fund)
}
