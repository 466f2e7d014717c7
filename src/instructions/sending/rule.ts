/** Applies the rule for second payments, of each organisation that has switched it on. */
import { overLimit, readLimits } from '../../approvals/limits.ts'
import type { Database } from '../../base/db.ts'
import { refundSecondPayments, secondPayments } from '../second-payments.ts'

/** Where the rule is on. */
export async function organisationsWithRule(db: Database): Promise<number[]> {
  const rows = await db.statement<{ org_id: number }>(
    `select org_id from organisations where refund_duplicates_after_hours is not null
      order by org_id`,
  )
  return rows.map((row) => row.org_id)
}

/** Instructs what the rule wants of one organisation; gives how many. Safe to repeat. */
export async function applyRule(db: Database, orgId: number): Promise<number> {
  if ((await db.read(orgId, secondPayments)).length === 0) {
    return 0
  }
  return await db.transact(
    orgId,
    async (trx) => {
      const limits = await readLimits(trx)
      return await refundSecondPayments(trx, ({ amount, currency }) => {
        const account = 'liabilities:unidentified-receipts' as const
        return overLimit([{ account, direction: 'debit', amount, currency }], limits) !== null
      })
    },
    { queue: 'journal' },
  )
}
