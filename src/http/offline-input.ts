/** Money that comes past the gateways, as callers write it: in JSON, and in the rows of a file. */
import { z } from 'zod'
import { indianDate, isIsoDate } from '../base/clock.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { AskedPayment } from '../offline/payment.ts'
import { donorName, phone, postalAddress } from './donor-input.ts'
import { idOfKind } from './input.ts'
import { anyText, email, line } from './line.ts'
import { BOOKING_DAY_PATTERN } from './patterns.ts'
import { taxId } from './tax-id.ts'

/** ₹1 to ₹1,000 crore: beyond are misprints. */
const AMOUNT_MIN = 100
const AMOUNT_MAX = 1_000_000_000_000
/** The first day that may be booked on. */
const DAY_MIN = '1990-01-01'
/** How far ahead a cheque is dated at most. */
const CHEQUE_YEARS_AHEAD = 1

/** A day that is over or has begun in India: money that is still to come is not recorded. */
export const pastDay = z
  .string()
  .refine(isIsoDate, { error: 'must be a date, YYYY-MM-DD', abort: true })
  .refine((day) => day >= DAY_MIN && day <= indianDate(new Date()), {
    error: `must be from ${DAY_MIN} to today`,
  })
  .meta({
    format: 'date',
    pattern: `^${BOOKING_DAY_PATTERN}$`,
    description: 'In India, and not in the future.',
  })

const chequeDay = z
  .string()
  .refine(isIsoDate, { error: 'must be a date, YYYY-MM-DD', abort: true })
  .refine((day) => day >= DAY_MIN && day <= yearsAhead(indianDate(new Date())), {
    error: `must be from ${DAY_MIN} to ${CHEQUE_YEARS_AHEAD} year from now`,
  })
  .meta({ format: 'date', pattern: `^${BOOKING_DAY_PATTERN}$` })

function yearsAhead(day: string): string {
  return `${Number(day.slice(0, 4)) + CHEQUE_YEARS_AHEAD}${day.slice(4)}`
}

export const bankAccount = z
  .string()
  .max(100)
  .regex(/^assets:bank(:[a-z0-9_-]+)+$/, 'must be a bank account such as assets:bank:main')
  .refine((code) => code !== 'assets:bank:in-transit', 'must be an account at a bank')

const cashAccount = z
  .string()
  .max(100)
  .regex(/^assets:cash(:[a-z0-9_-]+)*$/, 'must be a cash account such as assets:cash')

const ifsc = z
  .string()
  .regex(/^[A-Z]{4}0[A-Z0-9]{6}$/, 'must be an IFSC such as HDFC0000123, the fifth a zero')

/** 12 digits of an IMPS transfer, 16 characters of NEFT, 22 of RTGS. */
const utr = z
  .string()
  .regex(
    /^([0-9]{12}|[A-Z0-9]{16}|[A-Z0-9]{22})$/,
    'must be a UTR: 12 digits for IMPS, 16 characters for NEFT, 22 for RTGS',
  )

const rrn = z.string().regex(/^[0-9]{12}$/, 'must be an RRN of 12 digits')

const donor = z.strictObject({
  name: donorName,
  email: email.optional().meta({ description: 'Without one the receipt is not emailed.' }),
  phone: phone.optional(),
  address: postalAddress.optional(),
  tax_id: taxId.optional(),
})

const gift = {
  amount: z
    .int('must be a whole number of paise')
    .min(AMOUNT_MIN, `must be at least ${AMOUNT_MIN} paise`)
    .max(AMOUNT_MAX, `must be at most ${AMOUNT_MAX} paise`),
  currency: z.literal('INR'),
  received_on: pastDay,
  fund: anyText(40).min(1),
  nature: z.enum(['general', 'corpus', 'specific_grant']).default('general'),
  corpus_direction: line(500).optional(),
  purpose: line(200).optional(),
  citizenship: z
    .enum(['indian', 'foreign'])
    .default('indian')
    .meta({ description: 'A foreign citizen’s gift is a foreign contribution (FCRA).' }),
  donor_id: idOfKind('dnr').optional(),
  donor: donor.optional().meta({ description: 'In place of donor_id, for somebody new.' }),
}

