/**
 * The audit of people as CSV, in constant memory: one header row, a row of record `start` (format,
 * organisation, the chain's first hash), a row `link` for each record, and a row `end` with the
 * newest number and hash, so that a file that was cut off can be told. Each hash covers the one
 * before it and all of its row (src/audit/people.ts). Texts that a spreadsheet would run have an
 * apostrophe more in front (reports/csv.ts); taking it off gives what was hashed.
 */
import { csvLine, type Cell } from '../../reports/csv.ts'
import { linkPeople } from '../audit/append.ts'
import { peopleGenesisOf } from '../audit/people.ts'
import { peopleHead, readPeople, type StoredLink } from '../audit/read.ts'
import type { Database } from '../base/db.ts'

const FORMAT = 'bahi/people-audit/1'

const COLUMNS = [
  'record',
  'audit_no',
  'at',
  'actor',
  'operation',
  'request_id',
  'ip',
  'user_agent',
  'target',
  'before',
  'after',
  'reason',
  'hash',
  'organisation',
  'format',
] as const

type Row = Partial<Record<(typeof COLUMNS)[number], Cell>>

/** Links what is noted and waits, so that a reader finds what was done before he asked. */
export async function linkAllPeople(db: Database, orgId: number): Promise<void> {
  while (await db.transact(orgId, linkPeople, { isolation: 'read committed' })) {
    // A thousand at a time.
  }
}

/** Yields the CSV in pieces, oldest first. Links never change: no transaction stays open. */
export async function* peopleAuditCsv(db: Database, orgId: number): AsyncGenerator<string> {
  await linkAllPeople(db, orgId)
  const head = await db.read(orgId, peopleHead)
  if (head === undefined || head.hash === null) {
    throw new Error(`organisation ${orgId} has no audit of people`)
  }
  yield csvLine(COLUMNS)
  const { organisation } = head
  const genesis = peopleGenesisOf(organisation).toString('hex')
  yield rowOf({ record: 'start', audit_no: 0, hash: genesis, organisation, format: FORMAT })
  for (let after = 0n; after < head.auditNo;) {
    const links = await db.read(orgId, async (trx) => await readPeople(trx, after, head.auditNo))
    const newest = links.at(-1)
    if (newest === undefined) {
      throw new Error(`records of people after ${after} are missing`)
    }
    yield links.map(linkRow).join('')
    after = newest.auditNo
  }
  yield rowOf({ record: 'end', audit_no: head.auditNo, hash: head.hash.toString('hex') })
}

function linkRow(link: StoredLink): string {
  return rowOf({
    record: 'link',
    audit_no: link.auditNo,
    at: link.at.toISOString(),
    actor: link.actor,
    operation: link.operation,
    request_id: link.requestId,
    ip: link.ip,
    user_agent: link.userAgent,
    target: link.target,
    before: link.before,
    after: link.after,
    reason: link.reason,
    hash: link.hash.toString('hex'),
  })
}

function rowOf(row: Row): string {
  return csvLine(COLUMNS.map((column) => row[column] ?? null))
}
