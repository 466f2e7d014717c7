/** GET /v1/self-checks: how far the continuous check of the books is, and what it found. */
import { Router, type NextFunction, type Request, type Response } from 'express'
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import {
  findSelfCheck,
  noteSelfChecks,
  type FindingRow,
  type SelfCheckView,
} from '../../ledger/checks/self-check-state.ts'
import { allow, principalOf } from '../auth.ts'
import { limit, queryOf } from '../input.ts'

const query = z.strictObject({ limit })

export function selfCheckRoutes(parts: Parts): Router {
  const routes = Router()
  routes.get('/self-checks', allow('auditor', 'finance', 'admin'), async (request, response) => {
    const asked = queryOf(request, query)
    const found = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await findSelfCheck(trx, asked.limit),
    )
    response.json(selfCheckView(found))
  })
  return routes
}

/**
 * Brings the gauges of the self-check up to date before they are told: whichever process checks the
 * books, and also where none does any more. Metrics are told without Postgres too.
 */
export function freshSelfCheckGauges(parts: Parts) {
  return async (_request: Request, _response: Response, next: NextFunction): Promise<void> => {
    try {
      await noteSelfChecks(parts.db)
    } catch (error) {
      parts.log.warn({ err: error }, 'the gauges of the self-check are not up to date')
    }
    next()
  }
}

function selfCheckView(found: SelfCheckView | undefined): object {
  const entries = (found?.next_entry_no ?? 1n) - 1n
  const accounts = (found?.next_account_id ?? 1) - 1
  return {
    last_run_at: found?.checked_at ?? null,
    last_round_at: found?.round_ended_at ?? null,
    rounds: Number(found?.rounds ?? 0n),
    round: {
      state: found === undefined || found.round_started_at === null ? 'resting' : 'running',
      started_at: found?.round_started_at ?? null,
      entries: { checked: Number(entries), of: Number(found?.through_entry_no ?? 0n) },
      accounts: { checked: accounts, of: found?.through_account_id ?? 0 },
    },
    differences: found?.differences ?? 0,
    frozen_accounts: (found?.frozen ?? []).map(({ account_id: id, code, currency }) => ({
      id: `acc_${id}`,
      code,
      currency,
    })),
    findings: (found?.findings ?? []).map(findingView),
  }
}

function findingView(row: FindingRow): object {
  return {
    found_at: row.found_at,
    check: row.check_name,
    detail: row.detail,
    account: row.account_id === 0 ? null : `acc_${row.account_id}`,
    journal_entry: row.entry_no === 0n ? null : `je_${row.entry_no}`,
  }
}
