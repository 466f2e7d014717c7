/** What callers ask of the journal, each verb as one request: checked, measured, and posted. */
import type { Verb } from '../approvals/approvals.ts'
import { overLimit, readLimits, type OverLimit } from '../approvals/limits.ts'
import { indianDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { findAccount, keyOf, loadAccounts } from '../ledger/accounts/accounts.ts'
import type { DraftLine } from '../ledger/core/entry.ts'
import { withCodes } from '../ledger/posting/asked.ts'
import { adjust, reverse } from '../ledger/posting/correct.ts'
import { postExchange, type NamedAccount } from '../ledger/posting/exchanges.ts'
import { noAccount, post, type PostResult } from '../ledger/posting/post.ts'
import { draftOf, findEntry } from '../ledger/reading/entries.ts'
import { resolutionOfEntry } from '../recon/resolve/store.ts'
import {
  adjustBody,
  correctionAsked,
  draftAsked,
  entryBody,
  entryKey,
  lateReasonOf,
  linesAsked,
  reverseBody,
} from './entry-input.ts'
import { exchangeAsked, exchangeBody } from './exchange-input.ts'
import type { Principal } from './request.ts'

/** A request for an entry, as its caller made it. */
export interface EntryRequest {
  verb: Verb
  /** The entry to be corrected; null for the others. */
  entryNo: bigint | null
  /** As it was sent. */
  body: unknown
  key: string
  principal: Principal
  approvedBy?: string | undefined
}

/** Throws `forbidden` for what its caller may not ask of the journal, whoever consents. */
export function assertMayAsk({ body, principal }: EntryRequest): void {
  lateReasonOf(Object(body) as { late_reason?: string }, principal)
}

/** What the request has above the organisation's limits; null where its caller may post alone. */
export async function overLimitOf(trx: Trx, asked: EntryRequest): Promise<OverLimit | null> {
  const limits = await readLimits(trx)
  return limits.length === 0 ? null : overLimit(await debitsOf(trx, asked), limits)
}

/**
 * Throws `unknown_account` (moved: no): nobody is asked to consent to what cannot be posted, and
 * nobody who consents has to find that out.
 */
export async function assertAccountsThere(trx: Trx, asked: EntryRequest): Promise<void> {
  if (asked.verb !== 'post' && asked.verb !== 'adjust') {
    return
  }
  const [{ lines } = { lines: [] }] = await withCodes(trx, [{ lines: await debitsOf(trx, asked) }])
  const accounts = await loadAccounts(trx, lines)
  const missing = lines.find(({ account, currency }) => !accounts.has(keyOf(account, currency)))
  if (missing !== undefined) {
    throw new Problem('unknown_account', { detail: noAccount(missing), moved: 'no' })
  }
}

async function debitsOf(trx: Trx, asked: EntryRequest): Promise<readonly DraftLine[]> {
  switch (asked.verb) {
    case 'post':
      return linesAsked(entryBody.parse(asked.body).lines)
    case 'adjust':
      return linesAsked(adjustBody.parse(asked.body).lines)
    case 'reverse': {
      const entry = await findEntry(trx, numberIn(asked))
      // One that is not there is refused when it comes to posting.
      return entry === undefined ? [] : draftOf(entry).lines
    }
    case 'exchange': {
      const { from_account: from, amount } = exchangeBody.parse(asked.body)
      const currency = await currencyOf(trx, from)
      return [{ account: 'equity:trading', direction: 'debit', currency, amount }]
    }
    default:
      return asked.verb satisfies never
  }
}

async function currencyOf(trx: Trx, named: NamedAccount): Promise<string> {
  return 'accountId' in named
    ? ((await findAccount(trx, named.accountId))?.currency ?? '')
    : named.currency
}

/**
 * Posts what was asked for; the transaction is as `post` wants it. Throws and refuses what the
 * ledger does.
 */
export async function postAsked(trx: Trx, asked: EntryRequest): Promise<PostResult> {
  const { principal, key, approvedBy } = asked
  switch (asked.verb) {
    case 'post': {
      const draft = draftAsked(entryBody.parse(asked.body), key, principal, approvedBy)
      const [result] = await post(trx, await withCodes(trx, [draft]))
      if (result === undefined) {
        throw new Error('posting said nothing')
      }
      return result
    }
    case 'reverse': {
      const how = correctionAsked(reverseBody.parse(asked.body), principal, today())
      await assertNoResolution(trx, numberIn(asked))
      return await reverse(trx, numberIn(asked), { ...how, approvedBy })
    }
    case 'adjust': {
      const body = adjustBody.parse(asked.body)
      return await adjust(trx, numberIn(asked), {
        ...correctionAsked(body, principal, today()),
        approvedBy,
        idempotencyKey: entryKey(principal, 'adjust', key),
        description: body.description ?? null,
        lines: linesAsked(body.lines),
      })
    }
    case 'exchange': {
      const how = exchangeAsked(exchangeBody.parse(asked.body), key, principal)
      const { entryNo, isNew } = await postExchange(trx, { ...how, approvedBy })
      return { status: isNew ? 'posted' : 'existing', entryNo }
    }
    default:
      return asked.verb satisfies never
  }
}

/** Throws `not_reversible` (moved: no) for the entry of a resolution: that has its own way back. */
async function assertNoResolution(trx: Trx, entryNo: bigint): Promise<void> {
  const resolution = await resolutionOfEntry(trx, entryNo)
  if (resolution !== null) {
    const undo = `/v1/recon/resolutions/${resolution}/undo`
    const detail = `${resolution} posted je_${entryNo}: undo that (POST ${undo}).`
    throw new Problem('not_reversible', { detail, moved: 'no' })
  }
}

function numberIn({ verb, entryNo }: EntryRequest): bigint {
  if (entryNo === null) {
    throw new Error(`${verb} needs an entry`)
  }
  return entryNo
}

function today(): string {
  return indianDate(new Date())
}
