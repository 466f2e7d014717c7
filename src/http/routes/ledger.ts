/** The books, read only: journal entries, accounts, statements, trial balance. */
import { Router } from 'express'
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import { minorToJson } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { findAccount, listAccounts, type AccountView } from '../../ledger/accounts.ts'
import { statement, trialBalance } from '../../ledger/balances.ts'
import { listEntries, type PostedEntry } from '../../ledger/entries.ts'
import { allow, principalOf } from '../auth.ts'
import { isoDate, limit, numberedId, queryOf } from '../input.ts'
import { listOf } from '../list.ts'

const entriesQuery = z.strictObject({
  limit,
  starting_after: numberedId('je').optional(),
  from: isoDate.optional(),
  to: isoDate.optional(),
  kind: z.string().max(40).optional(),
})

const accountsQuery = z.strictObject({ limit, starting_after: numberedId('acc').optional() })

const statementQuery = z.strictObject({
  limit,
  from: isoDate.default('1970-01-01'),
  to: isoDate.optional(),
  starting_after: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}\.\d{1,18}\.\d{1,4}$/, 'must be a cursor from this statement')
    .optional(),
})

const trialBalanceQuery = z.strictObject({ as_of: isoDate.optional() })

export function ledgerRoutes(parts: Parts): Router {
  const routes = Router()
  const readers = allow('finance', 'auditor', 'admin')

  routes.get('/journal-entries', readers, async (request, response) => {
    const asked = queryOf(request, entriesQuery)
    const entries = await parts.db.read(
      principalOf(request).orgId,
      async (trx) =>
        await listEntries(trx, {
          before: asked.starting_after,
          from: asked.from,
          to: asked.to,
          kind: asked.kind,
          limit: asked.limit + 1,
        }),
    )
    response.json(listOf(entries, asked.limit, entryView))
  })

  routes.get('/journal-entries/:id', readers, async (request, response) => {
    const entryNo = idOf(request.params['id'], 'je')
    const [entry] = await parts.db.read(
      principalOf(request).orgId,
      async (trx) =>
        await listEntries(trx, { after: entryNo - 1n, before: entryNo + 1n, limit: 1 }),
    )
    if (entry === undefined) {
      throw new Problem('not_found', { detail: 'There is no such journal entry.' })
    }
    response.json(entryView(entry))
  })

  routes.get('/accounts', readers, async (request, response) => {
    const asked = queryOf(request, accountsQuery)
    const after = asked.starting_after === undefined ? null : Number(asked.starting_after)
    const accounts = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await listAccounts(trx, { limit: asked.limit + 1, after }),
    )
    response.json(listOf(accounts, asked.limit, accountView))
  })

  routes.get('/accounts/:id/statement', readers, async (request, response) => {
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
  })

  routes.get('/trial-balance', readers, async (request, response) => {
    const asked = queryOf(request, trialBalanceQuery)
    const balance = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await trialBalance(trx, asked.as_of ?? null),
    )
    response.json({
      as_of: asked.as_of ?? null,
      accounts: balance.lines.map((line) => ({
        id: `acc_${line.account_id}`,
        code: line.code,
        name: line.name,
        type: line.type,
        currency: line.currency,
        debit: minorToJson(line.debit),
        credit: minorToJson(line.credit),
      })),
      totals: balance.totals.map((total) => ({
        currency: total.currency,
        debit: minorToJson(total.debit),
        credit: minorToJson(total.credit),
      })),
    })
  })
  return routes
}

/** The number in a path's id; anything else names nothing. */
function idOf(text: unknown, prefix: 'je' | 'acc'): bigint {
  const read = numberedId(prefix).safeParse(text)
  const most = prefix === 'acc' ? 2_147_483_647n : 9_000_000_000_000_000_000n
  if (!read.success || read.data > most) {
    throw new Problem('not_found', { detail: `There is nothing with that id.` })
  }
  return read.data
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

function entryView(entry: PostedEntry): object {
  return {
    id: `je_${entry.entry_no}`,
    kind: entry.kind,
    effective_on: entry.effective_on,
    posted_at: entry.posted_at,
    description: entry.description,
    idempotency_key: entry.idempotency_key,
    source: entry.source,
    actor: entry.actor,
    reverses: entry.reverses === null ? null : `je_${entry.reverses}`,
    metadata: entry.metadata,
    hash: entry.hash.toString('hex'),
    postings: entry.postings.map((posting) => ({
      account: `acc_${posting.account_id}`,
      code: posting.account,
      direction: posting.direction,
      amount: minorToJson(posting.amount),
      currency: posting.currency,
      balance_after: minorToJson(posting.balance_after),
    })),
  }
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
