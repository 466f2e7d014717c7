/** POST /v1/payments/{id}/refunds, /transfers, /capture and /v1/payouts: money is told to move. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { PAYOUT_MODES, type Beneficiary } from '../../gateways/asked.ts'
import { isAccountCode } from '../../ledger/core/chart.ts'
import { instructCapture, instructRefund, instructTransfers } from '../../instructions/payment.ts'
import { instructPayout, maskedBeneficiary } from '../../instructions/payout.ts'
import { pageOf } from '../answers.ts'
import { askerOf } from '../asker.ts'
import { idOfKind } from '../input.ts'
import { instruction, instructionView } from '../instruction-view.ts'
import { line } from '../line.ts'
import { operation, type Operation } from '../operation.ts'
import { CODE_PATTERN } from '../patterns.ts'
import { ringAfter } from '../ring-after.ts'

const AMOUNT_MAX = 10_000_000_000
const TRANSFERS_MAX = 20

const params = z.object({ id: idOfKind('pmt') })

const amount = z
  .int('must be a whole number of minor units')
  .min(1, 'must be above zero')
  .max(AMOUNT_MAX, `must be at most ${AMOUNT_MAX}`)

const reason = line(500).meta({ description: 'For whoever asks later why.' })

const IFSC = /^[A-Z]{4}0[A-Z0-9]{6}$/
const VPA = /^[A-Za-z0-9._-]{2,100}@[A-Za-z][A-Za-z0-9]{1,63}$/

const beneficiary = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('bank_account'),
    name: line(100),
    account_number: z.string().regex(/^[A-Za-z0-9]{5,35}$/, 'must be an account number'),
    ifsc: z.string().regex(IFSC, 'must be an IFSC such as HDFC0000053'),
  }),
  z.strictObject({
    type: z.literal('vpa'),
    name: line(100),
    address: z.string().regex(VPA, 'must be a UPI address such as asha@okbank'),
  }),
])

/** RazorpayX's own (razorpay.com/docs/api/x/payouts). */
const PURPOSES = ['refund', 'cashback', 'payout', 'salary', 'utility bill', 'vendor bill'] as const

const payoutBody = z.strictObject({
  gateway: z.literal('razorpay'),
  amount: amount.meta({ description: 'Paise. UPI carries up to ₹1,00,000, IMPS ₹5,00,000.' }),
  currency: z.literal('INR'),
  mode: z.enum(PAYOUT_MODES),
  purpose: z.enum(PURPOSES),
  narration: z.string().regex(/^[A-Za-z0-9 ]{1,30}$/, 'must have 1 to 30 of A-Z, a-z, 0-9, space'),
  beneficiary,
  paid_for: z
    .string()
    .refine(isAccountCode, 'must be an account’s code such as liabilities:merchants-payable')
    .meta({
      description: 'The account of the books that bears it.',
      maxLength: 200,
      pattern: `^${CODE_PATTERN}$`,
    }),
  reason,
})

/** Why nothing was told to the gateway. */
const OF_A_PAYMENT = ['not_payable', 'not_offered'] as const

const asked = { what: 'Written down; the gateway is told next.', body: instruction }

export function moneyOutOperations(parts: Parts): Operation[] {
  return [refundOne(parts), transferOne(parts), captureOne(parts), payOut(parts)]
}

function refundOne({ bells }: Parts): Operation {
  return operation(
    {
      id: 'refundPayment',
      method: 'post',
      path: '/payments/{id}/refunds',
      tag: 'Donations',
      summary: 'Give back all or a part of a captured payment, once',
      permission: 'payments.instruct',
      params,
      key: 'required',
      body: z.strictObject({
        amount: amount.optional().meta({ description: 'All that is left where it is left out.' }),
        speed: z.enum(['normal', 'instant']).default('normal'),
        reason,
      }),
      answers: { 202: asked },
      problems: [...OF_A_PAYMENT, 'amount_above_left'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal, key, response }) {
        const one = await instructRefund(
          trx,
          {
            paymentId: id,
            amount: body.amount === undefined ? null : BigInt(body.amount),
            speed: body.speed,
            reason: body.reason,
          },
          await askerOf(trx, principal, String(key)),
        )
        ringAfter(response, bells, 'send-instructions')
        return { status: 202, body: instructionView(one) }
      },
    },
  )
}

