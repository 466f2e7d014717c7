/** The books as one export reads them: up to one entry, whatever is posted meanwhile. */
import type { IsoDate } from '../base/clock.ts'
import type { Database, Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { readExponents } from '../ledger/accounts/currencies.ts'
import type { AccountType } from '../ledger/core/chart.ts'
import { genesisOf } from '../ledger/core/link.ts'
import { knownThrough, linesThrough } from '../ledger/reading/balances.ts'

/** Entries never change, so that reading up to a number is one state, in however many steps. */
export interface Books {
  db: Database
  orgId: number
  /** Its short name. */
  organisation: string
  legalName: string
  /** The last entry that is read, 0 where there is none. */
  through: bigint
  /** That entry's hash, which commits to all before it. */
  hash: Buffer
  /** Digits behind the decimal point of each currency that an account is kept in. */
  exponents: ReadonlyMap<string, number>
  /** Rows that were written so far. */
  progress: { rows: number }
}

/** The number of the newest entry, or of the newest that was posted at that instant or before. */
export async function headOf(trx: Trx, knownAt: Date | null): Promise<bigint> {
  const [head] = await trx.query<{ entry_no: bigint }>(
    'select entry_no from journal_heads where org_id = $1',
    [trx.scope],
  )
  return (await knownThrough(trx, knownAt)) ?? head?.entry_no ?? 0n
}

/** The books up to that entry. Throws `not_found` where there is no organisation. */
export async function openBooks(db: Database, orgId: number, through: bigint): Promise<Books> {
  return await db.read(orgId, async (trx) => {
    const [found] = await trx.query<{ slug: string; legal_name: string; hash: Buffer | null }>(
      `select o.slug, o.legal_name, e.hash
         from organisations o
         left join journal_entries e on e.org_id = o.org_id and e.entry_no = $2
        where o.org_id = $1`,
      [orgId, through],
    )
    if (found === undefined) {
      throw new Problem('not_found', { detail: 'There is no such organisation.' })
    }
    const currencies = await trx.query<{ currency: string }>(
      'select distinct currency from accounts where org_id = $1',
      [orgId],
    )
    return {
      db,
      orgId,
      organisation: found.slug,
      legalName: found.legal_name,
      through,
      hash: found.hash ?? genesisOf(found.slug),
      exponents: await readExponents(
        trx,
        currencies.map(({ currency }) => currency),
      ),
      progress: { rows: 0 },
    }
  })
}

/** Digits behind the decimal point of a currency of these books. */
export function digitsOf({ exponents }: Books, currency: string): number {
  const exponent = exponents.get(currency)
  if (exponent === undefined) {
    throw new Error(`${currency} is no currency of these books`)
  }
  return exponent
}

/** An account with debits less credits, minor units. */
export interface Net {
  account_id: number
  code: string
  name: string
  type: AccountType
  currency: string
  net: bigint
}

/** What every account stood at on the evening of a day, null for the end of time. */
export async function netsAt(books: Books, day: IsoDate | null): Promise<Net[]> {
  const { db, orgId, through } = books
  const lines = await db.read(orgId, async (trx) => {
    // Where nothing was posted since, the stored sums say it at a fraction of the cost.
    const isNewest = (await headOf(trx, null)) === through
    return await linesThrough(trx, day, isNewest ? null : through)
  })
  return lines.map(({ debit, credit, ...account }) => ({ ...account, net: debit - credit }))
}

/** What moved every account from the morning of a day to the evening of another. */
export async function movements(
  books: Books,
  from: IsoDate | null,
  to: IsoDate | null,
): Promise<Net[]> {
  const after = await netsAt(books, to)
  if (from === null) {
    return after
  }
  const before = new Map((await openingNets(books, from)).map((one) => [one.account_id, one.net]))
  return after.map((one) => ({ ...one, net: one.net - (before.get(one.account_id) ?? 0n) }))
}

/** What every account stood at on the morning of a day. */
export async function openingNets(books: Books, from: IsoDate): Promise<Net[]> {
  const before = dayBefore(from)
  return before === null ? [] : await netsAt(books, before)
}

const DAY_MS = 86_400_000

/** The day before; null before the first that there is. */
function dayBefore(day: IsoDate): IsoDate | null {
  return day === '0001-01-01' ? null : new Date(Date.parse(day) - DAY_MS).toISOString().slice(0, 10)
}
