/** Scenarios of money that the service tells gateways to move: refunds and payouts, once each. */
import type { GatewayName } from '../../../src/gateways/fact.ts'
import { wordAt } from '../gateways/wire.ts'
import { fee, gift, givenBack, together } from './books.ts'
import { capturedAt, expectBooks, expectCaptured, FEE, pay, toldOf } from './payments.ts'
import { comparePayments, payEarlier } from './polling.ts'
import { NotAsExpected, rupees, type JsonObject, type Opened, type Stage } from './stage.ts'

export async function refundByApi(stage: Stage, gateways: readonly GatewayName[]): Promise<void> {
  for (const gateway of gateways) {
    await stage.connect(gateway)
    const before = await stage.books()
    const [whole, parted] = [
      await given(stage, gateway, 90_000),
      await given(stage, gateway, 60_000),
    ]
    const all = await instruct(stage, `/v1/payments/${whole.id}/refunds`, {
      reason: 'The donor paid by mistake',
    })
    const part = await instruct(stage, `/v1/payments/${parted.id}/refunds`, {
      amount: 25_000,
      reason: 'The donor meant less',
    })
    stage.say(`All of ${whole.payment} and ₹250.00 of ${parted.payment} are to go back.`)
    await expectEnd(stage, all, 'done', 1)
    await expectEnd(stage, part, 'done', 1)
    await stage.calm()
    await expectCaptured(stage, whole.payment, whole.opened, 90_000)
    await expectCaptured(stage, parted.payment, parted.opened, 25_000)
    await expectReceipt(stage, whole.receipt, { state: 'cancelled', refunded: 90_000 })
    await expectReceipt(stage, parted.receipt, { state: 'issued', refunded: 25_000 })
    const gifts = together(capturedAt(gateway, 90_000), capturedAt(gateway, 60_000))
    await expectBooks(stage, before, gifts, givenBack(gateway, 115_000))
    const more = await stage.call('POST', `/v1/payments/${parted.id}/refunds`, {
      amount: 35_001,
      reason: 'One paisa above what is left',
    })
    await stage.shows(
      'no more than is left goes back',
      () => codeOf(more.json),
      'amount_above_left',
    )
  }
}

interface Given {
  opened: Opened
  /** The gateway's id of the payment, and ours. */
  payment: string
  id: string
  receipt: string
}

/** A gift that is booked, with its receipt. */
async function given(stage: Stage, gateway: GatewayName, amount: number): Promise<Given> {
  const opened = await stage.open(gateway, amount)
  const payment = await pay(stage, gateway, opened)
  await stage.calm()
  await expectCaptured(stage, payment, opened)
  const hasReceipt = async () => typeof (await stage.payment(payment))?.['receipt'] === 'string'
  await stage.shows('the donor has a receipt', hasReceipt, true)
  const shown = (await stage.payment(payment)) ?? {}
  return { opened, payment, id: wordAt(shown, 'id'), receipt: wordAt(shown, 'receipt') }
}

/** Asks for money to move; gives the id of the instruction. */
async function instruct(stage: Stage, path: string, body: JsonObject): Promise<string> {
  const { status, json } = await stage.call('POST', path, body)
  if (status !== 202) {
    throw new NotAsExpected(`POST ${path}: 202 expected, got ${status} ${JSON.stringify(json)}`)
  }
  return wordAt(json, 'id')
}

async function expectEnd(
  stage: Stage,
  id: string,
  state: string,
  calls: number,
): Promise<JsonObject> {
  const look = async () => {
    const shown = await stage.got(`/v1/instructions/${id}`)
    return { state: shown['state'] ?? null, calls: shown['calls'] ?? null }
  }
  const times = calls === 1 ? 'one call' : `${calls} calls`
  await stage.shows(`the instruction is ${state} after ${times}`, look, { state, calls })
  return await stage.got(`/v1/instructions/${id}`)
}

async function expectReceipt(
  stage: Stage,
  id: string,
  expected: { state: string; refunded: number },
): Promise<void> {
  const look = async () => {
    const { state = null, refunded = null } = await stage.got(`/v1/receipts/${id}`)
    return { state, refunded }
  }
  const words = `the receipt is ${expected.state}, with ${rupees(expected.refunded)} given back`
  await stage.shows(words, look, expected)
}

function codeOf(json: JsonObject): Promise<string> {
  return Promise.resolve(wordAt(json, 'code'))
}

