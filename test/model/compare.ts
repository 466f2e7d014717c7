/** Compares all that stands in the real books with the naive ones: every sum on both time axes. */
import { expect } from 'chai'
import type { Database } from '../../src/base/db.ts'
import { openBatcher } from '../../src/ledger/posting/batcher.ts'
import { draftOf, listEntries } from '../../src/ledger/reading/entries.ts'
import { selfCheck } from '../../src/ledger/checks/self-check.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { contentOf, describeCommand, type Command } from './commands.ts'
import { runOnEngine, type Side } from './engine.ts'
import { balanceOf, sumsOf, type NaiveAccount, type NaiveBooks } from './naive-books.ts'
import { runNaively } from './naive-verbs.ts'
import { READ_DAYS } from './wishes.ts'

/** Everything in one run of the self-check. */
const WHOLE = { entries: 1_000_000, accounts: 10_000, days: 1_000_000, postings: 1_000_000 }

/** Every entry as it was posted, and when. */
export interface Journal {
  drafts: ReturnType<typeof draftOf>[]
  postedAt: Date[]
}

export async function readJournal(db: Database, orgId: number): Promise<Journal> {
  const journal: Journal = { drafts: [], postedAt: [] }
  for (;;) {
    const after = BigInt(journal.drafts.length)
    const page = await db.read(orgId, async (trx) => await listEntries(trx, { after, limit: 1000 }))
    for (const entry of page) {
      if (entry.entry_no !== BigInt(journal.drafts.length + 1)) {
        throw new Error(`entry ${entry.entry_no} comes after ${journal.drafts.length}`)
      }
      journal.drafts.push(draftOf(entry))
      journal.postedAt.push(entry.posted_at)
    }
    if (page.length === 0) {
      return journal
    }
  }
}

/** `instants`: how many instants between the first entry and the last are looked back from. */
export async function expectSameBooks(
  db: Database,
  orgId: number,
  books: NaiveBooks,
  instants: number,
): Promise<void> {
  const { drafts, postedAt } = await readJournal(db, orgId)
  expect(drafts.map(contentOf)).to.deep.equal(books.entries.map(contentOf))
  await expectAccounts(db, orgId, books)
  await expectPostings(db, orgId, books)
  await expectMonths(db, orgId, books)
  const side: Side = { db, orgId, batcher: openBatcher(db) }
  const places = Array.from({ length: instants }, (_none, n) =>
    Math.floor((n * postedAt.length) / instants),
  )
  await expectReads(side, books, { postedAt, places })
  await expectSound(db, orgId)
}

/** What the books derive of themselves agrees too. */
async function expectSound(db: Database, orgId: number): Promise<void> {
  const { findings } = await verifyLedger(db, orgId, () => undefined)
  expect(findings).to.deep.equal([])
  const run = await selfCheck(db, orgId, WHOLE)
  expect([run?.isRoundDone, run?.differences, run?.news]).to.deep.equal([true, 0, []])
}

async function expectAccounts(db: Database, orgId: number, books: NaiveBooks): Promise<void> {
  const rows = await db.read(
    orgId,
    async (trx) =>
      await trx.query<{ key: string; text: string; version: bigint }>(
        `select code || ' ' || currency as key, version,
                concat_ws(' ', code, currency, normal, open, frozen, coalesce(floor::text, 'none'),
                          debits, credits, version) as text
           from accounts where org_id = $1`,
        [orgId],
      ),
  )
  // An entry that was refused may have opened an account; then nothing stands on it.
  const stored = rows.filter(({ key, version }) => books.accounts.has(key) || version > 0n)
  const expected = [...books.accounts.values()].map(accountText)
  expect(stored.map(({ text }) => text).sort()).to.deep.equal(expected.sort())
}

function accountText({ code, currency, normal, open, frozen, floor, lines }: NaiveAccount): string {
  const { debit, credit } = sumsOf(lines)
  const settings = [code, currency, normal, open ? 't' : 'f', frozen ? 't' : 'f', floor ?? 'none']
  return [...settings, debit, credit, lines.length].join(' ')
}

async function expectPostings(db: Database, orgId: number, books: NaiveBooks): Promise<void> {
  const rows = await db.read(
    orgId,
    async (trx) =>
      await trx.query<{ text: string }>(
        `select concat_ws(' ', p.entry_no, p.line_no, a.code, a.currency, p.balance_after,
                          p.day_balance_after, p.account_version) as text
           from postings p join accounts a using (org_id, account_id)
          where p.org_id = $1
          order by p.entry_no, p.line_no`,
        [orgId],
      ),
  )
  const expected = new Map<string, string>()
  for (const account of books.accounts.values()) {
    account.lines.forEach((line, index) => {
      const before = account.lines.slice(0, index + 1)
      const ofDay = before.filter(({ day }) => day === line.day)
      const place = `${line.entryNo} ${line.lineNo}`
      const sums = [balanceOf(account, before), balanceOf(account, ofDay), index + 1]
      expected.set(place, [place, account.code, account.currency, ...sums].join(' '))
    })
  }
  const places = books.entries.flatMap(({ lines }, index) =>
    lines.map((_line, place) => `${index + 1} ${place + 1}`),
  )
  expect(rows.map(({ text }) => text)).to.deep.equal(places.map((place) => expected.get(place)))
}

async function expectMonths(db: Database, orgId: number, books: NaiveBooks): Promise<void> {
  const rows = await db.read(
    orgId,
    async (trx) =>
      await trx.query<{ text: string }>(
        `select to_char(month, 'YYYY-MM') || ' ' || state as text
           from periods where org_id = $1 order by month`,
        [orgId],
      ),
  )
  const expected = [...books.months].map(([month, state]) => `${month} ${state}`)
  expect(rows.map(({ text }) => text)).to.deep.equal(expected.sort())
}

/** Trial balances of all days, balances and statements of all accounts, now and as known then. */
async function expectReads(
  side: Side,
  books: NaiveBooks,
  { postedAt, places }: { postedAt: readonly Date[]; places: readonly number[] },
): Promise<void> {
  const same = async (command: Command): Promise<void> => {
    const expected = runNaively(books, command, postedAt)
    expect(await runOnEngine(side, command), describeCommand(command)).to.deep.equal(expected)
  }
  const instants = places.flatMap((place) => postedAt[place] ?? [])
  const id = 'reader'
  for (const [index, asOf] of [null, ...READ_DAYS].entries()) {
    // Each day as it is now, and as it was known at one of the instants.
    for (const knownAt of [null, ...instants.filter((_one, n) => n === index % instants.length)]) {
      await same({ id, verb: 'read trial balance', asOf, knownAt })
    }
  }
  const points = [null, ...instants.slice(-1)]
  for (const { code, currency } of books.accounts.values()) {
    const account = { code, currency }
    for (const knownAt of points) {
      await same({ id, verb: 'read balance', account, asOf: '2026-03-31', knownAt })
      const [from, to] = ['0001-01-01', '9999-12-31']
      await same({ id, verb: 'read statement', account, from, to, knownAt })
    }
  }
}
