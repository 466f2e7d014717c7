/** /v1/accounts: list, open, look up, change, close and reopen; GET /v1/account-groups. */
import { z } from 'zod'
import { Problem } from '../../base/problem.ts'
import { changeAccount } from '../../ledger/accounts/account-changes.ts'
import { listGroups } from '../../ledger/reading/account-groups.ts'
import {
  findAccount,
  listAccounts,
  listChanges,
  type AccountView,
} from '../../ledger/accounts/accounts.ts'
import { ACCOUNT_TYPES, isAccountCode, typeOfGroup } from '../../ledger/core/chart.ts'
import { openAccount } from '../../ledger/accounts/open-accounts.ts'
import {
  account,
  accountChange,
  accountGroup,
  accountView,
  changeView,
  groupView,
} from '../account-view.ts'
import { pageOf } from '../answers.ts'
import { membersOf } from '../audited.ts'
import { CODE_PATTERN, TYPES_OF_CODES } from '../patterns.ts'
import { limit, numberedId } from '../input.ts'
import { line, metadata } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const group = z
  .string()
  .refine((text) => typeOfGroup(text) !== undefined, 'must be a group such as assets:clearing')
  .meta({ pattern: `^${TYPES_OF_CODES}(:[a-z0-9_-]{1,50}){0,3}$` })

const currency = z.string().regex(/^[A-Z][A-Z0-9]{2,11}$/, 'must be a currency code such as INR')

const listQuery = z.strictObject({
  limit,
  starting_after: numberedId('acc').optional(),
  group: group.optional(),
  type: z.enum(ACCOUNT_TYPES).optional(),
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
    .refine(isAccountCode, 'must be a path below one of the five types, such as expenses:travel')
    .meta({ pattern: `^${CODE_PATTERN}$` }),
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
  .meta({ minProperties: 2 })

const params = z.object({ id: numberedId('acc').transform(Number) })

export function accountOperations(): Operation[] {
  return [listOperation(), openOperation(), getOperation(), changeOperation(), ...moreOperations()]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listAccounts',
      method: 'get',
      path: '/accounts',
      tag: 'Accounts',
      summary: 'The chart of accounts',
      permission: 'books.read',
      query: listQuery,
      answers: { 200: { what: 'By id.', body: pageOf(account) } },
    },
    {
      async read(trx, { query }) {
        const { limit: most, starting_after: after, state, frozen, ...where } = query
        const accounts = await listAccounts(trx, {
          ...where,
          limit: most + 1,
          after: after === undefined ? null : Number(after),
          open: state === undefined ? undefined : state === 'open',
          frozen: frozen === undefined ? undefined : frozen === 'true',
        })
        return { status: 200, body: listOf(accounts, most, accountView) }
      },
    },
  )
}

function openOperation(): Operation {
  return operation(
    {
      id: 'openAccount',
      method: 'post',
      path: '/accounts',
      tag: 'Accounts',
      summary: 'Open an account',
      permission: 'accounts.write',
      key: 'optional',
      body: openBody,
      answers: {
        200: { what: 'It was opened before, the same.', body: account },
        201: { what: 'Opened.', body: account },
      },
      problems: ['account_exists', 'invalid_entry', 'unknown_currency'],
    },
    {
      queue: 'journal',
      async write(trx, { body, principal }) {
        const { accountId, isNew } = await openAccount(trx, body, principal.subject)
        const opened = there(await findAccount(trx, accountId))
        const view = accountView(opened)
        return isNew ? { status: 201, body: view } : { status: 200, body: view, audited: null }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getAccount',
      method: 'get',
      path: '/accounts/{id}',
      tag: 'Accounts',
      summary: 'One account with its balance',
      permission: 'books.read',
      params,
      answers: { 200: { what: 'The account.', body: account } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: accountView(there(await findAccount(trx, id))) }
      },
    },
  )
}

function changeOperation(): Operation {
  return operation(
    {
      id: 'changeAccount',
      method: 'patch',
      path: '/accounts/{id}',
      tag: 'Accounts',
      summary: 'Rename, close, reopen, unfreeze an account, or set its floor',
      permission: 'accounts.write',
      params,
      body: changeBody,
      answers: { 200: { what: 'As it is now.', body: account } },
      problems: ['account_not_empty', 'balance_below_floor', 'invalid_entry'],
    },
    {
      // Each posting writes the account's row: who waits for its turn does not collide.
      queue: 'journal',
      async write(trx, { params: { id }, body, principal }) {
        const { state, reason, ...asked } = body
        if (asked.frozen !== undefined && !principal.permissions.has('accounts.unfreeze')) {
          const detail = `Unfreezing takes admin, not ${principal.role}.`
          throw new Problem('forbidden', { detail })
        }
        const was = accountView(there(await findAccount(trx, id)))
        const change = { ...asked, open: state === undefined ? undefined : state === 'open' }
        await changeAccount(trx, id, change, { actor: principal.subject, reason })
        const view = accountView(there(await findAccount(trx, id)))
        return { status: 200, body: view, before: membersOf(was, body) }
      },
    },
  )
}

function moreOperations(): Operation[] {
  return [
    operation(
      {
        id: 'listAccountChanges',
        method: 'get',
        path: '/accounts/{id}/changes',
        tag: 'Accounts',
        summary: 'Who changed an account, when and why',
        permission: 'books.read',
        params,
        query: changesQuery,
        answers: { 200: { what: 'Newest first.', body: pageOf(accountChange) } },
      },
      {
        async read(trx, { params: { id }, query }) {
          there(await findAccount(trx, id))
          const page = { limit: query.limit + 1, before: query.starting_after ?? null }
          const changes = await listChanges(trx, id, page)
          return { status: 200, body: listOf(changes, query.limit, changeView) }
        },
      },
    ),
    operation(
      {
        id: 'listAccountGroups',
        method: 'get',
        path: '/account-groups',
        tag: 'Accounts',
        summary: 'The groups of the chart with their totals per currency',
        permission: 'books.read',
        query: groupsQuery,
        answers: { 200: { what: 'By group and currency.', body: pageOf(accountGroup) } },
      },
      {
        async read(trx, { query }) {
          const [code, of] = query.starting_after?.split('.') ?? []
          const after =
            code === undefined || of === undefined ? null : { group: code, currency: of }
          const page = { limit: query.limit + 1, after, within: query.within }
          return { status: 200, body: listOf(await listGroups(trx, page), query.limit, groupView) }
        },
      },
    ),
  ]
}

function there(found: AccountView | undefined): AccountView {
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such account.' })
  }
  return found
}
