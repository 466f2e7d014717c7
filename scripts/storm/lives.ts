/** The payment lives of a storm: what is asked for, who pays it, and the webhooks that tell it. */
import { formatDecimal } from '../../src/base/money.ts'
import {
  deliveriesOf,
  settlementOf,
  type Delivery,
  type OpenedDonation,
} from '../simulate/deliveries.ts'
import { planLives, type Life, type SimulatedGateway } from '../simulate/lives.ts'
import { idFrom } from '../simulate/random.ts'
import type { Endpoint } from '../simulate/running.ts'
import { otherLife } from './other-lives.ts'

export const GATEWAYS: readonly SimulatedGateway[] = ['razorpay', 'payu', 'stripe']

export type Endpoints = Readonly<Record<SimulatedGateway, Endpoint>>

/** A life's webhooks in the order in which they happen. */
export interface ToldLife {
  number: number
  deliveries: Delivery[]
}

/** One life in so many is none of a donation. */
const OTHERS = 20

export interface Plan {
  donations: Life[]
  /** How many other lives there are beside them. */
  others: number
}

/** Exactly so many lives. */
export function planOf(lives: number, seed: number): Plan {
  const donations = donationLives(lives - Math.floor(lives / OTHERS), seed)
  return { donations, others: lives - donations.length }
}

/** The plan itself counts those that end captured. */
function donationLives(lives: number, seed: number): Life[] {
  let payments = Math.ceil((lives * 10) / 11)
  while (planSize(payments) > lives) {
    payments -= 1
  }
  return planLives({ seed, payments, gateways: GATEWAYS })
}

/** One in eleven is none that ends captured, so that a few sizes cannot be met: less by one. */
function planSize(payments: number): number {
  return payments + Math.floor((payments + 4) / 10)
}

/** The donation of a life as the checkout leaves it, with ids that follow from the seed. */
export function donationOf(life: Life, seed: number, endpoints: Endpoints): OpenedDonation {
  const { gateway, amount, donor } = life.request
  const id = idFrom(`${seed}/order/${life.number}`)
  const orderRef = gateway === 'razorpay' ? `order_${id}` : `BAHI${id}`
  const page = 'https://donate.example.org/thanks'
  const form = {
    key: endpoints.payu.account,
    txnid: orderRef,
    amount: formatDecimal(amount, 'INR'),
    productinfo: 'Donation',
    firstname: donor.name,
    email: donor.email,
    phone: donor.phone,
    surl: page,
    furl: page,
  }
  return {
    life,
    donationId: `don_${id}`,
    orderRef,
    fields: gateway === 'payu' ? form : {},
  }
}

/** All that the gateways tell. */
export interface Tellings {
  lives: ToldLife[]
  /** What the lives of a gateway come to, sent to the bank. */
  settlements: ToldLife[]
}

/** What the gateways tell, each life in its order. */
export function tellingsOf(
  donations: readonly OpenedDonation[],
  others: number,
  told: { seed: number; now: Date; endpoints: Endpoints },
): Tellings {
  const { seed, now, endpoints } = told
  const owed = new Map<SimulatedGateway, bigint>()
  const given = donations.map((donation): ToldLife => {
    const { gateway } = donation.life.request
    const played = deliveriesOf(donation, { seed, now, endpoint: endpoints[gateway] })
    owed.set(gateway, (owed.get(gateway) ?? 0n) + played.owed)
    return { number: donation.life.number, deliveries: played.deliveries }
  })
  const beside = Array.from({ length: others }, (_none, index) =>
    otherLife(given.length + index, { seed, now, endpoint: endpoints.razorpay }),
  )
  const lives = [...given, ...beside]
  const settlements = GATEWAYS.flatMap((gateway, index): ToldLife[] => {
    const number = lives.length + index
    const stream = `${seed}/settlement/${gateway}`
    const settled = { life: number, owed: owed.get(gateway) ?? 0n, stream }
    const played = settlementOf(gateway, settled, { seed, now, endpoint: endpoints[gateway] })
    return played === null ? [] : [{ number, deliveries: played.deliveries }]
  })
  return { lives, settlements }
}
