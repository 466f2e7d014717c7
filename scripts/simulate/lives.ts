/** The plan of a run: so many payment lives, who gives what through which gateway, how it ends. */
import { donorFrom, type Donor } from './people.ts'
import { randomFrom, shares, type Random } from './random.ts'

export type SimulatedGateway = 'razorpay' | 'payu' | 'stripe'

/**
 * How a payment goes. `late_captured`: Razorpay tells a failure and afterwards a capture of the
 * same payment. `authorised_only`: PayU says "success", but the money is never captured. The last
 * three are captured first, and then a part goes back or all of it is contested.
 */
export type Outcome =
  | 'captured'
  | 'failed_then_captured'
  | 'late_captured'
  | 'pending_then_captured'
  | 'failed'
  | 'authorised_only'
  | 'refunded'
  | 'dispute_won'
  | 'dispute_lost'

/** The body of `POST /v1/donations`. */
export interface DonationRequest {
  gateway: SimulatedGateway
  /** Paise. */
  amount: bigint
  currency: 'INR'
  fund: 'general' | 'education'
  nature: 'general' | 'corpus' | 'specific_grant'
  corpus_direction?: string
  purpose?: string
  donor: Donor
}

export interface Life {
  /** The place in the plan, from 0. */
  number: number
  outcome: Outcome
  request: DonationRequest
}

export interface PlanOptions {
  seed: number
  /** How many lives end captured. The others come on top, about one for every ten. */
  payments: number
  gateways: readonly SimulatedGateway[]
}

/** What happens to some captured payments afterwards, at every gateway. */
const AFTERWARDS = [
  ['refunded', 6],
  ['dispute_won', 2],
  ['dispute_lost', 2],
] as const

type Weights<T> = readonly (readonly [T, number])[]

const CAPTURED: Record<SimulatedGateway, Weights<Outcome>> = {
  razorpay: [['captured', 72], ['failed_then_captured', 10], ['late_captured', 8], ...AFTERWARDS],
  payu: [
    ['captured', 70],
    ['failed_then_captured', 10],
    ['pending_then_captured', 10],
    ...AFTERWARDS,
  ],
  stripe: [['captured', 80], ['failed_then_captured', 10], ...AFTERWARDS],
}

const NOT_CAPTURED: Record<SimulatedGateway, Weights<Outcome>> = {
  razorpay: [['failed', 1]],
  payu: [
    ['authorised_only', 1],
    ['failed', 1],
  ],
  stripe: [
    ['authorised_only', 1],
    ['failed', 1],
  ],
}

const GATEWAY_WEIGHT: Record<SimulatedGateway, number> = { razorpay: 60, payu: 40, stripe: 20 }

const ROUND_RUPEES = [100n, 251n, 500n, 501n, 1000n, 1100n, 2100n, 5000n, 11_000n, 25_000n]

/** The lives of a run in the order in which they begin. Pure: it follows from the options. */
export function planLives(options: PlanOptions): Life[] {
  // Six captured lives carry one that is not: 6/7 is the first step above 85 %.
  const others = Math.floor((options.payments + 4) / 10)
  const fates = [
    ...fatesOf(options.payments, options.gateways, CAPTURED),
    ...fatesOf(others, options.gateways, NOT_CAPTURED),
  ]
  return randomFrom(`${options.seed}/plan`)
    .shuffle(fates)
    .map(([gateway, outcome], number) => ({
      number,
      outcome,
      request: requestFrom(options.seed, number, gateway),
    }))
}

/** True where the organisation gets the money in the end. */
export function endsCaptured(outcome: Outcome): boolean {
  return outcome !== 'failed' && outcome !== 'authorised_only'
}

function fatesOf(
  total: number,
  gateways: readonly SimulatedGateway[],
  weights: Record<SimulatedGateway, Weights<Outcome>>,
): [SimulatedGateway, Outcome][] {
  const perGateway = shares(
    total,
    gateways.map((gateway) => [gateway, GATEWAY_WEIGHT[gateway]] as const),
  )
  return gateways.flatMap((gateway) => {
    const count = perGateway.filter((member) => member === gateway).length
    return shares(count, weights[gateway]).map((outcome): [SimulatedGateway, Outcome] => [
      gateway,
      outcome,
    ])
  })
}

function requestFrom(seed: number, number: number, gateway: SimulatedGateway): DonationRequest {
  const random = randomFrom(`${seed}/donation/${number}`)
  const request: DonationRequest = {
    gateway,
    amount: amountFrom(random),
    currency: 'INR',
    fund: random.chance(0.65) ? 'general' : 'education',
    nature: 'general',
    donor: donorFrom(seed, number),
  }
  const kind = random.fraction()
  if (kind < 0.05) {
    const direction = 'This donation is towards the corpus of the organisation.'
    return { ...request, nature: 'corpus', corpus_direction: direction }
  }
  if (kind < 0.12) {
    return { ...request, nature: 'specific_grant', purpose: 'Books for the village library' }
  }
  return request
}

/** Whole rupees in nine of ten cases; the rest carry paise, as a converted or odd amount does. */
function amountFrom(random: Random): bigint {
  const rupees = random.chance(0.7) ? random.pick(ROUND_RUPEES) : BigInt(10 + random.below(9990))
  const paise = random.chance(0.1) ? BigInt(1 + random.below(99)) : 0n
  return rupees * 100n + paise
}