const PAYABLE = 'liabilities:merchants-payable'
const PAYOUT = {
  gateway: 'razorpay',
  currency: 'INR',
  mode: 'IMPS',
  purpose: 'vendor bill',
  narration: 'Books for Pune',
  paid_for: PAYABLE,
  reason: 'Bill of a scenario',
  beneficiary: {
    type: 'bank_account',
    name: 'Ravi Rao',
    account_number: '50100102283912',
    ifsc: 'HDFC0000053',
  },
}
/** What RazorpayX of the test gateways takes for a payout. */
const PAYOUT_FEE = { fee: 590, tax: 90 }

export async function payoutAnswerLost(stage: Stage): Promise<void> {
  await stage.connect('razorpay')
  const before = await stage.books()
  const operation = 'razorpay.payouts.create'
  await stage.mode('razorpay', 'silent')
  try {
    await stage.control('POST', 'faults', { operation, kind: 'lose' })
    const lost = await instruct(stage, '/v1/payouts', { ...PAYOUT, amount: 150_000 })
    stage.say(`${rupees(150_000)} are paid out, and Razorpay’s answer is cut off: ${lost}`)
    // Nobody tells it what became of it; it asks, and calls no second time.
    const found = await expectEnd(stage, lost, 'done', 1)
    await expectPaidOnce(stage, found)
    await expectBooks(stage, before, paidOut(150_000))
    await stage.control('POST', 'faults', { operation, kind: 'refuse', status: 502 })
    const undone = await instruct(stage, '/v1/payouts', { ...PAYOUT, amount: 70_000 })
    stage.say(`${rupees(70_000)} are to be paid out, and Razorpay answers 502: ${undone}`)
    // It asks, Razorpay knows of none, and is told again under the same reference.
    const accepted = await expectEnd(stage, undone, 'accepted', 2)
    await expectPaidOnce(stage, accepted)
    for (const payout of [found, accepted]) {
      for (const event of await toldOf(stage, wordAt(payout, 'gateway_ref'))) {
        await stage.control('POST', 'webhooks/again', { id: event.id })
      }
    }
    stage.say('Now the webhooks of both come.')
    await expectEnd(stage, undone, 'done', 2)
    await stage.calm()
    await expectBooks(stage, before, paidOut(150_000), paidOut(70_000))
  } finally {
    await stage.control('DELETE', 'faults')
    await stage.mode('razorpay', 'on')
  }
}

function paidOut(amount: number): Record<string, number> {
  const { fee: taken, tax } = PAYOUT_FEE
  return {
    'assets:payout-balance:razorpay': -amount - taken,
    [PAYABLE]: amount,
    'assets:input-gst': tax,
    'expenses:gateway-fees': taken - tax,
  }
}

/** By the gateway's own books. */
async function expectPaidOnce(stage: Stage, instruction: JsonObject): Promise<void> {
  const reference = wordAt(instruction, 'reference')
  const paid = async () => await stage.at('razorpay', 'paidOut', { reference })
  const expected = { payouts: 1, amount: instruction['amount'] ?? null }
  await stage.shows('Razorpay itself paid once', paid, expected)
}

export async function orderRefunded(stage: Stage): Promise<void> {
  await stage.connect('razorpay')
  const before = await stage.books()
  const opened = await stage.open('razorpay', 45_000)
  const first = await pay(stage, 'razorpay', opened)
  await stage.calm()
  await expectCaptured(stage, first, opened)
  const setting = 'refund_duplicates_after_hours'
  const was = (await stage.got('/v1/organisation'))[setting] ?? null
  try {
    await stage.call('PATCH', '/v1/organisation', { [setting]: 1 })
    await stage.mode('razorpay', 'silent')
    const second = await payEarlier(stage, opened, 120)
    await stage.mode('razorpay', 'on')
    stage.say(`Two hours ago ${second} was paid for the same order, and nobody was told.`)
    await comparePayments(stage, 'razorpay')
    const state = async () => {
      const { state: now = null, donation = null, refunded = null } = await shown(stage, second)
      return { state: now, donation, refunded }
    }
    const expected = { state: 'captured', donation: null, refunded: 45_000 }
    await stage.shows('what nobody asked for goes back by itself', state, expected)
    await stage.calm()
    await expectCaptured(stage, first, opened)
    const fees = together(fee('razorpay', FEE), fee('razorpay', FEE))
    await expectBooks(stage, before, gift('razorpay', 45_000), fees)
  } finally {
    await stage.mode('razorpay', 'on')
    await stage.call('PATCH', '/v1/organisation', { [setting]: was })
  }
}

async function shown(stage: Stage, gatewayPaymentId: string): Promise<JsonObject> {
  return (await stage.payment(gatewayPaymentId)) ?? {}
}
