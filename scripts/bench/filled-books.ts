/** Books for measuring reads: a database of their own, with as many entries as wanted at once. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { demoOrganisation } from '../../db/seeds/demo.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { migrate } from '../../db/migrate.ts'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { startEmbeddedPostgres } from '../../src/base/embedded-postgres.ts'
import { openLog } from '../../src/base/log.ts'
import { asOwner } from '../stack.ts'

export const ORG = 1
/** It is in each entry. */
export const HOT_ID = 1
/** The hot account and those that take turns on the other side. */
export const ACCOUNTS = 1000
export const DAYS = 365
/** Minor units, of each line. */
export const AMOUNT = 100n
export const FIRST_DAY = '2026-01-01'
export const FIRST_POSTED_AT = new Date('2026-01-01T00:00:00Z')
/** Entries that were posted at the same instant, and the time to the next ones. */
export const BATCH = 20
export const BATCH_MS = 100

const CHUNK = 500_000

export interface BenchBooks {
  /** The owner's address. */
  url: string
  db: Database
  /** What only the owner of the tables may do. */
  own(sql: string): Promise<void>
}

/** Starts Postgres with empty books of 1,000 accounts, for as long as `work` takes. */
export async function withBooks(work: (books: BenchBooks) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bahi-bench-'))
  await chmod(directory, 0o755)
  const postgres = await startEmbeddedPostgres({ directory })
  try {
    await asOwner(postgres.adminUrl, async (client) => {
      await client.query('create database bench')
    })
    const url = postgres.urlOf('bench')
    await migrate(url)
    const keyring = { sealWith: 'bench', keys: new Map([['bench', Buffer.alloc(32)]]) }
    await asOwner(url, async (client) => {
      await createOrganisation(client, keyring, demoOrganisation('http://bench.test'))
      await openAccounts(client)
    })
    const db = openDatabase({ url, poolSize: 4, log: openLog('warn', 'bench') })
    const own = async (sql: string) => {
      await asOwner(url, async (client) => {
        await client.query(sql)
      })
    }
    try {
      await work({ url, db, own })
    } finally {
      await db.close()
    }
  } finally {
    await postgres.destroy()
    await rm(directory, { recursive: true, force: true })
  }
}

async function openAccounts(client: pg.Client): Promise<void> {
  await client.query(
    `insert into accounts (org_id, account_id, code, name, type, normal, currency)
     select ${ORG}, n, case n when ${HOT_ID} then 'assets:clearing:bench'
                         else 'income:donations:f' || n end,
            'Account ' || n, case n when ${HOT_ID} then 'asset' else 'income' end,
            case n when ${HOT_ID} then 'debit' else 'credit' end::direction, 'INR'
       from generate_series(1, ${ACCOUNTS}) n`,
  )
}

/**
 * Fills empty books as if `entries` had been posted, all but the hash chain. Each entry is
 * effective on another day than the one before and credits another account: the worst order for
 * reading back, and every balance can be told from the entry's number.
 */
export async function fillBooks(
  books: BenchBooks,
  entries: number,
  progress: (done: number) => void,
): Promise<void> {
  // Statistics come when they are asked for, so that it can be measured without.
  for (const table of ['accounts', 'balance_days', 'journal_entries', 'postings']) {
    await books.own(`alter table ${table} set (autovacuum_enabled = off)`)
  }
  for (let from = 0; from < entries; from += CHUNK) {
    const to = Math.min(entries, from + CHUNK)
    await books.own(entriesSql(from, to))
    await books.own(postingsSql(from, to))
    progress(to)
  }
  await books.own(DAYS_SQL)
  await books.own(ACCOUNTS_SQL)
  await books.own(
    `update journal_heads h set entry_no = e.entry_no, hash = e.hash, posted_at = e.posted_at
       from journal_entries e where h.org_id = ${ORG} and e.org_id = h.org_id
        and e.entry_no = ${entries}`,
  )
}

/** Entry number i + 1, i counted from 0. */
function entriesSql(from: number, to: number): string {
  return `insert into journal_entries (org_id, effective_on, entry_no, posted_at, lines, kind,
      idempotency_key, fingerprint, hash, description, source, actor, metadata)
    select ${ORG}, date '${FIRST_DAY}' + i % ${DAYS}, i + 1,
           timestamptz '${FIRST_POSTED_AT.toISOString()}'
             + i / ${BATCH} * interval '${BATCH_MS} milliseconds',
           2, 'donation_captured', 'bench:' || i, sha256(int4send(i)), sha256(int4send(-i)),
           'Donation ' || i, 'bench:' || i, 'bench', '{}'
      from generate_series(${from}, ${to - 1}) i`
}

/**
 * An account comes round every 999 entries and a day every 365, which have no divisor in common:
 * both together every 999 × 365.
 */
function postingsSql(from: number, to: number): string {
  const others = ACCOUNTS - 1
  return `insert into postings (entry_no, amount, balance_after, day_balance_after,
      account_version, org_id, account_id, effective_on, direction, line_no)
    select i + 1, ${AMOUNT}, ${AMOUNT} * l.version, ${AMOUNT} * l.of_day, l.version, ${ORG},
           l.account_id, date '${FIRST_DAY}' + (i % ${DAYS})::integer, l.direction::direction,
           l.line_no
      from generate_series(${from}::bigint, ${to - 1}) i
     cross join lateral (values
       (${HOT_ID}, 'debit', 1, i + 1, i / ${DAYS} + 1),
       (${HOT_ID} + 1 + i % ${others}, 'credit', 2, i / ${others} + 1,
         i / ${others * DAYS} + 1)
     ) l (account_id, direction, line_no, version, of_day)`
}

/** Every day first; the accounts' newest ones move to their rows. */
const DAYS_SQL = `insert into balance_days (org_id, account_id, effective_on, debits, credits)
  select org_id, account_id, effective_on,
         coalesce(sum(amount) filter (where direction = 'debit'), 0),
         coalesce(sum(amount) filter (where direction = 'credit'), 0)
    from postings group by org_id, account_id, effective_on`

const ACCOUNTS_SQL = `with newest as (
    delete from balance_days d using (
      select org_id, account_id, max(effective_on) as day from balance_days
       group by org_id, account_id
    ) n where d.org_id = n.org_id and d.account_id = n.account_id and d.effective_on = n.day
    returning d.*
  ), sums as (
    select org_id, account_id, sum(debits) as debits, sum(credits) as credits
      from balance_days group by org_id, account_id
  )
  update accounts a
     set debits = s.debits, credits = s.credits, version = (s.debits + s.credits) / ${AMOUNT},
         day = n.effective_on, day_debits = n.debits, day_credits = n.credits
    from sums s join newest n using (org_id, account_id)
   where a.org_id = s.org_id and a.account_id = s.account_id`
