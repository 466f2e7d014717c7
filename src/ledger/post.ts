/** Posts drafts to the journal: the only writer of entries and postings. */
import { nextHash } from '../audit/chain.ts'
import { sha256 } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { entriesPosted, postingSeconds } from '../base/metrics.ts'
import { MAX_MINOR } from '../base/money.ts'
import { Problem, type ProblemCode } from '../base/problem.ts'
import { loadAccounts, keyOf, type LedgerAccount } from './accounts.ts'
import { readHead, readPosted, readReversible, type Head, type Posted } from './posted.ts'
import { assertPostable, encodeDraft, encodeEntry, type Draft } from './core/entry.ts'

export type PostResult =
  | { status: 'posted'; entryNo: bigint }
  /** The same key with the same content was posted before: this is that entry. */
  | { status: 'existing'; entryNo: bigint }
  /** Nothing was posted for this draft; the others go through. */
  | { status: 'refused'; problem: Problem }

export const DRAFTS_MAX = 1000

/** The columns of the two tables, filled draft by draft, inserted at once. */
interface Rows {
  entries: {
    entryNo: bigint
    draft: Draft
    fingerprint: Buffer
    hash: Buffer
  }[]
  postings: {
    entryNo: bigint
    lineNo: number
    accountId: number
    direction: string
    amount: bigint
    effectiveOn: string
    balanceAfter: bigint
    accountVersion: bigint
  }[]
}

/**
 * Posts up to 1,000 drafts of the transaction's organisation, in order, each for itself: a draft
 * that may not be posted is refused with a problem and the others go through. The transaction must
 * be SERIALIZABLE; it waits least when opened with `queue: 'journal'`. Entries are numbered without
 * a gap and hash-chained. Throws `invalid_entry` for too many drafts; a database error ends all.
 */
export async function post(trx: Trx, drafts: readonly Draft[]): Promise<PostResult[]> {
  if (trx.scope === 'all') {
    throw new Error('posting needs the transaction of one organisation')
  }
  if (drafts.length > DRAFTS_MAX) {
    throw new Problem('invalid_entry', {
      detail: `At most ${DRAFTS_MAX} entries are posted at once, not ${drafts.length}.`,
      moved: 'no',
    })
  }
  if (drafts.length === 0) {
    return []
  }
  const stopClock = postingSeconds.startTimer()
  const problems = drafts.map(problemOf)
  const sound = drafts.filter((_draft, index) => problems[index] === null)
  const head = await readHead(trx)
  const known = await readPosted(trx, sound)
  const reversible = await readReversible(trx, sound)
  const accounts = await loadAccounts(
    trx,
    sound.flatMap((draft) => draft.lines),
  )
  const rows: Rows = { entries: [], postings: [] }
  const postedAt = new Date(Math.max(Date.now(), head.posted_at.getTime()))
  const results = drafts.map((draft, index): PostResult => {
    const problem = problems[index]
    if (problem !== null && problem !== undefined) {
      return { status: 'refused', problem }
    }
    return take(draft, { head, known, reversible, accounts, rows, postedAt })
  })
  if (rows.entries.length > 0) {
    await insert(trx, trx.scope, rows, postedAt)
  }
  stopClock()
  for (const { draft } of rows.entries) {
    entriesPosted.inc({ kind: draft.kind })
  }
  return results
}

function problemOf(draft: Draft): Problem | null {
  try {
    assertPostable(draft)
    return null
  } catch (error) {
    if (error instanceof Problem) {
      return error
    }
    throw error
  }
}

interface Books {
  reversible: Set<bigint>
  head: Head
  known: Map<string, Posted>
  accounts: ReadonlyMap<string, LedgerAccount>
  rows: Rows
  postedAt: Date
}

