/** Stripe's own lists by time, page by page, for whoever looks for what no webhook told. */
import type {
  ListCall,
  Lists,
  Page,
  SettlementLine,
  SettlementRow,
  TimeRange,
  Told,
} from '../asked.ts'
import { unavailable } from '../call.ts'
import type { CallOptions, GatewayAccount } from '../gateway.ts'
import { isObject, objectAt, type JsonObject } from '../json.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import { idOf, textOf } from '../text.ts'
import { idAt, movementOf, referenceIn } from './answer.ts'
import { ask, expandedIn } from './api.ts'
import { COLLECTIONS, toldOf } from './calls.ts'
import { instantOf } from './event.ts'

const PAGE = '100'

export const lists: Lists = {
  payments: listOf('charge'),
  refunds: listOf('refund'),
  disputes: listOf('dispute'),
  settlements: listOf('payout'),
  settlementLines,
  settlementRows,
}

function listOf(kind: keyof typeof COLLECTIONS): ListCall<Told> {
  const collection = COLLECTIONS[kind]
  return async (account, range, cursor, options) => {
    const query = [
      ...between('created', range),
      ['limit', PAGE],
      ...startingAfter(cursor),
      ...expandedIn(collection, 'data.'),
    ] as const
    const { rows, hasMore } = await rowsOf(account, collection, query, options)
    const told = rows.map((row) => toldOf(kind, row))
    const items = told.filter((one) => one !== undefined)
    return {
      items,
      unreadable: told
        .filter((one) => one === undefined)
        .map(() => ({ id: null, reason: `A row of ${collection} has no usable id.` })),
      next: hasMore ? (items.at(-1)?.id ?? null) : null,
    }
  }
}

/**
 * The lines of the payouts that arrive in the range, one payout after the other. Stripe itemises
 * automatic payouts only, and only when it has finished to reconcile them (docs.stripe.com/payouts/
 * reconciliation); the others are named as unreadable.
 */
async function settlementLines(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<Page<SettlementLine>> {
  const rows = await settlementRows(account, range, cursor, options)
  const page: Page<SettlementLine> = { ...rows, items: [] }
  for (const { line, settlement } of rows.items) {
    try {
      page.items.push(...lineOf(line, settlement, idOf(settlement['id']) ?? ''))
    } catch (error) {
      if (!(error instanceof Problem)) {
        throw error
      }
      page.unreadable.push({ id: idOf(line['id']) ?? null, reason: messageOf(error) })
    }
  }
  return page
}

async function settlementRows(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<Page<SettlementRow>> {
  const [before = '', current = '', after = ''] = cursor?.split('/') ?? []
  const payout =
    current === ''
      ? await nextPayout(account, range, before, options)
      : await ask(account, `payouts/${current}`, [], options)
  const id = idOf(payout?.['id'])
  if (payout === undefined || id === undefined) {
    return { items: [], unreadable: [], next: null }
  }
  const open = openReason(payout)
  if (open !== null) {
    return { items: [], unreadable: [{ id, reason: open }], next: `${id}//` }
  }
  const query = [
    ['payout', id],
    ['limit', PAGE],
    ...startingAfter(after),
    ['expand[]', 'data.source'],
  ] as const
  const { rows, hasMore } = await rowsOf(account, 'balance_transactions', query, options)
  const items = rows.map((line) => ({ line, settlement: payout }))
  const last = lastIdOf(rows)
  const next = hasMore && last !== undefined ? `${before}/${id}/${last}` : `${id}//`
  return { items, unreadable: [], next }
}

async function nextPayout(
  account: GatewayAccount,
  range: TimeRange,
  before: string,
  options: CallOptions,
): Promise<JsonObject | undefined> {
  const query = [
    ...between('arrival_date', range),
    ['status', 'paid'],
    ['limit', '1'],
    ...startingAfter(before),
  ] as const
  const { rows } = await rowsOf(account, 'payouts', query, options)
  return rows[0]
}

/** Why the lines of a payout cannot be had; null where they can. */
function openReason(payout: JsonObject): string | null {
  if (payout['automatic'] !== true) {
    return 'Stripe does not itemise a payout that was made by hand.'
  }
  return payout['reconciliation_status'] === 'completed'
    ? null
    : 'Stripe has not itemised the payout yet.'
}

/** None for the payout's own balance transaction, which is their sum. */
function lineOf(row: JsonObject, payout: JsonObject, settlementId: string): SettlementLine[] {
  const source = objectAt(row, 'source')
  const entityId = idAt(row, 'source')
  if (entityId === settlementId) {
    return []
  }
  const { id, amount, fee, tax, currency } = movementOf(row)
  const net = amount - fee
  const isOf = (kind: string): boolean => source?.['object'] === kind
  const charge = isOf('charge') ? idAt(row, 'source') : idAt(source ?? {}, 'charge')
  return [
    {
      settlementId,
      utr: textOf(objectAt(payout, 'trace_id')?.['value']),
      type: textOf(row['reporting_category'] ?? row['type']) ?? 'unknown',
      entityId: entityId ?? id,
      gatewayPaymentId: charge,
      gatewayDisputeId: isOf('dispute') ? entityId : null,
      orderRef: referenceIn(source) ?? idAt(source ?? {}, 'payment_intent'),
      currency,
      amount: amount < 0n ? -amount : amount,
      fee,
      tax,
      credit: net > 0n ? net : 0n,
      debit: net < 0n ? -net : 0n,
      settledAt: payout['arrival_date'] === undefined ? null : instantOf(payout['arrival_date']),
      description: textOf(row['description']),
      told: null,
    },
  ]
}

async function rowsOf(
  account: GatewayAccount,
  path: string,
  query: readonly (readonly [string, string])[],
  options: CallOptions,
): Promise<{ rows: JsonObject[]; hasMore: boolean }> {
  const list = await ask(account, path, query, options)
  const data: unknown = list?.['data']
  if (!Array.isArray(data) || !data.every(isObject)) {
    throw unavailable(`Stripe answered with something that is not a list of ${path}.`)
  }
  const hasMore = list?.['has_more'] === true
  if (hasMore && lastIdOf(data) === undefined) {
    throw unavailable(`Stripe says that there are more ${path}, and gives no row to go on from.`)
  }
  return { rows: data, hasMore }
}

function lastIdOf(rows: readonly JsonObject[]): string | undefined {
  return rows.map((row) => idOf(row['id'])).findLast((id) => id !== undefined)
}

/** Whole seconds: from the first of them to before the second. */
function between(name: string, { from, to }: TimeRange): [string, string][] {
  const seconds = (instant: Date): string => String(Math.ceil(instant.getTime() / 1000))
  return [
    [`${name}[gte]`, seconds(from)],
    [`${name}[lt]`, seconds(to)],
  ]
}

function startingAfter(cursor: string | null): [string, string][] {
  return cursor === null || cursor === '' ? [] : [['starting_after', cursor]]
}
