/** The closed list of events that organisations' own systems are told of, and what each says. */
import { z } from 'zod'

const id = (prefix: string) => z.string().regex(new RegExp(`^${prefix}_`))
const day = z.string().meta({ format: 'date' })
const instant = z.string().meta({ format: 'date-time' })

const money = {
  amount: z.int().positive().meta({ description: 'Minor units of the currency.' }),
  currency: z.string(),
}

const period = z.strictObject({
  month: z.string().meta({ examples: ['2026-05'] }),
  state: z.enum(['open', 'soft_closed', 'closed']),
  version: z.int().positive().meta({ description: 'Which change of the month it is.' }),
})

const refund = {
  refund: id('rfd'),
  payment: id('pmt'),
  gateway: z.string(),
  gateway_refund_id: z.string(),
  ...money,
  journal_entry: id('je'),
}

const dispute = {
  dispute: id('dsp'),
  payment: id('pmt').nullable().meta({ description: 'Null where it is not known here.' }),
  gateway: z.string(),
  gateway_dispute_id: z.string(),
  ...money,
}

const instruction = z.strictObject({
  instruction: id('ins'),
  kind: z.enum(['refund', 'payout', 'transfer', 'capture']),
  payment: id('pmt').nullable().meta({ description: 'Null for a payout.' }),
  reference: z.string().meta({ description: 'By which the gateway names it too.' }),
  ...money,
})

const cheque = {
  offline_payment: id('ofp'),
  donation: id('don'),
  ...money,
  journal_entry: id('je'),
}

/**
 * Ids, states and money only: who the donor is, his address and his PAN are asked for at the API
 * by those who may. Postings are not among them: their rate is another, and entries are read with
 * a cursor.
 */
export const EVENTS = {
  'payment.captured': z.strictObject({
    payment: id('pmt'),
    gateway: z.string(),
    gateway_payment_id: z.string(),
    ...money,
    captured_at: instant,
    donation: id('don')
      .nullable()
      .meta({ description: 'Null where no open donation asked for it.' }),
    journal_entry: id('je'),
  }),
  'payment.failed': z.strictObject({
    payment: id('pmt'),
    gateway: z.string(),
    gateway_payment_id: z.string(),
    ...money,
    failed_at: instant,
  }),
  'donation.paid': z.strictObject({
    donation: id('don'),
    payment: id('pmt'),
    fund: z.string(),
    ...money,
    paid_at: instant,
    journal_entry: id('je'),
  }),
  'refund.created': z.strictObject({ ...refund, created_at: instant }),
  'refund.processed': z.strictObject({ ...refund, processed_at: instant }),
  'refund.failed': z.strictObject({ ...refund, failed_at: instant }),
  'dispute.opened': z.strictObject({
    ...dispute,
    respond_by: instant.nullable().meta({ description: 'Evidence is due by then.' }),
    opened_at: instant,
  }),
  'dispute.lost': z.strictObject({ ...dispute, lost_at: instant, journal_entry: id('je') }),
  'dispute.won': z.strictObject({ ...dispute, won_at: instant }),
  'settlement.processed': z.strictObject({
    settlement: id('stl'),
    gateway: z.string(),
    gateway_settlement_id: z.string(),
    ...money,
    utr: z.string().nullable().meta({ description: 'By which the bank names it.' }),
    settled_at: instant,
    journal_entry: id('je'),
  }),
  'instruction.done': instruction,
  'instruction.refused': instruction,
  'instruction.failed': instruction,
  'instruction.unknown': instruction,
  'receipt.issued': z.strictObject({
    receipt: id('rcp'),
    number: z.string(),
    donation: id('don'),
    payment: id('pmt'),
    ...money,
    donated_on: day,
    issued_at: instant,
  }),
  'receipt.cancelled': z
    .strictObject({
      receipt: id('rcp'),
      number: z.string(),
      donation: id('don'),
      payment: id('pmt'),
      ...money,
      cancelled_at: instant,
    })
    .meta({ description: 'The donation was given back or lost; its number stays used.' }),
  'receipt.emailed': z.strictObject({ receipt: id('rcp'), donation: id('don') }),
  'receipt.undeliverable': z.strictObject({
    receipt: id('rcp'),
    donation: id('don'),
    state: z.enum(['refused', 'unconfirmed', 'dead']),
  }),
  'cheque.received': z.strictObject({ ...cheque, received_on: day }),
  'cheque.realised': z.strictObject({ ...cheque, payment: id('pmt'), realised_on: day }),
  'cheque.bounced': z.strictObject({
    ...cheque,
    bounced_on: day,
    payment: id('pmt')
      .nullable()
      .meta({ description: 'Null where it came back before it was credited.' }),
  }),
  'period.closed': period,
  'period.reopened': period,
  'financial_year.closed': z.strictObject({
    financial_year: z.string().meta({ examples: ['2026-27'] }),
    newest_journal_entry: id('je').meta({ description: 'Of those that close it.' }),
  }),
} as const satisfies Record<string, z.ZodObject>

export type EventType = keyof typeof EVENTS

export const EVENT_TYPES = Object.keys(EVENTS) as [EventType, ...EventType[]]

/** Sent when somebody asks for it; nobody subscribes to it. */
export const TEST_TYPE = 'webhook.test'

export const testData = z.strictObject({ subscription: id('sub') })

/** Something that happened, as others are told. */
export type Event = {
  [Type in EventType]: {
    type: Type
    /** Of what it tells, an id or the like: with its type, it is told once. */
    subject: string
    data: z.infer<(typeof EVENTS)[Type]>
  }
}[EventType]

/** The body of a webhook, byte for byte the same in each attempt (Standard Webhooks, payload). */
export function payloadOf(message: { type: string; created_at: Date; data: string }): string {
  const type = JSON.stringify(message.type)
  const timestamp = JSON.stringify(message.created_at.toISOString())
  return `{"type":${type},"timestamp":${timestamp},"data":${message.data}}`
}
