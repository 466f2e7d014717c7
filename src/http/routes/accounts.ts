/** GET /v1/accounts and each account's statement. */
import { Router, type Request, type Response } from 'express'
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import { minorToJson } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { findAccount, listAccounts, type AccountView } from '../../ledger/accounts.ts'
import { statement } from '../../ledger/balances.ts'
import { allow, principalOf } from '../auth.ts'
import { idOf, isoDate, limit, numberedId, queryOf } from '../input.ts'
import { listOf } from '../list.ts'

const listQuery = z.strictObject({ limit, starting_after: numberedId('acc').optional() })

const statementQuery = z.strictObject({
  limit,
  from: isoDate.default('1970-01-01'),
  to: isoDate.optional(),
  starting_after: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}\.\d{1,18}\.\d{1,4}$/, 'must be a cursor from this statement')
    .optional(),
})

export function accountRoutes(parts: Parts): Router {
  const routes = Router()
  const readers = allow('finance', 'auditor', 'admin')

  routes.get('/accounts', readers, async (request, response) => {
    const asked = queryOf(request, listQuery)
    const after = asked.starting_after === undefined ? null : Number(asked.starting_after)
    const accounts = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await listAccounts(trx, { limit: asked.limit + 1, after }),
    )
    response.json(listOf(accounts, asked.limit, accountView))
  })

  routes.get('/accounts/:id/statement', readers, async (request, response) => {
    await sendStatement(parts, request, response)
  })
  return routes
}

async function sendStatement(parts: Parts, request: Request, response: Response): Promise<void> {
  const accountId = Number(idOf(request.params['id'], 'acc'))
  const asked = queryOf(request, statementQuery)
  const to = asked.to ?? indianDate(new Date())
  if (to < asked.from) {
    throw new Problem('invalid_request', { detail: '"to" is before "from".' })
  }
  const found = await parts.db.read(principalOf(request).orgId, async (trx) => {
    const account = await findAccount(trx, accountId)
    return account === undefined
      ? undefined
      : {
          account,
          page: await statement(trx, {
            accountId,
            normal: account.normal,
            from: asked.from,
            to,
            limit: asked.limit + 1,
            after: cursorOf(asked.starting_after),
          }),
        }
  })
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such account.' })
  }
  response.json({
    account: accountView(found.account),
    from: asked.from,
    to,
    opening_balance: minorToJson(found.page.opening),
    closing_balance: minorToJson(found.page.closing),
    ...listOf(found.page.lines, asked.limit, (line) => ({
      cursor: `${line.effective_on}.${line.entry_no}.${line.line_no}`,
      journal_entry: `je_${line.entry_no}`,
      effective_on: line.effective_on,
      posted_at: line.posted_at,
      kind: line.kind,
      description: line.description,
      direction: line.direction,
      amount: minorToJson(line.amount),
      balance: minorToJson(line.balance),
    })),
  })
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

function accountView(account: AccountView): object {
  return {
    id: `acc_${account.account_id}`,
    code: account.code,
    name: account.name,
    type: account.type,
    normal_balance: account.normal,
    currency: account.currency,
    state: account.open ? 'open' : 'closed',
    floor: account.floor === null ? null : minorToJson(account.floor),
    balance: minorToJson(account.balance),
  }
}
