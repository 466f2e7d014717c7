/** Whatever arrives, a gateway answers with facts or with a Problem, never with another error. */
import { expect } from 'chai'
import fc from 'fast-check'
import { Problem } from '../../src/base/problem.ts'
import type { Fact } from '../../src/gateways/fact.ts'
import type { Confirmation, RawWebhook } from '../../src/gateways/gateway.ts'
import { gateways } from '../../src/gateways/registry.ts'
import { payuForm } from '../support/sign.ts'
import { own, payuFields, razorpayEvent } from './bodies.ts'
import {
  ACCOUNT,
  disputeEvent,
  downtimeEvent,
  lineEvent,
  payoutEvent,
  refundEvent,
  settlementEvent,
  transferEvent,
} from './razorpay-bodies.ts'

const RUNS = { numRuns: 1000 }
const TYPES = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data', '']
const SECRETS = [{ secretId: 'one', value: 'secret' }]

const RECEIVED_AT = new Date('2026-01-02T06:00:00Z')

const contentType = fc.constantFrom(...TYPES)
const confirmation = fc.option(fc.dictionary(fc.string(), fc.string()))

/** A JSON object with some of its members, at any depth, replaced by any JSON value. */
function mutated(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fc.oneof({ weight: 12, arbitrary: fc.constant(value) }, fc.jsonValue())
  }
  const members = Object.entries(value).map(([name, member]) => [name, mutated(member)])
  const same = fc.record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>)
  return fc.oneof({ weight: 30, arbitrary: same }, fc.jsonValue())
}

function onlyProblems(webhook: RawWebhook, account: string, answer: Confirmation | null): void {
  const stored = { ...webhook, signedBy: 'one' }
  for (const gateway of Object.values(gateways)) {
    const calls = [
      () => gateway.read(stored, account, answer).facts.forEach((fact) => isSound(fact)),
      () => gateway.needsConfirmation(stored),
      () => isHint(gateway.verify(webhook, account, SECRETS).secretId),
    ]
    for (const call of calls) {
      try {
        call()
      } catch (thrown) {
        if (!(thrown instanceof Problem)) {
          throw thrown
        }
      }
    }
  }
}

/** No arbitrary bytes are signed by anybody; what a gateway never signs may come in as a hint. */
function isHint(secretId: string | null): void {
  expect(secretId).to.equal(null)
}

function isSound(fact: Fact): void {
  if ('amount' in fact) {
    expect(fact.amount > 0n).to.equal(true)
  }
  if ('fee' in fact) {
    expect(fact.fee >= fact.tax && fact.tax >= 0n).to.equal(true)
  }
  expect(fact.occurredAt.getTime()).to.be.above(0)
  expect(fact.key).to.match(/^(rzp|payu|stripe):[\w-]+(:[\w.-]+)+$/)
}

function stored(body: Buffer | string, contentType: string): RawWebhook {
  return { body: Buffer.from(body), contentType, headers: {}, receivedAt: RECEIVED_AT }
}

describe('Gateways under arbitrary input', () => {
  it('throw nothing but a Problem for arbitrary bytes', () => {
    const property = fc.property(fc.uint8Array(), contentType, confirmation, (bytes, type, told) =>
      onlyProblems(stored(Buffer.from(bytes), type), 'a', told),
    )
    fc.assert(property, RUNS)
  })

  it('throw nothing but a Problem for arbitrary JSON', () => {
    const property = fc.property(fc.json(), contentType, confirmation, (json, type, told) =>
      onlyProblems(stored(json, type), 'a', told),
    )
    fc.assert(property, RUNS)
  })

  for (const [name, event] of Object.entries({
    'a payment': razorpayEvent('virtual_account.credited.neft'),
    'a refund': refundEvent('processed', { status: 'processed' }),
    'a dispute': disputeEvent('lost', { status: 'lost', amount_deducted: 5 }),
    'a payout': payoutEvent('reversed'),
    'a transfer': transferEvent('reversed', {}, {}),
    'a settlement': settlementEvent(),
    'a line of a settlement': lineEvent(),
    'a downtime': downtimeEvent('payment', 'started'),
  })) {
    it(`throw nothing but a Problem for ${name} of Razorpay with anything in it changed`, () => {
      const property = fc.property(mutated(event), (changed) =>
        onlyProblems(stored(JSON.stringify(changed), TYPES[0] ?? ''), ACCOUNT, null),
      )
      fc.assert(property, { numRuns: 500 })
    })
  }

  for (const name of ['refund.success', 'dispute.new'] as const) {
    it(`throw nothing but a Problem for ${name} of PayU with anything in it changed`, () => {
      const body = own(`payu/${name}.json`)
      const answer = { ...body, action: 'refund', status: 'success' } as unknown as Confirmation
      const property = fc.property(mutated(body), fc.option(fc.constant(answer)), (one, told) =>
        onlyProblems(stored(JSON.stringify(one), TYPES[0] ?? ''), 'gtKFFx', told),
      )
      fc.assert(property, { numRuns: 500 })
    })
  }

  it('throw nothing but a Problem for PayU callbacks with anything in them changed', () => {
    const fields = payuFields('success')
    const names = fc.constantFrom(...Object.keys(fields))
    const values = fc.oneof(fc.string(), fc.constantFrom('failure', 'auth', '0', ' ', '1e5'))
    const changes = fc.dictionary(names, values, { maxKeys: 4 })
    const property = fc.property(changes, changes, (posted, told) => {
      const answer = { ...fields, transaction_amount: '2500.00', ...told }
      onlyProblems(payuForm({ ...fields, ...posted }), 'gtKFFx', answer)
    })
    fc.assert(property, RUNS)
  })
})
