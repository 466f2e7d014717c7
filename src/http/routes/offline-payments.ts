/** /v1/offline-payments: cash, cheques, bank transfers and UPI that finance enters. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { bounce, realise } from '../../offline/cheques.ts'
import { CHANNELS, naturalKeyOf, OFFLINE_STATES } from '../../offline/payment.ts'
import { findOffline, listOffline } from '../../offline/read.ts'
import { recordPayments } from '../../offline/record.ts'
import { Problem } from '../../base/problem.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, isoDate, limit } from '../input.ts'
import { anyText, line } from '../line.ts'
import { listOf } from '../list.ts'
import { bankAccount, codeOf, offlineBody, pastDay, paymentAsked } from '../offline-input.ts'
import { offlinePayment, offlineView, recordedPayment } from '../offline-view.ts'
import { operation, type Operation } from '../operation.ts'
import { ringAfter } from '../ring-after.ts'

/** ₹1 lakh: no bank charges more for a cheque. */
const CHARGE_MAX = 10_000_000

const params = z.object({ id: idOfKind('ofp') })

const query = z.strictObject({
  limit,
  starting_after: idOfKind('ofp').optional(),
  channel: z.enum(CHANNELS).optional(),
  state: z.enum(OFFLINE_STATES).optional(),
  reference: anyText(40).optional(),
  received_from: isoDate.optional(),
  received_to: isoDate.optional(),
})

/** Why the books, or the law, refuse a step. */
const STEP_PROBLEMS = [
  'invalid_entry',
  'unknown_account',
  'account_closed',
  'account_frozen',
  'period_closed',
  'balance_below_floor',
  'idempotency_conflict',
] as const

export function offlinePaymentOperations(parts: Parts): Operation[] {
  return [
    recordOperation(parts),
    listOperation(),
    getOperation(),
    realiseOperation(parts),
    bounceOperation(parts),
  ]
}

function recordOperation({ keyring, bells }: Parts): Operation {
  return operation(
    {
      id: 'recordOfflinePayment',
      method: 'post',
      path: '/offline-payments',
      tag: 'Donations',
      summary: 'Record cash, a cheque, a bank transfer or UPI that came',
      permission: 'offline.record',
      key: 'optional',
      body: offlineBody,
      answers: {
        200: { what: 'It was recorded before, with the same content.', body: recordedPayment },
        201: { what: 'Recorded; a receipt follows, of a cheque later.', body: recordedPayment },
      },
      problems: [
        ...STEP_PROBLEMS,
        'unknown_fund',
        'fund_closed',
        'unknown_donor',
        'foreign_contribution',
        'cash_limit',
        'cheque_stale',
        'reference_used',
      ],
    },
    {
      queue: 'journal',
      async write(trx, { body, key, principal, response }) {
        const asked = paymentAsked(body)
        const { subject: actor } = principal
        const naturalKey = naturalKeyOf(asked, key === null ? null : `${actor}\n${key}`)
        if (naturalKey === null) {
          const detail = 'must be given, or an Idempotency-Key: else nobody knows a repetition'
          const errors = [{ pointer: '/voucher_number', detail }]
          throw new Problem('invalid_request', { detail: 'See errors.', errors, moved: 'no' })
        }
        const who = { actor, now: new Date() }
        const [result] = await recordPayments(trx, keyring, [{ asked, naturalKey }], who)
        if (result === undefined || result.status === 'refused') {
          throw result?.problem ?? new Error('a payment has no result')
        }
        const view = offlineView(principal)(await findOffline(trx, result.offlineId))
        ringAfter(response, bells, 'issue-receipts')
        ringAfter(response, bells, 'deliver-webhooks')
        const headers = { Location: `/v1/offline-payments/${result.offlineId}` }
        if (result.status === 'existing') {
          const again = { ...headers, 'Idempotent-Replayed': 'true' }
          return { status: 200, headers: again, body: { ...view, warnings: [] }, audited: null }
        }
        const { channel, amount, currency, fund, nature, donor, reference, received_on } = view
        return {
          status: 201,
          headers,
          body: { ...view, warnings: result.warnings },
          // Who gives is in the donor's row, which can be erased.
          audited: { channel, amount, currency, fund, nature, donor, reference, received_on },
        }
      },
    },
  )
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listOfflinePayments',
      method: 'get',
      path: '/offline-payments',
      tag: 'Donations',
      summary: 'Money that came past the gateways, newest first',
      permission: 'payments.read',
      query,
      answers: { 200: { what: 'By id, downwards.', body: pageOf(offlinePayment) } },
    },
    {
      async read(trx, { query: asked, principal }) {
        const { channel, state, reference, received_from: from, received_to: to } = asked
        const page = { limit: asked.limit + 1, before: asked.starting_after ?? null }
        const rows = await listOffline(trx, { channel, state, reference, from, to }, page)
        return { status: 200, body: listOf(rows, asked.limit, offlineView(principal)) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getOfflinePayment',
      method: 'get',
      path: '/offline-payments/{id}',
      tag: 'Donations',
      summary: 'One payment that came past the gateways',
      permission: 'payments.read',
      params,
      answers: { 200: { what: 'As it is now.', body: offlinePayment } },
    },
    {
      async read(trx, { params: { id }, principal }) {
        return { status: 200, body: offlineView(principal)(await findOffline(trx, id)) }
      },
    },
  )
}

function realiseOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'realiseCheque',
      method: 'post',
      path: '/offline-payments/{id}/realise',
      tag: 'Donations',
      summary: 'The bank credited a cheque: income, and a receipt',
      permission: 'offline.record',
      params,
      key: 'optional',
      body: z.strictObject({ on: pastDay, account: bankAccount.optional() }),
      answers: { 200: { what: 'Realised, now or before.', body: offlinePayment } },
      problems: [...STEP_PROBLEMS, 'offline_step'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal, response }) {
        const isNew = await realise(trx, id, {
          on: body.on,
          account: codeOf(body.account),
          actor: principal.subject,
          now: new Date(),
        })
        ringAfter(response, bells, 'issue-receipts')
        ringAfter(response, bells, 'deliver-webhooks')
        const view = offlineView(principal)(await findOffline(trx, id))
        return { status: 200, body: view, ...(isNew ? {} : { audited: null }) }
      },
    },
  )
}

function bounceOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'bounceCheque',
      method: 'post',
      path: '/offline-payments/{id}/bounce',
      tag: 'Donations',
      summary: 'A cheque came back, before or after it was credited',
      permission: 'offline.record',
      params,
      key: 'optional',
      body: z.strictObject({
        on: pastDay,
        reason: line(200).meta({ description: 'As the bank’s memo has it.' }),
        bank_charge: z
          .int('must be a whole number of paise')
          .min(0, 'must not be below 0')
          .max(CHARGE_MAX, `must be at most ${CHARGE_MAX} paise`)
          .default(0)
          .meta({ description: 'What the bank took for it, tax included.' }),
        account: bankAccount
          .optional()
          .meta({ description: 'Whom the charge was taken from, where it is another account.' }),
      }),
      answers: { 200: { what: 'It came back, now or before.', body: offlinePayment } },
      problems: [...STEP_PROBLEMS, 'offline_step'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal, response }) {
        const isNew = await bounce(trx, id, {
          on: body.on,
          reason: body.reason,
          charge: BigInt(body.bank_charge),
          account: codeOf(body.account),
          actor: principal.subject,
          now: new Date(),
        })
        ringAfter(response, bells, 'deliver-webhooks')
        const view = offlineView(principal)(await findOffline(trx, id))
        return { status: 200, body: view, ...(isNew ? {} : { audited: null }) }
      },
    },
  )
}
