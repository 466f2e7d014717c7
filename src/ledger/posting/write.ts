/** Writes sound drafts through post_entries(), the database's only door to the journal. */
import type { Statement } from '../../base/db.ts'
import { entriesPosted } from '../../base/metrics.ts'
import { keyOf } from '../accounts/accounts.ts'
import type { Draft } from '../core/entry.ts'

/** A draft that breaks no rule that can be seen without the books. */
export interface Sound {
  draft: Draft
  /** SHA-256 of `encodeDraft`. */
  fingerprint: Buffer
}

/** Where the entries went: numbered from `first_no` in the order given. */
export interface Written {
  first_no: bigint
  posted_at: Date
}

/**
 * The statement that posts these drafts, all or none; null where `idOf` does not know an account.
 * It fails with SQLSTATE class 23 where a rule refuses one of them.
 */
export function writeStatement(
  orgId: number,
  sound: readonly Sound[],
  idOf: (key: string) => number | undefined,
): Statement | null {
  const accounts = new Map<string, { id: number; code: string; currency: string }>()
  for (const { draft } of sound) {
    for (const { account: code, currency } of draft.lines) {
      const key = keyOf(code, currency)
      if (!accounts.has(key)) {
        const id = idOf(key)
        if (id === undefined) {
          return null
        }
        accounts.set(key, { id, code, currency })
      }
    }
  }
  const inOrder = [...accounts].sort(([, one], [, other]) => one.id - other.id)
  const places = new Map(inOrder.map(([key], index) => [key, index + 1]))
  return {
    name: 'post_entries',
    sql: SQL,
    params: [
      orgId,
      ...draftColumns(sound),
      arrayOf(inOrder, ([, { id }]) => String(id)),
      arrayOf(inOrder, ([, { code }]) => quoted(code)),
      arrayOf(inOrder, ([, { currency }]) => quoted(currency)),
      ...lineColumns(sound, places),
    ],
  }
}

/** Counts what was posted; to be called once it is committed or certain to be. */
export function countPosted(sound: readonly Sound[]): void {
  for (const { draft } of sound) {
    entriesPosted.inc({ kind: draft.kind })
  }
}

const SQL = `select first_no, posted_at from post_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
  $11, $12, $13, $14, $15, $16, $17, $18)`

function draftColumns(sound: readonly Sound[]): string[] {
  return [
    arrayOf(sound, ({ draft }) => quoted(draft.kind)),
    arrayOf(sound, ({ draft }) => draft.effectiveOn),
    arrayOf(sound, ({ draft }) => quoted(draft.idempotencyKey)),
    arrayOf(sound, ({ fingerprint }) => `"\\\\x${fingerprint.toString('hex')}"`),
    arrayOf(sound, ({ draft }) => draft.reverses?.toString() ?? 'NULL'),
    arrayOf(sound, ({ draft }) => draft.adjusts?.toString() ?? 'NULL'),
    arrayOf(sound, ({ draft }) => quoted(draft.description)),
    arrayOf(sound, ({ draft }) => quoted(draft.source)),
    arrayOf(sound, ({ draft }) => quoted(draft.actor)),
    arrayOf(sound, ({ draft }) => quoted(JSON.stringify(draft.metadata))),
  ]
}

function lineColumns(sound: readonly Sound[], places: ReadonlyMap<string, number>): string[] {
  const lines = sound.flatMap(({ draft }, index) =>
    draft.lines.map((line) => ({ line, draft: index + 1 })),
  )
  return [
    arrayOf(lines, ({ draft }) => String(draft)),
    arrayOf(lines, ({ line }) => String(places.get(keyOf(line.account, line.currency)))),
    arrayOf(lines, ({ line }) => (line.direction === 'debit' ? 't' : 'f')),
    arrayOf(lines, ({ line }) => line.amount.toString()),
  ]
}

/** Postgres' text form of an array: the driver's own way there takes several times as long. */
function arrayOf<T>(values: readonly T[], text: (value: T) => string): string {
  return `{${values.map(text).join(',')}}`
}

function quoted(text: string): string {
  return `"${NEEDS_ESCAPE.test(text) ? text.replaceAll(/["\\]/g, '\\$&') : text}"`
}

const NEEDS_ESCAPE = /["\\]/
