/** One page of a gateway's own list, its rows read as processing will read them. */
import type { Trx } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import type { Page, SettlementLine, Told } from '../../gateways/asked.ts'
import type { CallOptions, GatewayAccount } from '../../gateways/gateway.ts'
import { gateways } from '../../gateways/registry.ts'
import { loadPayments, paymentKeyOf } from '../../payments/payments.ts'
import { readRows, type Account, type ReadRow } from './compare.ts'
import type { Found } from './differences.ts'
import type { Poll } from './polls.ts'
import { PAGES_MAX, type Place } from './progress.ts'

export type PollParts = Pick<Parts, 'db' | 'keyring' | 'out' | 'bells' | 'log'>

/** Refunds of one page that are asked about one by one. */
const ASKED_MAX = 20

/** A list that does not end is begun again after so long, with a shorter window. */
const ENDLESS_SECONDS = 10 * 60

/** A page of rows that processing could read, and what is wrong with the others. */
export interface Listed {
  rows: ReadRow[]
  unreadable: Found[]
  next: string | null
  listedAt: Date
}

/** Asks the gateway for the page, and reads it. Throws what the gateway answers with. */
export async function pageAt(
  parts: PollParts,
  account: GatewayAccount,
  poll: Poll,
  place: Place,
): Promise<Listed> {
  if (poll.window_pages >= PAGES_MAX) {
    const from = place.window.from.toISOString()
    const detail = `The list has ${PAGES_MAX} pages and more from ${from} on.`
    throw new Problem('gateway_unavailable', { detail, retryAfter: ENDLESS_SECONDS })
  }
  const listedAt = new Date()
  const page = await askForPage(parts, account, poll, place)
  if (page.next !== null && page.next === place.cursor) {
    throw new Problem('gateway_unavailable', { detail: 'The list does not go on from its page.' })
  }
  const terms = await parts.db.read(poll.org_id, async (trx) => await termsOf(trx, poll))
  const { rows, unreadable } = readRows(terms, page.items)
  const named = page.unreadable.map(({ id, reason }): Found => ({
    ref: id ?? '',
    kind: 'unreadable',
    detail: reason,
  }))
  const complete = poll.list === 'refunds' ? await completed(parts, account, poll, rows) : rows
  const again = complete === rows ? { rows, unreadable: [] } : readRows(terms, told(complete))
  return {
    rows: again.rows,
    unreadable: [...named, ...unreadable, ...again.unreadable],
    next: page.next,
    listedAt,
  }
}

function told(rows: readonly ReadRow[]): Told[] {
  return rows.map((row) => row.told)
}

async function termsOf(trx: Trx, { gateway, account }: Poll): Promise<Account> {
  const [row] = await trx.query<{ upfront: boolean }>(
    `select disputes_debited_upfront as upfront from gateway_accounts
      where org_id = $1 and gateway = $2`,
    [trx.scope, gateway],
  )
  return { gateway, account, disputesDebitedUpfront: row?.upfront ?? false }
}

async function askForPage(
  { out }: PollParts,
  account: GatewayAccount,
  { org_id: orgId, gateway, list }: Poll,
  { window, cursor }: Place,
): Promise<Page<Told>> {
  const lists = gateways[gateway].list
  const errand = (operation: string) => ({ orgId, service: gateway, operation, repeatable: true })
  if (list === 'settlementLines') {
    const ask = lists?.settlementLines
    if (ask === undefined) {
      throw noSuchList(list)
    }
    const page = await out(
      errand('listSettlementLines'),
      async (options: CallOptions): Promise<Page<SettlementLine>> =>
        await ask(account, window, cursor, options),
    )
    return { ...page, items: page.items.flatMap((line) => line.told ?? []) }
  }
  const ask = lists?.[list]
  if (ask === undefined) {
    throw noSuchList(list)
  }
  const operation = `list${list.charAt(0).toUpperCase()}${list.slice(1)}`
  return await out(
    errand(operation),
    async (options: CallOptions) => await ask(account, window, cursor, options),
  )
}

function noSuchList(list: string): Problem {
  return new Problem('gateway_refused', { detail: `The gateway has no list of ${list}.` })
}

/**
 * A list of refunds does not say whether their payments were ever captured. Those of payments that
 * our books do not have as captured are asked about by themselves.
 */
async function completed(
  { db, out }: PollParts,
  account: GatewayAccount,
  poll: Poll,
  rows: readonly ReadRow[],
): Promise<readonly ReadRow[]> {
  const { org_id: orgId, gateway } = poll
  const fetchRefund = gateways[gateway].fetchRefund
  const facts = rows.flatMap((row) => row.facts)
  if (fetchRefund === undefined || facts.length === 0) {
    return rows
  }
  const payments = await db.read(orgId, async (trx) => await loadPayments(trx, facts))
  const isOdd = ({ facts: own }: ReadRow): boolean =>
    own.some(
      (fact) =>
        'gatewayPaymentId' in fact && payments.byKey.get(paymentKeyOf(fact))?.state !== 'captured',
    )
  const odd = new Set(rows.filter(isOdd).slice(0, ASKED_MAX))
  const answers: ReadRow[] = []
  for (const row of rows) {
    const errand = { orgId, service: gateway, operation: 'fetchRefund', repeatable: true }
    const fetched = odd.has(row)
      ? await out(errand, async (options) => await fetchRefund(account, row.told.id, options))
      : null
    answers.push(fetched === null ? row : { ...row, told: fetched })
  }
  return odd.size === 0 ? rows : answers
}
