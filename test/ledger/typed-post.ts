/** Calls of post_entries() as somebody could type them at psql: each argument spelled out. */
import { createHash } from 'node:crypto'
import { encodeDraft, type Draft, type DraftLine } from '../../src/ledger/core/entry.ts'
import { ORG } from './books.ts'

export const TYPES = {
  d_kinds: 'text',
  d_days: 'date',
  d_keys: 'text',
  d_fingerprints: 'bytea',
  d_reverses: 'bigint',
  d_adjusts: 'bigint',
  d_descriptions: 'text',
  d_sources: 'text',
  d_actors: 'text',
  d_metadata: 'jsonb',
  a_ids: 'integer',
  a_codes: 'text',
  a_currencies: 'text',
  l_drafts: 'integer',
  l_accounts: 'integer',
  l_debits: 'boolean',
  l_amounts: 'bigint',
} as const

export type Column = keyof typeof TYPES
export const COLUMNS = Object.keys(TYPES) as Column[]

/** SQL texts of the elements of each argument that is an array. */
export type Columns = Record<Column, readonly string[]>

/** The id of an account by `code currency`. */
export type AccountIds = Readonly<Record<string, number>>

/** The arguments for these drafts, as the application makes them. */
export function columnsFor(drafts: readonly Draft[], ids: AccountIds): Columns {
  const keyOf = (line: DraftLine) => `${line.account} ${line.currency}`
  const accounts = [...new Set(drafts.flatMap((draft) => draft.lines.map(keyOf)))].sort(
    (one, other) => (ids[one] ?? 0) - (ids[other] ?? 0),
  )
  const lines = drafts.flatMap((draft, index) =>
    draft.lines.map((line) => ({
      draft: index + 1,
      account: accounts.indexOf(keyOf(line)) + 1,
      line,
    })),
  )
  return {
    d_kinds: drafts.map(({ kind }) => text(kind)),
    d_days: drafts.map(({ effectiveOn }) => text(effectiveOn)),
    d_keys: drafts.map(({ idempotencyKey }) => text(idempotencyKey)),
    d_fingerprints: drafts.map((draft) => {
      const fingerprint = createHash('sha256').update(encodeDraft(draft)).digest('hex')
      return `decode('${fingerprint}', 'hex')`
    }),
    d_reverses: drafts.map(({ reverses }) => reverses?.toString() ?? 'null'),
    d_adjusts: drafts.map(({ adjusts }) => adjusts?.toString() ?? 'null'),
    d_descriptions: drafts.map(({ description }) => text(description)),
    d_sources: drafts.map(({ source }) => text(source)),
    d_actors: drafts.map(({ actor }) => text(actor)),
    d_metadata: drafts.map(({ metadata }) => text(JSON.stringify(metadata))),
    a_ids: accounts.map((key) => String(ids[key] ?? 0)),
    a_codes: accounts.map((key) => text(key.split(' ')[0] ?? '')),
    a_currencies: accounts.map((key) => text(key.split(' ')[1] ?? '')),
    l_drafts: lines.map(({ draft }) => String(draft)),
    l_accounts: lines.map(({ account }) => String(account)),
    l_debits: lines.map(({ line }) => String(line.direction === 'debit')),
    l_amounts: lines.map(({ line }) => line.amount.toString()),
  }
}

/** What is typed; `whole` gives the SQL of arguments that are not made from the columns. */
export function callWith(
  columns: Columns,
  whole: Readonly<Partial<Record<Column | 'p_org', string>>> = {},
): string {
  const values = COLUMNS.map((name) => `${name} => ${whole[name] ?? listOf(name, columns[name])}`)
  const org = whole.p_org ?? String(ORG)
  return `select * from public.post_entries(p_org => ${org}, ${values.join(', ')})`
}

/** An array of that argument's type. */
export function listOf(column: Column, elements: readonly string[]): string {
  return `array[${elements.join(', ')}]::${TYPES[column]}[]`
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}