const drawnOn = { ifsc: ifsc.optional(), bank: line(80).optional() }

export const offlineBody = z
  .discriminatedUnion('channel', [
    z.strictObject({
      channel: z.literal('cash'),
      ...gift,
      voucher_number: line(40).optional(),
      account: cashAccount.optional(),
    }),
    z.strictObject({
      channel: z.literal('cheque'),
      ...gift,
      cheque_number: z.string().regex(/^[0-9]{6}$/, 'must be a cheque’s six digits'),
      cheque_date: chequeDay,
      ...drawnOn,
    }),
    z.strictObject({
      channel: z.literal('bank_transfer'),
      ...gift,
      utr,
      ...drawnOn,
      account: bankAccount.optional(),
    }),
    z.strictObject({
      channel: z.literal('upi'),
      ...gift,
      rrn,
      account: bankAccount.optional(),
    }),
  ])
  .superRefine((given, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if ((given.donor === undefined) === (given.donor_id === undefined)) {
      fault('donor', 'must be given, or donor_id in its place')
    }
    if (given.nature === 'corpus' && given.corpus_direction === undefined) {
      fault('corpus_direction', 'a corpus gift needs the donor’s written direction')
    }
    if (given.channel === 'cheque' && given.ifsc === undefined && given.bank === undefined) {
      fault('ifsc', 'must be given, or bank in its place: whose cheque it is')
    }
  })
  .meta({
    allOf: [
      { oneOf: [{ required: ['donor'] }, { required: ['donor_id'] }] },
      {
        anyOf: [
          { properties: { nature: { enum: ['general', 'specific_grant'] } } },
          { required: ['corpus_direction'] },
        ],
      },
      {
        anyOf: [
          { properties: { channel: { enum: ['cash', 'bank_transfer', 'upi'] } } },
          { required: ['ifsc'] },
          { required: ['bank'] },
        ],
      },
    ],
  })

/** A payment as it was asked for. */
export function paymentAsked(given: z.output<typeof offlineBody>): AskedPayment {
  const { donor: by } = given
  return {
    channel: given.channel,
    amount: BigInt(given.amount),
    receivedOn: given.received_on,
    fund: given.fund,
    nature: given.nature,
    corpusDirection: given.corpus_direction ?? null,
    purpose: given.purpose ?? null,
    indianCitizen: given.citizenship === 'indian',
    donor:
      by === undefined
        ? (given.donor_id ?? '')
        : {
            name: by.name,
            email: by.email ?? null,
            phone: by.phone ?? null,
            address: by.address ?? null,
            taxId: by.tax_id ?? null,
          },
    ...wayOf(given),
  }
}

function wayOf(
  given: z.output<typeof offlineBody>,
): Pick<AskedPayment, 'reference' | 'chequeDate' | 'ifsc' | 'bank' | 'account'> {
  const none = { chequeDate: null, ifsc: null, bank: null, account: null }
  switch (given.channel) {
    case 'cash':
      return { ...none, reference: given.voucher_number ?? null, account: codeOf(given.account) }
    case 'cheque':
      return {
        reference: given.cheque_number,
        chequeDate: given.cheque_date,
        ifsc: given.ifsc ?? null,
        bank: given.bank ?? null,
        account: null,
      }
    case 'bank_transfer':
      return {
        ...none,
        reference: given.utr,
        ifsc: given.ifsc ?? null,
        bank: given.bank ?? null,
        account: codeOf(given.account),
      }
    case 'upi':
      return { ...none, reference: given.rrn, account: codeOf(given.account) }
    default:
      return given satisfies never
  }
}

/** An account's code as the schema has checked it. */
export function codeOf(account: string | undefined): AccountCode | null {
  return account === undefined ? null : (account as AccountCode)
}
