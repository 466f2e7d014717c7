/** POST /v1/exchanges: one currency for another at a rate that is kept. */
import { z } from 'zod'
import { minorOrText } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { isAccountCode } from '../../ledger/core/chart.ts'
import type { DraftLine } from '../../ledger/core/entry.ts'
import {
  postExchange,
  type AskedExchange,
  type NamedAccount,
} from '../../ledger/posting/exchanges.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { currencyCode, day, idText, minorUnits } from '../answers.ts'
import { entryKey, lateReasonOf, reason } from '../entry-input.ts'
import { entryId } from '../entry-view.ts'
import { isoDate, numberedId } from '../input.ts'
import { line } from '../line.ts'
import { operation, type Operation } from '../operation.ts'
import type { Principal } from '../request.ts'

/** An account's id, or the code and currency of one that may still have to be opened. */
const named = z.union(
  [
    numberedId('acc').transform((id): NamedAccount => ({ accountId: Number(id) })),
    z.strictObject({
      code: z.string().refine(isAccountCode),
      currency: z.string().regex(/^[A-Z][A-Z0-9]{2,11}$/),
    }),
  ],
  'must be an id such as acc_17, or {"code", "currency"}',
)

const amount = z.int('must be a whole number of minor units').min(1).transform(BigInt)

const exchangeBody = z.strictObject({
  from_account: named,
  to_account: named,
  amount,
  to_amount: amount.optional(),
  rate: z
    .string()
    .regex(/^\d{1,18}(\.\d{1,18})?$/, 'must be a decimal as text, such as "83.125"')
    .regex(/[1-9]/, 'must be above zero'),
  rate_source: line(200),
  effective_on: isoDate,
  late_reason: reason.optional(),
})

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
        answers: {
          200: { what: 'It was posted before, with this key.', body: exchange },
          201: { what: 'Posted.', body: exchange },
        },
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
        async handle({ body, principal, key }) {
          const asked = exchangeAsked(body, entryKey(principal, 'exchange', String(key)), principal)
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
          return { status: isNew ? 201 : 200, body: answer }
        },
      },
    ),
  ]
}

function exchangeAsked(
  asked: z.infer<typeof exchangeBody>,
  idempotencyKey: string,
  principal: Principal,
): AskedExchange {
  return {
    from: asked.from_account,
    to: asked.to_account,
    amount: asked.amount,
    toAmount: asked.to_amount,
    rate: asked.rate,
    rateSource: asked.rate_source,
    effectiveOn: asked.effective_on,
    lateReason: lateReasonOf(asked, principal),
    idempotencyKey,
    source: idempotencyKey,
    actor: principal.subject,
  }
}

function sideView(one: DraftLine | undefined): z.input<typeof side> {
  if (one === undefined) {
    throw new Error('an exchange was posted without one of its sides')
  }
  return { code: one.account, currency: one.currency, amount: minorOrText(one.amount) }
}
