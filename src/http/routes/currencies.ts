/** /v1/currencies: ISO 4217's, which need no registering, and an organisation's own. */
import { z } from 'zod'
import { exponentOf, isoCurrencies } from '../../base/money.ts'
import {
  listOwnCurrencies,
  registerCurrency,
  type OwnCurrency,
} from '../../ledger/accounts/currencies.ts'
import { pageOf } from '../answers.ts'
import { limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const code = z.string().regex(/^[A-Z][A-Z0-9]{2,11}$/, 'must be 3 to 12 capitals and digits')

const exponent = z.int().min(0, 'must be from 0 to 6').max(6, 'must be from 0 to 6')

const body = z.strictObject({ code, name: line(100), exponent })

const currency = z
  .strictObject({ code: z.string(), name: z.string(), exponent: z.int() })
  .meta({ id: 'Currency' })

export function currencyOperations(): Operation[] {
  return [
    operation(
      {
        id: 'listCurrencies',
        method: 'get',
        path: '/currencies',
        tag: 'Accounts',
        summary: 'The organisation’s own currencies: points, tokens',
        permission: 'books.read',
        query: z.strictObject({ limit, starting_after: code.optional() }),
        answers: { 200: { what: 'By code.', body: pageOf(currency) } },
      },
      {
        async read(trx, { query }) {
          const page = { limit: query.limit + 1, after: query.starting_after ?? null }
          const own = await listOwnCurrencies(trx, page)
          return { status: 200, body: listOf(own, query.limit, currencyView) }
        },
      },
    ),
    operation(
      {
        id: 'listIsoCurrencies',
        method: 'get',
        path: '/currencies/iso-4217',
        tag: 'Accounts',
        summary: 'The currencies of ISO 4217 and their minor units',
        permission: 'books.read',
        answers: {
          200: {
            what: 'All of them, on one page.',
            body: pageOf(z.strictObject({ code: z.string(), exponent: z.int() })),
          },
        },
      },
      {
        async handle() {
          const all = isoCurrencies().map((one) => ({ code: one, exponent: exponentOf(one) }))
          return { status: 200, body: { data: all, has_more: false } }
        },
      },
    ),
    operation(
      {
        id: 'registerCurrency',
        method: 'post',
        path: '/currencies',
        tag: 'Accounts',
        summary: 'Register a currency of one’s own',
        permission: 'accounts.write',
        key: 'optional',
        body,
        answers: {
          200: { what: 'It was registered before, the same.', body: currency },
          201: { what: 'Registered.', body: currency },
        },
        problems: ['currency_exists'],
      },
      {
        queue: 'journal',
        async write(trx, { body: asked, principal }) {
          const isNew = await registerCurrency(trx, asked, principal.subject)
          const view = currencyView(asked)
          return isNew ? { status: 201, body: view } : { status: 200, body: view, audited: null }
        },
      },
    ),
  ]
}

function currencyView({ code: one, name, exponent: digits }: OwnCurrency) {
  return { code: one, name, exponent: digits }
}
