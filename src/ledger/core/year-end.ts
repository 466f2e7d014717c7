/** The end of a financial year: income and expense accounts are brought to zero against funds. */
import type { IsoDate } from '../../base/clock.ts'
import type { AccountCode } from './chart.ts'
import { LATE_REASON, LINES_MAX, type Draft, type DraftLine } from './entry.ts'

/** What stands on an income or expense account at the end of the year, on one side. */
export interface YearEndBalance {
  account: AccountCode
  currency: string
  /** Minor units; one of them is 0. */
  debit: bigint
  credit: bigint
}

export interface YearClosing {
  /** India's financial year: "2026-27". */
  year: string
  /** 31 March. */
  lastDay: IsoDate
  balances: readonly YearEndBalance[]
  /** The newest entry that the balances count. */
  entryNo: bigint
  reason: string
  actor: string
  /** True where March takes late entries only. */
  isLate: boolean
}

const GENERAL_FUND: AccountCode = 'equity:general-fund'
const DONATIONS = 'income:donations'
/** Gifts without a purpose. */
const UNRESTRICTED = 'income:donations:general'

/** The first calendar year of a financial year ("2026-27": 2026); undefined for other texts. */
export function startOf(year: string): number | undefined {
  const [, start] = /^(\d{4})-\d{2}$/.exec(year) ?? []
  const isYear = start !== undefined && Number(start) < 9999 && yearFrom(Number(start)) === year
  return isYear ? Number(start) : undefined
}

/** The financial year that begins on 1 April of that calendar year. */
export function yearFrom(start: number): string {
  const end = String((start + 1) % 100).padStart(2, '0')
  return `${String(start).padStart(4, '0')}-${end}`
}

/** The 31 March that ends the financial year which begins in that calendar year. */
export function lastDayFrom(start: number): IsoDate {
  return `${String(start + 1).padStart(4, '0')}-03-31`
}

/**
 * The fund that an account is closed to: restricted income to the balance of its own fund, because
 * what is left of it stays bound to its purpose; everything else to the general fund. All donations
 * but the general ones are restricted, to the fund with the same rest of the code, whether or not
 * there is such an account. What was spent of a restricted fund is released from it by an entry
 * that finance posts.
 */
export function fundOf(account: AccountCode): AccountCode {
  const isDonations = account === DONATIONS || account.startsWith(`${DONATIONS}:`)
  return isDonations && account !== UNRESTRICTED
    ? `equity:funds${account.slice(DONATIONS.length)}`
    : GENERAL_FUND
}

/** What every key of a closing of that year begins with. */
export function closingKeys(year: string): string {
  return `year_closed:${year}:`
}

/**
 * The entries (kind `year_closed`) that bring these balances to zero against their funds, each fund
 * by the net of an entry; none where nothing stands anywhere. Currencies do not share an entry.
 */
export function yearClosed(closing: YearClosing): Draft[] {
  const parts = entriesOf(closing.balances.filter(({ debit, credit }) => debit !== credit))
  const { year, entryNo } = closing
  const source = `${closingKeys(year)}je_${entryNo}`
  return parts.map((lines, index) => ({
    kind: 'year_closed',
    effectiveOn: closing.lastDay,
    // What stood after another entry is another closing; the same again is the same one.
    idempotencyKey: `${source}:${index + 1}`,
    description: `Closing of the year ${year}, part ${index + 1} of ${parts.length}`,
    source,
    actor: closing.actor,
    reverses: null,
    adjusts: null,
    metadata: {
      financial_year: year,
      reason: closing.reason,
      ...(closing.isLate ? { [LATE_REASON]: `Closing of the year ${year}` } : {}),
    },
    lines,
  }))
}

/** Lines by entry: accounts of one currency, fund by fund, as many as an entry holds. */
function entriesOf(balances: readonly YearEndBalance[]): DraftLine[][] {
  const entries: DraftLine[][] = []
  for (const ofCurrency of groupsOf(balances, (one) => one.currency)) {
    let entry: DraftLine[] = []
    for (const ofFund of groupsOf(ofCurrency, (one) => fundOf(one.account))) {
      for (let from = 0; from < ofFund.length; from += LINES_MAX - 1) {
        const lines = against(ofFund.slice(from, from + LINES_MAX - 1))
        if (entry.length + lines.length > LINES_MAX) {
          entries.push(entry)
          entry = []
        }
        entry.push(...lines)
      }
    }
    entries.push(entry)
  }
  return entries
}

/** Groups in the order of their keys, so that the same balances always make the same entries. */
function groupsOf(
  balances: readonly YearEndBalance[],
  keyOf: (one: YearEndBalance) => string,
): YearEndBalance[][] {
  const groups = Map.groupBy(balances, keyOf)
  return [...groups.keys()].sort().map((key) => groups.get(key) ?? [])
}

/** The lines that take these balances of one fund and currency away, and the fund's line. */
function against(balances: readonly YearEndBalance[]): DraftLine[] {
  let surplus = 0n
  const lines = balances.map(({ account, currency, debit, credit }): DraftLine => {
    surplus += credit - debit
    return {
      account,
      direction: credit > debit ? 'debit' : 'credit',
      amount: credit > debit ? credit - debit : debit - credit,
      currency,
    }
  })
  const [first] = balances
  if (surplus !== 0n && first !== undefined) {
    lines.push({
      account: fundOf(first.account),
      direction: surplus > 0n ? 'credit' : 'debit',
      amount: surplus > 0n ? surplus : -surplus,
      currency: first.currency,
    })
  }
  return lines
}
