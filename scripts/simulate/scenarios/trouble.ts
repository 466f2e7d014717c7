/** Scenarios of trouble on the way from the gateways to us: rotated secrets, silence. */
import { wordAt } from '../gateways/wire.ts'
import { fee, gift } from './books.ts'
import { expectBooks, expectCaptured, FEE, pay, toldOf } from './payments.ts'
import { comparePayments, expectNoDifference, payEarlier } from './polling.ts'
import { NotAsExpected, type Stage } from './stage.ts'

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
  const unheard = await payEarlier(stage, third, 2)
  stage.say(`${unheard} is told under a secret that was never ours.`)
  await stage.shows('its calls are listed as refused', async () => await refusedAt(stage, id), true)
  await expectBooks(stage, before, ...parts)
  // Who told it is not believed; the gateway itself is.
  await comparePayments(stage, 'razorpay')
  await stage.calm()
  await expectCaptured(stage, unheard, third)
  await expectBooks(stage, before, ...parts, gift('razorpay', 50_000), fee('razorpay', FEE))
}

async function refusedAt(stage: Stage, endpoint: string): Promise<boolean> {
  const { json } = await stage.call('GET', `/v1/rejected-calls?limit=1&endpoint=${endpoint}`)
  return Array.isArray(json['data']) && json['data'].length > 0
}

export async function webhookSilence(stage: Stage): Promise<void> {
  await stage.connect('razorpay')
  const before = await stage.books()
  const parts = [gift('razorpay', 80_000), fee('razorpay', FEE)]
  await stage.mode('razorpay', 'silent')
  const opened = await stage.open('razorpay', 80_000)
  const payment = await payEarlier(stage, opened, 2)
  await stage.mode('razorpay', 'on')
  stage.say(`${payment} was paid two minutes ago, and Razorpay tells nobody.`)
  await stage.calm()
  await expectBooks(stage, before)
  await comparePayments(stage, 'razorpay')
  await stage.calm()
  await expectCaptured(stage, payment, opened)
  await expectBooks(stage, before, ...parts)
  for (const event of await toldOf(stage, payment)) {
    await stage.control('POST', 'webhooks/again', { id: event.id })
  }
  stage.say('Razorpay’s support sends the events after all.')
  await stage.calm()
  await expectCaptured(stage, payment, opened)
  await expectBooks(stage, before, ...parts)
  await comparePayments(stage, 'razorpay')
  await expectNoDifference(stage, 'razorpay')
  await expectBooks(stage, before, ...parts)
}
