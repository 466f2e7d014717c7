/** The journal for beancount: accounts opened, opening balances, entries, closing balances. */
import type { IsoDate } from '../../base/clock.ts'
import { formatDecimal } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import { dayAfter } from '../../ledger/reading/balances.ts'
import type { PostedEntry } from '../../ledger/reading/entries.ts'
import { digitsOf, netsAt, openingNets, type Books, type Net } from '../books.ts'
import { againstTrialBalance } from '../checks.ts'
import { entriesOf } from '../entries.ts'
import { addEntries } from '../reports/journal.ts'
import { openSums, type Parameters, type Pieces } from '../report.ts'

/** The days that beancount can read. */
const FIRST_DAY = '1900-01-01'
const LAST_DAY = '2099-12-30'

/** `bean-check` proves the file: it ends with the trial balance as balance directives. */
export async function* beancountJournal(books: Books, asked: Parameters): Pieces {
  const closing = await netsAt(books, asked.to)
  yield `option "title" ${quoted(books.legalName)}\n`
  yield openText(closing)
  if (asked.from !== null) {
    yield openingText(books, asked.from, await openingNets(books, asked.from))
  }
  const sums = openSums()
  let lastDay = asked.to ?? FIRST_DAY
  for await (const entries of entriesOf(books, { ...asked, kind: null })) {
    yield entries.map((entry) => entryText(books, entry)).join('')
    addEntries(sums, entries)
    books.progress.rows = sums.lines
    for (const { effective_on: day } of entries) {
      lastDay = day > lastDay ? day : lastDay
    }
  }
  yield closingText(books, lastDay, closing)
  const checks = await againstTrialBalance(books, sums.nets, asked)
  return { rows: sums.lines, totals: sums.totals(), checks }
}

/** One account of ours is kept in one currency, one of theirs in several. */
function openText(nets: readonly Net[]): string {
  return [...Map.groupBy(nets, ({ code }) => code)]
    .map(([code, here]) => {
      const currencies = here.map(({ currency }) => currency).join(',')
      return `${FIRST_DAY} open ${beancountAccount(code)} ${currencies}\n  code: ${quoted(code)}\n`
    })
    .join('')
}

function openingText(books: Books, day: IsoDate, nets: readonly Net[]): string {
  const lines = nets.filter(({ net }) => net !== 0n)
  return lines.length === 0
    ? ''
    : `\n${readable(day)} * "Opening balances"\n${lines
        .map(({ code, currency, net }) => lineText(books, code, net, currency))
        .join('')}`
}

function entryText(books: Books, entry: PostedEntry): string {
  const lines = entry.postings.map(({ account, direction, amount, currency }) =>
    lineText(books, account, direction === 'debit' ? amount : -amount, currency),
  )
  return [
    `\n${readable(entry.effective_on)} * ${quoted(entry.description)}\n`,
    `  id: "je_${entry.entry_no}"\n`,
    `  kind: ${quoted(entry.kind)}\n`,
    `  source: ${quoted(entry.source)}\n`,
    ...lines,
  ].join('')
}

/** A balance is that of the morning. */
function closingText(books: Books, day: IsoDate, nets: readonly Net[]): string {
  const morning = readable(dayAfter(day))
  const lines = nets.map(({ code, currency, net }) => {
    const amount = formatDecimal(net, currency, digitsOf(books, currency))
    return `${morning} balance ${beancountAccount(code)}  ${amount} ~ 0 ${currency}\n`
  })
  return `\n${lines.join('')}`
}

function lineText(books: Books, code: string, minor: bigint, currency: string): string {
  const amount = formatDecimal(minor, currency, digitsOf(books, currency))
  return `  ${beancountAccount(code)}  ${amount} ${currency}\n`
}

function readable(day: IsoDate): IsoDate {
  if (day < FIRST_DAY || day > LAST_DAY) {
    const detail = `beancount reads no day before ${FIRST_DAY} or after ${LAST_DAY}: ${day}.`
    throw new Problem('report_unfit', { detail, moved: 'no' })
  }
  return day
}

function quoted(text: string): string {
  const escaped = text
    .replaceAll(/["\\]/g, (one) => `\\${one}`)
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
    .replaceAll('\r', '\\r')
  return `"${escaped}"`
}

/**
 * A code as a name that beancount takes, each as another one: parts begin with a capital letter or
 * a digit and have letters, digits and hyphens. Our codes have no capitals: U stands for an
 * underscore, XV and XD for an underscore and a hyphen that a part begins with.
 */
export function beancountAccount(code: string): string {
  return code
    .split(':')
    .map((part) => {
      const first = part.charAt(0)
      const rest = part.slice(1).replaceAll('_', 'U')
      if (first === '_' || first === '-') {
        return `X${first === '_' ? 'V' : 'D'}${rest}`
      }
      return first.toUpperCase() + rest
    })
    .join(':')
}
