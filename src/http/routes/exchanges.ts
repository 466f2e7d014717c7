/** POST /v1/exchanges: one currency for another at a rate that is kept. */
import { Router } from 'express'
import { z } from 'zod'
import { minorOrText } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { isAccountCode } from '../../ledger/core/chart.ts'
import type { DraftLine } from '../../ledger/core/entry.ts'
import { postExchange, type NamedAccount } from '../../ledger/posting/exchanges.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { allow, principalOf } from '../auth.ts'
import { entryKey, idempotencyKeyOf, lateReasonOf } from '../entry-input.ts'
import { bodyOf, isoDate, numberedId } from '../input.ts'
import { line } from '../line.ts'
import { POSTERS } from './journal-posting.ts'

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

const body = z.strictObject({
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
  late_reason: line(500).optional(),
})

export function exchangeRoutes(parts: Parts): Router {
  const routes = Router()

  routes.post('/exchanges', allow(...POSTERS), async (request, response) => {
    const principal = principalOf(request)
    const idempotencyKey = entryKey(idempotencyKeyOf(request))
    const asked = bodyOf(request, body)
    const exchange = {
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
    const { entryNo, isNew, lines } = await inJournal(
      parts.db,
      principal.orgId,
      async (trx) => await postExchange(trx, exchange),
    )
    const [from, , to] = lines
    response.status(isNew ? 201 : 200).json({
      journal_entry: `je_${entryNo}`,
      from: sideView(from),
      to: sideView(to),
      rate: asked.rate,
      rate_source: asked.rate_source,
      effective_on: asked.effective_on,
    })
  })
  return routes
}

function sideView(one: DraftLine | undefined): object | null {
  return one === undefined
    ? null
    : { code: one.account, currency: one.currency, amount: minorOrText(one.amount) }
}
