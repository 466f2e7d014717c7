/** Lines whose id our books do not know: by the order, or as the only one that can be meant. */
import type { IsoDate } from '../../base/clock.ts'
import {
  breakOf,
  chargeBreaks,
  matchOf,
  type Decided,
  type Line,
  type OpenRecord,
} from './decide.ts'
import { addBusinessDays } from './days.ts'
import { AGREES, type ExceptionKind } from './kinds.ts'
import type { Rules } from './rules.ts'

/** A line and the open records that it could mean, as far as two are more than one. */
export interface Wanting {
  line: Line
  /** Of the same kind, gateway, account, amount and currency. */
  byOrder: readonly OpenRecord[]
  /** Of the same bank reference, whatever the amount and the currency. */
  byBank: readonly OpenRecord[]
  /** Disputes of the payment that it names: gateways call a dispute and its line differently. */
  byPayment: readonly OpenRecord[]
  /** And inside its window of days. */
  byAmount: readonly OpenRecord[]
  /** A person took the line from one of them: which one is left proves nothing. */
  isApart?: boolean
}

interface Proposal {
  line: Line
  record: OpenRecord
  rule: 'order' | 'reference' | 'unique'
  candidates: number
}

/**
 * Where a line names no payment, an order that agrees is a reference; where it names no order
 * either, a bank reference that one record and no other line has. Where it names nothing at
 * all, it is matched if exactly one record can be meant and no other line could mean that record:
 * the proof of uniqueness. A line that names what our books do not know is never matched.
 */
export function decideFallbacks(wanting: readonly Wanting[]): Decided {
  const decided: Decided = { matches: [], breaks: [], unnamed: [] }
  const claims = new Map<string, Proposal[]>()
  for (const one of wanting) {
    const proposal = proposalOf(one, decided)
    if (proposal !== null) {
      const key = `${proposal.record.recordId} ${proposal.record.reversal}`
      const others = claims.get(key)
      if (others === undefined) {
        claims.set(key, [proposal])
      } else {
        others.push(proposal)
      }
    }
  }
  for (const claim of claims.values()) {
    const named = claim.filter(({ rule }) => rule !== 'unique')
    const sure = named.length > 0 ? named : claim
    const winner = sure.length === 1 ? sure[0] : undefined
    if (winner !== undefined) {
      accept(winner, decided)
    }
    for (const { line, record } of claim.filter((one) => one !== winner)) {
      const detail = { candidates: [record.recordId] }
      decided.breaks.push(breakOf('ambiguous', line, line.amount, detail))
    }
  }
  return decided
}

function accept({ line, record, rule, candidates }: Proposal, decided: Decided): void {
  const match = matchOf(line, record, { rule, whole: true, candidates })
  const agrees = match.agrees | (rule === 'reference' ? AGREES.reference : 0)
  decided.matches.push({ ...match, agrees })
  decided.breaks.push(...chargeBreaks([line], record))
}

function proposalOf(one: Wanting, decided: Decided): Proposal | null {
  const { line, byOrder, byBank, byPayment, byAmount } = one
  const candidates = [byOrder, byPayment].find(({ length }) => length > 0) ?? byAmount
  const [only] = candidates
  const refuse = (kind: ExceptionKind, of: readonly OpenRecord[] = candidates): null => {
    const detail = { candidates: of.map(({ recordId }) => recordId) }
    decided.breaks.push(breakOf(kind, line, line.amount, detail))
    return null
  }
  const isNameless = line.externalId === null && line.orderRef === null
  const isByBank = isNameless && byBank.length > 0
  if (one.isApart === true) {
    return refuse('ambiguous', isByBank ? byBank : candidates)
  }
  if (isByBank) {
    return byBankReference(one, refuse)
  }
  if (only === undefined) {
    return refuse('missing_internal')
  }
  if (candidates === byPayment && candidates.length === 1) {
    return { line, record: only, rule: 'reference', candidates: 1 }
  }
  const namesAnother = line.externalId !== null || (line.orderRef !== null && byOrder.length === 0)
  if (namesAnother) {
    return refuse(candidates.length === 1 ? 'reference_mismatch' : 'missing_internal')
  }
  if (candidates.length > 1) {
    return refuse('ambiguous')
  }
  return { line, record: only, rule: byOrder.length > 0 ? 'order' : 'unique', candidates: 1 }
}

/** What names another sum, or several records, is never matched as something else. */
function byBankReference(
  { line, byBank }: Wanting,
  refuse: (kind: ExceptionKind, of: readonly OpenRecord[]) => null,
): Proposal | null {
  const [only] = byBank
  if (only === undefined || byBank.length > 1) {
    return refuse('ambiguous', byBank)
  }
  return only.amount === line.amount && only.currency === line.currency
    ? { line, record: only, rule: 'reference', candidates: 1 }
    : refuse('reference_mismatch', byBank)
}

/** The days of records that a line can tell of; null where it has no day of its own. */
export function windowOf(line: Line, rules: Rules): { from: IsoDate; to: IsoDate } | null {
  const { occurredOn: day } = line
  if (day === null) {
    return null
  }
  const holidays = new Set(rules.holidays)
  return {
    from: addBusinessDays(day, -rules.window.after, holidays),
    to: addBusinessDays(day, rules.window.before, holidays),
  }
}
