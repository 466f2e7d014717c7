/** The journal for hledger: opening balances, entries, and the trial balance as assertions. */
import type { IsoDate } from '../../base/clock.ts'
import { formatDecimal } from '../../base/money.ts'
import type { PostedEntry } from '../../ledger/reading/entries.ts'
import { digitsOf, netsAt, openingNets, type Books, type Net } from '../books.ts'
import { againstTrialBalance } from '../checks.ts'
import { entriesOf } from '../entries.ts'
import { addEntries } from '../reports/journal.ts'
import { openSums, type Parameters, type Pieces } from '../report.ts'

/**
 * `hledger check` proves the file: at its end each account is asserted to stand where the trial
 * balance has it. The first posting of the books opens nothing; a later beginning does.
 */
export async function* hledgerJournal(books: Books, asked: Parameters): Pieces {
  yield `; ${plain(books.legalName)} (${books.organisation}), entries up to je_${books.through}\n`
  yield 'decimal-mark .\n'
  const opening = asked.from === null ? [] : await openingNets(books, asked.from)
  const sums = openSums()
  if (asked.from !== null) {
    yield openingText(books, asked.from, opening)
  }
  let lastDay = asked.to
  for await (const entries of entriesOf(books, { ...asked, kind: null })) {
    yield entries.map((entry) => entryText(books, entry)).join('')
    addEntries(sums, entries)
    books.progress.rows = sums.lines
    for (const { effective_on: day } of entries) {
      lastDay = asked.to ?? (lastDay === null || day > lastDay ? day : lastDay)
    }
  }
  if (lastDay !== null) {
    yield assertionsText(books, lastDay, await netsAt(books, asked.to))
  }
  const checks = await againstTrialBalance(books, sums.nets, asked)
  return { rows: sums.lines, totals: sums.totals(), checks }
}

function openingText(books: Books, day: IsoDate, nets: readonly Net[]): string {
  const lines = nets.filter(({ net }) => net !== 0n)
  return lines.length === 0
    ? ''
    : `\n${day} (opening) Opening balances\n${lines
        .map(({ code, currency, net }) => lineText(code, amountText(books, net, currency)))
        .join('')}`
}

function entryText(books: Books, entry: PostedEntry): string {
  const { entry_no: entryNo, effective_on: day, description, kind, source } = entry
  const head = `\n${day} (je_${entryNo}) ${plain(description)}`.trimEnd()
  const tags = `    ; kind:${plain(kind)}, source:${plain(source)}\n`
  const lines = entry.postings.map(({ account, direction, amount, currency }) =>
    lineText(account, amountText(books, direction === 'debit' ? amount : -amount, currency)),
  )
  return `${head}\n${tags}${lines.join('')}`
}

/** Each account at the end of the last day; postings of nothing do no harm. */
function assertionsText(books: Books, day: IsoDate, nets: readonly Net[]): string {
  const lines = nets.map(({ code, currency, net }) => {
    const zero = amountText(books, 0n, currency)
    return lineText(code, `${zero} = ${amountText(books, net, currency)}`)
  })
  return lines.length === 0 ? '' : `\n${day} (closing) Trial balance\n${lines.join('')}`
}

function lineText(account: string, amount: string): string {
  return `    ${account}  ${amount}\n`
}

function amountText(books: Books, minor: bigint, currency: string): string {
  const digits = formatDecimal(minor, currency, digitsOf(books, currency))
  // A name with a digit in it stands in quotes.
  return `${digits} ${/\d/.test(currency) ? `"${currency}"` : currency}`
}

/**
 * Text on one line of a journal. What begins a comment or ends a tag, control characters, spaces
 * around and the backslash itself are written as \uXXXX, so that the text can be read back.
 */
function plain(text: string): string {
  return text.replaceAll(
    /[;,|\\\p{Cc}\u2028\u2029]|^\s|\s$/gu,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
