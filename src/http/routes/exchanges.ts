/** POST /v1/exchanges: one currency for another at a rate that is kept. */
import { z } from 'zod'
import { minorOrText } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import type { DraftLine } from '../../ledger/core/entry.ts'
import { postExchange } from '../../ledger/posting/exchanges.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { currencyCode, day, idText, minorUnits } from '../answers.ts'
import { proposed } from '../approval-view.ts'
import { entryId } from '../entry-view.ts'
import { exchangeAsked, exchangeBody } from '../exchange-input.ts'
import { operation, type Operation } from '../operation.ts'
import { proposalReply } from '../proposal.ts'

const side = z.strictObject({ code: z.string(), currency: currencyCode, amount: minorUnits })

const exchange = z
  .strictObject({
    journal_entry: idText('je'),
    from: side,
    to: side,
    rate: z.string(),
    rate_source: z.string(),
    effective_on: day,
  })
  .meta({ id: 'Exchange' })

const ANSWERS = {
  200: { what: 'It was posted before, with this key.', body: exchange },
  201: { what: 'Posted.', body: exchange },
  ...proposed,
} as const

export function exchangeOperations({ db }: Parts): Operation[] {
  return [
    operation(
      {
        id: 'postExchange',
        method: 'post',
        path: '/exchanges',
        tag: 'Journal',
        summary: 'Exchange one currency for another at a rate that is kept',
        permission: 'books.post',
        key: 'required',
        body: exchangeBody,
        answers: ANSWERS,
        problems: [
          'invalid_entry',
          'unknown_account',
          'unknown_currency',
          'account_closed',
          'account_frozen',
          'period_closed',
          'balance_below_floor',
        ],
      },
      {
        // The journal knows the key itself: whoever comes again hears 200 and not what was kept.
        async handle(call) {
          const { body, principal, key } = call
          const proposal = await proposalReply(db, { verb: 'exchange', entryNo: null, call })
          if (proposal !== null) {
            return proposal
          }
          const asked = exchangeAsked(body, String(key), principal)
          const { entryNo, isNew, lines } = await inJournal(
            db,
            principal.orgId,
            async (trx) => await postExchange(trx, asked),
          )
          const [from, , to] = lines
          const answer = {
            journal_entry: entryId(entryNo),
            from: sideView(from),
            to: sideView(to),
            rate: body.rate,
            rate_source: body.rate_source,
            effective_on: body.effective_on,
          }
          return isNew ? { status: 201, body: answer } : { status: 200, body: answer }
        },
      },
    ),
  ]
}

function sideView(one: DraftLine | undefined): z.input<typeof side> {
  if (one === undefined) {
    throw new Error('an exchange was posted without one of its sides')
  }
  return { code: one.account, currency: one.currency, amount: minorOrText(one.amount) }
}
