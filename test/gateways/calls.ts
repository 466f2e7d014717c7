/** What the tests of outgoing calls share: accounts, an order, and a network switched off. */
import { expect } from 'chai'
import nock from 'nock'
import type { Problem } from '../../src/base/problem.ts'
import { startNock, stopNock } from '../support/nock.ts'
import type { CallOptions, GatewayAccount, NewOrder } from '../../src/gateways/gateway.ts'

export const HOST = 'https://gateway.test'
export const SECRET = 'TESTSALT123'

export const RAZORPAY: GatewayAccount = {
  gateway: 'razorpay',
  account: 'acc_TESTBahi000001',
  keyId: 'rzp_test_key',
  keySecret: SECRET,
  apiUrl: `${HOST}/`,
}
export const PAYU: GatewayAccount = {
  gateway: 'payu',
  account: 'gtKFFx',
  keyId: 'gtKFFx',
  keySecret: SECRET,
  apiUrl: HOST,
}
export const ORDER: NewOrder = {
  reference: 'T1001',
  amount: 1000n,
  currency: 'INR',
  description: 'Widget',
  payer: { name: 'Asha', email: 'asha@example.com', phone: null },
  returnUrl: 'https://ngo.example/thanks',
}
export const OPENED = { id: 'order_TEST1', entity: 'order', amount: 1000, currency: 'INR' }

export function soon(): CallOptions {
  return { signal: AbortSignal.timeout(5000) }
}

export function isSafe(problem: Problem): void {
  expect(problem.extras.moved).to.equal('no')
  expect(problem.message).not.to.contain(SECRET)
  expect(problem.message).not.to.contain(Buffer.from(`rzp_test_key:${SECRET}`).toString('base64'))
}

/** Answers calls from within the tests of the `describe` around it, and lets none out. */
export function withoutNetwork(): void {
  before(() => {
    startNock()
  })
  beforeEach(() => {
    nock.disableNetConnect()
  })
  afterEach(() => {
    nock.abortPendingRequests()
    nock.cleanAll()
    nock.enableNetConnect()
  })
  after(() => {
    stopNock()
  })
}
