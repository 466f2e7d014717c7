/** SQL as somebody could type it at psql: rows of the journal spelled out, right or wrong. */
import type pg from 'pg'

/** Column names and the SQL text of their values. */
export type Row = Readonly<Record<string, string>>

const ZEROES = "decode(repeat('00', 32), 'hex')"

/** An entry of two lines on 2026-05-04, unless `more` says otherwise. */
export function entryRow(entryNo: number, more: Row = {}): Row {
  return {
    org_id: '1',
    entry_no: String(entryNo),
    kind: `'donation_captured'`,
    effective_on: `'2026-05-04'`,
    posted_at: 'clock_timestamp()',
    lines: '2',
    idempotency_key: `'typed-${entryNo}'`,
    fingerprint: ZEROES,
    reverses: 'null',
    description: `'typed'`,
    source: `'psql'`,
    actor: `'user:psql'`,
    metadata: `'{}'`,
    hash: ZEROES,
    ...more,
  }
}

export interface TypedLine {
  entryNo: number
  lineNo: number
  accountId: number
  direction: 'debit' | 'credit'
  amount: number
  /** The account's balance and version after it. */
  balance: number
  version: number
}

export function postingRow(line: TypedLine, more: Row = {}): Row {
  return {
    org_id: '1',
    entry_no: String(line.entryNo),
    line_no: String(line.lineNo),
    account_id: String(line.accountId),
    direction: `'${line.direction}'`,
    amount: String(line.amount),
    effective_on: `'2026-05-04'`,
    balance_after: String(line.balance),
    account_version: String(line.version),
    ...more,
  }
}

export function insertInto(table: string, rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {})
  const values = rows.map((row) => `(${columns.map((name) => row[name] ?? 'null').join(', ')})`)
  return `insert into ${table} (${columns.join(', ')}) values ${values.join(', ')}`
}

/** Entries and postings in one statement, as the application inserts them. */
export function insertBoth(entries: readonly Row[], postings: readonly Row[]): string {
  return `with header as (${insertInto('journal_entries', entries)})
          ${insertInto('postings', postings)}`
}

/**
 * Types statements in one transaction and rolls it back; gives the refusal as `code message`, or
 * null where nothing was refused.
 */
export async function refusalOf(
  client: pg.Client,
  statements: readonly string[],
): Promise<string | null> {
  await client.query('begin')
  try {
    for (const statement of statements) {
      await client.query(statement)
    }
    // What is checked only at the end of the transaction is checked here.
    await client.query('set constraints all immediate')
    return null
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    return `${code} ${error instanceof Error ? error.message : String(error)}`
  } finally {
    await client.query('rollback')
  }
}
