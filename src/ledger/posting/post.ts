/** Posts drafts to the journal: checks each against the books, then writes them at once. */
import { sha256 } from '../../base/crypto.ts'
import type { Trx } from '../../base/db.ts'
import { postingSeconds } from '../../base/metrics.ts'
import { MAX_MINOR } from '../../base/money.ts'
import { Problem, type ProblemCode } from '../../base/problem.ts'
import { together } from '../../base/together.ts'
import { loadAccounts, keyOf, type LedgerAccount } from '../accounts/accounts.ts'
import { assertExplained } from '../core/difference-rules.ts'
import { assertPostable, encodeDraft, type Draft, type DraftLine } from '../core/entry.ts'
import { readCorrected, readPosted, type Corrected, type Posted } from './posted.ts'
import { readRestricted, refusalByPeriod, type RestrictedPeriod } from '../periods/periods.ts'
import { countPosted, writeStatement, type Sound, type Written } from './write.ts'

export type PostResult =
  | { status: 'posted'; entryNo: bigint }
  /** The same key with the same content was posted before: this is that entry. */
  | { status: 'existing'; entryNo: bigint }
  /** Nothing was posted for this draft; the others go through. */
  | { status: 'refused'; problem: Problem }

export const DRAFTS_MAX = 1000

export interface PostOptions {
  /** Refuses all of them where one is refused. */
  atomic?: boolean
  /**
   * For each draft the places of those before it that it needs: where one of them is refused, it is
   * refused as well, with the same problem.
   */
  needs?: readonly (readonly number[])[]
}

/** The draft with its fingerprint. Throws a problem (moved: no) where no books could take it. */
export function soundOf(draft: Draft): Sound {
  assertPostable(draft)
  assertExplained(draft)
  return { draft, fingerprint: sha256(encodeDraft(draft)) }
}

/**
 * Posts up to 1,000 drafts of the transaction's organisation, in order, each for itself: a draft
 * that may not be posted is refused with a problem and the others go through. The transaction must
 * be SERIALIZABLE; it waits least when opened with `queue: 'journal'`. Entries are numbered without
 * a gap and hash-chained. Throws `invalid_entry` for too many drafts; a database error ends all.
 */
export async function post(
  trx: Trx,
  drafts: readonly Draft[],
  options: PostOptions = {},
): Promise<PostResult[]> {
  if (trx.scope === 'all') {
    throw new Error('posting needs the transaction of one organisation')
  }
  if (drafts.length > DRAFTS_MAX) {
    throw new Problem('invalid_entry', {
      detail: `At most ${DRAFTS_MAX} entries are posted at once, not ${drafts.length}.`,
      moved: 'no',
    })
  }
  const stopClock = postingSeconds.startTimer()
  const checked = drafts.map(soundOrProblem)
  const sound = checked.filter((one): one is Sound => !(one instanceof Problem))
  const books = await readBooks(
    trx,
    sound.map(({ draft }) => draft),
  )
  const decisions: Decision[] = []
  for (const [place, one] of checked.entries()) {
    const needed = (options.needs?.[place] ?? []).map((before) => decisions[before])
    const refused = [one, ...needed].find((other) => other instanceof Problem)
    decisions.push(one instanceof Problem ? one : (refused ?? decide(one, books)))
  }
  const isRefused = decisions.some((one) => one instanceof Problem)
  const taken = options.atomic === true && isRefused ? [] : books.taken
  const written = await write(trx, trx.scope, taken, books)
  stopClock()
  return decisions.map((decision) => resultOf(decision, written, isRefused && options.atomic))
}

async function write(
  trx: Trx,
  orgId: number,
  taken: readonly Sound[],
  books: Books,
): Promise<Written | null> {
  if (taken.length === 0) {
    return null
  }
  const statement = writeStatement(orgId, taken, (key) => books.accounts.get(key)?.accountId)
  if (statement === null) {
    throw new Error('an account was there a moment ago')
  }
  const [written] = await trx.query<Written>(statement.sql, statement.params)
  countPosted(taken)
  return written ?? null
}

function soundOrProblem(draft: Draft): Sound | Problem {
  try {
    return soundOf(draft)
  } catch (error) {
    if (error instanceof Problem) {
      return error
    }
    throw error
  }
}

interface Books {
  known: Map<string, Posted | { place: number; fingerprint: Buffer }>
  corrected: Map<bigint, Corrected>
  accounts: ReadonlyMap<string, LedgerAccount>
  restricted: readonly RestrictedPeriod[]
  /** What will be written, in this order. */
  taken: Sound[]
}

async function readBooks(trx: Trx, drafts: readonly Draft[]): Promise<Books> {
  const lines = drafts.flatMap((draft) => draft.lines)
  const [known, corrected, accounts, restricted] = await together([
    readPosted(trx, drafts),
    readCorrected(trx, drafts),
    loadAccounts(trx, lines),
    readRestricted(trx),
  ])
  return { known, corrected, accounts, restricted, taken: [] }
}

