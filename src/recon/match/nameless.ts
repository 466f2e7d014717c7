/** Credits that no UTR names, held against what gateways sent in those days: one, or a sum. */
import type { BankDecided, BankLine, Known, OpenSettlement } from './bank.ts'
import { bankBreak, SHOWN_MAX, take, type IsApart } from './bank-break.ts'
import { subsetOf } from './subset.ts'
import { windowsOf, type Windows } from './window.ts'

/** How unlikely a sum has to be by chance: one in so many. */
const CHANCE = 1000n

/** What no UTR names: one settlement of that amount in the window, or one sum of several. */
export function byAmount(
  lines: readonly BankLine[],
  open: Map<string, OpenSettlement>,
  { isApart, rules, decided }: Pick<Known, 'rules'> & { isApart: IsApart; decided: BankDecided },
): void {
  const windows = windowsOf(open, rules)
  // Of each settlement that a line wants, the lines that want no other one.
  const wanted = new Map<OpenSettlement, BankLine[]>()
  const contested = new Set<OpenSettlement>()
  const seen = new Set<readonly OpenSettlement[]>()
  const rest: BankLine[] = []
  for (const line of lines) {
    const equal = windows.equal(line)
    const [only] = equal
    if (only === undefined) {
      rest.push(line)
      continue
    }
    // Which one is left over proves nothing once a person took one away.
    if (isApart(line, equal)) {
      decided.breaks.push(bankBreak('ambiguous', line, line.amount, equal))
      continue
    }
    if (equal.length === 1) {
      push(wanted, only, line)
      continue
    }
    decided.breaks.push(bankBreak('ambiguous', line, line.amount, equal))
    // Lines that say the same share their list: it is gone through once.
    for (const settlement of seen.has(equal) ? [] : equal) {
      wanted.set(settlement, wanted.get(settlement) ?? [])
      contested.add(settlement)
    }
    seen.add(equal)
  }
  for (const [settlement, claims] of wanted) {
    const [only] = claims
    if (only !== undefined && claims.length === 1 && !contested.has(settlement)) {
      take(only, settlement, 'unique', { open, decided })
    } else {
      for (const line of claims) {
        decided.breaks.push(bankBreak('ambiguous', line, line.amount, [settlement]))
      }
    }
  }
  for (const line of rest) {
    bySum(line, windows, { open, isApart, rules, decided })
  }
}

const KIND_OF = { none: 'missing_internal', cap: 'search_cap', several: 'ambiguous' } as const

function bySum(
  line: BankLine,
  windows: Windows,
  {
    open,
    isApart,
    rules,
    decided,
  }: Pick<Known, 'rules'> & {
    isApart: IsApart
    open: Map<string, OpenSettlement>
    decided: BankDecided
  },
): void {
  const smaller = windows.smaller(line, Math.max(rules.subset.items, SHOWN_MAX))
  if (smaller.length < 2) {
    decided.breaks.push(bankBreak('missing_internal', line, line.amount, smaller))
    return
  }
  // Of so many sums one comes to the amount by chance: that proves nothing.
  const sums = 1n << BigInt(smaller.length)
  if (smaller.length > rules.subset.items || sums * CHANCE > line.amount) {
    decided.breaks.push(bankBreak('search_cap', line, line.amount, smaller))
    return
  }
  const amounts = smaller.map(({ amount }) => amount)
  const found = subsetOf(amounts, line.amount, rules.subset.steps)
  if (found.how === 'one' && !isApart(line, smaller)) {
    for (const place of found.items) {
      const settlement = smaller[place]
      if (settlement !== undefined) {
        take(line, settlement, 'subset', { open, decided })
      }
    }
  } else {
    const kind = found.how === 'one' ? 'ambiguous' : KIND_OF[found.how]
    decided.breaks.push(bankBreak(kind, line, line.amount, smaller))
  }
}

/** One more under that key. */
function push<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key)
  if (list === undefined) {
    lists.set(key, [value])
  } else {
    list.push(value)
  }
}
