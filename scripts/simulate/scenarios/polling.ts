/** Payments that no webhook tells of, and how they are found in the gateway's own list. */
import { indianDate } from '../../../src/base/clock.ts'
import type { GatewayName } from '../../../src/gateways/fact.ts'
import { secondsOf, wordAt } from '../gateways/wire.ts'
import { FEE } from './payments.ts'
import { NotAsExpected, type JsonObject, type Opened, type Stage } from './stage.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * Pays an order at Razorpay so many minutes ago; gives the payment's id. What is younger than a
 * minute no comparison takes: its webhook may be on its way.
 */
export async function payEarlier(stage: Stage, opened: Opened, minutes: number): Promise<string> {
  const at = secondsOf(new Date(Date.now() - minutes * 60_000))
  const paid = { order: opened.orderRef, charge: FEE, details: { created_at: at } }
  return wordAt(await stage.at('razorpay', 'pay', paid), 'id')
}

/** Has the payments of yesterday and today compared, as finance would, and waits for the end. */
export async function comparePayments(stage: Stage, gateway: GatewayName): Promise<void> {
  const before = await pollOf(stage, gateway)
  const [from, to] = [new Date(Date.now() - DAY_MS), new Date()].map(indianDate)
  const wanted = { list: 'payments', from: from ?? '', to: to ?? '' }
  const { status, json } = await stage.call('POST', `/v1/gateway-polls/${gateway}/run`, wanted)
  if (status !== 202) {
    throw new NotAsExpected(`The comparison was not begun: ${status} ${JSON.stringify(json)}`)
  }
  const isOver = async (): Promise<boolean> => {
    const { asked = null, last_ok_at: at = null } = await pollOf(stage, gateway)
    return asked === null && at !== null && at !== (before['last_ok_at'] ?? null)
  }
  await stage.shows(`${gateway}’s own list of payments is compared`, isOver, true)
  const after = await pollOf(stage, gateway)
  const fed = Number(after['fed']) - Number(before['fed'] ?? 0)
  stage.say(`The inbox got ${fed} from the list that no webhook had told.`)
}

/** How far the payments of a gateway are compared; nothing before the first time. */
async function pollOf(stage: Stage, gateway: GatewayName): Promise<JsonObject> {
  const { data } = await stage.got(`/v1/gateway-polls?gateway=${gateway}`)
  const polls = Array.isArray(data) ? (data as JsonObject[]) : []
  return polls.find((poll) => poll['list'] === 'payments') ?? {}
}

export async function expectNoDifference(stage: Stage, gateway: GatewayName): Promise<void> {
  const open = async () => {
    const path = `/v1/gateway-differences?limit=1&state=open&gateway=${gateway}`
    return (await stage.got(path))['data']
  }
  await stage.shows('list and books say the same', open, [])
}
