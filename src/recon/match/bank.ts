/** Credits at the bank and the settlements that came in them: by UTR, as the only one, as a sum. */
import type { IsoDate } from '../../base/clock.ts'
import type { Break } from './decide.ts'
import { bankBreak, NAMED_MAX, partedBy, take, type IsApart } from './bank-break.ts'
import { addBusinessDays } from './days.ts'
import { byAmount } from './nameless.ts'
import type { Rules } from './rules.ts'

/** A line of a bank statement that no settlement was found for. Minor units, signed. */
export interface BankLine {
  fileNo: number
  rowNo: number
  repeated: number
  bookedOn: IsoDate
  amount: bigint
  currency: string
  tokens: readonly string[]
  /** Gateways that its text speaks of. */
  gateways: readonly string[]
}

/** A settlement that no bank line told of. */
export interface OpenSettlement {
  settlementId: string
  gateway: string
  /** Normalised as the tokens are. */
  utr: string | null
  amount: bigint
  currency: string
  settledOn: IsoDate
  /** What gave it up, where somebody did: a credit that comes after all says so. */
  resolution?: string | null
}

export const BANK_RULES = ['utr', 'sum_by_utr', 'unique', 'subset', 'person'] as const

export type BankRule = (typeof BANK_RULES)[number]

export interface BankMatch {
  line: BankLine
  settlement: OpenSettlement
  rule: BankRule
  agrees: number
  candidates: number
}

export interface BankDecided {
  matches: BankMatch[]
  breaks: Break[]
}

export interface Known {
  /** Settlements that a credit told of in an earlier run. */
  before: readonly OpenSettlement[]
  /** What a person took apart (`pairOf`): only a person puts it together again. */
  apart: ReadonlySet<string>
  rules: Rules
  /** The last day that the statements cover. */
  until: IsoDate | null
}

/**
 * Decides on all open credits and settlements together, from the surest to the least sure; each
 * settlement is in one credit at the most. A credit that a UTR names is never matched otherwise,
 * and one that names neither UTR nor gateway is not matched at all.
 */
export function decideBank(
  lines: readonly BankLine[],
  settlements: readonly OpenSettlement[],
  { before, apart, rules, until }: Known,
): BankDecided {
  const decided: BankDecided = { matches: [], breaks: [] }
  const isApart = partedBy(apart)
  const open = new Map(settlements.map((one) => [one.settlementId, one]))
  const credits = lines.filter(({ amount }) => amount > 0n)
  const nameless = byUtr(credits, open, { before, isApart, decided }).filter(
    ({ gateways }) => gateways.length > 0,
  )
  byAmount(nameless, open, { isApart, rules, decided })
  decided.breaks.push(...overdue(open.values(), rules, until))
  return decided
}

/** Settlements whose credit should be in a statement that we have. */
function overdue(
  settlements: Iterable<OpenSettlement>,
  rules: Rules,
  until: IsoDate | null,
): Break[] {
  const holidays = new Set(rules.holidays)
  return [...settlements]
    .filter(
      ({ settledOn }) =>
        until !== null && addBusinessDays(settledOn, rules.bankWindow.after, holidays) < until,
    )
    .map(({ settlementId, amount, currency, settledOn, utr }) => ({
      kind: 'missing_external',
      subject: `credit of ${settlementId}`,
      amount,
      currency,
      since: settledOn,
      detail: { settlement: settlementId, utr },
      stays: false,
    }))
}

/** Takes the credits that a UTR names; gives the others. */
function byUtr(
  lines: readonly BankLine[],
  open: Map<string, OpenSettlement>,
  { before, isApart, decided }: Pick<Known, 'before'> & { isApart: IsApart; decided: BankDecided },
): BankLine[] {
  const namedBy = namingOf(open, before)
  const others: BankLine[] = []
  for (const line of lines) {
    const { found, there, sum } = namedBy(line)
    if (found.length === 0) {
      others.push(line)
      continue
    }
    if (there.length === 0 || line.repeated > 0) {
      const isGivenUp = found.some(({ resolution }) => (resolution ?? null) !== null)
      const kind = isGivenUp && line.repeated === 0 ? 'status_mismatch' : 'duplicate_external'
      decided.breaks.push(bankBreak(kind, line, line.amount, found))
      continue
    }
    if (isApart(line, there)) {
      decided.breaks.push(bankBreak('ambiguous', line, line.amount, there))
    } else if (there.some(({ currency }) => currency !== line.currency)) {
      decided.breaks.push(bankBreak('currency_mismatch', line, line.amount, there))
    } else if (sum === line.amount) {
      const rule = there.length === 1 ? 'utr' : 'sum_by_utr'
      for (const settlement of there) {
        take(line, settlement, rule, { open, decided })
      }
    } else {
      const off = line.amount - sum
      const size = off < 0n ? -off : off
      // A resolution closes all that such a break names: more than it can name nobody looks at.
      decided.breaks.push(
        there.length > NAMED_MAX
          ? bankBreak('search_cap', line, line.amount, there)
          : bankBreak('batch_total_mismatch', line, size, there),
      )
    }
  }
  return others
}

interface Named {
  found: readonly OpenSettlement[]
  /** Those of them that are open, and what they come to. */
  there: readonly OpenSettlement[]
  sum: bigint
}

/** What the UTRs of a line name: once for lines that name the same, until one is taken. */
function namingOf(
  open: ReadonlyMap<string, OpenSettlement>,
  before: readonly OpenSettlement[],
): (line: BankLine) => Named {
  const told = [...open.values(), ...before].filter(({ utr }) => utr !== null)
  const byUtr = Map.groupBy(told, ({ utr }) => utr ?? '')
  const known = new Map<string, Named & { left: number }>()
  return ({ tokens }) => {
    const utrs = tokens.filter((token) => byUtr.has(token))
    const same = utrs.join(' ')
    const last = known.get(same)
    if (last?.left === open.size) {
      return last
    }
    const found = utrs.flatMap((utr) => byUtr.get(utr) ?? [])
    const there = found.filter(({ settlementId }) => open.has(settlementId))
    const sum = there.reduce((total, { amount }) => total + amount, 0n)
    const named = { found, there, sum, left: open.size }
    known.set(same, named)
    return named
  }
}