function transferOne({ bells }: Parts): Operation {
  return operation(
    {
      id: 'transferPayment',
      method: 'post',
      path: '/payments/{id}/transfers',
      tag: 'Donations',
      summary: 'Pass parts of a captured payment on to linked accounts, all of them or none',
      permission: 'payments.instruct',
      params,
      key: 'required',
      body: z.strictObject({
        transfers: z
          .array(
            z.strictObject({
              account: z.string().regex(/^acc_[A-Za-z0-9]{1,60}$/, 'must be a linked account’s id'),
              amount,
            }),
          )
          .min(1, 'must have at least one transfer')
          .max(TRANSFERS_MAX, `must have at most ${TRANSFERS_MAX} transfers`),
        reason,
      }),
      answers: { 202: { what: 'One for each, in the order given.', body: pageOf(instruction) } },
      problems: [...OF_A_PAYMENT, 'amount_above_left'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal, key, response }) {
        const made = await instructTransfers(
          trx,
          {
            paymentId: id,
            transfers: body.transfers.map((one) => ({
              recipient: one.account,
              amount: BigInt(one.amount),
            })),
            reason: body.reason,
          },
          await askerOf(trx, principal, String(key)),
        )
        ringAfter(response, bells, 'send-instructions')
        return { status: 202, body: { data: made.map(instructionView), has_more: false } }
      },
    },
  )
}

function captureOne({ bells }: Parts): Operation {
  return operation(
    {
      id: 'capturePayment',
      method: 'post',
      path: '/payments/{id}/capture',
      tag: 'Donations',
      summary: 'Capture all of an authorised payment',
      permission: 'payments.instruct',
      params,
      key: 'required',
      body: z.strictObject({ reason }),
      answers: { 202: asked },
      problems: OF_A_PAYMENT,
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal, key, response }) {
        const asker = await askerOf(trx, principal, String(key))
        const one = await instructCapture(trx, { paymentId: id, reason: body.reason }, asker)
        ringAfter(response, bells, 'send-instructions')
        return { status: 202, body: instructionView(one) }
      },
    },
  )
}

function payOut({ bells, keyring }: Parts): Operation {
  return operation(
    {
      id: 'payOut',
      method: 'post',
      path: '/payouts',
      tag: 'Donations',
      summary: 'Pay somebody out of the balance at the gateway, once',
      permission: 'payouts.send',
      key: 'required',
      body: payoutBody,
      answers: { 202: asked },
      problems: [
        'payout_limits',
        'not_offered',
        'unknown_gateway',
        'unknown_account',
        'account_closed',
        'account_frozen',
      ],
    },
    {
      queue: 'journal',
      async write(trx, { body, principal, key, response }) {
        const { paid_for: paidFor, beneficiary: to, currency, ...rest } = body
        const asker = await askerOf(trx, principal, String(key))
        const payout = { ...rest, amount: BigInt(body.amount), paidFor, beneficiary: plain(to) }
        const one = await instructPayout(trx, keyring, payout, asker)
        ringAfter(response, bells, 'send-instructions')
        const masked = maskedBeneficiary(payout.beneficiary)
        const audited = { ...rest, currency, paid_for: paidFor, beneficiary: masked }
        return { status: 202, body: instructionView(one), audited }
      },
    },
  )
}

/** Names in one order, so that the same beneficiary is always the same text. */
function plain(to: z.output<typeof beneficiary>): Beneficiary {
  const { type, name } = to
  return type === 'vpa'
    ? { type, name, address: to.address }
    : { type, name, account_number: to.account_number, ifsc: to.ifsc }
}
