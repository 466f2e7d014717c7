/** GET /v1/self-checks: how far the continuous check of the books is, and what it found. */
import type { NextFunction, Request, Response } from 'express'
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import {
  findSelfCheck,
  noteSelfChecks,
  type FindingRow,
  type SelfCheckView,
} from '../../ledger/checks/self-check-state.ts'
import { currencyCode, idText, instant } from '../answers.ts'
import { limit } from '../input.ts'
import { operation, type Operation } from '../operation.ts'

const progress = z.strictObject({ checked: z.int(), of: z.int() })

const finding = z.strictObject({
  found_at: instant,
  check: z.string(),
  detail: z.string(),
  account: idText('acc').nullable(),
  journal_entry: idText('je').nullable(),
})

const selfCheck = z
  .strictObject({
    last_run_at: instant.nullable(),
    last_round_at: instant.nullable(),
    rounds: z.int(),
    round: z.strictObject({
      state: z.enum(['resting', 'running']),
      started_at: instant.nullable(),
      entries: progress,
      accounts: progress,
    }),
    differences: z.int(),
    frozen_accounts: z.array(
      z.strictObject({ id: idText('acc'), code: z.string(), currency: currencyCode }),
    ),
    findings: z.array(finding),
  })
  .meta({ id: 'SelfCheck' })

export function selfCheckOperations(): Operation[] {
  return [
    operation(
      {
        id: 'getSelfCheck',
        method: 'get',
        path: '/self-checks',
        tag: 'Proofs',
        summary: 'How far the continuous check of the books is, and what it found',
        permission: 'books.read',
        query: z.strictObject({ limit }),
        answers: {
          200: { what: 'With the newest findings and up to as many accounts.', body: selfCheck },
        },
      },
      {
        async read(trx, { query }) {
          return { status: 200, body: selfCheckView(await findSelfCheck(trx, query.limit)) }
        },
      },
    ),
  ]
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

function selfCheckView(found: SelfCheckView | undefined): z.input<typeof selfCheck> {
  const entries = (found?.next_entry_no ?? 1n) - 1n
  const accounts = (found?.next_account_id ?? 1) - 1
  const startedAt = found?.round_started_at ?? null
  return {
    last_run_at: found?.checked_at?.toISOString() ?? null,
    last_round_at: found?.round_ended_at?.toISOString() ?? null,
    rounds: Number(found?.rounds ?? 0n),
    round: {
      state: startedAt === null ? 'resting' : 'running',
      started_at: startedAt?.toISOString() ?? null,
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

function findingView(row: FindingRow): z.input<typeof finding> {
  return {
    found_at: row.found_at.toISOString(),
    check: row.check_name,
    detail: row.detail,
    account: row.account_id === 0 ? null : `acc_${row.account_id}`,
    journal_entry: row.entry_no === 0n ? null : `je_${row.entry_no}`,
  }
}
