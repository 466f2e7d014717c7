/** GET /v1/accounts/:id/balance and /statement, as of a day and as known at an instant. */
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { minorOrText } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import { findAccount, type AccountView } from '../../ledger/accounts/accounts.ts'
import { balanceOf } from '../../ledger/reading/balances.ts'
import { statement, type StatementLine } from '../../ledger/reading/statements.ts'
import { account, accountView } from '../account-view.ts'
import { currencyCode, day, idText, instant, minorUnits, pageOf } from '../answers.ts'
import { isoDate, limit, numberedId } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { DAY_PATTERN } from '../patterns.ts'
import { asOf, knownAt, pointOf } from '../point-in-time.ts'

const params = z.object({ id: numberedId('acc').transform(Number) })

const balanceQuery = z.strictObject({ as_of: asOf, known_at: knownAt })

/** A day, an entry's number and a line's. */
const CURSOR = new RegExp(`^${DAY_PATTERN}\\.\\d{1,18}\\.(\\d{1,3}|1000)$`)

const statementQuery = z.strictObject({
  limit,
  from: isoDate.default('1970-01-01'),
  to: isoDate.optional(),
  known_at: knownAt,
  starting_after: z.string().regex(CURSOR, 'must be a cursor from this statement').optional(),
})

const direction = z.enum(['debit', 'credit'])

const accountBalance = z
  .strictObject({
    account: idText('acc'),
    code: z.string(),
    currency: currencyCode,
    normal_balance: direction,
    as_of: day.nullable(),
    known_at: instant.nullable(),
    balance: minorUnits,
  })
  .meta({ id: 'AccountBalance' })

const statementLine = z
  .strictObject({
    cursor: z.string(),
    journal_entry: idText('je'),
    effective_on: day,
    posted_at: instant,
    kind: z.string(),
    description: z.string(),
    direction,
    amount: minorUnits,
    balance: minorUnits,
  })
  .meta({ id: 'StatementLine' })

const accountStatement = z
  .strictObject({
    account,
    from: day,
    to: day,
    known_at: instant.nullable(),
    opening_balance: minorUnits,
    closing_balance: minorUnits,
    ...pageOf(statementLine).shape,
  })
  .meta({ id: 'AccountStatement' })

export function statementOperations(): Operation[] {
  return [balanceOperation(), statementOperation()]
}

function balanceOperation(): Operation {
  return operation(
    {
      id: 'getAccountBalance',
      method: 'get',
      path: '/accounts/{id}/balance',
      tag: 'Accounts',
      summary: 'An account’s balance as of a day, as it was known at an instant',
      permission: 'books.read',
      params,
      query: balanceQuery,
      answers: { 200: { what: 'On the account’s normal side.', body: accountBalance } },
    },
    {
      async read(trx, { params: { id }, query }) {
        const point = pointOf(query)
        const of = await accountOf(trx, id)
        const balance = await balanceOf(trx, id, point)
        const body = {
          account: `acc_${of.account_id}`,
          code: of.code,
          currency: of.currency,
          normal_balance: of.normal,
          as_of: point.asOf,
          known_at: point.knownAt?.toISOString() ?? null,
          balance: minorOrText(balance),
        }
        return { status: 200, body }
      },
    },
  )
}

function statementOperation(): Operation {
  return operation(
    {
      id: 'getAccountStatement',
      method: 'get',
      path: '/accounts/{id}/statement',
      tag: 'Accounts',
      summary: 'What moved an account, with the balance after each line',
      permission: 'books.read',
      params,
      query: statementQuery,
      answers: {
        200: { what: 'By effective day, then in the order of posting.', body: accountStatement },
      },
    },
    {
      async read(trx, { params: { id }, query }) {
        const { from, to = indianDate(new Date()), known_at: known = null, limit: most } = query
        if (to < from) {
          throw new Problem('invalid_request', { detail: '"to" is before "from".' })
        }
        const after = cursorOf(query.starting_after)
        const of = await accountOf(trx, id)
        const asked = { accountId: id, from, to, knownAt: known, limit: most + 1, after }
        const page = await statement(trx, asked)
        const body = {
          account: accountView(of),
          from,
          to,
          known_at: known?.toISOString() ?? null,
          opening_balance: minorOrText(page.opening),
          closing_balance: minorOrText(page.closing),
          ...listOf(page.lines, most, lineView),
        }
        return { status: 200, body }
      },
    },
  )
}

async function accountOf(trx: Trx, accountId: number): Promise<AccountView> {
  const found = await findAccount(trx, accountId)
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such account.' })
  }
  return found
}

function lineView(line: StatementLine): z.input<typeof statementLine> {
  return {
    cursor: `${line.effective_on}.${line.entry_no}.${line.line_no}`,
    journal_entry: `je_${line.entry_no}`,
    effective_on: line.effective_on,
    posted_at: line.posted_at.toISOString(),
    kind: line.kind,
    description: line.description,
    direction: line.direction,
    amount: minorOrText(line.amount),
    balance: minorOrText(line.balance),
  }
}

function cursorOf(text: string | undefined) {
  const [effectiveOn, entryNo, lineNo] = text?.split('.') ?? []
  if (effectiveOn === undefined || entryNo === undefined || lineNo === undefined) {
    return null
  }
  return { effectiveOn, entryNo: BigInt(entryNo), lineNo: Number(lineNo) }
}
