/** Runs a command on the real books, as a route would, and words what its caller hears. */
import { isConnectionError } from '../../src/base/database-error.ts'
import type { Database, Trx } from '../../src/base/db.ts'
import { Problem } from '../../src/base/problem.ts'
import { changeAccount } from '../../src/ledger/accounts/account-changes.ts'
import { balanceOf, trialBalance } from '../../src/ledger/reading/balances.ts'
import type { Batcher } from '../../src/ledger/posting/batcher.ts'
import type { AccountCode } from '../../src/ledger/core/chart.ts'
import { adjust, reverse } from '../../src/ledger/posting/correct.ts'
import { registerCurrency } from '../../src/ledger/accounts/currencies.ts'
import { postExchange } from '../../src/ledger/posting/exchanges.ts'
import { inJournal } from '../../src/ledger/posting/in-journal.ts'
import { openAccount } from '../../src/ledger/accounts/open-accounts.ts'
import { closePeriod, reopenPeriod } from '../../src/ledger/closing/period-changes.ts'
import { post, type PostResult } from '../../src/ledger/posting/post.ts'
import { statement } from '../../src/ledger/reading/statements.ts'
import { closeYear } from '../../src/ledger/closing/year-end.ts'
import { TODAY, type AccountName, type Command, type Outcome, type Reading } from './commands.ts'
import { statementText, trialBalanceText } from './naive-reads.ts'

/** One process of the service: its connections and its batcher. */
export interface Side {
  db: Database
  batcher: Batcher
  orgId: number
}

/** The connection was lost, and what the caller heard about his money. */
export class Lost extends Error {
  readonly moved: 'no' | 'unknown'

  constructor(moved: 'no' | 'unknown', cause: unknown) {
    super(`lost, moved: ${moved}`, { cause })
    this.moved = moved
  }
}

/**
 * What the caller hears. Throws `Lost` where the database was lost; whatever else is thrown, such
 * as a serialization failure, nobody should ever have heard.
 */
export async function runOnEngine(side: Side, command: Command): Promise<Outcome> {
  try {
    return await run(side, command)
  } catch (error) {
    if (error instanceof Problem && error.code === 'unavailable') {
      throw new Lost(error.extras.moved === 'no' ? 'no' : 'unknown', error)
    }
    if (isConnectionError(error)) {
      throw new Lost('unknown', error)
    }
    if (error instanceof Problem && error.code !== 'internal') {
      return [refusalText(error)]
    }
    throw error
  }
}

function refusalText({ code, extras }: Problem): string {
  if (extras.moved === 'yes' || extras.moved === 'unknown') {
    throw new Error(`refused with ${code}, and moved: ${extras.moved}`)
  }
  return code
}

function resultText(result: PostResult): string {
  return result.status === 'refused'
    ? refusalText(result.problem)
    : `${result.status} ${result.entryNo}`
}

async function run(side: Side, command: Command): Promise<Outcome> {
  const { db, orgId } = side
  const settle = async (work: (trx: Trx) => Promise<string>): Promise<Outcome> => [
    await db.transact(orgId, work, { queue: 'journal' }),
  ]
  const common = { actor: command.id, reason: command.id, today: TODAY }
  switch (command.verb) {
    case 'post':
      return await postDrafts(side, command)
    case 'reverse':
    case 'adjust':
    case 'exchange':
      return [await inJournal(db, orgId, async (trx) => await correctOrExchange(trx, command))]
    case 'open account':
      return await settle(async (trx) => await opened(trx, command))
    case 'change account':
      return await settle(async (trx) => {
        const accountId = (await idOf(trx, command.account)) ?? 999_999_999
        const isChanged = await changeAccount(trx, accountId, command.change, common)
        return isChanged ? 'changed' : 'unchanged'
      })
    case 'close month':
      return await settle(async (trx) => {
        const { month, state } = command
        const { changed } = await closePeriod(trx, { month, state, ...common })
        return changed ? 'changed' : 'unchanged'
      })
    case 'reopen month':
      return await settle(async (trx) => {
        const { month, state } = command
        const { changed } = await reopenPeriod(trx, { month, state, ...common })
        return changed ? 'changed' : 'unchanged'
      })
    case 'close year': {
      return await inJournal(db, orgId, async (trx) => {
        const [head] = await trx.query<{ entry_no: bigint }>(
          'select entry_no from journal_heads where org_id = $1',
          [orgId],
        )
        const { entryNos } = await closeYear(trx, command.year, { ...common, reason: 'model' })
        return entryNos.length === 0
          ? ['nothing']
          : entryNos.map((no) => `${no > (head?.entry_no ?? 0n) ? 'posted' : 'existing'} ${no}`)
      })
    }
    case 'register currency':
      return await settle(async (trx) => {
        const { code, name, exponent } = command
        const isNew = await registerCurrency(trx, { code, name, exponent }, command.id)
        return isNew ? 'registered' : 'known'
      })
    case 'read balance':
    case 'read statement':
    case 'read trial balance':
      return [await db.read(orgId, async (trx) => await read(trx, command))]
  }
}

