/** Scenarios of payments and what follows them: each says what it does and what must show. */
import { wordAt } from '../gateways/wire.ts'
import type { GatewayName } from '../../../src/gateways/fact.ts'
import { changeIn, fee, gift, givenBack, settled, together, type Books } from './books.ts'
import { rupees, type JsonObject, type Opened, type Stage } from './stage.ts'

export const FEE = { fee: 1180, tax: 180 }

/** Pays an opened donation; gives the gateway's id of the payment. */
export async function pay(stage: Stage, gateway: GatewayName, opened: Opened): Promise<string> {
  const { orderRef, amount, fields } = opened
  switch (gateway) {
    case 'razorpay':
      return wordAt(await stage.at(gateway, 'pay', { order: orderRef, charge: FEE }), 'id')
    case 'payu':
      return wordAt(await stage.at(gateway, 'pay', { txnid: orderRef, amount, fields }), 'mihpayid')
    case 'stripe':
      return wordAt(await stage.at(gateway, 'pay', { reference: orderRef, charge: FEE }), 'id')
    default:
      return gateway satisfies never
  }
}

/** A payment's state, donation and amount, as far as the service shows them. */
export async function shownPayment(stage: Stage, id: string): Promise<JsonObject | undefined> {
  const payment = await stage.payment(id)
  if (payment === undefined) {
    return undefined
  }
  const { state = null, donation = null, amount = null, refunded = null } = payment
  return { state, donation, amount, refunded }
}

export async function expectCaptured(stage: Stage, id: string, opened: Opened, refunded = 0) {
  const { donationId: donation, amount } = opened
  const expected = { state: 'captured', donation, amount, refunded }
  const look = async () => await shownPayment(stage, id)
  await stage.shows(`payment ${id} is captured for its donation`, look, expected)
}

/** Each account's change since `before`, to the paisa and not a second time. */
export async function expectBooks(
  stage: Stage,
  before: Books,
  ...parts: Readonly<Record<string, number>>[]
): Promise<void> {
  const look = async () => changeIn(before, await stage.books())
  await stage.shows('the books changed by this and nothing else', look, together(...parts))
}

/** What a gateway tells with a capture: PayU tells its fee in the settlement. */
function capturedAt(gateway: GatewayName, amount: number) {
  return together(gift(gateway, amount), gateway === 'payu' ? {} : fee(gateway, FEE))
}

export async function happy(stage: Stage, gateways: readonly GatewayName[]): Promise<void> {
  for (const gateway of gateways) {
    await stage.connect(gateway)
    const before = await stage.books()
    const opened = await stage.open(gateway, 250_050)
    const id = await pay(stage, gateway, opened)
    stage.say(`It is paid: ${id}`)
    await stage.calm()
    await expectCaptured(stage, id, opened)
    await expectBooks(stage, before, capturedAt(gateway, 250_050))
    const hasReceipt = async () => (await stage.payment(id))?.['receipt'] !== null
    await stage.shows('the donor has a receipt', hasReceipt, true)
  }
}

export async function lateAuthorisation(stage: Stage): Promise<void> {
  await stage.connect('razorpay')
  const before = await stage.books()
  const opened = await stage.open('razorpay', 110_000)
  const payment = wordAt(await stage.at('razorpay', 'begin', { order: opened.orderRef }), 'id')
  await stage.at('razorpay', 'fail', { payment })
  stage.say(`The bank does not answer and Razorpay calls ${payment} failed.`)
  await stage.calm()
  const state = async () => (await stage.payment(payment))?.['state']
  await stage.shows('the payment is failed', state, 'failed')
  await expectBooks(stage, before)
  await stage.at('razorpay', 'authorise', { payment })
  await stage.at('razorpay', 'capture', { payment, charge: FEE })
  stage.say('The bank says yes after all: the same payment is authorised and captured.')
  await stage.calm()
  await expectCaptured(stage, payment, opened)
  await expectBooks(stage, before, gift('razorpay', 110_000), fee('razorpay', FEE))
}

export async function doubleOrderPaid(stage: Stage): Promise<void> {
  await stage.connect('razorpay')
  const before = await stage.books()
  const opened = await stage.open('razorpay', 50_100)
  const payment = await pay(stage, 'razorpay', opened)
  await stage.at('razorpay', 'orderPaid', { payment })
  for (const event of await toldOf(stage, payment)) {
    await stage.control('POST', 'webhooks/again', { id: event.id })
  }
  stage.say('payment.captured, order.paid twice under two ids, and each of them once more.')
  await stage.calm()
  await expectCaptured(stage, payment, opened)
  await expectBooks(stage, before, gift('razorpay', 50_100), fee('razorpay', FEE))
}

