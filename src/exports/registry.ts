/** Every report that can be exported, a line or two each. */
import { Problem } from '../base/problem.ts'
import { auditTrail } from './audit-trail.ts'
import { beancountJournal } from './formats/beancount.ts'
import { hledgerJournal } from './formats/hledger.ts'
import { tallyXml } from './formats/tally.ts'
import { zohoJournals } from './formats/zoho.ts'
import {
  FORMATS,
  type Format,
  type Maker,
  type ParameterName,
  type Parameters,
  type Report,
} from './report.ts'
import { accountStatement } from './reports/account-statement.ts'
import { balanceSheet, incomeAndExpenditure } from './reports/final-accounts.ts'
import { clearingProofTable } from './reports/clearing-proof.ts'
import { journalCsv } from './reports/journal-csv.ts'
import { dayBook, journal } from './reports/journal.ts'
import { receiptsAndPayments } from './reports/receipts-and-payments.ts'
import { receiptsRegister } from './reports/receipts-register.ts'
import { exceptionsTable } from './reports/recon-exceptions.ts'
import { matchesTable } from './reports/recon-matches.ts'
import { reconciliationStatement } from './reports/reconciliation-statement.ts'
import { settlementProof } from './reports/settlement-proof.ts'
import { settlementsTable } from './reports/settlements.ts'
import { trialBalanceTable } from './reports/trial-balance.ts'
import { csvOf, xlsxOf, type Table } from './tables.ts'

const EXCEPTIONS_BY = [
  'from',
  'to',
  'kind',
  'state',
  'gateway',
  'currency',
  'owner',
  'unowned',
  'severity',
  'overdue',
  'amount_from',
  'amount_to',
] as const

const bothOf = (table: Table) => ({ csv: csvOf(table), xlsx: xlsxOf(table) })

export const REPORTS = {
  journal: {
    ...about('Journal', ['from', 'to', 'kind']),
    formats: { csv: journalCsv, xlsx: xlsxOf(journal) },
  },
  // The whole of the books, as another program reads it.
  books: {
    ...about('Books for another program', ['from', 'to', 'currency']),
    formats: {
      tally_xml: tallyXml,
      zoho_csv: csvOf(zohoJournals),
      hledger: hledgerJournal,
      beancount: beancountJournal,
    },
  },
  day_book: { ...about('Day book', ['from', 'to', 'kind']), formats: bothOf(dayBook) },
  account_statement: {
    ...about('Account statement', ['account', 'from', 'to'], ['account']),
    formats: bothOf(accountStatement),
  },
  trial_balance: { ...about('Trial balance', ['to']), formats: bothOf(trialBalanceTable) },
  income_and_expenditure: {
    ...about('Income and expenditure', ['from', 'to'], ['from', 'to']),
    formats: bothOf(incomeAndExpenditure),
  },
  balance_sheet: { ...about('Balance sheet', ['to']), formats: bothOf(balanceSheet) },
  receipts_and_payments: {
    ...about('Receipts and payments account', ['from', 'to'], ['from', 'to']),
    formats: bothOf(receiptsAndPayments),
  },
  settlements: {
    ...about('Settlements', ['from', 'to', 'gateway', 'state']),
    needs: 'payments.read',
    formats: bothOf(settlementsTable),
  },
  receipts_register: {
    ...about('Receipts register', ['from', 'to', 'state']),
    needs: 'receipts.read',
    formats: bothOf(receiptsRegister),
  },
  reconciliation_statement: {
    ...about('Reconciliation statement', ['account', 'from', 'to'], ['account', 'to']),
    needs: 'recon.read',
    formats: bothOf(reconciliationStatement),
  },
  settlement_proof: {
    ...about('Settlement proof', ['from', 'to', 'gateway']),
    needs: 'recon.read',
    formats: bothOf(settlementProof),
  },
  clearing_proof: {
    ...about('Clearing proof', ['gateway', 'currency'], ['gateway']),
    needs: 'recon.read',
    isOfNow: true,
    formats: bothOf(clearingProofTable),
  },
  exceptions: {
    ...about('Exceptions', EXCEPTIONS_BY),
    needs: 'recon.read',
    formats: bothOf(exceptionsTable),
  },
  matches: {
    ...about('Matches', ['from', 'to', 'gateway', 'kind']),
    needs: 'recon.read',
    formats: bothOf(matchesTable),
  },
  audit_trail: { ...about('Audit trail', []), formats: { csv: auditTrail } },
} as const satisfies Record<string, Report>

function about(
  title: string,
  takes: readonly ParameterName[],
  requires: readonly ParameterName[] = [],
) {
  return { title, takes, requires, needs: 'exports.read' as const }
}

export type ReportName = keyof typeof REPORTS

export const REPORT_NAMES = Object.keys(REPORTS) as [ReportName, ...ReportName[]]

/** What is asked for: a report, its format, and what narrows it down. */
export interface Asked {
  report: ReportName
  format: Format
  parameters: Parameters
}

export function reportOf(name: ReportName): Report {
  return REPORTS[name]
}

/**
 * Throws `report_unfit` (moved: no) for a format that the report does not come in, for a parameter
 * that it does not take or cannot do without, for days in the wrong order, and for an instant
 * `known` where it tells only what is known now.
 */
export function assertOffered(
  { report, format, parameters }: Asked,
  known: Date | null = null,
): void {
  const { title, formats, takes, requires, isOfNow } = reportOf(report)
  const refuse = (detail: string) => new Problem('report_unfit', { detail, moved: 'no' })
  if (known !== null && isOfNow === true) {
    throw refuse(`The ${title} is of now: nobody keeps what was matched at another instant.`)
  }
  if (formats[format] === undefined) {
    throw refuse(`The ${title} comes as ${Object.keys(formats).join(', ')}, not as ${format}.`)
  }
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === null ? [] : [name],
  )
  const unknown = given.find((name) => !takes.some((one) => one === name))
  if (unknown !== undefined) {
    const known = takes.length === 0 ? 'no parameters' : takes.join(', ')
    throw refuse(`The ${title} takes ${known}, not "${unknown}".`)
  }
  const missing = requires.find((name) => !given.includes(name))
  if (missing !== undefined) {
    throw refuse(`The ${title} needs "${missing}".`)
  }
  if (parameters.from !== null && parameters.to !== null && parameters.to < parameters.from) {
    throw refuse('"to" is before "from".')
  }
  if (parameters.currency !== null && (format === 'hledger' || format === 'beancount')) {
    throw refuse(`As ${format} the books come in all their currencies.`)
  }
}

export function makerOf({ report, format }: Asked): Maker {
  const maker = reportOf(report).formats[format]
  if (maker === undefined) {
    throw new Error(`${report} does not come as ${format}`)
  }
  return maker
}

/** What the file is called: bahi-journal-2026-04-01-to-2027-03-31.csv. */
export function fileNameOf({ report, format, parameters: { from, to } }: Asked): string {
  const days = [from, to === null ? null : from === null ? to : `to-${to}`]
  const parts = ['bahi', report.replaceAll('_', '-'), ...days.filter((day) => day !== null)]
  return `${parts.join('-')}.${FORMATS[format].extension}`
}
