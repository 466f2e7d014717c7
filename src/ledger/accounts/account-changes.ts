/** The one writer of accounts: opens them, changes them, and keeps who did so and why. */
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import type { AccountType, Direction } from '../core/chart.ts'
import { lastDayFrom, yearFrom } from '../core/year-end.ts'
import { firstUnclosed } from '../periods/year-ends.ts'

/** An account that is to be opened; its currency is known and nobody has its code yet. */
export interface AccountOpening {
  code: string
  name: string
  type: AccountType
  normal: Direction
  currency: string
  /** The least balance on the normal side, minor units; null for none. */
  floor: bigint | null
  metadata: Readonly<Record<string, string>>
}

/** What is to become of an account; what is left out stays. */
export interface AccountChange {
  name?: string | undefined
  /** Replaces all of it. */
  metadata?: Readonly<Record<string, string>> | undefined
  /** Closing archives: no more postings; balance and history stay readable. */
  open?: boolean | undefined
  frozen?: boolean | undefined
  /** Minor units on the normal side, 0 or below; null for none. */
  floor?: bigint | null | undefined
}

/** Who changes an account, and why: 1 to 500 characters. */
export interface ChangedBy {
  actor: string
  reason: string
}

/**
 * Opens accounts under the ids that follow; Postgres refuses a code and currency twice, and a
 * currency that is neither ISO 4217's nor the organisation's.
 */
export async function insertAccounts(
  trx: Trx,
  openings: readonly AccountOpening[],
): Promise<{ account_id: number }[]> {
  return await trx.query<{ account_id: number }>(
    `insert into accounts (org_id, account_id, code, name, type, normal, currency, floor, metadata)
     select $1, coalesce((select max(account_id) from accounts where org_id = $1), 0)
                + row_number() over (),
            n.*
       from unnest($2::text[], $3::text[], $4::text[], $5::direction[], $6::text[], $7::bigint[],
                   $8::jsonb[]) as n
     returning account_id`,
    [
      trx.scope,
      openings.map((one) => one.code),
      openings.map((one) => one.name),
      openings.map((one) => one.type),
      openings.map((one) => one.normal),
      openings.map((one) => one.currency),
      openings.map((one) => one.floor),
      openings.map((one) => JSON.stringify(one.metadata)),
    ],
  )
}

type Changeable = Required<{ [Key in keyof AccountChange]: Exclude<AccountChange[Key], undefined> }>

interface AccountState extends Changeable {
  code: string
  normal: Direction
  debits: bigint
  credits: bigint
}

/**
 * Changes an account and appends old and new values to its history; gives false where all of it was
 * so already. Posting waits meanwhile: open the transaction with `queue: 'journal'`. Throws
 * `not_found`; `account_not_empty` for closing what has a balance, or income or expenses that a
 * year's closing has still to take; `account_frozen` for closing what is frozen;
 * `balance_below_floor` for a floor above the balance; `invalid_request` for a floor above zero or
 * no reason.
 */
export async function changeAccount(
  trx: Trx,
  accountId: number,
  change: AccountChange,
  by: ChangedBy,
): Promise<boolean> {
  if (by.reason.trim() === '' || by.reason.length > 500) {
    throw new Problem('invalid_request', { detail: 'A reason has 1 to 500 characters.' })
  }
  const [before] = await trx.query<AccountState>(
    `select code, normal, debits, credits, name, metadata, open, frozen, floor
       from accounts where org_id = $1 and account_id = $2 for update`,
    [trx.scope, accountId],
  )
  if (before === undefined) {
    throw new Problem('not_found', { detail: 'There is no such account.' })
  }
  const after: Changeable = {
    name: change.name ?? before.name,
    metadata: change.metadata ?? before.metadata,
    open: change.open ?? before.open,
    frozen: change.frozen ?? before.frozen,
    floor: change.floor === undefined ? before.floor : change.floor,
  }
  const changed = differences(before, after)
  if (changed.length === 0) {
    return false
  }
  assertChangeable(before, after)
  if (before.open && !after.open) {
    await assertYearsClosed(trx, accountId, before)
  }
  await trx.query(
    `update accounts set name = $3, metadata = $4, open = $5, frozen = $6, floor = $7
      where org_id = $1 and account_id = $2`,
    [
      trx.scope,
      accountId,
      after.name,
      JSON.stringify(after.metadata),
      after.open,
      after.frozen,
      after.floor,
    ],
  )
  await appendChange(trx, accountId, Object.fromEntries(changed), by)
  return true
}

