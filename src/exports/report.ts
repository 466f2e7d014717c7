/** What a report is: what it is asked with, in which formats it comes, what it says at its end. */
import type { IsoDate } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'
import type { Direction } from '../ledger/core/chart.ts'
import type { Books } from './books.ts'

export const FORMATS = {
  csv: { extension: 'csv', media: 'text/csv; charset=utf-8' },
  xlsx: {
    extension: 'xlsx',
    media: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  },
  tally_xml: { extension: 'xml', media: 'application/xml; charset=utf-8' },
  zoho_csv: { extension: 'csv', media: 'text/csv; charset=utf-8' },
  hledger: { extension: 'journal', media: 'text/plain; charset=utf-8' },
  beancount: { extension: 'beancount', media: 'text/plain; charset=utf-8' },
} as const

export type Format = keyof typeof FORMATS

export const FORMAT_NAMES = Object.keys(FORMATS) as [Format, ...Format[]]

/** What narrows a report down: what its list takes, or a day or two; null where nothing does. */
export interface Parameters {
  /** First and last effective day. */
  from: IsoDate | null
  to: IsoDate | null
  /** An account's number. */
  account: number | null
  currency: string | null
  kind: string | null
  gateway: string | null
  state: string | null
  /** As the list of exceptions takes them; jobs of before had none of these. */
  owner?: string | null
  unowned?: string | null
  severity?: string | null
  overdue?: string | null
  amount_from?: string | null
  amount_to?: string | null
}

export type ParameterName = keyof Parameters

/** Debits and credits that a file holds, minor units. */
export interface Total {
  currency: string
  debit: bigint
  credit: bigint
}

/** What was given, as callers write it. */
export function givenOf(parameters: Parameters): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(parameters).flatMap(([name, value]: [string, string | number | null]) => {
      const shown = name === 'account' && value !== null ? `acc_${value}` : value
      return shown === null ? [] : [[name, shown]]
    }),
  )
}

/** What the file says and what the books say, which is the same or the export has failed. */
export interface Check {
  what: string
  currency: string
  export: bigint
  books: bigint
}

export interface Outcome {
  /** Lines of data; of a journal, postings. */
  rows: number
  totals: Total[]
  checks: Check[]
}

/** A file in pieces, and what it came to. Whoever takes them sets the pace. */
export type Pieces = AsyncGenerator<string | Uint8Array, Outcome>

export type Maker = (books: Books, asked: Parameters) => Pieces

/** Who may read the report: a permission of the API. */
export type Needs = 'exports.read' | 'receipts.read' | 'payments.read' | 'recon.read'

export interface Report {
  title: string
  needs: Needs
  takes: readonly ParameterName[]
  requires: readonly ParameterName[]
  /** It tells what is known now, whatever was known at another instant. */
  isOfNow?: true
  formats: Readonly<Partial<Record<Format, Maker>>>
}

/** Adds up what is written, by account and by currency. */
export interface Sums {
  add(line: { accountId: number; currency: string; direction: Direction; amount: bigint }): void
  /** Debits less credits by account. */
  readonly nets: ReadonlyMap<number, bigint>
  readonly lines: number
  totals(): Total[]
}

export function openSums(): Sums {
  const nets = new Map<number, bigint>()
  const totals = new Map<string, Total>()
  let lines = 0
  return {
    nets,
    get lines() {
      return lines
    },
    add({ accountId, currency, direction, amount }) {
      lines += 1
      const total = totals.get(currency) ?? { currency, debit: 0n, credit: 0n }
      total[direction] += amount
      totals.set(currency, total)
      const signed = direction === 'debit' ? amount : -amount
      nets.set(accountId, (nets.get(accountId) ?? 0n) + signed)
    },
    totals: () => [...totals.values()].sort(byCurrency),
  }
}

export function byCurrency(one: { currency: string }, other: { currency: string }): number {
  return one.currency < other.currency ? -1 : Number(one.currency > other.currency)
}

/** A day that the report cannot do without. */
export function dayOf(asked: Parameters, name: 'from' | 'to'): IsoDate {
  const day = asked[name]
  if (day === null) {
    throw new Problem('report_unfit', { detail: `The report needs "${name}".`, moved: 'no' })
  }
  return day
}
