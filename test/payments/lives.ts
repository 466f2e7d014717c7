/** Random lives of payments and what else gateways do: the events that tell them, and the sums. */
import fc from 'fast-check'
import type { Fact } from '../../src/gateways/fact.ts'
import { authorized, captured, failed } from '../donations/facts.ts'
import {
  disputeLost,
  disputeMoved,
  disputeOpened,
  disputeWon,
  downtime,
  minutes,
  paymentFee,
  payoutFailed,
  payoutPending,
  payoutProcessed,
  payoutReversed,
  refundCreated,
  refundFailed,
  refundFee,
  refundProcessed,
  refundVoided,
  settled,
  settlementReturned,
  transferFailed,
  transferProcessed,
  transferReversed,
  type ToldDispute,
} from './facts.ts'

/** What one event tells. */
export type Event = readonly Fact[]

export interface Life {
  /** In the order in which they happened. */
  events: Event[]
  /** The order that a donor's donation waits for; null where nobody asked for the money. */
  order: string | null
  /** What the life adds to each account, debits less credits, worked out by hand. */
  sums: Record<string, bigint>
}

const CLEARING = 'assets:clearing:razorpay'
const HELD = 'assets:disputed:razorpay'
const FEES = 'expenses:gateway-fees'
const GST = 'assets:input-gst'
const LOSSES = 'expenses:dispute-losses'
const ON_THEIR_WAY = 'liabilities:refunds-payable:razorpay'

const REFUNDED = 7000n
const CONTESTED = 20_000n

