/** GET /v1/accounts/:id/balance and /statement, as of a day and as known at an instant. */
import { Router, type Request, type Response } from 'express'
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { minorOrText } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { findAccount, type AccountView } from '../../ledger/accounts/accounts.ts'
import { balanceOf } from '../../ledger/reading/balances.ts'
import { statement, type StatementLine } from '../../ledger/reading/statements.ts'
import { allow, principalOf } from '../auth.ts'
import { idOf, isoDate, limit, queryOf } from '../input.ts'
import { listOf } from '../list.ts'
import { asOf, knownAt, pointOf, pointView } from '../point-in-time.ts'
import { accountView } from './accounts.ts'

const balanceQuery = z.strictObject({ as_of: asOf, known_at: knownAt })

const statementQuery = z.strictObject({
  limit,
  from: isoDate.default('1970-01-01'),
  to: isoDate.optional(),
  known_at: knownAt,
  starting_after: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}\.\d{1,18}\.\d{1,4}$/, 'must be a cursor from this statement')
    .optional(),
})

export function statementRoutes(parts: Parts): Router {
  const routes = Router()
  const readers = allow('finance', 'auditor', 'admin')
  routes.get('/accounts/:id/balance', readers, async (request, response) => {
    await sendBalance(parts, request, response)
  })
  routes.get('/accounts/:id/statement', readers, async (request, response) => {
    await sendStatement(parts, request, response)
  })
  return routes
}

async function sendBalance(parts: Parts, request: Request, response: Response): Promise<void> {
  const accountId = Number(idOf(request.params['id'], 'acc'))
  const point = pointOf(queryOf(request, balanceQuery))
  const { account, balance } = await parts.db.read(principalOf(request).orgId, async (trx) => ({
    account: await accountOf(trx, accountId),
    balance: await balanceOf(trx, accountId, point),
  }))
  response.json({
    account: `acc_${account.account_id}`,
    code: account.code,
    currency: account.currency,
    normal_balance: account.normal,
    ...pointView(point),
    balance: minorOrText(balance),
  })
}

async function sendStatement(parts: Parts, request: Request, response: Response): Promise<void> {
  const accountId = Number(idOf(request.params['id'], 'acc'))
  const asked = queryOf(request, statementQuery)
  const to = asked.to ?? indianDate(new Date())
  if (to < asked.from) {
    throw new Problem('invalid_request', { detail: '"to" is before "from".' })
  }
  const query = {
    accountId,
    from: asked.from,
    to,
    knownAt: asked.known_at ?? null,
    limit: asked.limit + 1,
    after: cursorOf(asked.starting_after),
  }
  const { account, page } = await parts.db.read(principalOf(request).orgId, async (trx) => ({
    account: await accountOf(trx, accountId),
    page: await statement(trx, query),
  }))
  response.json({
    account: accountView(account),
    from: asked.from,
    to,
    known_at: query.knownAt,
    opening_balance: minorOrText(page.opening),
    closing_balance: minorOrText(page.closing),
    ...listOf(page.lines, asked.limit, lineView),
  })
}

async function accountOf(trx: Trx, accountId: number): Promise<AccountView> {
  const account = await findAccount(trx, accountId)
  if (account === undefined) {
    throw new Problem('not_found', { detail: 'There is no such account.' })
  }
  return account
}

function lineView(line: StatementLine): object {
  return {
    cursor: `${line.effective_on}.${line.entry_no}.${line.line_no}`,
    journal_entry: `je_${line.entry_no}`,
    effective_on: line.effective_on,
    posted_at: line.posted_at,
    kind: line.kind,
    description: line.description,
    direction: line.direction,
    amount: minorOrText(line.amount),
    balance: minorOrText(line.balance),
  }
}

function cursorOf(text: string | undefined) {
  const [effectiveOn, entryNo, lineNo] = text?.split('.') ?? []
  if (effectiveOn === undefined || entryNo === undefined || lineNo === undefined) {
    return null
  }
  if (!isoDate.safeParse(effectiveOn).success || Number(lineNo) > 1000) {
    throw new Problem('invalid_request', { detail: 'starting_after is no cursor of a statement.' })
  }
  return { effectiveOn, entryNo: BigInt(entryNo), lineNo: Number(lineNo) }
}
