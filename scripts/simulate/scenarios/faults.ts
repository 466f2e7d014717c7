/** Scenarios of gateways that fail when they are asked: tried again, left alone, tried again. */
import { wordAt } from '../gateways/wire.ts'
import { gift } from './books.ts'
import { expectBooks, expectCaptured, pay } from './payments.ts'
import { NotAsExpected, type JsonObject, type Stage } from './stage.ts'

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

async function faulty(stage: Stage, faults: readonly JsonObject[], inWords: string): Promise<void> {
  await stage.connect('razorpay')
  await stage.connect('payu')
  const before = await stage.books()
  try {
    for (const fault of faults) {
      const all = { ...fault, times: null, operation: 'razorpay.orders.create' }
      await stage.control('POST', 'faults', all)
    }
    stage.say(`Razorpay ${inWords} where orders are made.`)
    await leaveAlone(stage)
    await stage.control('DELETE', 'faults')
    stage.say('Razorpay is well again.')
    await comeBack(stage)
    await expectBooks(stage, before)
    await askAgain(stage, faults, inWords)
    await expectBooks(stage, before, gift('payu', 60_000))
  } finally {
    await stage.control('DELETE', 'faults')
  }
}

/** How many donors come at once while the gateway is away. */
const DONORS = 5

/** Each donation is refused for now, until too many failed: then nobody asks the gateway. */
async function leaveAlone(stage: Stage): Promise<void> {
  const comeAndSee = async (): Promise<string> => {
    await Promise.all(Array.from({ length: DONORS }, async () => await refusedDonation(stage)))
    return await breakerOfOrders(stage)
  }
  await stage.shows('the breaker of Razorpay’s orders opens', comeAndSee, 'open')
  const callsOfOne = async (): Promise<number> => {
    const asked = await ordersAskedFor(stage)
    await refusedDonation(stage)
    return (await ordersAskedFor(stage)) - asked
  }
  // A probe may be let through just now; the next donor meets an open breaker again.
  await stage.shows('a donation is refused without a call', callsOfOne, 0)
}

/** One call is let through after a while, and all of them where it went well. */
async function comeBack(stage: Stage): Promise<void> {
  const state = async () => await breakerOfOrders(stage)
  await stage.shows('after a while one call is let through', state, 'half_open')
  await stage.open('razorpay', 10_000)
  await stage.shows('the breaker is closed again', state, 'closed')
}

/** While nobody answers, a donation is refused with the advice to try again. */
async function refusedDonation(stage: Stage): Promise<void> {
  const { status, json } = await stage.call('POST', '/v1/donations', {
    gateway: 'razorpay',
    amount: 10_000,
    currency: 'INR',
    fund: 'general',
    nature: 'general',
    donor: { name: 'Asha Rao', email: 'asha@example.org', citizenship: 'indian' },
  })
  const { code = null, moved = 'no' } = json
  if (status !== 503 || code !== 'gateway_unavailable' || moved !== 'no') {
    throw new NotAsExpected(`A donation is not refused for now: ${status} ${JSON.stringify(json)}`)
  }
}

async function breakerOfOrders(stage: Stage): Promise<string> {
  const { data } = await stage.got('/v1/gateway-breakers')
  const breakers = Array.isArray(data) ? (data as JsonObject[]) : []
  const ours = breakers.find(
    ({ gateway, operation }) => gateway === 'razorpay' && operation === 'createOrder',
  )
  return ours === undefined ? 'closed' : wordAt(ours, 'state')
}

async function ordersAskedFor(stage: Stage): Promise<number> {
  const calls = (await stage.control('GET', 'calls')) as JsonObject[]
  return calls.filter((call) => call['operation'] === 'razorpay.orders.create').length
}

/** A payment waits for its confirmation while PayU fails, and is confirmed by a repeated call. */
async function askAgain(
  stage: Stage,
  faults: readonly JsonObject[],
  inWords: string,
): Promise<void> {
  const began = new Date().toISOString()
  const opened = await stage.open('payu', 60_000)
  for (const fault of faults) {
    await stage.control('POST', 'faults', { ...fault, operation: 'payu.verify_payment' })
  }
  const payment = await pay(stage, 'payu', opened)
  stage.say(`${payment} is paid, and PayU ${inWords} when it is asked about it.`)
  await expectCaptured(stage, payment, opened)
  const attempts = async () => {
    const path = `/v1/gateway-calls?limit=100&gateway=payu&operation=confirm&begun_from=${began}`
    const { data } = await stage.got(path)
    const calls = Array.isArray(data) ? (data as JsonObject[]) : []
    return calls.some((call) => call['attempt'] === faults.length + 1 && call['error'] === null)
  }
  await stage.shows(`PayU answers the call that is made ${faults.length + 1} times`, attempts, true)
  await stage.calm()
}
