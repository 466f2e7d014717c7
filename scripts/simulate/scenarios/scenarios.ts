/** The scenarios there are, and how one is run. */
import { messageOf } from '../../../src/base/problem.ts'
import { GATEWAY_NAMES, type GatewayName } from '../../../src/gateways/fact.ts'
import type { Running } from '../running.ts'
import {
  disputeLost,
  doubleOrderPaid,
  happy,
  lateAuthorisation,
  payuAuth,
  payuCharges,
  refundBeforeCapture,
} from './payments.ts'
import { NotAsExpected, openStage, type Stage } from './stage.ts'
import { gateway5xx, gatewayTimeouts, secretRotation, webhookSilence } from './trouble.ts'

export interface Scenario {
  about: string
  /** What it cannot do without. */
  needs: readonly GatewayName[]
  /** `gateways` are those that the service has endpoints for. */
  play(stage: Stage, gateways: readonly GatewayName[]): Promise<void>
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  happy: { about: 'paid, booked with its fee, receipt', needs: [], play: happy },
  'late-authorisation': {
    about: 'failed, then captured all the same',
    needs: ['razorpay'],
    play: lateAuthorisation,
  },
  'double-order-paid': {
    about: 'one capture told by many events',
    needs: ['razorpay'],
    play: doubleOrderPaid,
  },
  'refund-before-capture': {
    about: 'a refund of a payment that nobody told yet',
    needs: ['razorpay'],
    play: refundBeforeCapture,
  },
  'dispute-lost-after-settlement': {
    about: 'money is taken that was settled before',
    needs: ['razorpay'],
    play: disputeLost,
  },
  'payu-auth': { about: 'success that is no capture', needs: ['payu'], play: payuAuth },
  'payu-additional-charges': {
    about: 'the donor pays PayU more than the organisation gets',
    needs: ['payu'],
    play: payuCharges,
  },
  'secret-rotation': {
    about: 'old events under the old secret, new ones under the new',
    needs: ['razorpay'],
    play: secretRotation,
  },
  'gateway-timeouts': {
    about: 'the gateways do not answer',
    needs: ['razorpay', 'payu'],
    play: gatewayTimeouts,
  },
  'gateway-5xx': {
    about: 'the gateways answer 500 and 503',
    needs: ['razorpay', 'payu'],
    play: gateway5xx,
  },
  'webhook-silence': {
    about: 'a payment that no webhook tells of',
    needs: ['razorpay'],
    play: webhookSilence,
  },
}

export interface ScenarioOptions {
  running: Running
  say(text: string): void
  signal?: AbortSignal
  patienceMs?: number
}

/**
 * Plays one scenario and says what it does and sees. True where everything showed as it should.
 * The books are compared as a whole: nothing else may happen at the service in the meantime.
 */
export async function playScenario(name: string, options: ScenarioOptions): Promise<boolean> {
  const scenario = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined
  if (scenario === undefined) {
    throw new RangeError(`There is no scenario ${name}.`)
  }
  const { running, say, signal = new AbortController().signal } = options
  const gateways = GATEWAY_NAMES.filter((gateway) => running.endpoints[gateway] !== undefined)
  const missing = scenario.needs.find((gateway) => !gateways.includes(gateway))
  if (missing !== undefined) {
    say(`NOT AS EXPECTED: the service has no webhook endpoint for ${missing}.`)
    return false
  }
  say(`${name}: ${scenario.about}`)
  const stage = openStage({ ...options, signal })
  try {
    await scenario.play(stage, gateways)
    say(`${name}: as expected`)
    return true
  } catch (error) {
    if (!(error instanceof NotAsExpected)) {
      throw error
    }
    say(`NOT AS EXPECTED: ${messageOf(error)}`)
    return false
  } finally {
    stage.close()
  }
}
