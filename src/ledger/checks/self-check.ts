/**
 * The continuous self-check: derives each organisation's books anew, a slice a run, for ever.
 *
 * A run costs the same however large the books are: it takes the next entries and the next accounts
 * (of a large account, the next postings) in one read-only snapshot. A round goes once through all
 * entries and accounts that were there when it began, and proves of them that
 * - each entry is there, balances in each currency, and its header and its postings are what its
 *   fingerprint was made of; hash and number continue those of the entry before; the head of the
 *   journal is the newest entry, with nothing behind it;
 * - in each account and effective day the running balance of the day goes from 0, posting by
 *   posting along the index, and the day's stored sums are those of its postings;
 * - the days' postings are all that the account's row counts: debits, credits, number;
 * - balance and version after each posting lead, in some order, from nothing to the sum of all;
 * - no posting and no day belongs to no account; debits and credits of all accounts are equal.
 * Any single value of journal_entries, postings, balance_days or accounts that is changed behind
 * the ledger's back is found in one round, settings of accounts (name, floor, state) apart. What is
 * posted meanwhile is left to the next round: entries never change, so that "up to that entry"
 * means the same in every snapshot.
 *
 * What differs is read a second time with the writers held off before it is believed. An account
 * that does not agree is frozen. Where only the chain does not agree nothing is frozen: balances
 * are still proved by the postings, an entry names several accounts of which none is known to be
 * wrong, and to stop all of them would let whoever can spoil one byte stop an organisation's money.
 */
import type { Database, Trx } from '../../base/db.ts'
import type { Difference } from './account-walk.ts'
import { changeAccount } from '../accounts/account-changes.ts'
import { checkBalances, type Slice } from './self-check-balances.ts'
import { checkEntries, readHead } from './self-check-entries.ts'
import { checkTrialBalance } from './self-check-rest.ts'
import {
  claimRun,
  keepFindings,
  newsAmong,
  saveRun,
  type RoundPosition,
} from './self-check-state.ts'

/** About 100 ms, most of it spent waiting for Postgres: requests are answered in between. */
const SLICE: Slice = { entries: 1000, accounts: 250, days: 500, postings: 2500 }

const ACTOR = 'job:self-check'

export interface SelfCheckRun {
  isRoundDone: boolean
  /** How many things do not agree in this slice, known ones too. */
  differences: number
  /** Those of them that were not known. */
  news: Difference[]
}

/**
 * Runs the organisation's next slice, if one is due; null if not. New differences are kept, and the
 * accounts that they are tied to are frozen.
 */
export async function selfCheck(
  db: Database,
  orgId: number,
  slice = SLICE,
): Promise<SelfCheckRun | null> {
  const claim = await claimRun(db, orgId)
  if (claim === null) {
    return null
  }
  const look = async (trx: Trx): Promise<Looked> => {
    const checked = await checkSlice(trx, claim.position, slice)
    return { ...checked, news: await newsAmong(trx, checked.differences) }
  }
  const save = async (trx: Trx, looked: Looked): Promise<SelfCheckRun> => {
    const { position, isRoundDone, differences, news } = looked
    await saveRun(trx, claim, { position, isRoundDone, differences: differences.length })
    return { isRoundDone, differences: differences.length, news }
  }
  const looked = await db.read(orgId, look)
  if (looked.news.length === 0) {
    return await db.transact(orgId, async (trx) => await save(trx, looked), {
      isolation: 'read committed',
    })
  }
  return await db.transact(
    orgId,
    async (trx) => {
      const again = await look(trx)
      await believe(trx, again.news)
      return await save(trx, again)
    },
    { queue: 'journal' },
  )
}

interface Checked {
  position: RoundPosition
  isRoundDone: boolean
  differences: Difference[]
}

type Looked = Checked & { news: Difference[] }

async function checkSlice(trx: Trx, from: RoundPosition | null, slice: Slice): Promise<Checked> {
  await readByKey(trx)
  const journal = await readHead(trx)
  if (journal === null) {
    throw new Error(`organisation ${trx.scope} has no journal`)
  }
  const { head } = journal
  const start = from ?? (await beginRound(trx, head.entryNo))
  const entries = await checkEntries(trx, start, head, slice)
  const balances = await checkBalances(trx, start, slice, head.entryNo)
  const differences = [...entries.differences, ...balances.differences]
  const position = { ...start, ...balances.position, nextEntryNo: entries.nextEntryNo }
  const isRoundDone =
    position.nextEntryNo > position.throughEntryNo &&
    position.nextAccountId > position.throughAccountId &&
    position.walk === null
  if (isRoundDone) {
    differences.push(...journal.differences, ...(await checkTrialBalance(trx)))
  }
  return { position, isRoundDone, differences }
}

/** Slices are bounded by their keys; a planner without statistics would read whole tables. */
async function readByKey(trx: Trx): Promise<void> {
  const settings = ['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin']
  const off = settings.map((name) => `set_config('enable_${name}', 'off', true)`)
  await trx.query(`select ${off.join(', ')}`)
}

async function beginRound(trx: Trx, throughEntryNo: bigint): Promise<RoundPosition> {
  const [row] = await trx.query<{ last: number }>(
    'select coalesce(max(account_id), 0) as last from accounts where org_id = $1',
    [trx.scope],
  )
  const throughAccountId = row?.last ?? 0
  return { nextEntryNo: 1n, throughEntryNo, nextAccountId: 1, throughAccountId, walk: null }
}

async function believe(trx: Trx, news: readonly Difference[]): Promise<void> {
  if (news.length === 0) {
    return
  }
  await keepFindings(trx, news)
  const byAccount = Map.groupBy(news, ({ accountId }) => accountId)
  for (const [accountId, differences] of byAccount) {
    if (accountId !== null) {
      const details = differences.map(({ detail }) => detail).join('; ')
      const reason = `Self-check: ${details}`.slice(0, 500)
      await changeAccount(trx, accountId, { frozen: true }, { actor: ACTOR, reason })
    }
  }
}
