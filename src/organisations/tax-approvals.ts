/** Approvals under section 80G (354 of the 2025 Act): a receipt cites the one of its day. */
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { withinCap } from './cap.ts'
import type { Page } from './funds.ts'

export const DEDUCTIONS = [
  '100_NO_LIMIT',
  '50_NO_LIMIT',
  '100_WITH_LIMIT',
  '50_WITH_LIMIT',
] as const

export interface TaxApproval {
  /** The unique registration number. */
  urn: string
  issuedOn: string
  validFrom: string
  validTo: string
  deduction: (typeof DEDUCTIONS)[number]
}

const COLUMNS = `urn, issued_on as "issuedOn", valid_from as "validFrom", valid_to as "validTo",
  deduction`

export async function listApprovals(trx: Trx, page: Page): Promise<TaxApproval[]> {
  return await trx.query<TaxApproval>(
    `select ${COLUMNS} from tax_approvals
      where org_id = $1 and ($2::text is null or urn collate "C" > $2)
      order by urn collate "C" limit $3`,
    [trx.scope, page.after, page.limit],
  )
}

/**
 * Adds an approval, for good. False where it is there already, the same; throws `approval_exists`
 * where another one has that number.
 */
export async function addApproval(trx: Trx, approval: TaxApproval): Promise<boolean> {
  const { urn, issuedOn, validFrom, validTo, deduction } = approval
  const [added] = await withinCap(
    trx.query(
      `insert into tax_approvals (org_id, urn, issued_on, valid_from, valid_to, deduction)
       values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning urn`,
      [trx.scope, urn, issuedOn, validFrom, validTo, deduction],
    ),
    'An organisation has at most 100 tax approvals.',
  )
  if (added !== undefined) {
    return true
  }
  const [same] = await trx.query(
    `select 1 from tax_approvals
      where org_id = $1 and urn = $2 and issued_on = $3 and valid_from = $4 and valid_to = $5
        and deduction = $6`,
    [trx.scope, urn, issuedOn, validFrom, validTo, deduction],
  )
  if (same === undefined) {
    const detail = `There is an approval ${urn} with other dates or another deduction.`
    throw new Problem('approval_exists', { detail })
  }
  return false
}
