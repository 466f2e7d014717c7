/** The real clients of the service, pointed at test gateways that live as long as a describe. */
import { startTestGateways, type TestGateways } from '../../scripts/simulate/gateway-server.ts'
import type { ListCall, Page } from '../../src/gateways/asked.ts'
import type { GatewayAccount } from '../../src/gateways/gateway.ts'
import type { GatewayName } from '../../src/gateways/fact.ts'
import { Problem } from '../../src/base/problem.ts'
import { expect } from 'chai'

export const SALT = 'test_salt_0000000000000000000001'
export const NOW = new Date('2026-05-04T06:30:00Z')

/** Times that move on with each look, so that lists by time have an order. */
export interface Ground {
  readonly gateways: TestGateways
  account(gateway: GatewayName): GatewayAccount
  /** Moves the gateways' clock on. */
  later(seconds: number): void
  now(): Date
}

export function onTestGateways(): Ground {
  let gateways: TestGateways | undefined
  let now = NOW
  before(async () => {
    gateways = await startTestGateways({ port: 0, clock: () => now })
  })
  after(async () => {
    await gateways?.close()
  })
  const there = (): TestGateways => gateways ?? expect.fail('not started')
  return {
    get gateways() {
      return there()
    },
    account: (gateway) => ({ ...ACCOUNTS[gateway], gateway, apiUrl: there().url }),
    later(seconds) {
      now = new Date(now.getTime() + seconds * 1000)
    },
    now: () => now,
  }
}

const ACCOUNTS: Record<GatewayName, Omit<GatewayAccount, 'gateway' | 'apiUrl'>> = {
  razorpay: { account: 'acc_TEST0000000000', keyId: 'rzp_test_1', keySecret: 'secret-1' },
  payu: { account: 'TestKy', keyId: 'TestKy', keySecret: 'test-salt' },
  stripe: { account: 'acct_1', keyId: 'acct_1', keySecret: 'sk_test_000000000001' },
}

export function soon(ms = 5000) {
  return { signal: AbortSignal.timeout(ms) }
}

/** A page of a list that the gateway is known to have. */
export async function pageOf<Item>(
  ground: Ground,
  gateway: GatewayName,
  call: ListCall<Item> | undefined,
  cursor: string | null = null,
): Promise<Page<Item>> {
  const range = { from: new Date(NOW.getTime() - 60_000), to: new Date(ground.now().getTime() + 1) }
  return call === undefined
    ? expect.fail('there is no such list')
    : await call(ground.account(gateway), range, cursor, soon())
}

/** All pages one after the other. */
export async function allOf<Item>(
  ground: Ground,
  gateway: GatewayName,
  call: ListCall<Item> | undefined,
): Promise<Page<Item> & { pages: number }> {
  const all: Page<Item> & { pages: number } = { items: [], unreadable: [], next: null, pages: 0 }
  let cursor: string | null = null
  do {
    const page: Page<Item> = await pageOf(ground, gateway, call, cursor)
    all.items.push(...page.items)
    all.unreadable.push(...page.unreadable)
    cursor = page.next
    all.pages += 1
  } while (cursor !== null)
  return all
}

/** The problem that a call ends in. */
export async function problemOf(call: Promise<unknown>): Promise<Problem> {
  return await call.then(
    () => expect.fail('it went well'),
    (error: unknown) => (error instanceof Problem ? error : expect.fail(String(error))),
  )
}
