/** Checks that the reconciliation, the bank and the clearing accounts tell the same story. */
import type { Database } from '../base/db.ts'
import { GATEWAY_NAMES } from '../gateways/fact.ts'
import { FINDINGS_MAX, type Finding } from '../ledger/checks/finding.ts'
import { proveClearing } from './passes/clearing-proof.ts'
import { BANK_CHECKS } from './passes/verify.ts'

/**
 * What is off between matches, their entries and what stands on the clearing accounts. Each check
 * is one snapshot; an account's proof reads all that was ever told of its gateway.
 */
export async function verifyRecon(db: Database, orgId: number): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { check, sql } of BANK_CHECKS) {
    const rows = await db.read(
      orgId,
      async (trx) => await trx.query<{ detail: string }>(`${sql} limit $2`, [orgId, FINDINGS_MAX]),
    )
    findings.push(...rows.map(({ detail }) => ({ check, detail })))
  }
  return [...findings, ...(await verifyClearing(db, orgId))]
}

/** What no item explains, of each gateway and currency that the organisation has books of. */
async function verifyClearing(db: Database, orgId: number): Promise<Finding[]> {
  const accounts = await db.read(
    orgId,
    async (trx) =>
      await trx.query<{ gateway: string; currency: string }>(
        `select g.gateway, a.currency
           from unnest($2::text[]) as g (gateway)
           join accounts a on a.org_id = $1 and a.code = 'assets:clearing:' || g.gateway
          order by g.gateway, a.currency`,
        [orgId, GATEWAY_NAMES],
      ),
  )
  const findings: Finding[] = []
  for (const { gateway, currency } of accounts) {
    const proof = await db.read(
      orgId,
      async (trx) => await proveClearing(trx, { gateway, currency }),
    )
    if (proof.remainder !== 0n) {
      const detail =
        `${gateway} ${currency}: ${proof.remainder} minor units are explained by no record, ` +
        'line, settlement or entry'
      findings.push({ check: 'clearing account', detail })
    }
  }
  return findings
}
