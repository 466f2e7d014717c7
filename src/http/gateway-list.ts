/** Lists of what gateways tell besides payments: by state, gateway, day and a few texts. */
import { z } from 'zod'
import { build, type Trx } from '../base/db.ts'
import type { IdPrefix } from '../base/ids.ts'
import { GATEWAY_NAMES } from '../gateways/fact.ts'
import { pageOf } from './answers.ts'
import { idOfKind, isoDate, limit } from './input.ts'
import { listOf } from './list.ts'
import { operation, type Operation } from './operation.ts'

export interface GatewayList<Row, View extends z.ZodObject> {
  /** The operation's name in the contract. */
  id: string
  path: `/${string}`
  summary: string
  table: string
  /** The column of the rows' ids, and what these begin with. */
  idColumn: string
  prefix: IdPrefix
  states: readonly [string, ...string[]]
  /** Further columns by whose exact text the list can be narrowed. */
  texts: readonly string[]
  /** Whether the rows are about a payment, so that its id is told too. */
  ofPayment: boolean
  view: View
  viewOf(row: Row): z.input<View>
}

interface Query {
  limit: number
  starting_after?: string | undefined
  state?: string | undefined
  gateway?: string | undefined
  from?: string | undefined
  to?: string | undefined
}

/** GET of a list, newest first; `from` and `to` are days in India on which it began. */
export function gatewayList<Row extends object, View extends z.ZodObject>(
  list: GatewayList<Row, View>,
): Operation {
  const texts = Object.fromEntries(list.texts.map((name) => [name, z.string().max(100).optional()]))
  return operation(
    {
      id: list.id,
      method: 'get',
      path: list.path,
      tag: 'Donations',
      summary: list.summary,
      permission: 'payments.read',
      query: z.strictObject({
        ...texts,
        limit,
        starting_after: idOfKind(list.prefix).optional(),
        state: z.enum(list.states).optional(),
        gateway: z.enum(GATEWAY_NAMES).optional(),
        from: isoDate.optional(),
        to: isoDate.optional(),
      }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(list.view) } },
    },
    {
      async read(trx, { query }) {
        const rows = await trx.run<Row>(select(trx, list, query))
        return { status: 200, body: listOf(rows, query.limit, list.viewOf) }
      },
    },
  )
}

function select<Row, View extends z.ZodObject>(
  trx: Trx,
  list: GatewayList<Row, View>,
  query: Query & Record<string, unknown>,
) {
  const id = `r.${list.idColumn}`
  const rows = build(`${list.table} as r`).where('r.org_id', trx.scope).select('r.*')
  if (list.ofPayment) {
    const payment = build('payments as p')
      .whereRaw(
        `p.org_id = r.org_id and p.gateway = r.gateway and p.account = r.account
           and p.gateway_payment_id = r.gateway_payment_id`,
      )
      .select('p.payment_id')
    rows.select(payment.as('payment_id'))
  }
  if (query.starting_after !== undefined) {
    rows.where(id, '<', query.starting_after)
  }
  for (const name of ['state', 'gateway', ...list.texts]) {
    const value = query[name]
    if (typeof value === 'string') {
      rows.where(`r.${name}`, value)
    }
  }
  if (query.from !== undefined) {
    rows.whereRaw(`r.began_at >= ?::timestamp at time zone 'Asia/Kolkata'`, [query.from])
  }
  if (query.to !== undefined) {
    rows.whereRaw(`r.began_at < (?::date + 1)::timestamp at time zone 'Asia/Kolkata'`, [query.to])
  }
  return rows.orderBy(id, 'desc').limit(query.limit + 1)
}
