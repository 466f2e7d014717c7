/** Tells the test gateways what became of a payment, before the service can ask about it. */
import type { Delivery, Truth } from './deliveries.ts'
import type { Sender } from './send.ts'

export interface Telling {
  retries: number
  /** Null where the test gateways know, in words where they could not be told. */
  complaint: string | null
}

export interface TruthTeller {
  /** Resolves when the payment stands at the test gateways at least as far as this call says. */
  tell(delivery: Delivery): Promise<Telling>
}

interface Known {
  step: number
  /** Ends when everything told so far of it has arrived. */
  last: Promise<unknown>
}

/** A late call does not turn the clock back: what a gateway knows of a payment moves forward. */
export function createTruthTeller(sender: Sender, testGatewaysUrl: string): TruthTeller {
  const known = new Map<string, Known>()

  async function put({ path, body }: Truth): Promise<Telling> {
    const { status, text, retries } = await sender.send({
      method: 'POST',
      url: new URL(`/_test/${path}`, testGatewaysUrl).href,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (status === 200) {
      return { retries, complaint: null }
    }
    return {
      retries,
      complaint: `test gateways: 200 expected, got ${status}: ${text.slice(0, 200)}`,
    }
  }

  return {
    async tell({ truth }) {
      if (truth === null) {
        return { retries: 0, complaint: null }
      }
      const { of } = truth
      const before = known.get(of) ?? { step: 0, last: Promise.resolve() }
      if (truth.step <= before.step) {
        await before.last
        return { retries: 0, complaint: null }
      }
      const telling = before.last.then(() => put(truth))
      known.set(of, { step: truth.step, last: telling })
      return telling
    },
  }
}
