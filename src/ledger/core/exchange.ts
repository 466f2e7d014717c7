/** How an exchange of one currency for another is booked: through a trading account in each. */
import type { IsoDate } from '../../base/clock.ts'
import {
  agreesWithRate,
  convert,
  exponentOf,
  MAX_MINOR,
  ROUNDED_UP_FROM,
} from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import { normalOf, tradingAccount, typeOf, type AccountCode, type Direction } from './chart.ts'
import { APPROVED_BY, LATE_REASON, type Draft, type DraftLine } from './entry.ts'

/** One side of an exchange. */
export interface ExchangeSide {
  account: AccountCode
  currency: string
  /** Digits behind the decimal point; may be left out for ISO 4217 currencies. */
  exponent?: number
}

export interface ExchangeFacts {
  /** What is given: its account shrinks by `amount` minor units. */
  from: ExchangeSide & { amount: bigint }
  /** What is got: its account grows; `amount` where it was agreed, else the rate says it. */
  to: ExchangeSide & { amount?: bigint | undefined }
  /** Major units of `to` for one major unit of `from`: decimal text above zero. */
  rate: string
  /** Who says so: a bank's advice, a rate table. */
  rateSource: string
  effectiveOn: IsoDate
  idempotencyKey: string
  /** Why it comes late, into a month that is closed softly; null where it does not. */
  lateReason: string | null
  source: string
  actor: string
  /** Who consented, where it took another's consent. */
  approvedBy?: string | undefined
}

/**
 * The entry of an exchange: four lines that balance in each currency; its metadata has the rate.
 * What is got is the exact product, rounded half to even to a minor unit; an agreed amount is the
 * exact one rounded down or up, because banks do either. What comes to less than 100 minor units is
 * rounded down only, agreed or not, so that no rounding makes money of tiny amounts; what comes to
 * less than one unit is refused. Both accounts grow on the same side, as two banks or two wallets
 * do: else nothing would have been exchanged. Throws `invalid_entry` or, for what is no rate,
 * `invalid_request` (moved: no).
 */
export function exchanged(facts: ExchangeFacts): Draft {
  const { from, to } = facts
  if (from.currency === to.currency) {
    throw refusal(`Both sides are in ${from.currency}: that is a transfer and no exchange.`)
  }
  const side = sideOf(from.account)
  if (side !== sideOf(to.account)) {
    throw refusal('Exchange between two assets, or between two accounts of what is owed.')
  }
  const got = amountGot(facts)
  const other = side === 'debit' ? 'credit' : 'debit'
  return {
    kind: 'exchange',
    effectiveOn: facts.effectiveOn,
    idempotencyKey: facts.idempotencyKey,
    description: `Exchange of ${from.currency} for ${to.currency}`,
    source: facts.source,
    actor: facts.actor,
    reverses: null,
    adjusts: null,
    metadata: {
      from_currency: from.currency,
      to_currency: to.currency,
      rate: facts.rate,
      rate_source: facts.rateSource,
      ...(facts.lateReason === null ? {} : { [LATE_REASON]: facts.lateReason }),
      ...(facts.approvedBy === undefined ? {} : { [APPROVED_BY]: facts.approvedBy }),
    },
    lines: [...pair(from, from.amount, other, side), ...pair(to, got, side, other)],
  }
}

/** An account's line and the trading account's opposite one. */
function pair(
  { account, currency }: ExchangeSide,
  amount: bigint,
  direction: Direction,
  opposite: Direction,
): DraftLine[] {
  return [
    { account, direction, amount, currency },
    { account: tradingAccount(currency), direction: opposite, amount, currency },
  ]
}

function amountGot({ from, to, rate }: ExchangeFacts): bigint {
  if (from.amount <= 0n || from.amount > MAX_MINOR) {
    throw refusal(`An amount is above zero and at most ${MAX_MINOR}, not ${from.amount}.`)
  }
  const by = {
    rate,
    fromExponent: from.exponent ?? exponentOf(from.currency),
    toExponent: to.exponent ?? exponentOf(to.currency),
  }
  const converted = convert(from.amount, by)
  const got = to.amount ?? converted
  if (got <= 0n || got > MAX_MINOR) {
    const range = `1 to ${MAX_MINOR} can be booked`
    throw refusal(`${from.amount} minor units at ${rate} are ${got}; ${range}.`)
  }
  if (!agreesWithRate(from.amount, got, by)) {
    throw refusal(
      `${from.amount} minor units at ${rate} are ${converted}, not ${got}. An agreed amount is ` +
        `rounded down, or up where it is ${ROUNDED_UP_FROM} minor units or more.`,
    )
  }
  return got
}

function sideOf(account: AccountCode): Direction {
  const type = typeOf(account)
  if (type === undefined || account.startsWith('equity:trading:')) {
    throw refusal(`${account} is no account to exchange from or to.`)
  }
  return normalOf(type)
}

function refusal(detail: string): Problem {
  return new Problem('invalid_entry', { detail, moved: 'no' })
}
