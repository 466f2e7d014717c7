/** What becomes of a credit at the bank: a match, or a break that names what it may be of. */
import type { BankDecided, BankLine, BankMatch, OpenSettlement } from './bank.ts'
import type { Break } from './decide.ts'
import { AGREES, type ExceptionKind } from './kinds.ts'

/** Of many settlements that could be meant so many are shown: a break has to fit its row. */
export const SHOWN_MAX = 10
/** As many as a break names where all of them count. */
export const NAMED_MAX = 100

/** What resolves these goes by each settlement that they name. */
const NAMING: ReadonlySet<ExceptionKind> = new Set(['batch_total_mismatch', 'status_mismatch'])

/** A line and a settlement, as one word. */
export function pairOf(line: Pick<BankLine, 'fileNo' | 'rowNo'>, settlementId: string): string {
  return `${line.fileNo} ${line.rowNo} ${settlementId}`
}

export type IsApart = (line: BankLine, settlements: readonly OpenSettlement[]) => boolean

/** Whether a person took a line from one of these settlements. */
export function partedBy(apart: ReadonlySet<string>): IsApart {
  // Few lines ever were: the others are not held against each settlement.
  const lines = new Set([...apart].map((pair) => pair.slice(0, pair.lastIndexOf(' '))))
  return (line, settlements) =>
    lines.has(`${line.fileNo} ${line.rowNo}`) &&
    settlements.some(({ settlementId }) => apart.has(pairOf(line, settlementId)))
}

/** A credit is this settlement's, which is open no more. */
export function take(
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

/** A credit that is not matched, and the settlements that it may be of: the first of them. */
export function bankBreak(
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
      settlements: settlements
        .slice(0, NAMING.has(kind) ? NAMED_MAX : SHOWN_MAX)
        .map(({ settlementId, amount: due, utr, resolution = null }) => ({
          settlement: settlementId,
          recorded: due,
          utr,
          ...(resolution === null ? {} : { resolution }),
        })),
    },
    stays: false,
  }
}
