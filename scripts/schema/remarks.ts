/** What the migrations say beside their SQL: Postgres keeps no comments, and readers need them. */
import { readdir, readFile } from 'node:fs/promises'

const FOLDER = new URL('../../db/migrations/', import.meta.url)

export interface Remarks {
  /** Table, `table.column` (or constraint), function, index, type → the lines over it. */
  over: ReadonlyMap<string, readonly string[]>
  /** Table → the migration that made it. */
  madeIn: ReadonlyMap<string, string>
  /** Migration → what it says at its top. */
  heads: ReadonlyMap<string, readonly string[]>
}

/** Reads all migrations; of two comments over the same thing the later one counts. */
export async function readRemarks(): Promise<Remarks> {
  const over = new Map<string, readonly string[]>()
  const madeIn = new Map<string, string>()
  const heads = new Map<string, readonly string[]>()
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).sort()
  for (const file of names) {
    const name = file.slice(0, -'.sql'.length)
    const lines = (await readFile(new URL(file, FOLDER), 'utf8')).split('\n')
    const end = lines.findIndex((line) => !line.startsWith('--'))
    heads.set(name, lines.slice(0, end))
    for (const { what, remark, isTable } of remarksIn(lines)) {
      if (remark.length > 0) {
        over.set(what, remark)
      }
      if (isTable) {
        madeIn.set(what, name)
      }
    }
  }
  return { over, madeIn, heads }
}

interface Remark {
  what: string
  remark: readonly string[]
  isTable: boolean
}

const MADE =
  /^create (?:or replace )?(?:unique |unlogged )?(table|view|function|index|domain|type) (\w+)/
const ADDED = /^alter table (\w+) add column (?:if not exists )?(\w+)/
const ALTERED = /^alter table (\w+)/
const COLUMN = /^(?:add (?:column (?:if not exists )?)?)?(?:constraint )?(\w+) /
/** What may begin a line of a table and is no column. */
const NO_COLUMN = new Set(['primary', 'unique', 'check', 'foreign', 'alter', 'drop'])

/** Each thing that is made, and the comment directly over it. */
export function remarksIn(lines: readonly string[]): Remark[] {
  const found: Remark[] = []
  let remark: string[] = []
  let table: string | null = null
  for (const line of lines.map((one) => one.trim())) {
    if (line.startsWith('--')) {
      remark.push(line)
      continue
    }
    const [, kind, made] = MADE.exec(line) ?? []
    const [, addedTo, added] = ADDED.exec(line) ?? []
    if (made !== undefined) {
      found.push({ what: made, remark, isTable: kind === 'table' || kind === 'view' })
      table = kind === 'table' ? made : null
    } else if (addedTo !== undefined && added !== undefined) {
      found.push({ what: `${addedTo}.${added}`, remark, isTable: false })
      table = addedTo
    } else if (table === null || ALTERED.test(line)) {
      table = ALTERED.exec(line)?.[1] ?? null
    } else {
      const column = COLUMN.exec(line)?.[1]
      if (column !== undefined && !NO_COLUMN.has(column)) {
        found.push({ what: `${table}.${column}`, remark, isTable: false })
      }
    }
    remark = []
    table = line.endsWith(';') ? null : table
  }
  return found
}
