/** Credits at the bank and the settlements that came in them: by UTR, as the only one, as a sum. */
import type { IsoDate } from '../../base/clock.ts'
import type { Break } from './decide.ts'
import { addBusinessDays } from './days.ts'
import { AGREES } from './kinds.ts'
import type { Rules } from './rules.ts'
import { subsetOf } from './subset.ts'
import { windowsOf } from './window.ts'

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

interface Known {
  /** Settlements that a credit told of in an earlier run. */
  before: readonly OpenSettlement[]
  /** What a person took apart (`pairOf`): only a person puts it together again. */
  apart: ReadonlySet<string>
  rules: Rules
  /** The last day that the statements cover. */
  until: IsoDate | null
}

/** A line and a settlement, as one word. */
export function pairOf(line: Pick<BankLine, 'fileNo' | 'rowNo'>, settlementId: string): string {
  return `${line.fileNo} ${line.rowNo} ${settlementId}`
}

/** How unlikely a sum has to be by chance: one in so many. */
const CHANCE = 1000n

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
  const open = new Map(settlements.map((one) => [one.settlementId, one]))
  const credits = lines.filter(({ amount }) => amount > 0n)
  const nameless = byUtr(credits, open, { before, apart, decided }).filter(
    ({ gateways }) => gateways.length > 0,
  )
  byAmount(nameless, open, { apart, rules, decided })
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
  { before, apart, decided }: Pick<Known, 'before' | 'apart'> & { decided: BankDecided },
): BankLine[] {
  const named = new Map<string, OpenSettlement[]>()
  for (const settlement of [...open.values(), ...before]) {
    if (settlement.utr !== null) {
      named.set(settlement.utr, [...(named.get(settlement.utr) ?? []), settlement])
    }
  }
  const others: BankLine[] = []
  for (const line of lines) {
    const found = line.tokens.flatMap((token) => named.get(token) ?? [])
    const there = found.filter(({ settlementId }) => open.has(settlementId))
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
    const sum = there.reduce((total, { amount }) => total + amount, 0n)
    if (there.some(({ settlementId }) => apart.has(pairOf(line, settlementId)))) {
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
      decided.breaks.push(bankBreak('batch_total_mismatch', line, size, there))
    }
  }
  return others
}

/** What no UTR names: one settlement of that amount in the window, or one sum of several. */
function byAmount(
  lines: readonly BankLine[],
  open: Map<string, OpenSettlement>,
  { apart, rules, decided }: Pick<Known, 'apart' | 'rules'> & { decided: BankDecided },
): void {
  const inWindow = windowsOf(open, rules)
  const wanted = new Map<string, BankLine[]>()
  const rest: BankLine[] = []
  for (const line of lines) {
    const equal = inWindow(line).filter(({ amount }) => amount === line.amount)
    if (equal.length === 0) {
      rest.push(line)
    }
    // Which one is left over proves nothing once a person took one away.
    if (equal.some(({ settlementId }) => apart.has(pairOf(line, settlementId)))) {
      decided.breaks.push(bankBreak('ambiguous', line, line.amount, equal))
      continue
    }
    for (const { settlementId } of equal) {
      wanted.set(settlementId, [...(wanted.get(settlementId) ?? []), line])
    }
    if (equal.length > 1) {
      decided.breaks.push(bankBreak('ambiguous', line, line.amount, equal))
    }
  }
  const unsure = new Set(decided.breaks.map(({ subject }) => subject))
  for (const [settlementId, claims] of wanted) {
    const settlement = open.get(settlementId)
    const [only] = claims
    const sure = claims.length === 1 && only !== undefined && !unsure.has(subjectOfBank(only))
    if (settlement !== undefined && sure) {
      take(only, settlement, 'unique', { open, decided })
    } else if (settlement !== undefined) {
      for (const line of claims.filter((one) => !unsure.has(subjectOfBank(one)))) {
        decided.breaks.push(bankBreak('ambiguous', line, line.amount, [settlement]))
        unsure.add(subjectOfBank(line))
      }
    }
  }
  for (const line of rest) {
    bySum(line, inWindow(line), { open, apart, rules, decided })
  }
}

const KIND_OF = { none: 'missing_internal', cap: 'search_cap', several: 'ambiguous' } as const

function bySum(
  line: BankLine,
  candidates: readonly OpenSettlement[],
  {
    open,
    apart,
    rules,
    decided,
  }: Pick<Known, 'apart' | 'rules'> & {
    open: Map<string, OpenSettlement>
    decided: BankDecided
  },
): void {
  const smaller = candidates
    .filter(({ amount }) => amount < line.amount)
    .toSorted((one, other) => (one.settlementId < other.settlementId ? -1 : 1))
  if (smaller.length < 2) {
    decided.breaks.push(bankBreak('missing_internal', line, line.amount, smaller))
    return
  }
  // Of so many sums one comes to the amount by chance: that proves nothing.
  const sums = 1n << BigInt(smaller.length)
  if (smaller.length > rules.subset.items || sums * CHANCE > line.amount) {
    decided.breaks.push(bankBreak('search_cap', line, line.amount, smaller.slice(0, 10)))
    return
  }
  const amounts = smaller.map(({ amount }) => amount)
  const found = subsetOf(amounts, line.amount, rules.subset.steps)
  const isApart = smaller.some(({ settlementId }) => apart.has(pairOf(line, settlementId)))
  if (found.how === 'one' && !isApart) {
    for (const place of found.items) {
      const settlement = smaller[place]
      if (settlement !== undefined) {
        take(line, settlement, 'subset', { open, decided })
      }
    }
  } else {
    const kind = found.how === 'one' ? 'ambiguous' : KIND_OF[found.how]
    decided.breaks.push(bankBreak(kind, line, line.amount, smaller.slice(0, 10)))
  }
}

function take(
  line: BankLine,
  settlement: OpenSettlement,
  rule: BankMatch['rule'],
  { open, decided }: { open: Map<string, OpenSettlement>; decided: BankDecided },
): void {
  open.delete(settlement.settlementId)
  const named = rule === 'utr' || rule === 'sum_by_utr'
  const agrees =
    (named ? AGREES.reference : 0) +
    AGREES.amount +
    AGREES.currency +
    (settlement.settledOn === line.bookedOn ? AGREES.day : 0)
  decided.matches.push({ line, settlement, rule, agrees, candidates: 1 })
}

/** The name of a bank's line among breaks. */
export function subjectOfBank({ fileNo, rowNo }: Pick<BankLine, 'fileNo' | 'rowNo'>): string {
  return `bank ${fileNo} ${rowNo}`
}

function bankBreak(
  kind: Break['kind'],
  line: BankLine,
  amount: bigint,
  settlements: readonly OpenSettlement[],
): Break {
  return {
    kind,
    subject: subjectOfBank(line),
    amount,
    currency: line.currency,
    since: line.bookedOn,
    detail: {
      told: line.amount,
      settlements: settlements.map(({ settlementId, amount: due, utr, resolution = null }) => ({
        settlement: settlementId,
        recorded: due,
        utr,
        ...(resolution === null ? {} : { resolution }),
      })),
    },
    stays: false,
  }
}
