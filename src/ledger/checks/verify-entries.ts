/** Walks the journal from its first entry to its newest: numbers, content, balance, hash chain. */
import { sha256 } from '../../base/crypto.ts'
import type { Database, Trx } from '../../base/db.ts'
import { messageOf } from '../../base/problem.ts'
import type { AccountCode } from '../core/chart.ts'
import { assertPostable, encodeDraft, type Draft, type EntryKind } from '../core/entry.ts'
import { genesisOf, linkHash } from '../core/link.ts'
import { FINDINGS_MAX, type Finding } from './finding.ts'

export interface EntriesReport {
  entries: bigint
  findings: Finding[]
}

/** Hears how many entries are done. */
export type OnProgress = (done: bigint, all: bigint) => void

/** A page ends at one of these, whichever comes first; it has one entry at least. */
const PAGE_ENTRIES = 2000
const PAGE_BYTES = 4_000_000
/** What a posting takes, about. */
const LINE_BYTES = 40

/**
 * Derives every entry's fingerprint and hash anew. Entries never change, so that a snapshot a page
 * is enough; memory does not grow with the journal, only with the chart of accounts.
 */
export async function verifyEntries(
  db: Database,
  orgId: number,
  onProgress: OnProgress,
): Promise<EntriesReport> {
  const { organisation, last, head } = await db.read(orgId, readHead)
  const accounts: Accounts = new Map()
  const findings: Finding[] = []
  let previous: Buffer = genesisOf(organisation)
  let done = 0n
  while (done < last && findings.length < FINDINGS_MAX) {
    const page = await db.read(orgId, async (trx) => {
      const rows = await readPage(trx, done, last)
      await learnAccounts(trx, accounts, rows)
      return rows
    })
    if (page.length === 0) {
      findings.push({ check: 'numbers', detail: `entries after ${done} are missing` })
      break
    }
    for (const entry of page) {
      findings.push(...faultsOf(entry, done + 1n, previous, accounts))
      previous = entry.hash
      done = entry.entry_no
    }
    onProgress(done, last)
  }
  if (findings.length === 0 && !previous.equals(head)) {
    findings.push({ check: 'chain', detail: `the head is not the hash of entry ${last}` })
  }
  return { entries: done, findings }
}

interface Head {
  organisation: string
  last: bigint
  head: Buffer
}

async function readHead(trx: Trx): Promise<Head> {
  const [row] = await trx.query<Head>(
    `select o.slug as organisation, h.entry_no as last, h.hash as head
       from journal_heads h join organisations o using (org_id) where h.org_id = $1`,
    [trx.scope],
  )
  if (row === undefined) {
    throw new Error(`organisation ${trx.scope} has no journal`)
  }
  return row
}

interface Row {
  entry_no: bigint
  kind: EntryKind
  effective_on: string
  /** Milliseconds since 1970. */
  posted_ms: bigint
  idempotency_key: string
  reverses: bigint | null
  adjusts: bigint | null
  lines: number
  description: string
  source: string
  actor: string
  metadata: string
  fingerprint: Buffer
  hash: Buffer
  /** `account d|c amount`, a line each, in their order; null where there are none. */
  postings: string | null
  /** Whether the postings are numbered from 1 and of the entry's day. */
  is_whole: boolean
}

/** As text, in one row an entry: what the driver makes of many small rows takes longest of all. */
async function readPage(trx: Trx, after: bigint, last: bigint): Promise<Row[]> {
  return await trx.query<Row>(
    `select e.entry_no, e.kind, e.effective_on,
            (extract(epoch from e.posted_at) * 1000)::bigint as posted_ms,
            e.idempotency_key, e.reverses, e.adjusts, e.lines, e.description, e.source, e.actor,
            e.metadata::text as metadata, e.fingerprint, e.hash, p.postings,
            coalesce(p.is_whole, false) as is_whole
       from (
         select *, sum(lines * $5::bigint + octet_length(description) + octet_length(source)
                       + pg_column_size(metadata)) over (order by entry_no) as bytes,
                row_number() over (order by entry_no) as place
           from journal_entries
          where org_id = $1 and entry_no > $2 and entry_no <= least($3, $2 + $4::bigint)
       ) e
      cross join lateral (
        select string_agg(account_id || ' ' || left(direction::text, 1) || ' ' || amount, E'\\n'
                          order by line_no) as postings,
               max(line_no) = count(*) and bool_and(effective_on = e.effective_on) as is_whole
          from postings where org_id = $1 and entry_no = e.entry_no
      ) p
      where e.bytes <= $6 or e.place = 1
      order by e.entry_no`,
    [trx.scope, after, last, PAGE_ENTRIES, LINE_BYTES, PAGE_BYTES],
  )
}

