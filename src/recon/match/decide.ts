/** What becomes of lines and records that the first pass left: matches, and breaks with reasons. */
import type { IsoDate } from '../../base/clock.ts'
import { AGREES, LINE_RECORDS, type ExceptionKind, type MatchRule } from './kinds.ts'
import { isTolerated, type Rules } from './rules.ts'

/** A line of a settlement, as far as matching looks at it. Minor units. */
export interface Line {
  fileNo: number
  rowNo: number
  repeated: number
  gateway: string
  account: string
  kind: keyof typeof LINE_RECORDS | 'adjustment' | 'fee' | 'other'
  externalId: string | null
  orderRef: string | null
  settlementRef: string | null
  /** The bank's reference: of the settlement, or of the payment itself. */
  utr?: string | null
  amount: bigint
  fee: bigint | null
  tax: bigint | null
  net: bigint
  currency: string
  occurredOn: IsoDate | null
}

/** A record of ours that no line has told of. Minor units. */
export interface OpenRecord {
  recordId: string
  reversal: boolean
  externalId: string
  orderRef: string | null
  amount: bigint
  fee: bigint | null
  tax: bigint | null
  currency: string
  occurredOn: IsoDate
}

/** Lines that name one thing, and what our books know of it. */
export interface Group {
  lines: readonly Line[]
  /** The record that they name, where no line has told of it. */
  record: OpenRecord | null
  /** The record that they name, where a person took this line from it. */
  apartFrom: string | null
  /** The record that they name, where another line told of it before. */
  toldBefore: string | null
  /** The state of a record that they name and that moved no money. */
  state: string | null
  /** The resolution that gave the record up that they name. */
  givenUpBy?: string | null
}

export interface Match {
  line: Line
  record: OpenRecord
  rule: MatchRule
  whole: boolean
  agrees: number
  candidates: number
}

export interface Break {
  kind: ExceptionKind
  subject: string
  /** Minor units at stake. */
  amount: bigint
  currency: string
  since: IsoDate | null
  detail: Readonly<Record<string, unknown>>
  /** It belongs to a match, which no later run looks at again. */
  stays: boolean
}

export interface Decided {
  matches: Match[]
  breaks: Break[]
  /** Lines that name nothing that our books know, for the fallbacks. */
  unnamed: Line[]
}

/** The name of a line among breaks. */
export function subjectOf({ fileNo, rowNo }: Pick<Line, 'fileNo' | 'rowNo'>): string {
  return `line ${fileNo} ${rowNo}`
}

/** Decides on the lines of one group. */
export function decideGroup(group: Group, rules: Rules): Decided {
  const decided: Decided = { matches: [], breaks: [], unnamed: [] }
  const { record, toldBefore, state } = group
  const resolution = group.givenUpBy ?? null
  const sound: Line[] = []
  const said = new Set<string>()
  for (const line of group.lines) {
    const same = `${line.settlementRef} ${line.amount} ${line.net} ${line.currency}`
    const fault = faultOf(line, record)
    if (fault !== null) {
      decided.breaks.push(fault)
    } else if (line.repeated > 0 || said.has(same)) {
      decided.breaks.push(breakOf('duplicate_external', line, line.amount, {}))
    } else {
      said.add(same)
      sound.push(line)
    }
  }
  if (group.apartFrom !== null) {
    const detail = { candidates: [group.apartFrom] }
    decided.breaks.push(...sound.map((line) => breakOf('ambiguous', line, line.amount, detail)))
  } else if (record !== null) {
    decideNamed(sound, record, rules, decided)
  } else if (resolution !== null) {
    const detail = { recorded: 'given_up', resolution }
    decided.breaks.push(
      ...sound.map((line) =>
        breakOf('status_mismatch', line, line.amount, { told: line.kind, ...detail }),
      ),
    )
  } else if (toldBefore !== null) {
    decided.breaks.push(
      ...sound.map((line) =>
        breakOf('duplicate_external', line, line.amount, { record: toldBefore }),
      ),
    )
  } else if (state !== null) {
    decided.breaks.push(
      ...sound.map((line) =>
        breakOf('status_mismatch', line, line.amount, { told: line.kind, recorded: state }),
      ),
    )
  } else {
    decided.unnamed.push(...sound)
  }
  return decided
}

/** What is wrong with a line whichever record it is held against. */
function faultOf(line: Line, record: OpenRecord | null): Break | null {
  if (!(line.kind in LINE_RECORDS)) {
    const kind = line.kind === 'other' ? 'unknown_line' : 'missing_internal'
    return breakOf(kind, line, line.net < 0n ? -line.net : line.net, { told: line.kind })
  }
  const { brings } = LINE_RECORDS[line.kind as keyof typeof LINE_RECORDS]
  if (brings ? line.net < 0n : line.net > 0n) {
    return breakOf('direction_mismatch', line, line.amount, { net: line.net })
  }
  if (record !== null && record.currency !== line.currency) {
    return breakOf('currency_mismatch', line, line.amount, {
      told: line.currency,
      recorded: record.currency,
      record: record.recordId,
    })
  }
  return null
}

