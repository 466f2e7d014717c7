/** The order in which calls go out: lives overlap, calls repeat, arrive late, or are forged. */
import type { Delivery } from './deliveries.ts'
import { countOfShare, randomFrom } from './random.ts'
import type { Endpoints } from './running.ts'
import { payuResponseHash, razorpaySignature } from './sign.ts'

export interface ScheduleOptions {
  seed: number
  /** Shares of the genuine calls, 0 to 1: sent a second time, moved to a later place, forged. */
  duplicates: number
  reorder: number
  badSignatures: number
  endpoints: Endpoints
}

interface Placed {
  delivery: Delivery
  /** Where in the run it goes; the fraction only orders neighbours. */
  at: number
}

/** Pure. The calls of all lives in the order of sending; it follows from the seed. */
export function schedule(
  lives: readonly (readonly Delivery[])[],
  options: ScheduleOptions,
): Delivery[] {
  const genuine = interleave(lives, options.seed)
  const end = genuine.length
  const chosen = (purpose: string, share: number, from = genuine): Placed[] =>
    randomFrom(`${options.seed}/${purpose}`).shuffle(from).slice(0, countOfShare(share, end))

  const random = randomFrom(`${options.seed}/places`)
  const duplicates = chosen('duplicates', options.duplicates).map(({ delivery, at }): Placed => ({
    delivery: { ...delivery, kind: 'duplicate', name: `${delivery.name}, again` },
    // Half of them at once, as after a timeout at the gateway; the others any time later.
    at: random.chance(0.5) ? at + 0.5 : at + 0.5 + random.fraction() * (end - at),
  }))
  const forgeable = genuine.filter(({ delivery }) => isForgeable(delivery))
  const forged = chosen('forged', options.badSignatures, forgeable).map(
    ({ delivery }, index): Placed => ({
      delivery: forge(delivery, index, options.endpoints),
      at: random.fraction() * end,
    }),
  )
  const late = new Map(
    chosen('reorder', options.reorder).map(({ delivery, at }) => [
      delivery,
      at + 1.5 + random.fraction() * (end - at),
    ]),
  )
  const moved = genuine.map(({ delivery, at }) => ({ delivery, at: late.get(delivery) ?? at }))
  return [...moved, ...duplicates, ...forged]
    .sort((one, other) => one.at - other.at)
    .map(({ delivery }) => delivery)
}

/** A life's calls stay in their order; those of the lives that begin next come in between. */
function interleave(lives: readonly (readonly Delivery[])[], seed: number): Placed[] {
  const random = randomFrom(`${seed}/interleave`)
  return lives
    .flatMap((deliveries, begin) => {
      let at = begin
      return deliveries.map((delivery): Placed => {
        at += random.fraction() * 4
        return { delivery, at }
      })
    })
    .sort((one, other) => one.at - other.at)
    .map(({ delivery }, at) => ({ delivery, at }))
}

type Forgery = (delivery: Delivery, secret: string) => Partial<Delivery>

const OTHER_SECRET = 'not-the-secret-of-this-endpoint'

const RAZORPAY_FORGERIES: Readonly<Record<string, Forgery>> = {
  'signed with another secret': ({ headers, body }) => ({
    headers: { ...headers, 'x-razorpay-signature': razorpaySignature(body, OTHER_SECRET) },
  }),
  'amount changed': ({ body }) => ({ body: body.replace(/"amount":(\d)/, '"amount":9$1') }),
  'no signature': ({ headers }) => ({
    headers: Object.fromEntries(
      Object.entries(headers).filter(([name]) => name !== 'x-razorpay-signature'),
    ),
  }),
  // A verifier that trims or parses the body before it hashes would let this one through.
  'newline added': ({ body }) => ({ body: `${body}\n` }),
}

const PAYU_FORGERIES: Readonly<Record<string, Forgery>> = {
  'signed with another secret': ({ body }) => ({ body: resigned(body, OTHER_SECRET) }),
  'amount changed': ({ body }) => withField(body, 'amount', (amount) => `9${amount}`),
  'no signature': ({ body }) => withField(body, 'hash', () => undefined),
  'status changed': ({ body }) =>
    withField(body, 'status', (status) => (status === 'success' ? 'failure' : 'success')),
  // Correctly signed, but for another merchant: the key is in the hash, and it is not ours.
  'key of another merchant': ({ body }, secret) => {
    const changed = withField(body, 'key', (key) => `${key}x`)
    return { body: resigned(changed.body, secret) }
  },
}

const STRIPE_FORGERIES: Readonly<Record<string, Forgery>> = {
  'signed with another secret': ({ signing }) => ({
    signing: signing === null ? null : { ...signing, secret: OTHER_SECRET },
  }),
  'amount changed': ({ body }) => ({ body: body.replace(/"amount":(-?\d)/, '"amount":9$1') }),
  'no signature': () => ({ signing: null }),
  // Somebody recorded the call and sends it again later.
  'signed six minutes ago': ({ signing }) => ({
    signing: signing === null ? null : { ...signing, secondsAgo: 360 },
  }),
}

const FORGERIES = {
  razorpay: RAZORPAY_FORGERIES,
  payu: PAYU_FORGERIES,
  stripe: STRIPE_FORGERIES,
} as const

/**
 * PayU signs refunds not at all: whoever sends such a call, it is taken as a hint. What has no
 * amount cannot be given another one.
 */
function isForgeable({ gateway, headers, body }: Delivery): boolean {
  return gateway === 'payu'
    ? headers['content-type'] !== 'application/json'
    : /"amount":-?\d/.test(body)
}

/** A call that must be refused, made from a genuine one; the forgeries take turns. */
function forge(delivery: Delivery, index: number, endpoints: Endpoints): Delivery {
  const kinds: Readonly<Record<string, Forgery>> = FORGERIES[delivery.gateway]
  const names = Object.keys(kinds)
  const name = names[index % names.length] ?? ''
  const changes = kinds[name]?.(delivery, endpoints[delivery.gateway]?.secret ?? '')
  return {
    ...delivery,
    ...changes,
    name: `${delivery.name}, ${name}`,
    kind: 'forged',
    captures: false,
    truth: null,
  }
}

function withField(
  body: string,
  name: string,
  change: (value: string) => string | undefined,
): { body: string } {
  const form = new URLSearchParams(body)
  const value = change(form.get(name) ?? '')
  if (value === undefined) {
    form.delete(name)
  } else {
    form.set(name, value)
  }
  return { body: form.toString() }
}

function resigned(body: string, salt: string): string {
  const form = new URLSearchParams(body)
  const field = (name: string): string => form.get(name) ?? ''
  const hash = payuResponseHash(
    {
      key: field('key'),
      txnid: field('txnid'),
      amount: field('amount'),
      productinfo: field('productinfo'),
      firstname: field('firstname'),
      email: field('email'),
      udf1: field('udf1'),
      udf2: field('udf2'),
      udf3: field('udf3'),
      udf4: field('udf4'),
      udf5: field('udf5'),
      status: field('status'),
      additionalCharges: field('additionalCharges'),
    },
    salt,
  )
  form.set('hash', hash)
  return form.toString()
}
