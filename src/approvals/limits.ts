/** How much somebody may post by hand without another's consent. */
import { z } from 'zod'
import type { Trx } from '../base/db.ts'
import type { DraftLine } from '../ledger/core/entry.ts'

export interface ApprovalLimit {
  currency: string
  /** Minor units of the debits of one entry. */
  amount: bigint
}

/** What an entry has above its currency's limit. */
export interface OverLimit {
  currency: string
  /** The entry's debits, minor units. */
  amount: bigint
  limit: bigint
}

/** The organisation's limits by currency; a currency that is not there has none. */
export async function readLimits(trx: Trx): Promise<ApprovalLimit[]> {
  return await trx.query<ApprovalLimit>(
    'select currency, amount from approval_limits where org_id = $1 order by currency',
    [trx.scope],
  )
}

/** The first currency in which these lines debit more than may be posted alone; null for none. */
export function overLimit(
  lines: readonly DraftLine[],
  limits: readonly ApprovalLimit[],
): OverLimit | null {
  for (const { currency, amount: limit } of limits) {
    const amount = lines
      .filter((line) => line.direction === 'debit' && line.currency === currency)
      .reduce((sum, line) => sum + line.amount, 0n)
    if (amount > limit) {
      return { currency, amount, limit }
    }
  }
  return null
}

const kept = z.array(
  z.object({ currency: z.string(), amount: z.union([z.string(), z.int()]).transform(BigInt) }),
)

/** Limits as a proposal keeps them. */
export function limitsOf(json: unknown): ApprovalLimit[] {
  return kept.parse(json)
}

/** True where both are the same limits, in whatever order. */
export function areSameLimits(
  one: readonly ApprovalLimit[],
  other: readonly ApprovalLimit[],
): boolean {
  const textOf = (all: readonly ApprovalLimit[]) =>
    all
      .map(({ currency, amount }) => `${currency} ${amount}`)
      .sort()
      .join()
  return textOf(one) === textOf(other)
}

/**
 * The first currency in which more could be posted alone under the new limits than under those that
 * stand, and how much; null for no end. Undefined where they are as strict, or stricter.
 */
export function loosened(
  stand: readonly ApprovalLimit[],
  fresh: readonly ApprovalLimit[],
): { currency: string; limit: bigint; amount: bigint | null } | undefined {
  return stand
    .map(({ currency, amount: limit }) => {
      const amount = fresh.find((one) => one.currency === currency)?.amount ?? null
      return { currency, limit, amount }
    })
    .find(({ limit, amount }) => amount === null || amount > limit)
}

/** Sets the limits to these and no others; the database asks two people for looser ones. */
export async function setLimits(trx: Trx, limits: readonly ApprovalLimit[]): Promise<void> {
  const currencies = limits.map((one) => one.currency)
  await trx.query('delete from approval_limits where org_id = $1 and currency <> all($2)', [
    trx.scope,
    currencies,
  ])
  await trx.query(
    `insert into approval_limits (org_id, currency, amount)
     select $1, w.currency, w.amount from unnest($2::text[], $3::bigint[]) as w (currency, amount)
     on conflict (org_id, currency) do update set amount = excluded.amount`,
    [trx.scope, currencies, limits.map((one) => one.amount)],
  )
}
