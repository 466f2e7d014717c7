/** A month at Razorpay that is over: its webhooks, and what report and bank say of it. Pure. */
import { addBusinessDays, addDays } from '../../src/recon/match/days.ts'
import { deliveriesOf, settlementOf, type Delivery } from '../simulate/deliveries.ts'
import type { OpenedDonation } from '../simulate/deliveries.ts'
import { planLives, type Life } from '../simulate/lives.ts'
import { digitsFrom, randomFrom } from '../simulate/random.ts'
import { razorpayFee } from '../simulate/razorpay-bodies.ts'
import type { Endpoint } from '../simulate/running.ts'
import { bankCsv, gatewayCsv, type BankRow, type SettledLine } from './forms.ts'

export interface MonthOptions {
  /** `YYYY-MM`, a month that has ended. */
  month: string
  payments: number
  seed: number
  endpoint: Endpoint
}

export interface Month {
  /** In the order in which they happened. */
  calls: Delivery[]
  /** Razorpay's settlement report and the bank's statement, CSV. */
  report: string
  statement: string
  settlements: number
}

/** What goes wrong in such a month, once each. */
const FAULTS = [
  'missed_event',
  'higher_fee',
  'other_reference',
  'told_twice',
  'never_settled',
] as const

type Fault = (typeof FAULTS)[number]

/** Of settlements, and none of a payment. */
const INSTANT_CHARGE = 5900n
const BANK_CHARGE = 1180n
/** What no gateway has to do with. */
const RENT = 1_800_000n
const GIFT = 250_000n
const EXTRA_FEE = 236n
const EXTRA_TAX = 36n
const SETTLED_AFTER = 2
const NO_HOLIDAYS = new Set<string>()

/** As many payments of Razorpay as asked for, or a few more; contested ones stay quiet. */
export function livesOfMonth({ seed, payments }: Pick<MonthOptions, 'seed' | 'payments'>): Life[] {
  return planLives({ seed, payments, gateways: ['razorpay'] }).map((life) =>
    life.outcome.startsWith('dispute') ? { ...life, outcome: 'captured' } : life,
  )
}

interface Paid {
  on: string
  settledOn: string
  fault: Fault | null
  calls: Delivery[]
  lines: SettledLine[]
}

/** The whole month of donations that were opened; it follows from them and from the seed. */
export function monthOf(opened: readonly OpenedDonation[], options: MonthOptions): Month {
  const faults = faultsOf(opened, options)
  const all = opened.map((donation, place) =>
    paidOf(
      donation,
      faults.get(place) ?? null,
      dayOf(options.month, place, opened.length),
      options,
    ),
  )
  const last = lastDay(options.month)
  const days = [...new Set(all.map(({ settledOn }) => settledOn))]
    .filter((day) => day <= last)
    .toSorted()
  const chargedOn = days[Math.floor(days.length / 2)]
  const settlements = days.flatMap((day) => {
    const charge = day === chargedOn ? [chargeOn(day)] : []
    const lines = [
      ...all.filter((one) => one.settledOn === day).flatMap((one) => one.lines),
      ...charge,
    ]
    return settledOn(day, lines, options) ?? []
  })
  const calls = [
    ...all
      .filter(({ fault }) => fault !== 'missed_event')
      .map(({ on, calls: told }) => ({ on, told })),
    ...settlements.map(({ on, call }) => ({ on: `${on} settled`, told: [call] })),
  ]
  return {
    calls: calls
      .toSorted((one, other) => (one.on < other.on ? -1 : one.on > other.on ? 1 : 0))
      .flatMap(({ told }) => told),
    report: gatewayCsv(
      'razorpay',
      settlements.flatMap(({ lines }) => lines),
    ),
    statement: bankCsv(bankRows(settlements, options), 0n),
    settlements: settlements.length,
  }
}

function lastDay(month: string): string {
  const [year = 0, number = 0] = month.split('-').map(Number)
  return new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10)
}

/** The payments of a month lie evenly over its days. */
function dayOf(month: string, place: number, count: number): string {
  const days = Number(lastDay(month).slice(8))
  return addDays(`${month}-01`, Math.floor((place * days) / count))
}

const settledAfter = (day: string) => addBusinessDays(day, SETTLED_AFTER, NO_HOLIDAYS)

/** The largest payment never comes; the others that something is wrong with chance picks. */
function faultsOf(
  opened: readonly OpenedDonation[],
  { month, seed }: MonthOptions,
): Map<number, Fault> {
  const last = lastDay(month)
  const fit = opened.flatMap(({ life }, place) =>
    life.outcome === 'captured' && settledAfter(dayOf(month, place, opened.length)) <= last
      ? [{ place, amount: life.request.amount }]
      : [],
  )
  const mixed = randomFrom(`${seed}/month`).shuffle(fit)
  const largest = mixed.reduce((most, one) => (one.amount > most.amount ? one : most))
  const others = mixed.filter((one) => one !== largest)
  return new Map(
    FAULTS.flatMap((fault, n): [number, Fault][] => {
      const one = fault === 'never_settled' ? largest : others[n]
      return one === undefined ? [] : [[one.place, fault]]
    }),
  )
}

