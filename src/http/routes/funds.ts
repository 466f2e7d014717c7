/** /v1/funds and /v1/tax-approvals: what is given to, and the approvals that receipts cite. */
import { z } from 'zod'
import { addFund, changeFund, findFund, listFunds, type Fund } from '../../organisations/funds.ts'
import {
  addApproval,
  DEDUCTIONS,
  listApprovals,
  type TaxApproval,
} from '../../organisations/tax-approvals.ts'
import { day, instant, pageOf } from '../answers.ts'
import { limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { approvalOf, fundId, newApproval, newFund } from '../organisation-input.ts'

const fund = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    state: z.enum(['open', 'closed']),
    created_at: instant,
    closed_at: instant.nullable(),
  })
  .meta({ id: 'Fund' })

const changeBody = z
  .strictObject({ name: line(100).optional(), state: z.enum(['open', 'closed']).optional() })
  .refine((given) => Object.keys(given).length > 0, 'must have something to change')
  .meta({ minProperties: 1 })

const urn = z.string().regex(/^[A-Z0-9]{10,100}$/, 'must be the number of an approval')

const approval = z
  .strictObject({
    id: z.string(),
    urn: z.string().meta({ description: 'The unique registration number.' }),
    issued_on: day,
    valid_from: day,
    valid_to: day,
    deduction: z.enum(DEDUCTIONS),
  })
  .meta({ id: 'TaxApproval' })

export function fundOperations(): Operation[] {
  return [listOperation(), addOperation(), changeOperation(), ...approvalOperations()]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listFunds',
      method: 'get',
      path: '/funds',
      tag: 'Settings',
      summary: 'The funds that donations are given to',
      permission: 'settings.read',
      query: z.strictObject({ limit, starting_after: fundId.optional() }),
      answers: { 200: { what: 'By id.', body: pageOf(fund) } },
    },
    {
      async read(trx, { query }) {
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        return { status: 200, body: listOf(await listFunds(trx, page), query.limit, fundView) }
      },
    },
  )
}

function addOperation(): Operation {
  return operation(
    {
      id: 'addFund',
      method: 'post',
      path: '/funds',
      tag: 'Settings',
      summary: 'Open a fund',
      permission: 'settings.write',
      key: 'optional',
      body: newFund,
      answers: {
        200: { what: 'It was opened before, the same.', body: fund },
        201: { what: 'Opened.', body: fund },
      },
      problems: ['fund_exists', 'limit_reached'],
    },
    {
      queue: null,
      async write(trx, { body: { id, name } }) {
        const isNew = await addFund(trx, id, name)
        return { status: isNew ? 201 : 200, body: fundView(await findFund(trx, id)) }
      },
    },
  )
}

function changeOperation(): Operation {
  return operation(
    {
      id: 'changeFund',
      method: 'patch',
      path: '/funds/{id}',
      tag: 'Settings',
      summary: 'Rename a fund, close it for new donations, or open it again',
      permission: 'settings.write',
      params: z.object({ id: fundId }),
      body: changeBody,
      answers: { 200: { what: 'As it is now.', body: fund } },
    },
    {
      queue: null,
      async write(trx, { params: { id }, body: { name, state } }) {
        const before = fundView(await findFund(trx, id))
        const open = state === undefined ? undefined : state === 'open'
        return { status: 200, body: fundView(await changeFund(trx, id, { name, open })), before }
      },
    },
  )
}

function approvalOperations(): Operation[] {
  return [
    operation(
      {
        id: 'listTaxApprovals',
        method: 'get',
        path: '/tax-approvals',
        tag: 'Settings',
        summary: 'The approvals under section 80G that receipts cite',
        permission: 'settings.read',
        query: z.strictObject({ limit, starting_after: urn.optional() }),
        answers: { 200: { what: 'By number.', body: pageOf(approval) } },
      },
      {
        async read(trx, { query }) {
          const page = { limit: query.limit + 1, after: query.starting_after ?? null }
          const approvals = await listApprovals(trx, page)
          return { status: 200, body: listOf(approvals, query.limit, approvalView) }
        },
      },
    ),
    operation(
      {
        id: 'addTaxApproval',
        method: 'post',
        path: '/tax-approvals',
        tag: 'Settings',
        summary: 'Add an approval; receipts of its days cite it from now on',
        permission: 'settings.write',
        key: 'optional',
        body: newApproval,
        answers: {
          200: { what: 'It was added before, the same.', body: approval },
          201: { what: 'Added.', body: approval },
        },
        problems: ['approval_exists', 'limit_reached'],
      },
      {
        queue: null,
        async write(trx, { body }) {
          const given = approvalOf(body)
          const isNew = await addApproval(trx, given)
          return { status: isNew ? 201 : 200, body: approvalView(given) }
        },
      },
    ),
  ]
}

function fundView(one: Fund): z.input<typeof fund> {
  return {
    id: one.fund,
    name: one.name,
    state: one.closedAt === null ? 'open' : 'closed',
    created_at: one.createdAt.toISOString(),
    closed_at: one.closedAt?.toISOString() ?? null,
  }
}

function approvalView(one: TaxApproval): z.input<typeof approval> {
  return {
    id: one.urn,
    urn: one.urn,
    issued_on: one.issuedOn,
    valid_from: one.validFrom,
    valid_to: one.validTo,
    deduction: one.deduction,
  }
}