type Accounts = Map<string, { code: AccountCode; currency: string }>

/** Codes and currencies never change, so that each account is read once. */
async function learnAccounts(trx: Trx, accounts: Accounts, page: readonly Row[]): Promise<void> {
  const named = page.flatMap(({ postings }) => postings?.split('\n') ?? [])
  const unknown = new Set(named.map(idIn).filter((id) => !accounts.has(id)))
  if (unknown.size === 0) {
    return
  }
  const rows = await trx.query<{ account_id: number; code: AccountCode; currency: string }>(
    'select account_id, code, currency from accounts where org_id = $1 and account_id = any($2)',
    [trx.scope, [...unknown].map(Number)],
  )
  for (const { account_id: id, code, currency } of rows) {
    accounts.set(String(id), { code, currency })
  }
}

function idIn(posting: string): string {
  return posting.slice(0, posting.indexOf(' '))
}

function faultsOf(row: Row, expectedNo: bigint, previous: Buffer, accounts: Accounts): Finding[] {
  const findings: Finding[] = []
  const { entry_no: entryNo, fingerprint } = row
  if (entryNo !== expectedNo) {
    findings.push({ check: 'numbers', detail: `entry ${expectedNo} is missing` })
  }
  const draft = draftOf(row, accounts)
  if (!row.is_whole || draft.lines.length !== row.lines) {
    const detail = `entry ${entryNo}: its header and its postings are not of each other`
    findings.push({ check: 'entry and postings', detail })
  }
  try {
    assertPostable({ ...draft, metadata: {} })
  } catch (error) {
    findings.push({ check: 'balance', detail: `entry ${entryNo}: ${messageOf(error)}` })
  }
  if (Object.values(draft.metadata).some((value) => typeof value !== 'string')) {
    findings.push({ check: 'metadata', detail: `entry ${entryNo}: not texts by name` })
    return findings
  }
  if (!sha256(encodeDraft(draft)).equals(fingerprint)) {
    const detail = `entry ${entryNo}: its fingerprint is not of its content`
    findings.push({ check: 'fingerprint', detail })
  }
  const postedAt = new Date(Number(row.posted_ms))
  if (!linkHash(previous, { fingerprint, entryNo, postedAt }).equals(row.hash)) {
    const detail = `entry ${entryNo}: its header or its predecessor is not what was hashed`
    findings.push({ check: 'chain', detail })
  }
  return findings
}

function draftOf(row: Row, accounts: Accounts): Draft {
  const lines = row.postings?.split('\n') ?? []
  return {
    kind: row.kind,
    effectiveOn: row.effective_on,
    idempotencyKey: row.idempotency_key,
    description: row.description,
    source: row.source,
    actor: row.actor,
    reverses: row.reverses,
    adjusts: row.adjusts,
    metadata: row.metadata === '{}' ? {} : metadataOf(row.metadata),
    lines: lines.map((line) => {
      const [id = '', side, amount = ''] = line.split(' ')
      const { code, currency } = accounts.get(id) ?? UNKNOWN
      return {
        account: code,
        direction: side === 'd' ? 'debit' : 'credit',
        amount: BigInt(amount),
        currency,
      }
    }),
  }
}

/** Where a posting names an account that is not there: no fingerprint is made of that. */
const UNKNOWN = { code: 'assets:unknown', currency: 'XXX' } as const

function metadataOf(text: string): Record<string, string> {
  const parsed: unknown = JSON.parse(text)
  return typeof parsed === 'object' && parsed !== null
    ? (parsed as Record<string, string>)
    : { '': text }
}
