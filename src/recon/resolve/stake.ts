/** What is at stake: which account shows something else than there is, and by how much. Pure. */
import type { AccountCode } from '../../ledger/core/chart.ts'
import type { ExceptionRow } from '../found.ts'
import type { Subject, SubjectLine, SubjectRecord } from './subject.ts'

export interface Stake {
  account: AccountCode
  /**
   * What the account shows too much, below zero what it lacks; minor units. Null where no rule can
   * say it: two currencies, money the wrong way round, a dispute, a credit at the bank.
   */
  excess: bigint | null
}

const IN_TRANSIT: AccountCode = 'assets:bank:in-transit'

/** The account in question, and what is wrong with its balance because of this break. */
export function stakeOf(exception: ExceptionRow, subject: Subject): Stake {
  switch (subject.of) {
    case 'line':
      return {
        account: `assets:clearing:${subject.line.gateway}`,
        excess: excessOfLine(exception, subject.line, subject.record),
      }
    case 'record':
      return {
        account: `assets:clearing:${subject.record.gateway}`,
        excess: excessOfRecord(exception, subject.record, subject.lines),
      }
    case 'settlement':
      return {
        account: `assets:clearing:${subject.gateway}`,
        excess:
          exception.kind === 'batch_total_mismatch'
            ? amountIn(exception, 'told') -
              amountIn(exception, 'recorded') -
              amountIn(exception, 'resolved')
            : null,
      }
    case 'credit':
      return { account: IN_TRANSIT, excess: subject.amount }
    case 'bank':
      return { account: subject.account, excess: null }
    default:
      return subject satisfies never
  }
}

function excessOfLine(
  exception: ExceptionRow,
  line: SubjectLine,
  record: SubjectRecord | null,
): bigint | null {
  switch (exception.kind) {
    case 'fee_variance':
    case 'fee_missing':
      // What was kept back is what the account lacks, also where the fee says something else.
      return (
        amountIn(exception, 'kept' in exception.detail ? 'kept' : 'told_fee') -
        amountIn(exception, 'recorded_fee')
      )
    case 'tax_variance':
      return 0n
    case 'amount_over':
    case 'amount_under': {
      const shown = record === null ? null : shownBy(record)
      return shown === null ? null : shown - line.net
    }
    case 'duplicate_external':
      // Told twice in one file it is in no settlement twice: the sum leaves it out as well.
      return line.repeated > 0 ? 0n : -line.net
    case 'missing_internal':
    case 'unknown_line':
    case 'status_mismatch':
      return -line.net
    default:
      return null
  }
}

function excessOfRecord(
  { kind }: ExceptionRow,
  record: SubjectRecord,
  lines: readonly SubjectLine[],
): bigint | null {
  const shown = shownBy(record)
  const isSplit = kind === 'split_mismatch' || kind === 'split_incomplete'
  const told = isSplit ? lines.reduce((sum, { net }) => sum + net, 0n) : 0n
  return shown === null ? null : shown - told
}

/** What our entries of a record left on the clearing account. */
function shownBy({ kind, reversal, amount, fee }: SubjectRecord): bigint | null {
  const charge = fee ?? 0n
  switch (kind) {
    case 'payment':
      return amount - charge
    case 'refund':
    case 'transfer':
      return reversal ? amount : -amount - charge
    case 'dispute':
      // Held, lost and charged for at different times: its entries say it, and a person reads them.
      return null
    default:
      return kind satisfies never
  }
}

function amountIn({ detail }: ExceptionRow, name: string): bigint {
  const text = detail[name]
  return typeof text === 'string' || typeof text === 'number' ? BigInt(text) : 0n
}
