/** Razorpay's own lists by time: payments, refunds, disputes, settlements and their lines. */
import { indianDate } from '../../base/clock.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import type {
  ListCall,
  Lists,
  Page,
  SettlementLine,
  SettlementRow,
  TimeRange,
  Told,
} from '../asked.ts'
import type { CallOptions, GatewayAccount } from '../gateway.ts'
import { isObject, type JsonObject } from '../json.ts'
import { idOf, textOf } from '../text.ts'
import { getJson, toldOf, unusable } from './calls.ts'
import { chargeOf, currencyAt, idAt, instantOrNull, malformed, minorAt, wordAt } from './entity.ts'
import { toldOfPayment, toldOfRefund } from './money.ts'
import { LINE_EVENT } from './read.ts'
import { hasFee } from './settlements.ts'

const PER_PAGE = 100
const LINES_PER_PAGE = 1000
const DAY_MS = 24 * 60 * 60 * 1000

export const list: Lists = {
  payments: byTime('/v1/payments', toldOfPayment),
  refunds: byTime('/v1/refunds', (account, refund) => toldOfRefund(account, refund, false)),
  disputes: byTime('/v1/disputes', toldOfDispute),
  settlements: byTime('/v1/settlements', toldOfSettlement),
  settlementLines,
  settlementRows,
}

type Read<Item> = (account: GatewayAccount, entity: JsonObject) => Item

/**
 * A list of what was made in a range. `count` is the rows of this page, so that a full one means
 * that there may be more; a row that moves while we turn pages is told twice, which is harmless.
 */
function byTime(path: string, read: Read<Told>): ListCall<Told> {
  return async (account, range, cursor, options) => {
    const skip = skipOf(cursor)
    const query = new URLSearchParams({
      from: String(Math.floor(range.from.getTime() / 1000)),
      // Razorpay's `to` is in the range, ours is not.
      to: String(Math.ceil(range.to.getTime() / 1000) - 1),
      count: String(PER_PAGE),
      skip: String(skip),
    })
    const rows = await rowsOf(account, `${path}?${query.toString()}`, options)
    const next = rows.length < PER_PAGE ? null : String(skip + rows.length)
    return { ...readEach(account, rows, read), next }
  }
}

/**
 * The lines of the settlements of a range of days (settlements/recon/combined). The page is by the
 * day of the settlement, so that a cursor is a day and how many of its lines were seen.
 */
async function settlementLines(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<Page<SettlementLine>> {
  const { rows, next } = await reportRows(account, range, cursor, options)
  return { ...readEach(account, rows, lineOf), next }
}

async function settlementRows(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<Page<SettlementRow>> {
  const { rows, next } = await reportRows(account, range, cursor, options)
  const read = (_account: GatewayAccount, line: JsonObject) => ({ line, settlement: {} })
  return { ...readEach(account, rows, read), next }
}

async function reportRows(
  account: GatewayAccount,
  range: TimeRange,
  cursor: string | null,
  options: CallOptions,
): Promise<{ rows: unknown[]; next: string | null }> {
  const [day = '', seen = ''] = (cursor ?? `${indianDate(range.from)} 0`).split(' ')
  const skip = skipOf(seen)
  const [year = '', month = '', date = ''] = day.split('-')
  if (!/^\d{4}-\d\d-\d\d$/.test(day)) {
    throw new Problem('internal', { detail: 'This cursor is none of a list of lines.' })
  }
  const query = new URLSearchParams({
    year,
    month,
    day: date,
    count: String(LINES_PER_PAGE),
    skip: String(skip),
  })
  const path = `/v1/settlements/recon/combined?${query.toString()}`
  const rows = await rowsOf(account, path, options)
  if (rows.length >= LINES_PER_PAGE) {
    return { rows, next: `${day} ${skip + rows.length}` }
  }
  const tomorrow = indianDate(new Date(Date.parse(`${day}T12:00:00+05:30`) + DAY_MS))
  const last = indianDate(new Date(range.to.getTime() - 1))
  return { rows, next: tomorrow > last ? null : `${tomorrow} 0` }
}

async function rowsOf(
  account: GatewayAccount,
  path: string,
  options: CallOptions,
): Promise<unknown[]> {
  const answer = await getJson(account, path, options)
  const items: unknown = answer?.['items']
  if (answer?.['entity'] !== 'collection' || !Array.isArray(items)) {
    throw unusable('a list', false)
  }
  return items
}

function readEach<Item>(
  account: GatewayAccount,
  rows: readonly unknown[],
  read: Read<Item>,
): Omit<Page<Item>, 'next'> {
  const items: Item[] = []
  const unreadable: Page<Item>['unreadable'] = []
  for (const row of rows) {
    const entity = isObject(row) ? row : {}
    try {
      items.push(read(account, entity))
    } catch (error) {
      const id = textOf(entity['id']) ?? textOf(entity['entity_id'])
      unreadable.push({ id, reason: messageOf(error) })
    }
  }
  return { items, unreadable }
}

function toldOfDispute(account: GatewayAccount, dispute: JsonObject): Told {
  const status = wordAt(dispute, 'status')
  const isEnd = status === 'lost' || status === 'won' || status === 'closed'
  const event = `payment.dispute.${isEnd ? status : 'created'}`
  return toldOf(account, event, { dispute }, idAt(dispute, 'id', 'dispute'))
}

function toldOfSettlement(account: GatewayAccount, settlement: JsonObject): Told {
  const id = idAt(settlement, 'id', 'settlement')
  return toldOf(account, 'settlement.processed', { settlement }, id)
}

function lineOf(account: GatewayAccount, line: JsonObject): SettlementLine {
  const [credit, debit] = [minorAt(line, 'credit') ?? 0n, minorAt(line, 'debit') ?? 0n]
  const entityId = idAt(line, 'entity_id', 'line')
  const type = wordAt(line, 'type') ?? 'unknown'
  const amount = minorAt(line, 'amount')
  const { fee, tax } = chargeOf(line, 'fee')
  if (amount === null || (credit > 0n && debit > 0n)) {
    throw malformed(`Line ${entityId} has no amount, or both a credit and a debit.`)
  }
  const settlementId = idAt(line, 'settlement_id', 'line')
  const told = hasFee(line, type)
    ? toldOf(account, LINE_EVENT, { settlement_line: line }, entityId)
    : null
  return {
    settlementId,
    utr: wordAt(line, 'settlement_utr'),
    type,
    entityId,
    gatewayPaymentId: type === 'payment' ? entityId : (idOf(line['payment_id']) ?? null),
    gatewayDisputeId: idOf(line['dispute_id']) ?? null,
    orderRef: idOf(line['order_id']) ?? null,
    currency: currencyAt(line),
    amount,
    fee,
    tax,
    credit,
    debit,
    settledAt: instantOrNull(line['settled_at']),
    description: wordAt(line, 'description'),
    told,
  }
}

function skipOf(cursor: string | null): number {
  if (cursor !== null && !/^\d{1,9}$/.test(cursor)) {
    throw new Problem('internal', { detail: 'This cursor is none of this list.' })
  }
  return Number(cursor ?? 0)
}
