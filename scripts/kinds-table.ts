/** Prints the table of entry kinds that stands in ARCHITECTURE.md, made of the worked examples. */
import { fileURLToPath } from 'node:url'
import { formatRupees } from '../reports/indian-number.ts'
import { formatDecimal } from '../src/base/money.ts'
import type { Draft, DraftLine } from '../src/ledger/core/entry.ts'
import { EXAMPLES } from './kinds/examples.ts'

/** The table in Markdown, between the marks by which its place is found. */
export function kindsTable(): string {
  const rows = Object.entries(EXAMPLES).map(([kind, { posted, story, draft }]) =>
    rowOf([`\`${kind}\``, posted, story, side(draft, 'debit'), side(draft, 'credit')]),
  )
  return [
    '<!-- kinds -->',
    rowOf(['kind', 'posted when', 'example', 'debit', 'credit']),
    '|---|---|---|---|---|',
    ...rows,
    '<!-- /kinds -->',
  ].join('\n')
}

function rowOf(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function side(draft: Draft, direction: DraftLine['direction']): string {
  return draft.lines
    .filter((line) => line.direction === direction)
    .map(({ account, amount, currency }) => `\`${account}\` ${moneyOf(amount, currency)}`)
    .join('<br>')
}

function moneyOf(amount: bigint, currency: string): string {
  return currency === 'INR'
    ? formatRupees(amount)
    : `${currency} ${formatDecimal(amount, currency)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${kindsTable()}\n`)
}
