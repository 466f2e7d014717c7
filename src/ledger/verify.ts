/** Derives the books anew from entries and postings and lists whatever does not agree. */
import { GENESIS, nextHash } from '../audit/chain.ts'
import type { Database } from '../base/db.ts'
import { sha256 } from '../base/crypto.ts'
import { messageOf } from '../base/problem.ts'
import { assertPostable, encodeDraft, encodeEntry } from './core/entry.ts'
import { draftOf, listEntries, type PostedEntry } from './entries.ts'

/** Something that is not as it must be. */
export interface Finding {
  check: string
  detail: string
}

const PAGE = 1000
/** More findings of one kind tell nothing new. */
export const FINDINGS_MAX = 20

export interface LedgerReport {
  entries: bigint
  findings: Finding[]
}

/** `onProgress` hears how many entries are done. Memory stays flat however many there are. */
export async function verifyLedger(
  db: Database,
  orgId: number,
  onProgress: (done: bigint, all: bigint) => void,
): Promise<LedgerReport> {
  const findings = [...(await verifyBalances(db, orgId))]
  const { organisation, last, head } = await readHead(db, orgId)
  let previous = GENESIS
  let done = 0n
  while (done < last && findings.length < FINDINGS_MAX) {
    const page = await db.read(
      orgId,
      async (trx) => await listEntries(trx, { after: done, before: last + 1n, limit: PAGE }),
    )
    if (page.length === 0) {
      findings.push({ check: 'numbers', detail: `entries after ${done} are missing` })
      break
    }
    for (const entry of page) {
      findings.push(...verifyEntry(entry, done + 1n, organisation, previous))
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

async function readHead(
  db: Database,
  orgId: number,
): Promise<{ organisation: string; last: bigint; head: Buffer }> {
  return await db.read(orgId, async (trx) => {
    const [row] = await trx.query<{ organisation: string; last: bigint; head: Buffer }>(
      `select o.slug as organisation, h.entry_no as last, h.hash as head
         from journal_heads h join organisations o using (org_id) where h.org_id = $1`,
      [orgId],
    )
    if (row === undefined) {
      throw new Error(`organisation ${orgId} has no journal`)
    }
    return row
  })
}

function verifyEntry(
  entry: PostedEntry,
  expectedNo: bigint,
  organisation: string,
  previous: Buffer,
): Finding[] {
  const findings: Finding[] = []
  const draft = draftOf(entry)
  if (entry.entry_no !== expectedNo) {
    findings.push({ check: 'numbers', detail: `entry ${expectedNo} is missing` })
  }
  try {
    assertPostable({ ...draft, metadata: {} })
  } catch (error) {
    findings.push({ check: 'balance', detail: `entry ${entry.entry_no}: ${messageOf(error)}` })
  }
  const { metadata } = entry
  if (
    typeof metadata !== 'object' ||
    metadata === null ||
    Object.values(metadata).some((value) => typeof value !== 'string')
  ) {
    findings.push({ check: 'metadata', detail: `entry ${entry.entry_no}: not texts by name` })
    return findings
  }
  if (!sha256(encodeDraft(draft)).equals(entry.fingerprint)) {
    findings.push({ check: 'fingerprint', detail: `entry ${entry.entry_no}: not of its content` })
  }
  const header = { organisation, entryNo: entry.entry_no, postedAt: entry.posted_at }
  if (!nextHash(previous, encodeEntry(header, draft)).equals(entry.hash)) {
    findings.push({
      check: 'chain',
      detail: `entry ${entry.entry_no}: its content or its predecessor is not what was hashed`,
    })
  }
  return findings
}

/** Each query gives rows only where something is off. */
const BALANCE_CHECKS: readonly { check: string; sql: string }[] = [
  {
    check: 'account balance',
    sql: `select format('account %s: stored %s debit, %s credit, %s lines; postings say %s, %s, %s',
                   a.code, a.debits, a.credits, a.version, p.debits, p.credits, p.n) as detail
            from accounts a
            left join (
              select account_id, count(*) as n,
                     coalesce(sum(amount) filter (where direction = 'debit'), 0) as debits,
                     coalesce(sum(amount) filter (where direction = 'credit'), 0) as credits
                from postings where org_id = $1 group by account_id
            ) p on p.account_id = a.account_id
           where a.org_id = $1
             and (a.debits, a.credits, a.version)
                 is distinct from
                 (coalesce(p.debits, 0), coalesce(p.credits, 0), coalesce(p.n, 0))`,
  },
  {
    check: 'day balance',
    sql: `select format('account %s on %s: day and postings differ', account_id, effective_on)
                   as detail
            from (
              select account_id, effective_on, debits, credits
                from balance_days where org_id = $1
            ) d
            full join (
              select account_id, effective_on,
                     coalesce(sum(amount) filter (where direction = 'debit'), 0)::bigint as debits,
                     coalesce(sum(amount) filter (where direction = 'credit'), 0)::bigint as credits
                from postings where org_id = $1 group by account_id, effective_on
            ) p using (account_id, effective_on)
           where (d.debits, d.credits) is distinct from (p.debits, p.credits)`,
  },
  {
    check: 'entry and postings',
    sql: `select format('entry %s: its header and its postings are not of each other', entry_no)
                   as detail
            from (
              select entry_no, lines, effective_on from journal_entries where org_id = $1
            ) e
            full join (
              select entry_no, count(*) as n, max(line_no) as last,
                     min(effective_on) as first_day, max(effective_on) as last_day
                from postings where org_id = $1 group by entry_no
            ) p using (entry_no)
           where (e.lines, e.lines, e.effective_on, e.effective_on)
                 is distinct from (p.n, p.last, p.first_day, p.last_day)`,
  },
  {
    check: 'numbers',
    sql: `select format('entry %s lies behind the head of the journal', e.entry_no) as detail
            from journal_entries e join journal_heads h using (org_id)
           where e.org_id = $1 and e.entry_no > h.entry_no`,
  },
  {
    check: 'sum of all',
    sql: `select format('%s: debits %s, credits %s', currency, sum(debits), sum(credits)) as detail
            from accounts where org_id = $1
           group by currency having sum(debits) <> sum(credits)`,
  },
  {
    check: 'running balance',
    sql: `select format('account %s: posting %s of entry %s does not continue the one before',
                   account_id, line_no, entry_no) as detail
            from (
              select p.account_id, p.entry_no, p.line_no, p.account_version,
                     p.balance_after,
                     lag(p.balance_after, 1, 0::bigint) over own
                       + case when p.direction = a.normal then p.amount else -p.amount end as due,
                     row_number() over own as place
                from postings p
                join accounts a on a.org_id = p.org_id and a.account_id = p.account_id
               where p.org_id = $1
              window own as (partition by p.account_id order by p.account_version)
            ) lines
           where due <> balance_after or place <> account_version`,
  },
]

async function verifyBalances(db: Database, orgId: number): Promise<Finding[]> {
  return await db.read(orgId, async (trx) => {
    const findings: Finding[] = []
    for (const { check, sql } of BALANCE_CHECKS) {
      const rows = await trx.query<{ detail: string }>(`${sql} limit $2`, [orgId, FINDINGS_MAX])
      findings.push(...rows.map(({ detail }) => ({ check, detail })))
    }
    return findings
  })
}
