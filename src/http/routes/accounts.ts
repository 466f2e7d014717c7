/** /v1/accounts: list, open, look up, change, close and reopen; GET /v1/account-groups. */
import { Router, type Request, type Response } from 'express'
import { z } from 'zod'
import { minorOrText } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { changeAccount } from '../../ledger/accounts/account-changes.ts'
import { listGroups, type GroupTotal } from '../../ledger/reading/account-groups.ts'
import {
  findAccount,
  listAccounts,
  listChanges,
  type AccountHistoryLine,
  type AccountView,
} from '../../ledger/accounts/accounts.ts'
import {
  groupName,
  isAccountCode,
  normalOf,
  parentOf,
  typeOfGroup,
} from '../../ledger/core/chart.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { openAccount } from '../../ledger/accounts/open-accounts.ts'
import { allow, principalOf } from '../auth.ts'
import { bodyOf, idOf, limit, numberedId, queryOf } from '../input.ts'
import { line, metadata } from '../line.ts'
import { listOf } from '../list.ts'

const group = z
  .string()
  .refine((text) => typeOfGroup(text) !== undefined, 'must be a group such as assets:clearing')

const currency = z.string().regex(/^[A-Z][A-Z0-9]{2,11}$/, 'must be a currency code such as INR')

const listQuery = z.strictObject({
  limit,
  starting_after: numberedId('acc').optional(),
  group: group.optional(),
  type: z.enum(['asset', 'liability', 'equity', 'income', 'expense']).optional(),
  currency: currency.optional(),
  state: z.enum(['open', 'closed']).optional(),
  frozen: z.enum(['true', 'false']).optional(),
})

const groupsQuery = z.strictObject({
  limit,
  within: group.optional(),
  starting_after: z
    .string()
    .regex(/^[a-z0-9:_-]{1,200}\.[A-Z0-9]{3,12}$/, 'must be a cursor from this list')
    .optional(),
})

const changesQuery = z.strictObject({
  limit,
  starting_after: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'must be the number of a change')
    .transform(Number)
    .optional(),
})

const floor = z
  .int('must be a whole number of minor units, or null')
  .max(0, 'must be 0, or below 0 for a credit line')
  .transform(BigInt)
  .nullable()

const openBody = z.strictObject({
  code: z
    .string()
    .refine(isAccountCode, 'must be a path below one of the five types, such as expenses:travel'),
  name: line(200),
  currency,
  normal: z.enum(['debit', 'credit']).optional(),
  floor: floor.optional(),
  metadata: metadata.optional(),
})

const changeBody = z
  .strictObject({
    name: line(200).optional(),
    metadata: metadata.optional(),
    state: z.enum(['open', 'closed']).optional(),
    frozen: z.literal(false, 'must be false: only the self-check freezes').optional(),
    floor: floor.optional(),
    reason: line(500),
  })
  .refine((given) => Object.keys(given).length > 1, 'must have something to change')

const readers = allow('finance', 'auditor', 'admin')
const writers = allow('finance', 'admin')

export function accountRoutes(parts: Parts): Router {
  const routes = Router()
  readingRoutes(parts, routes)

  routes.post('/accounts', writers, async (request, response) => {
    const { orgId, subject } = principalOf(request)
    const asked = bodyOf(request, openBody)
    const { account, isNew } = await inJournal(parts.db, orgId, async (trx) => {
      const opened = await openAccount(trx, asked, subject)
      return { account: await findAccount(trx, opened.accountId), isNew: opened.isNew }
    })
    response.status(isNew ? 201 : 200).json(accountView(there(account)))
  })

  routes.patch('/accounts/:id', writers, async (request, response) => {
    await sendChanged(parts, request, response)
  })
  return routes
}

function readingRoutes(parts: Parts, routes: Router): void {
  routes.get('/accounts', readers, async (request, response) => {
    const {
      limit: most,
      starting_after: after,
      state,
      frozen,
      ...where
    } = queryOf(request, listQuery)
    const page = {
      ...where,
      limit: most + 1,
      after: after === undefined ? null : Number(after),
      open: state === undefined ? undefined : state === 'open',
      frozen: frozen === undefined ? undefined : frozen === 'true',
    }
    const accounts = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await listAccounts(trx, page),
    )
    response.json(listOf(accounts, most, accountView))
  })

  routes.get('/accounts/:id', readers, async (request, response) => {
    const accountId = Number(idOf(request.params['id'], 'acc'))
    const account = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await findAccount(trx, accountId),
    )
    response.json(accountView(there(account)))
  })

  routes.get('/accounts/:id/changes', readers, async (request, response) => {
    const accountId = Number(idOf(request.params['id'], 'acc'))
    const asked = queryOf(request, changesQuery)
    const page = { limit: asked.limit + 1, before: asked.starting_after ?? null }
    const changes = await parts.db.read(principalOf(request).orgId, async (trx) => {
      there(await findAccount(trx, accountId))
      return await listChanges(trx, accountId, page)
    })
    response.json(listOf(changes, asked.limit, changeView))
  })

  routes.get('/account-groups', readers, async (request, response) => {
    const asked = queryOf(request, groupsQuery)
    const [code, of] = asked.starting_after?.split('.') ?? []
    const after = code === undefined || of === undefined ? null : { group: code, currency: of }
    const groups = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await listGroups(trx, { limit: asked.limit + 1, after, within: asked.within }),
    )
    response.json(listOf(groups, asked.limit, groupView))
  })
}

async function sendChanged(parts: Parts, request: Request, response: Response): Promise<void> {
  const { orgId, subject, role } = principalOf(request)
  const accountId = Number(idOf(request.params['id'], 'acc'))
  const { state, reason, ...asked } = bodyOf(request, changeBody)
  if (asked.frozen !== undefined && role !== 'admin') {
    throw new Problem('forbidden', { detail: `Unfreezing takes admin, not ${role}.` })
  }
  const change = { ...asked, open: state === undefined ? undefined : state === 'open' }
  // Each posting writes the account's row: who waits for its turn does not collide.
  const account = await inJournal(parts.db, orgId, async (trx) => {
    await changeAccount(trx, accountId, change, { actor: subject, reason })
    return await findAccount(trx, accountId)
  })
  response.json(accountView(there(account)))
}

function there(account: AccountView | undefined): AccountView {
  if (account === undefined) {
    throw new Problem('not_found', { detail: 'There is no such account.' })
  }
  return account
}

/** An account as every answer shows it. */
export function accountView(account: AccountView): object {
  return {
    id: `acc_${account.account_id}`,
    code: account.code,
    parent: parentOf(account.code),
    name: account.name,
    type: account.type,
    normal_balance: account.normal,
    currency: account.currency,
    state: account.open ? 'open' : 'closed',
    frozen: account.frozen,
    floor: account.floor === null ? null : minorOrText(account.floor),
    balance: minorOrText(account.balance),
    metadata: account.metadata,
    created_at: account.created_at,
  }
}

/** Floors are kept as text, because they may be larger than a JSON number holds. */
function changeView({ change, ...rest }: AccountHistoryLine): object {
  return { id: String(rest.change_no), ...rest, changes: change }
}

function groupView({ group: code, currency: of, accounts, net }: GroupTotal): object {
  const type = typeOfGroup(code)
  const normal = type === undefined ? 'debit' : normalOf(type)
  return {
    cursor: `${code}.${of}`,
    group: code,
    parent: parentOf(code),
    name: groupName(code),
    type: type ?? null,
    normal_balance: normal,
    currency: of,
    accounts,
    balance: minorOrText(normal === 'debit' ? net : -net),
  }
}