/** What is to be done with a draft: it is the n-th to be written, was posted before, or neither. */
type Decision = { place: number; isNew: boolean } | { entryNo: bigint } | Problem

/** Checks one draft against the books as the drafts before it leave them. */
function decide(one: Sound, books: Books): Decision {
  const { draft, fingerprint } = one
  const before = books.known.get(draft.idempotencyKey)
  if (before !== undefined) {
    if (!before.fingerprint.equals(fingerprint)) {
      const detail = `Key "${draft.idempotencyKey}" posted other content.`
      return refusal('idempotency_conflict', detail)
    }
    return 'place' in before ? { place: before.place, isNew: false } : { entryNo: before.entryNo }
  }
  const problem =
    refusalByCorrected(draft, books.corrected) ??
    refusalByPeriod(draft, books.restricted) ??
    applyLines(draft.lines, books.accounts)
  if (problem !== null) {
    return problem
  }
  const reversed = draft.reverses === null ? undefined : books.corrected.get(draft.reverses)
  if (reversed !== undefined) {
    reversed.isReversed = true
  }
  const place = books.taken.push(one)
  books.known.set(draft.idempotencyKey, { place, fingerprint })
  return { place, isNew: true }
}

function resultOf(
  decision: Decision,
  written: Written | null,
  isAllRefused: boolean | undefined,
): PostResult {
  if (decision instanceof Problem) {
    return { status: 'refused', problem: decision }
  }
  if ('entryNo' in decision) {
    return { status: 'existing', entryNo: decision.entryNo }
  }
  if (isAllRefused === true) {
    const detail = 'Another entry of the batch was refused, so that none was posted.'
    return { status: 'refused', problem: refusal('batch_refused', detail) }
  }
  if (written === null) {
    throw new Error('a draft was taken and not written')
  }
  const entryNo = written.first_no + BigInt(decision.place - 1)
  return { status: decision.isNew ? 'posted' : 'existing', entryNo }
}

function refusalByCorrected(
  draft: Draft,
  corrected: ReadonlyMap<bigint, Corrected>,
): Problem | null {
  if (draft.adjusts !== null && !corrected.has(draft.adjusts)) {
    return refusal('not_reversible', `Entry ${draft.adjusts} is not there to be adjusted.`)
  }
  if (draft.reverses === null) {
    return null
  }
  const target = corrected.get(draft.reverses)
  if (target === undefined || target.isReversed) {
    const detail = `Entry ${draft.reverses} is not there or reversed already.`
    return refusal('not_reversible', detail)
  }
  const isOpposite =
    target.lines.length === draft.lines.length &&
    target.lines.every((line, index) => {
      const other = draft.lines[index]
      return (
        other !== undefined &&
        line.account === other.account &&
        line.currency === other.currency &&
        line.amount === other.amount &&
        line.direction !== other.direction
      )
    })
  return isOpposite
    ? null
    : refusal('not_reversible', `The draft is not the exact opposite of entry ${draft.reverses}.`)
}

/** What a caller is told of an account that is not there. */
export function noAccount({ account, currency }: { account: string; currency: string }): string {
  return `There is no account ${account} in ${currency}: open it first, with POST /v1/accounts.`
}

/** Moves the balances in hand where every account can bear it; a problem where one cannot. */
function applyLines(
  lines: readonly DraftLine[],
  accounts: ReadonlyMap<string, LedgerAccount>,
): Problem | null {
  const touched = new Map<LedgerAccount, { debits: bigint; credits: bigint }>()
  for (const line of lines) {
    const account = accounts.get(keyOf(line.account, line.currency))
    if (account === undefined) {
      return refusal('unknown_account', noAccount(line))
    }
    if (!account.open || account.frozen) {
      const why = account.open
        ? 'is frozen, because its stored balance does not agree with its postings'
        : 'is closed'
      return refusal(
        account.open ? 'account_frozen' : 'account_closed',
        `Account ${line.account} ${why}.`,
      )
    }
    const sums = touched.get(account) ?? { debits: account.debits, credits: account.credits }
    const side = line.direction === 'debit' ? 'debits' : 'credits'
    sums[side] += line.amount
    if (sums[side] > MAX_MINOR) {
      return refusal('invalid_entry', `Account ${line.account} cannot count that far.`)
    }
    touched.set(account, sums)
  }
  for (const [account, { debits, credits }] of touched) {
    const balance = account.normal === 'debit' ? debits - credits : credits - debits
    if (account.floor !== null && balance < account.floor) {
      return refusal(
        'balance_below_floor',
        `Account ${account.code} would stand at ${balance}, below its floor of ${account.floor}.`,
      )
    }
  }
  for (const [account, sums] of touched) {
    Object.assign(account, sums)
  }
  return null
}

function refusal(code: ProblemCode, detail: string): Problem {
  return new Problem(code, { detail, moved: 'no' })
}
