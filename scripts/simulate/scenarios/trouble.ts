/** Scenarios of trouble between the gateways and us: rotated secrets, silence, faults. */
import { wordAt } from '../gateways/wire.ts'
import { changeIn, fee, gift } from './books.ts'
import { expectBooks, expectCaptured, FEE, pay, toldOf } from './payments.ts'
import { NotAsExpected, type Json, type JsonObject, type Stage } from './stage.ts'

export async function secretRotation(stage: Stage): Promise<void> {
  const { account } = stage.endpoint('razorpay')
  const made = await stage.call('POST', '/v1/webhook-endpoints', { gateway: 'razorpay' })
  const [id, old] = [wordAt(made.json, 'id'), wordAt(made.json, 'secret')]
  if (made.status !== 201 || made.json['secret'] === null) {
    throw new NotAsExpected(`No endpoint was made: ${JSON.stringify(made.json)}`)
  }
  const path = `/webhooks/razorpay/${id}`
  stage.say(`An endpoint of its own for this scenario: ${id}`)
  try {
    await stage.connect('razorpay', { path, account, secret: old })
    await rotate(stage, id, { path, account, secret: old })
  } finally {
    await stage.mode('razorpay', 'on')
    await stage.connect('razorpay')
    await stage.call('PATCH', `/v1/webhook-endpoints/${id}`, { state: 'disabled' })
  }
}

async function rotate(
  stage: Stage,
  id: string,
  endpoint: { path: string; account: string; secret: string },
): Promise<void> {
  const before = await stage.books()
  const first = await stage.open('razorpay', 30_000)
  await stage.mode('razorpay', 'held')
  const early = await pay(stage, 'razorpay', first)
  stage.say(`${early} is paid, and its events are on their way under the old secret.`)
  const rotation = { label: 'rotated by a scenario' }
  const rotated = await stage.call('POST', `/v1/webhook-endpoints/${id}/rotate-secret`, rotation)
  const secret = wordAt(rotated.json, 'secret')
  await stage.connect('razorpay', { ...endpoint, secret })
  await stage.mode('razorpay', 'on')
  const second = await stage.open('razorpay', 40_000)
  const late = await pay(stage, 'razorpay', second)
  stage.say(`The secret is rotated; the old events arrive, and ${late} comes under the new one.`)
  await stage.calm()
  await expectCaptured(stage, early, first)
  await expectCaptured(stage, late, second)
  const parts = [gift('razorpay', 70_000), fee('razorpay', FEE), fee('razorpay', FEE)]
  await expectBooks(stage, before, ...parts)
  await stage.connect('razorpay', { ...endpoint, secret: 'nobody knows this secret of 2026' })
  const third = await stage.open('razorpay', 50_000)
  await stage.mode('razorpay', 'on')
  const forged = await pay(stage, 'razorpay', third)
  stage.say(`${forged} is told under a secret that was never ours.`)
  await stage.shows('its calls are listed as refused', async () => await refusedAt(stage, id), true)
  await expectBooks(stage, before, ...parts)
}

async function refusedAt(stage: Stage, endpoint: string): Promise<boolean> {
  const { json } = await stage.call('GET', `/v1/rejected-calls?limit=1&endpoint=${endpoint}`)
  return Array.isArray(json['data']) && json['data'].length > 0
}

/** While nobody answers, a donation is refused with the advice to try again. */
async function expectNoDonation(stage: Stage): Promise<void> {
  const { status, json } = await stage.call('POST', '/v1/donations', {
    gateway: 'razorpay',
    amount: 10_000,
    currency: 'INR',
    fund: 'general',
    nature: 'general',
    donor: { name: 'Asha Rao', email: 'asha@example.org', citizenship: 'indian' },
  })
  const seen = async (): Promise<Json> => {
    return { status, moved: json['moved'] ?? 'no' }
  }
  await stage.shows('a donation is refused for now (503)', seen, { status: 503, moved: 'no' })
}

export async function gatewayTimeouts(stage: Stage): Promise<void> {
  await faulty(stage, [{ kind: 'silent', times: 1 }], 'does not answer')
}

export async function gateway5xx(stage: Stage): Promise<void> {
  const faults = [
    { kind: 'refuse', status: 500, times: 1 },
    { kind: 'refuse', status: 503, retry_after: 1, times: 1 },
  ]
  await faulty(stage, faults, 'answers 500 and 503')
}

/** The gateways fail when they are asked, and the webhooks that came wait until they do not. */
async function faulty(stage: Stage, faults: readonly JsonObject[], inWords: string): Promise<void> {
  await stage.connect('razorpay')
  await stage.connect('payu')
  const before = await stage.books()
  try {
    // However often a donation is tried, there is no order.
    for (const fault of faults) {
      const all = { ...fault, times: null, operation: 'razorpay.orders.create' }
      await stage.control('POST', 'faults', all)
    }
    stage.say(`Razorpay ${inWords} where orders are made.`)
    await expectNoDonation(stage)
    await stage.control('DELETE', 'faults')
    const opened = await stage.open('payu', 60_000)
    for (const fault of faults) {
      await stage.control('POST', 'faults', { ...fault, operation: 'payu.verify_payment' })
    }
    const payment = await pay(stage, 'payu', opened)
    stage.say(`${payment} is paid, and PayU ${inWords} when it is asked about it.`)
    await expectCaptured(stage, payment, opened)
    await stage.calm()
    await expectBooks(stage, before, gift('payu', 60_000))
    const calls = (await stage.control('GET', 'calls')) as JsonObject[]
    const asked = calls.filter((call) => call['operation'] === 'payu.verify_payment').length
    stage.say(`PayU was asked ${asked} times in all.`)
  } finally {
    await stage.control('DELETE', 'faults')
  }
}

export async function webhookSilence(stage: Stage): Promise<void> {
  await stage.connect('razorpay')
  const before = await stage.books()
  await stage.mode('razorpay', 'silent')
  const opened = await stage.open('razorpay', 80_000)
  const payment = await pay(stage, 'razorpay', opened)
  await stage.mode('razorpay', 'on')
  stage.say(`${payment} is paid, and Razorpay tells nobody.`)
  await stage.calm()
  const change = changeIn(before, await stage.books())
  if (Object.keys(change).length === 0) {
    for (const event of await toldOf(stage, payment)) {
      await stage.control('POST', 'webhooks/again', { id: event.id })
    }
    stage.say('Nothing is booked; Razorpay’s support sends the events again.')
  }
  await stage.calm()
  await expectCaptured(stage, payment, opened)
  await expectBooks(stage, before, gift('razorpay', 80_000), fee('razorpay', FEE))
}
