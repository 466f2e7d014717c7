/** Money that leaves Razorpay: settlements with their lines, payouts, transfers. */
import { Impossible, newId, numberAt, secondsOf, wordAt, type Entity, type Json } from '../wire.ts'
import { change, type RazorpayBooks } from './books.ts'

/** Everything that was captured, given back or taken and is in no settlement yet. */
export function settle(books: RazorpayBooks): Entity {
  const rows = [
    ...books.payments.all().flatMap((one) => (one['captured'] === true ? [ofPayment(one)] : [])),
    ...books.refunds.all().flatMap((one) => (isPaid(books, one) ? [ofRefund(one)] : [])),
    ...books.disputes.all().flatMap((one) => (one['status'] === 'lost' ? [ofDispute(one)] : [])),
    ...books.transfers.all().flatMap((one) => (isDone(one) ? [ofTransfer(one)] : [])),
  ].filter((row) => books.lines.find(keyOf(row)) === undefined)
  const amount = rows.reduce((sum, row) => sum + row.credit - row.debit, 0)
  if (amount <= 0) {
    throw new Impossible(`There is nothing to settle: the lines come to ${amount}.`)
  }
  const now = secondsOf(books.now())
  const utr = `BAHIN${newId('').toUpperCase()}`
  const settlement: Entity = {
    id: newId('setl_'),
    entity: 'settlement',
    amount,
    status: 'processed',
    fees: 0,
    tax: 0,
    utr,
    created_at: now,
  }
  for (const row of rows) {
    const settled = { settled: true, settled_at: now, settlement_id: settlement.id }
    const line = { ...emptyLine(), ...row, ...settled, settlement_utr: utr }
    books.lines.put(keyOf(row), { id: row.entity_id, ...line })
  }
  books.settlements.put(settlement.id, settlement)
  books.emit('settlement.processed', { settlement })
  return settlement
}

type Row = Record<string, Json> & {
  entity_id: string
  type: string
  credit: number
  debit: number
}

function keyOf(row: Row): string {
  return `${row.type}:${row.entity_id}`
}

function ofPayment(payment: Entity): Row {
  const amount = numberAt(payment, 'amount')
  const fee = typeof payment['fee'] === 'number' ? payment['fee'] : 0
  const tax = typeof payment['tax'] === 'number' ? payment['tax'] : 0
  const moved = { amount, fee, tax, credit: amount - fee, debit: 0 }
  const orderId = payment['order_id'] ?? null
  return { ...rowOf('payment', payment), ...moved, order_id: orderId }
}

function ofRefund(refund: Entity): Row {
  const amount = numberAt(refund, 'amount')
  const paymentId = wordAt(refund, 'payment_id')
  return { ...rowOf('refund', refund), amount, debit: amount, payment_id: paymentId }
}

/** In which shape Razorpay shows it nobody has published: an adjustment that names the dispute. */
function ofDispute(dispute: Entity): Row {
  const amount = numberAt(dispute, 'amount_deducted')
  const id = dispute.id.replace(/^disp_/, 'adj_')
  const about = { payment_id: wordAt(dispute, 'payment_id'), dispute_id: dispute.id }
  const moved = { amount, debit: amount, description: 'Dispute lost' }
  return { ...rowOf('adjustment', dispute), entity_id: id, ...moved, ...about }
}

function ofTransfer(transfer: Entity): Row {
  const [amount, fee] = [numberAt(transfer, 'amount'), numberAt(transfer, 'fees')]
  const moved = { amount, fee, tax: numberAt(transfer, 'tax'), debit: amount + fee }
  return { ...rowOf('transfer', transfer), ...moved, payment_id: wordAt(transfer, 'source') }
}

function rowOf(type: string, of: Entity): Row {
  const currency = of['currency'] ?? 'INR'
  const created_at = of['created_at'] ?? null
  return { entity_id: of.id, type, credit: 0, debit: 0, fee: 0, tax: 0, currency, created_at }
}

function emptyLine(): Record<string, Json> {
  const names =
    'posted_at description notes payment_id settlement_utr order_id order_receipt method ' +
    'card_network card_issuer card_type dispute_id'
  const nothing = Object.fromEntries(names.split(' ').map((name) => [name, null]))
  return { ...nothing, on_hold: false, credit_type: 'default' }
}

/** A refund of what nobody captured moved no money of ours. */
function isPaid(books: RazorpayBooks, refund: Entity): boolean {
  const payment = books.payments.find(wordAt(refund, 'payment_id'))
  return refund['status'] === 'processed' && payment?.['captured'] === true
}

function isDone(transfer: Entity): boolean {
  return transfer['status'] === 'processed'
}

export type PayoutStatus =
  'queued' | 'pending' | 'processing' | 'processed' | 'reversed' | 'failed' | 'rejected'

const PAYOUT_EVENT: Record<PayoutStatus, string> = {
  queued: 'payout.queued',
  pending: 'payout.pending',
  processing: 'payout.initiated',
  processed: 'payout.processed',
  reversed: 'payout.reversed',
  failed: 'payout.failed',
  rejected: 'payout.rejected',
}

const ENDED = ['reversed', 'failed', 'rejected']

/** A processed payout may still come back; what failed stays so. */
export function movePayout(books: RazorpayBooks, id: string, status: PayoutStatus): Entity {
  const before = wordAt(books.payouts.get(id), 'status')
  const isPast = ENDED.includes(before) || (before === 'processed' && status !== 'reversed')
  if (isPast || (status === 'reversed' && before !== 'processed' && before !== 'processing')) {
    throw new Impossible(`Payout ${id} is ${before} and cannot become ${status}.`)
  }
  const utr = status === 'processed' ? { utr: newId('').toUpperCase() } : {}
  const isBack = ENDED.includes(status)
  const failed = isBack ? { failure_reason: 'The beneficiary’s account is closed.' } : {}
  const payout = change(books.payouts, id, { status, ...utr, ...failed })
  books.emit(PAYOUT_EVENT[status], { payout })
  return payout
}

/** A part of a payment goes to a linked account. */
export function transfer(
  books: RazorpayBooks,
  paymentId: string,
  wanted: { account: string; amount: number; currency: string },
): Entity {
  const payment = books.payments.get(paymentId)
  const given = numberAt(payment, 'amount_transferred')
  if (payment['captured'] !== true || given + wanted.amount > numberAt(payment, 'amount')) {
    throw new Impossible('The sum of the transfers is greater than the captured amount')
  }
  // A quarter of a percent, and 18 % on it.
  const commission = Math.floor((wanted.amount * 25 + 5000) / 10_000)
  const tax = Math.floor((commission * 18 + 50) / 100)
  const now = secondsOf(books.now())
  const made: Entity = {
    id: newId('trf_'),
    entity: 'transfer',
    status: 'processed',
    source: paymentId,
    recipient: wanted.account,
    amount: wanted.amount,
    currency: wanted.currency,
    amount_reversed: 0,
    fees: commission + tax,
    tax,
    notes: {},
    linked_account_notes: [],
    on_hold: false,
    on_hold_until: null,
    settlement_status: null,
    recipient_settlement_id: null,
    error: { code: null, description: null, reason: null },
    created_at: now,
    processed_at: now,
  }
  change(books.payments, paymentId, { amount_transferred: given + wanted.amount })
  books.transfers.put(made.id, made)
  books.emit('transfer.processed', { transfer: made })
  return made
}