/** Events that a gateway told, or would have told, of a thing. */
export async function toldOf(stage: Stage, about: string): Promise<{ id: string; type: string }[]> {
  const events = (await stage.control('GET', 'webhooks')) as JsonObject[]
  return events
    .filter((event) => event['about'] === about)
    .map((event) => ({ id: wordAt(event, 'id'), type: wordAt(event, 'type') }))
}

export async function refundBeforeCapture(stage: Stage): Promise<void> {
  await stage.connect('razorpay')
  const before = await stage.books()
  const opened = await stage.open('razorpay', 100_000)
  await stage.mode('razorpay', 'silent')
  const payment = await pay(stage, 'razorpay', opened)
  await stage.mode('razorpay', 'on')
  const refund = wordAt(await stage.at('razorpay', 'refund', { payment, amount: 40_000 }), 'id')
  await stage.at('razorpay', 'finishRefund', { refund, status: 'processed' })
  stage.say(`₹400.00 of ${payment} go back, and the service has not heard of the payment yet.`)
  await stage.calm()
  await expectBooks(stage, before)
  for (const event of await toldOf(stage, payment)) {
    await stage.control('POST', 'webhooks/again', { id: event.id })
  }
  stage.say('Now the events of the payment come.')
  await stage.calm()
  await expectCaptured(stage, payment, opened, 40_000)
  const refundState = async () => {
    const refunds = (await stage.payment(payment))?.['refunds']
    return Array.isArray(refunds) ? refunds.map((one) => (one as JsonObject)['state'] ?? null) : []
  }
  await stage.shows('the refund is paid', refundState, ['processed'])
  const parts = [gift('razorpay', 100_000), fee('razorpay', FEE), givenBack('razorpay', 40_000)]
  await expectBooks(stage, before, ...parts)
}

const LOST = 'expenses:dispute-losses'

export async function disputeLost(stage: Stage, gateways: readonly GatewayName[]): Promise<void> {
  for (const gateway of gateways.filter((one) => one !== 'payu')) {
    await stage.connect(gateway)
    const opened = await stage.open(gateway, 200_000)
    const payment = await pay(stage, gateway, opened)
    await stage.calm()
    await expectCaptured(stage, payment, opened)
    const before = await stage.books()
    const settlement = await stage.at(gateway, 'settle', {})
    const sum = Number(settlement['amount'])
    stage.say(`${gateway} settles ${rupees(sum)}: ${wordAt(settlement, 'id')}`)
    await stage.calm()
    await expectBooks(stage, before, settled(gateway, sum))
    const of = gateway === 'razorpay' ? { payment } : { charge: payment }
    const dispute = wordAt(await stage.at(gateway, 'dispute', of), 'id')
    await stage.at(gateway, 'decide', { dispute, status: 'lost' })
    stage.say(`A dispute of it is lost: ${dispute}`)
    await stage.calm()
    const states = async () => {
      const { json } = await stage.call('GET', `/v1/disputes?limit=1&gateway_dispute_id=${dispute}`)
      const [row] = Array.isArray(json['data']) ? (json['data'] as JsonObject[]) : []
      return row?.['state'] ?? null
    }
    await stage.shows('the dispute is lost', states, 'lost')
    // Stripe takes fifteen rupees for it.
    const charge = gateway === 'stripe' ? fee(gateway, { fee: 1500, tax: 0 }) : {}
    const lost = { [`assets:clearing:${gateway}`]: -200_000, [LOST]: 200_000 }
    await expectBooks(stage, before, settled(gateway, sum), lost, charge)
  }
}

export async function payuAuth(stage: Stage): Promise<void> {
  await stage.connect('payu')
  const before = await stage.books()
  const opened = await stage.open('payu', 75_000)
  const { orderRef: txnid, amount, fields } = opened
  const paid = await stage.at('payu', 'pay', { txnid, amount, fields, state: 'auth' })
  const payment = wordAt(paid, 'mihpayid')
  stage.say(`PayU says status=success of ${payment}, and means auth: no money was captured.`)
  await stage.calm()
  const state = async () => (await stage.payment(payment))?.['state']
  await stage.shows('the payment is only authorised', state, 'authorized')
  await expectBooks(stage, before)
  await stage.at('payu', 'move', { payment, state: 'captured', fields })
  stage.say('It is captured.')
  await stage.calm()
  await expectCaptured(stage, payment, opened)
  await expectBooks(stage, before, gift('payu', 75_000))
}

export async function payuCharges(stage: Stage): Promise<void> {
  await stage.connect('payu')
  const before = await stage.books()
  const opened = await stage.open('payu', 120_000)
  const { orderRef: txnid, amount, fields } = opened
  const paid = await stage.at('payu', 'pay', { txnid, amount, fields, charges: 2400 })
  stage.say('The donor pays ₹24.00 on top to PayU, and the hash covers them in front of the salt.')
  await stage.calm()
  await expectCaptured(stage, wordAt(paid, 'mihpayid'), opened)
  await expectBooks(stage, before, gift('payu', 120_000))
}