/** Checks one draft against the books as the drafts before it left them, and notes its rows. */
function take(draft: Draft, books: Books): PostResult {
  const fingerprint = sha256(encodeDraft(draft))
  const before = books.known.get(draft.idempotencyKey)
  if (before !== undefined) {
    return before.fingerprint.equals(fingerprint)
      ? { status: 'existing', entryNo: before.entryNo }
      : refused('idempotency_conflict', `Key "${draft.idempotencyKey}" posted other content.`)
  }
  if (draft.reverses !== null && !books.reversible.has(draft.reverses)) {
    return refused('invalid_entry', `Entry ${draft.reverses} is not there or reversed already.`)
  }
  const touched = new Map<LedgerAccount, bigint>()
  const sums = new Map<string, bigint>()
  for (const line of draft.lines) {
    const account = books.accounts.get(keyOf(line.account, line.currency))
    if (account === undefined) {
      return refused('unknown_account', `There is no account ${line.account} in ${line.currency}.`)
    }
    if (!account.open) {
      return refused('account_closed', `Account ${line.account} is closed.`)
    }
    const side = `${account.accountId} ${line.direction}`
    const sum =
      (sums.get(side) ?? (line.direction === 'debit' ? account.debits : account.credits)) +
      line.amount
    if (sum > MAX_MINOR) {
      return refused('invalid_entry', `Account ${line.account} cannot count that far.`)
    }
    sums.set(side, sum)
    const change = line.direction === account.normal ? line.amount : -line.amount
    touched.set(account, (touched.get(account) ?? account.balance) + change)
  }
  for (const [account, balance] of touched) {
    if (account.floor !== null && balance < account.floor) {
      return refused(
        'balance_below_floor',
        `Account ${account.code} would stand at ${balance}, below its floor of ${account.floor}.`,
      )
    }
  }
  const entryNo = books.head.entry_no + 1n
  const header = { organisation: books.head.organisation, entryNo, postedAt: books.postedAt }
  const hash = nextHash(books.head.hash, encodeEntry(header, draft))
  books.head.entry_no = entryNo
  books.head.hash = hash
  books.known.set(draft.idempotencyKey, { entryNo, fingerprint })
  books.reversible.add(entryNo)
  if (draft.reverses !== null) {
    books.reversible.delete(draft.reverses)
  }
  books.rows.entries.push({ entryNo, draft, fingerprint, hash })
  noteLines(draft, entryNo, books)
  return { status: 'posted', entryNo }
}

function noteLines(draft: Draft, entryNo: bigint, books: Books): void {
  draft.lines.forEach((line, index) => {
    const account = books.accounts.get(keyOf(line.account, line.currency))
    if (account === undefined) {
      throw new Error(`account ${line.account} was there a moment ago`)
    }
    account.balance += line.direction === account.normal ? line.amount : -line.amount
    if (line.direction === 'debit') {
      account.debits += line.amount
    } else {
      account.credits += line.amount
    }
    account.version += 1n
    books.rows.postings.push({
      entryNo,
      lineNo: index + 1,
      accountId: account.accountId,
      direction: line.direction,
      amount: line.amount,
      effectiveOn: draft.effectiveOn,
      balanceAfter: account.balance,
      accountVersion: account.version,
    })
  })
}

function refused(code: ProblemCode, detail: string): PostResult {
  return { status: 'refused', problem: new Problem(code, { detail, moved: 'no' }) }
}

/** Both tables in one statement: the triggers check entries and postings against each other. */
async function insert(trx: Trx, orgId: number, rows: Rows, postedAt: Date): Promise<void> {
  const { entries, postings } = rows
  await trx.query(
    `with header as (
       insert into journal_entries (org_id, entry_no, kind, effective_on, posted_at, lines,
         idempotency_key, fingerprint, reverses, description, source, actor, metadata, hash)
       select $1, n.entry_no, n.kind, n.effective_on, $2, n.lines, n.key, n.fingerprint,
              n.reverses, n.description, n.source, n.actor, n.metadata, n.hash
         from unnest($3::bigint[], $4::text[], $5::date[], $6::smallint[], $7::text[],
                     $8::bytea[], $9::bigint[], $10::text[], $11::text[], $12::text[],
                     $13::jsonb[], $14::bytea[])
           as n (entry_no, kind, effective_on, lines, key, fingerprint, reverses, description,
                 source, actor, metadata, hash)
     )
     insert into postings (org_id, entry_no, line_no, account_id, direction, amount, effective_on,
       balance_after, account_version)
     select $1, n.*
       from unnest($15::bigint[], $16::smallint[], $17::integer[], $18::direction[],
                   $19::bigint[], $20::date[], $21::bigint[], $22::bigint[]) as n`,
    [
      orgId,
      postedAt,
      entries.map((one) => one.entryNo),
      entries.map((one) => one.draft.kind),
      entries.map((one) => one.draft.effectiveOn),
      entries.map((one) => one.draft.lines.length),
      entries.map((one) => one.draft.idempotencyKey),
      entries.map((one) => one.fingerprint),
      entries.map((one) => one.draft.reverses),
      entries.map((one) => one.draft.description),
      entries.map((one) => one.draft.source),
      entries.map((one) => one.draft.actor),
      entries.map((one) => JSON.stringify(one.draft.metadata)),
      entries.map((one) => one.hash),
      postings.map((one) => one.entryNo),
      postings.map((one) => one.lineNo),
      postings.map((one) => one.accountId),
      postings.map((one) => one.direction),
      postings.map((one) => one.amount),
      postings.map((one) => one.effectiveOn),
      postings.map((one) => one.balanceAfter),
      postings.map((one) => one.accountVersion),
    ],
  )
}