function decideNamed(
  lines: readonly Line[],
  record: OpenRecord,
  rules: Rules,
  decided: Decided,
): void {
  const [first] = lines
  if (first === undefined) {
    return
  }
  const exact = lines.find((line) => line.amount === record.amount)
  if (exact !== undefined) {
    take(exact, record, 'id', decided)
    const others = lines.filter((line) => line !== exact)
    decided.breaks.push(
      ...others.map((line) =>
        breakOf('duplicate_external', line, line.amount, { record: record.recordId }),
      ),
    )
    return
  }
  const told = lines.reduce((sum, line) => sum + line.amount, 0n)
  const detail = { record: record.recordId, recorded: record.amount, told }
  if (lines.length === 1) {
    if (isTolerated(rules, record.amount, told)) {
      take(first, record, 'id_tolerance', decided)
      return
    }
    const off = told - record.amount
    const kind = off > 0n ? 'amount_over' : 'amount_under'
    decided.breaks.push(breakOf(kind, first, off > 0n ? off : -off, detail))
    return
  }
  if (told === record.amount) {
    for (const line of lines) {
      decided.matches.push(matchOf(line, record, { rule: 'split', whole: false, candidates: 1 }))
    }
    decided.breaks.push(...chargeBreaks([first, ...lines.slice(1)], record))
    return
  }
  const off = told - record.amount
  const kind = off < 0n ? 'split_incomplete' : 'split_mismatch'
  decided.breaks.push({
    ...breakOf(kind, first, off < 0n ? -off : off, detail),
    subject: `record ${record.recordId}`,
  })
}

/** A match by the record's own id; a charge that differs is a break of its own. */
function take(line: Line, record: OpenRecord, rule: MatchRule, decided: Decided): void {
  decided.matches.push(matchOf(line, record, { rule, whole: true, candidates: 1 }))
  decided.breaks.push(...chargeBreaks([line], record))
}

/** What a line, or both sides, say of a charge; the fee has its tax in it. Minor units. */
export interface Charge {
  fee: bigint | null
  tax: bigint | null
}

/** Fee and tax are compared each for itself; what only one side knows is missing on the other. */
export function chargesOff(
  line: Charge,
  record: Charge,
): { kind: 'fee_missing' | 'fee_variance' | 'tax_variance'; amount: bigint }[] {
  const breaks: ReturnType<typeof chargesOff> = []
  for (const what of ['fee', 'tax'] as const) {
    const told = line[what]
    const recorded = record[what]
    const off = (told ?? 0n) - (recorded ?? 0n)
    // What one side leaves out and the other says is 0 is the same.
    if (off === 0n && (told !== null || recorded === null)) {
      continue
    }
    const kind = told === null || recorded === null ? 'fee_missing' : (`${what}_variance` as const)
    if (!breaks.some((one) => one.kind === kind)) {
      breaks.push({ kind, amount: off < 0n ? -off : off })
    }
  }
  return breaks
}

/** Breaks of a match, whose lines come to the record: what they were charged is not the same. */
export function chargeBreaks(lines: readonly [Line, ...Line[]], record: OpenRecord): Break[] {
  const [first] = lines
  const [said, tax] = [sumOf(lines.map(({ fee }) => fee)), sumOf(lines.map((one) => one.tax))]
  const kept = lines.reduce((sum, line) => sum + keptOf(line), 0n)
  const agrees = (said ?? 0n) === (record.fee ?? 0n)
  const told = { fee: agrees && kept !== (said ?? 0n) ? kept : said, tax }
  return chargesOff(told, record).map(({ kind, amount }) => ({
    ...breakOf(kind, first, amount, {
      record: record.recordId,
      ...(record.reversal ? { back: true } : {}),
      told_fee: told.fee,
      told_tax: told.tax,
      recorded_fee: record.fee,
      recorded_tax: record.tax,
      ...(kept === (told.fee ?? 0n) ? {} : { kept }),
    }),
    stays: true,
  }))
}

/** What the settlement kept back of the line's amount, whatever its fee says. */
function keptOf({ amount, net, kind }: Line): bigint {
  const isPlain = kind === 'adjustment' || kind === 'fee' || kind === 'other'
  const brings = isPlain ? net >= 0n : LINE_RECORDS[kind].brings
  return brings ? amount - net : -net - amount
}

function sumOf(amounts: readonly (bigint | null)[]): bigint | null {
  const told = amounts.filter((one) => one !== null)
  return told.length === 0 ? null : told.reduce((sum, one) => sum + one, 0n)
}

export function matchOf(
  line: Line,
  record: OpenRecord,
  how: Pick<Match, 'rule' | 'whole' | 'candidates'>,
): Match {
  const due = (line.net < 0n ? -1n : 1n) * line.amount - (line.fee ?? 0n)
  const agrees =
    (line.externalId === record.externalId ? AGREES.id : 0) +
    (line.orderRef !== null && line.orderRef === record.orderRef ? AGREES.order : 0) +
    (line.amount === record.amount ? AGREES.amount : 0) +
    (line.currency === record.currency ? AGREES.currency : 0) +
    (line.fee !== null && line.fee === record.fee ? AGREES.fee : 0) +
    (line.tax !== null && line.tax === record.tax ? AGREES.tax : 0) +
    (line.occurredOn === record.occurredOn ? AGREES.day : 0) +
    (line.net === due ? AGREES.net : 0)
  return { line, record, agrees, ...how }
}

export function breakOf(
  kind: ExceptionKind,
  line: Line,
  amount: bigint,
  detail: Break['detail'],
): Break {
  const { currency, occurredOn: since } = line
  const named = { id: line.externalId, order: line.orderRef, settlement: line.settlementRef }
  const whole = { ...named, ...detail }
  return { kind, subject: subjectOf(line), amount, currency, since, detail: whole, stays: false }
}