async function postDrafts(
  { db, batcher, orgId }: Side,
  { way, drafts }: Extract<Command, { verb: 'post' }>,
): Promise<Outcome> {
  switch (way) {
    case 'batcher': {
      const results = await Promise.all(
        drafts.map(async (draft) => await batcher.post(orgId, draft)),
      )
      return results.map(resultText)
    }
    case 'unqueued': {
      const results = await db.transact(orgId, async (trx) => await post(trx, drafts))
      return results.map(resultText)
    }
    case 'queued':
    case 'atomic': {
      const atomic = way === 'atomic'
      const work = async (trx: Trx) => await post(trx, drafts, { atomic })
      return (await inJournal(db, orgId, work)).map(resultText)
    }
  }
}

async function correctOrExchange(
  trx: Trx,
  command: Extract<Command, { verb: 'reverse' | 'adjust' | 'exchange' }>,
): Promise<string> {
  if (command.verb === 'exchange') {
    const { from, to, amount, rate, effectiveOn, lateReason, key, id } = command
    const asked = { from, to, amount, rate, effectiveOn, lateReason, idempotencyKey: key }
    const toAmount = command.toAmount ?? undefined
    const more = { toAmount, rateSource: 'the bank', source: 'model', actor: id }
    const { entryNo, isNew } = await postExchange(trx, { ...asked, ...more })
    return `${isNew ? 'posted' : 'existing'} ${entryNo}`
  }
  const { reason, effectiveOn, lateReason } = command
  const asked = { reason, effectiveOn, lateReason, today: TODAY, actor: command.id }
  const result =
    command.verb === 'reverse'
      ? await reverse(trx, command.entryNo, asked)
      : await adjust(trx, command.entryNo, {
          ...asked,
          idempotencyKey: command.key,
          description: null,
          lines: command.lines,
        })
  return resultText(result)
}

async function opened(
  trx: Trx,
  command: Extract<Command, { verb: 'open account' }>,
): Promise<string> {
  const { account, name, normal, floor, id } = command
  const asked = { ...account, name, floor, normal: normal ?? undefined }
  return (await openAccount(trx, asked, id)).isNew ? 'opened' : 'existing'
}

async function idOf(trx: Trx, { code, currency }: AccountName): Promise<number | undefined> {
  const [row] = await trx.query<{ account_id: number }>(
    'select account_id from accounts where org_id = $1 and code = $2 and currency = $3',
    [trx.scope, code, currency],
  )
  return row?.account_id
}

/** What is read, in the words of `readNaively`. */
async function read(trx: Trx, reading: Reading): Promise<string> {
  if (reading.verb === 'read trial balance') {
    const { lines, totals } = await trialBalance(trx, reading)
    for (const { currency, debit, credit } of totals) {
      if (debit !== credit) {
        throw new Error(`the trial balance of ${currency} stands at ${debit} and ${credit}`)
      }
    }
    const shown = lines.map(({ code, currency, debit, credit }) => ({
      code: code as AccountCode,
      currency,
      net: debit - credit,
    }))
    return trialBalanceText(shown.filter(({ net }) => net !== 0n))
  }
  const accountId = await idOf(trx, reading.account)
  if (accountId === undefined) {
    return 'no such account'
  }
  if (reading.verb === 'read balance') {
    return `balance ${await balanceOf(trx, accountId, reading)}`
  }
  const { from, to, knownAt } = reading
  const first = await statement(trx, { accountId, from, to, knownAt, limit: 7, after: null })
  const lines = [...first.lines]
  for (let page = first.lines; page.length === 7;) {
    const last = page[6]
    const after = last && {
      effectiveOn: last.effective_on,
      entryNo: last.entry_no,
      lineNo: last.line_no,
    }
    const query = { accountId, from, to, knownAt, limit: 7, after: after ?? null }
    page = (await statement(trx, query)).lines
    lines.push(...page)
  }
  return statementText({
    opening: first.opening,
    closing: first.closing,
    lines: lines.map((one) => ({
      entryNo: one.entry_no,
      lineNo: one.line_no,
      day: one.effective_on,
      amount: one.amount,
      balance: one.balance,
    })),
  })
}
