/** Whatever arrives, a gateway answers with facts or with a Problem, never with another error. */
import { expect } from 'chai'
import fc from 'fast-check'
import { Problem } from '../../src/base/problem.ts'
import type { Confirmation, RawWebhook } from '../../src/gateways/gateway.ts'
import { gateways } from '../../src/gateways/registry.ts'
import { payuForm } from '../support/sign.ts'
import { payuFields, razorpayEvent } from './bodies.ts'

const RUNS = { numRuns: 1000 }
const TYPES = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data', '']
const SECRETS = [{ secretId: 'one', value: 'secret' }]

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
  for (const gateway of Object.values(gateways)) {
    const calls = [
      () => gateway.read(webhook, account, answer).facts.forEach((fact) => isSound(fact)),
      () => gateway.needsConfirmation(webhook),
      () => expect.fail(`verified: ${gateway.verify(webhook, account, SECRETS).secretId}`),
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

function isSound(fact: { amount: bigint; occurredAt: Date; key: string }): void {
  expect(fact.amount > 0n).to.equal(true)
  expect(fact.occurredAt.getTime()).to.be.above(0)
  expect(fact.key).to.match(/^(rzp|payu):[\w-]+:(pay:)?[\w-]+:[a-z]+(:\d+)?$/)
}

describe('Gateways under arbitrary input', () => {
  it('throw nothing but a Problem for arbitrary bytes', () => {
    const property = fc.property(fc.uint8Array(), contentType, confirmation, (bytes, type, told) =>
      onlyProblems({ body: Buffer.from(bytes), contentType: type, headers: {} }, 'a', told),
    )
    fc.assert(property, RUNS)
  })

  it('throw nothing but a Problem for arbitrary JSON', () => {
    const property = fc.property(fc.json(), contentType, confirmation, (json, type, told) =>
      onlyProblems({ body: Buffer.from(json), contentType: type, headers: {} }, 'a', told),
    )
    fc.assert(property, RUNS)
  })

  it('throw nothing but a Problem for Razorpay events with anything in them changed', () => {
    const event = razorpayEvent('virtual_account.credited.neft')
    const property = fc.property(mutated(event), (changed) =>
      onlyProblems(
        { body: Buffer.from(JSON.stringify(changed)), contentType: TYPES[0] ?? '', headers: {} },
        'acc_TESTBahi000001',
        null,
      ),
    )
    fc.assert(property, RUNS)
  })

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