function paidOf(
  donation: OpenedDonation,
  fault: Fault | null,
  on: string,
  { seed, endpoint }: MonthOptions,
): Paid {
  const { life, orderRef } = donation
  const settledOn = settledAfter(on)
  const now = new Date(`${on}T12:00:00+05:30`)
  const { deliveries, capture } = deliveriesOf(donation, { seed, endpoint, now })
  const { amount } = life.request
  const { fee, tax } = razorpayFee(amount)
  const line: SettledLine = {
    gateway: 'razorpay',
    kind: 'payment',
    externalId: capture?.gatewayPaymentId ?? null,
    paymentRef: capture?.gatewayPaymentId ?? '',
    orderRef,
    amount,
    fee,
    tax,
    net: amount - fee,
    currency: 'INR',
    on,
    settledOn,
    isUnreadable: false,
    lineNo: 0,
    expected: '',
    settlementId: '',
    utr: '',
  }
  const refund = refundIn(deliveries, line)
  const told = capture === null || fault === 'never_settled' ? [] : withFault(line, fault)
  return { on, settledOn, fault, calls: deliveries, lines: [...told, ...refund] }
}

function withFault(line: SettledLine, fault: Fault | null): SettledLine[] {
  switch (fault) {
    case 'higher_fee': {
      const [fee, tax] = [(line.fee ?? 0n) + EXTRA_FEE, (line.tax ?? 0n) + EXTRA_TAX]
      return [{ ...line, fee, tax, net: line.amount - fee }]
    }
    case 'other_reference': {
      const other = `${line.paymentRef.slice(0, -1)}${line.paymentRef.endsWith('x') ? 'y' : 'x'}`
      return [{ ...line, externalId: other, paymentRef: other }]
    }
    case 'told_twice':
      return [line, line]
    default:
      return [line]
  }
}

/** The line of a refund, as its webhook tells it. */
function refundIn(deliveries: readonly Delivery[], line: SettledLine): SettledLine[] {
  const told = deliveries.find(({ name }) => name === 'refund.processed')
  if (told === undefined) {
    return []
  }
  const { payload } = JSON.parse(told.body) as {
    payload: { refund: { entity: { id: string; amount: number } } }
  }
  const { id, amount } = payload.refund.entity
  const [none, back] = [0n, BigInt(amount)]
  return [
    { ...line, kind: 'refund', externalId: id, amount: back, fee: none, tax: none, net: -back },
  ]
}

/** What the gateway takes for settling at once, without having said so. */
function chargeOn(day: string): SettledLine {
  return {
    gateway: 'razorpay',
    kind: 'adjustment',
    externalId: null,
    paymentRef: `pay_instant${day.replaceAll('-', '')}`,
    orderRef: null,
    amount: INSTANT_CHARGE,
    fee: 0n,
    tax: 0n,
    net: -INSTANT_CHARGE,
    currency: 'INR',
    on: day,
    settledOn: day,
    isUnreadable: false,
    lineNo: 0,
    expected: '',
    settlementId: '',
    utr: '',
  }
}

interface Settled {
  on: string
  amount: bigint
  utr: string
  call: Delivery
  lines: SettledLine[]
}

/** A settlement as its webhook tells it, of lines of which each counts once. */
function settledOn(
  on: string,
  lines: readonly SettledLine[],
  { seed, endpoint }: MonthOptions,
): Settled | null {
  const amount = [...new Set(lines)].reduce((sum, { net }) => sum + net, 0n)
  const stream = `${seed}/month/${on}/${lines[0]?.paymentRef ?? ''}`
  const now = new Date(`${on}T18:00:00+05:30`)
  const settled = { life: 0, owed: amount, stream }
  const played = settlementOf('razorpay', settled, { seed, endpoint, now })
  const [call] = played?.deliveries ?? []
  if (call === undefined) {
    return null
  }
  const { payload } = JSON.parse(call.body) as {
    payload: { settlement: { entity: { id: string; utr: string } } }
  }
  const { id: settlementId, utr } = payload.settlement.entity
  return { on, amount, utr, call, lines: lines.map((line) => ({ ...line, settlementId, utr })) }
}

/** The credits on their days, one of them less the bank's charge, and what else an account sees. */
function bankRows(settlements: readonly Settled[], { month, seed }: MonthOptions): BankRow[] {
  const charged = randomFrom(`${seed}/month/bank`).below(settlements.length)
  const credits = settlements.map(({ on, amount, utr }, n): BankRow => {
    const narration = `NEFT CR-${utr}-RAZORPAY SOFTWARE PVT LTD`
    return { on, narration, reference: utr, amount: n === charged ? amount - BANK_CHARGE : amount }
  })
  const rrn = `6${digitsFrom(`${seed}/month/gift`, 11)}`
  const gift = `UPI-RAVI MENON-RAVI@OKEXAMPLE-${rrn}-FOR THE CHILDREN`
  const others: BankRow[] = [
    { on: `${month}-10`, narration: 'CHQ PAID-RENT', reference: '000123', amount: -RENT },
    { on: `${month}-20`, narration: gift, reference: rrn, amount: GIFT },
  ]
  return [...credits, ...others].toSorted((one, other) =>
    one.on < other.on ? -1 : one.on > other.on ? 1 : 0,
  )
}