/** Old and new value of a column; a floor is text, because JSON cannot hold each bigint. */
interface OldAndNew {
  old: unknown
  new: unknown
}

const COLUMNS = ['name', 'metadata', 'open', 'frozen', 'floor'] as const

function differences(before: Changeable, after: Changeable): [string, OldAndNew][] {
  return COLUMNS.flatMap((column): [string, OldAndNew][] => {
    const [old, fresh] = [plain(before[column]), plain(after[column])]
    return canonical(old) === canonical(fresh) ? [] : [[column, { old, new: fresh }]]
  })
}

function plain(value: Changeable[keyof Changeable]): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

/** Equal texts for equal values, in whatever order the keys of metadata are. */
export function canonical(value: unknown): string {
  const isMap = typeof value === 'object' && value !== null
  return JSON.stringify(
    isMap ? Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)) : value,
  )
}

function assertChangeable(before: AccountState, after: Changeable): void {
  const { code, normal, debits, credits } = before
  const balance = normal === 'debit' ? debits - credits : credits - debits
  if (before.open && !after.open) {
    if (after.frozen) {
      const detail = `Account ${code} is frozen; unfreeze it before it is closed.`
      throw new Problem('account_frozen', { detail, moved: 'no' })
    }
    if (balance !== 0n) {
      const detail = `Account ${code} stands at ${balance}; bring it to 0, then close it.`
      throw new Problem('account_not_empty', { detail, moved: 'no' })
    }
  }
  if (after.floor !== null && after.floor !== before.floor) {
    assertFloor(after.floor)
    if (balance < after.floor) {
      const detail = `Account ${code} stands at ${balance}, below a floor of ${after.floor}.`
      throw new Problem('balance_below_floor', { detail, moved: 'no' })
    }
  }
}

/** A year's closing posts on 31 March, to an account that has to take it then. */
async function assertYearsClosed(trx: Trx, accountId: number, before: AccountState): Promise<void> {
  const unclosed = await firstUnclosed(trx, { accountId })
  if (unclosed !== null) {
    const { start, net } = unclosed
    const detail =
      `Account ${before.code} stood at ${before.normal === 'debit' ? net : -net} on ` +
      `${lastDayFrom(start)}; close the year ${yearFrom(start)} and bring it to 0, then close it.`
    throw new Problem('account_not_empty', { detail, moved: 'no' })
  }
}

/** Throws `invalid_request` for a floor above zero: most often a credit limit without its minus. */
export function assertFloor(floor: bigint | null): void {
  if (floor !== null && floor > 0n) {
    const detail = 'A floor is 0, or below 0 for a credit line.'
    throw new Problem('invalid_request', { detail, moved: 'no' })
  }
}

/** Appends to an account's history; its row is held by this transaction. */
export async function appendChange(
  trx: Trx,
  accountId: number,
  change: Readonly<Record<string, OldAndNew>>,
  by: ChangedBy,
): Promise<void> {
  await trx.query(
    `insert into account_changes (org_id, account_id, change_no, actor, reason, change)
     select $1, $2, coalesce(max(change_no), 0) + 1, $3, $4, $5
       from account_changes where org_id = $1 and account_id = $2`,
    [trx.scope, accountId, by.actor, by.reason, JSON.stringify(change)],
  )
}