const payment = fc.record({
  isAsked: fc.boolean(),
  failsFirst: fc.boolean(),
  isAuthorized: fc.boolean(),
  fee: fc.constantFrom(null, 0n, 1180n),
  refunds: fc.array(
    fc.record({
      end: fc.constantFrom('created', 'processed', 'failed', 'returned', 'failed_then_paid'),
      fee: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  dispute: fc.constantFrom('none', 'none', 'open', 'lost', 'won', 'held_lost', 'held_won'),
})

type Told = typeof payment extends fc.Arbitrary<infer T> ? T : never

/** A life as it grows: `happen` adds an event, `add` an amount to an account. */
interface Growing {
  events: Event[]
  sums: Record<string, bigint>
  happen(...facts: Fact[]): void
  add(account: string, amount: bigint): void
}

/** A payment that is captured, with its refunds and its dispute. */
function paymentLife(id: number, told: Told): Life {
  const life: Growing = {
    events: [],
    sums: {},
    happen: (...facts) => {
      life.events.push(facts)
    },
    add: (account, amount) => {
      life.sums[account] = (life.sums[account] ?? 0n) + amount
    },
  }
  const pay = `pay_${id}`
  const order = told.isAsked ? `order_${id}` : null
  const booked = told.isAsked ? 'income:donations:education' : 'liabilities:unidentified-receipts'
  if (told.failsFirst) {
    life.happen(failed({ payment: pay, order, at: minutes(1) }))
  }
  if (told.isAuthorized) {
    life.happen(authorized({ payment: pay, order, at: minutes(2) }))
  }
  const capture = captured({ payment: pay, order, at: minutes(3) })
  life.add(CLEARING, 50_000n)
  life.add(booked, -50_000n)
  life.happen(capture)
  if (told.fee !== null) {
    // order.paid tells the same capture, with its fee.
    const tax = told.fee === 0n ? 0n : 180n
    life.happen(capture, paymentFee(pay, { fee: told.fee, tax, at: minutes(4) }))
    life.add(FEES, told.fee - tax)
    life.add(GST, tax)
    life.add(CLEARING, -told.fee)
  }
  for (const [index, refund] of told.refunds.entries()) {
    refundLife(life, { refund: `rfnd_${id}_${index}`, payment: pay }, booked, refund)
  }
  if (told.dispute !== 'none') {
    disputeLife(life, { dispute: `disp_${id}`, payment: pay, amount: CONTESTED }, told.dispute)
  }
  return { events: life.events, sums: life.sums, order }
}

function refundLife(
  life: Growing,
  ids: { refund: string; payment: string },
  booked: string,
  { end, fee }: Told['refunds'][number],
): void {
  const refund = { ...ids, amount: REFUNDED }
  const created = refundCreated({ ...refund, at: minutes(10) }, `ref_${ids.refund}`)
  const paid = refundProcessed({ ...refund, at: minutes(2000) }, null)
  const paidWithArn = refundProcessed({ ...refund, at: minutes(2000) }, 'ARN1')
  const back = refundFailed({ ...refund, at: minutes(end === 'returned' ? 4000 : 1000) })
  life.happen(created)
  if (end === 'processed' || end === 'returned') {
    life.happen(created, paid)
    life.happen(created, paidWithArn)
  }
  if (end === 'failed' || end === 'returned' || end === 'failed_then_paid') {
    life.happen(created, back)
  }
  if (end === 'failed_then_paid') {
    life.happen(created, paidWithArn)
  }
  if (fee) {
    life.happen(refundFee(ids.refund))
    life.add(FEES, 500n)
    life.add(GST, 90n)
    life.add(CLEARING, -590n)
  }
  if (end === 'created' || end === 'processed') {
    life.add(booked, REFUNDED)
    life.add(end === 'processed' ? CLEARING : ON_THEIR_WAY, -REFUNDED)
  }
}

function disputeLife(life: Growing, dispute: ToldDispute, end: Told['dispute']): void {
  const opened = disputeOpened({ ...dispute, at: minutes(50) })
  const isHeld = end.startsWith('held_')
  life.happen(opened)
  life.happen(disputeOpened({ ...dispute, at: minutes(60) }, { phase: 'arbitration' }))
  if (isHeld) {
    life.happen(opened, disputeMoved('dispute_debited', { ...dispute, at: minutes(55) }))
    life.add(HELD, CONTESTED)
    life.add(FEES, 1500n)
    life.add(CLEARING, -CONTESTED - 1500n)
  }
  if (end.endsWith('lost')) {
    const from = isHeld ? 'debited' : 'clearing'
    life.happen(opened, disputeLost({ ...dispute, at: minutes(90) }, from))
    life.add(LOSSES, CONTESTED)
    life.add(isHeld ? HELD : CLEARING, -CONTESTED)
  }
  if (end.endsWith('won')) {
    life.happen(opened, disputeWon({ ...dispute, at: minutes(90) }))
  }
  if (end === 'held_won') {
    life.happen(opened, disputeMoved('dispute_credited', { ...dispute, at: minutes(95) }))
    life.add(HELD, -CONTESTED)
    life.add(FEES, -1500n)
    life.add(CLEARING, CONTESTED + 1500n)
  }
}

const others = fc.constantFrom<Omit<Life, 'order'>[]>(
  [
    {
      events: [[settled({ id: 'setl_1' }, null)], [settled({ id: 'setl_1' }, 'UTR1')]],
      sums: { 'assets:bank:in-transit': 30_000n, [CLEARING]: -30_000n },
    },
  ],
  [
    {
      events: [
        [settled({ id: 'setl_2' })],
        [settled({ id: 'setl_2' }), settlementReturned({ id: 'setl_2', at: minutes(3000) })],
      ],
      sums: {},
    },
  ],
  [
    {
      events: [
        [payoutPending({ id: 'pout_1' }, 'queued')],
        [payoutPending({ id: 'pout_1', at: minutes(1) }, 'processing')],
        [payoutProcessed({ id: 'pout_1', at: minutes(2) })],
      ],
      sums: {
        'assets:unidentified-payments': 40_000n,
        [FEES]: 500n,
        [GST]: 90n,
        'assets:payout-balance:razorpay': -40_590n,
      },
    },
    {
      events: [
        [payoutPending({ id: 'pout_2' }, 'queued')],
        [payoutProcessed({ id: 'pout_2', at: minutes(2) })],
        [
          payoutProcessed({ id: 'pout_2', at: minutes(2) }),
          payoutReversed({ id: 'pout_2', at: minutes(5000) }),
        ],
      ],
      sums: {},
    },
    {
      events: [
        [payoutPending({ id: 'pout_3' }, 'pending')],
        [payoutFailed({ id: 'pout_3', at: minutes(3) })],
      ],
      sums: {},
    },
  ],
  [
    {
      events: [
        [transferFailed({ id: 'trf_1', at: minutes(1) })],
        [transferProcessed({ id: 'trf_1', at: minutes(4) })],
        [transferReversed({ id: 'trf_1', amount: 4000n, at: minutes(9) }, 'rvrsl_1')],
        [transferReversed({ id: 'trf_1', amount: 11_000n, at: minutes(12) }, 'rvrsl_2')],
      ],
      sums: { [FEES]: 250n, [GST]: 46n, [CLEARING]: -296n },
    },
  ],
  [
    {
      events: [
        [refundVoided({ refund: 'rfnd_void', payment: 'pay_auto', at: minutes(1) })],
        [authorized({ payment: 'pay_auto', at: minutes(0) })],
        [downtime('started')],
        [downtime('updated', { at: minutes(5), severity: 'low' })],
        [downtime('resolved', { at: minutes(9) })],
      ],
      sums: {},
    },
  ],
)

/** A few payments with all that may become of them, and something else that gateways do. */
export const lives: fc.Arbitrary<Life[]> = fc
  .tuple(fc.array(payment, { minLength: 1, maxLength: 3 }), others)
  .map(([payments, rest]) => [
    ...payments.map((told, index) => paymentLife(index + 1, told)),
    ...rest.map((one) => ({ ...one, order: null })),
  ])
