/** Lives of payments told in any order, again and again, in any batches: the books are the same. */
import { expect } from 'chai'
import fc from 'fast-check'
import { newId } from '../../src/base/ids.ts'
import { recordFacts } from '../../src/donations/record.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { openFor } from '../donations/facts.ts'
import { openBooks, type Books } from '../ledger/books.ts'
import { lives, type Event, type Life } from './lives.ts'

/** On a busy machine fewer stories are told, instead of none. */
const TIME_LIMIT_MS = process.env['BAHI_TEST_RUNS'] === undefined ? 30_000 : 600_000

/** Columns that are made up on the way. */
const MADE_UP = new Set([
  'org_id',
  'created_at',
  'recorded_at',
  'event_id',
  'payment_id',
  'donation_id',
])

const TABLES = [
  'payments',
  'refunds',
  'disputes',
  'settlements',
  'gateway_payouts',
  'gateway_transfers',
  'gateway_downtimes',
  'parked_facts',
] as const

describe('the lives of payments', () => {
  let books: Books
  let org = 700

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  async function newOrganisation(all: readonly Life[]): Promise<void> {
    org += 1
    await books.addOrganisation(org)
    for (const { order } of all) {
      if (order !== null) {
        await openFor(books, { order, orgId: org })
      }
    }
  }

  async function tell(events: readonly Event[]): Promise<void> {
    const told = events.flatMap((facts) => {
      const eventId = newId('evt')
      return facts.map((fact) => ({ eventId, fact }))
    })
    const outcomes = await books.db.transact(
      org,
      async (trx) => await recordFacts(trx, told, new Date()),
      { queue: 'journal' },
    )
    expect([...outcomes.values()].filter((problem) => problem !== null)).to.deep.equal([])
  }

  /** A table's rows without what is made up, sorted; numbers of entries become their keys. */
  async function rowsOf(table: string, keys: ReadonlyMap<bigint, string>): Promise<string[]> {
    const rows = await books.read<Record<string, unknown>>(`select * from ${table}`, [], org)
    return rows
      .map((row) =>
        JSON.stringify(
          Object.entries(row)
            .filter(
              ([name]) => !MADE_UP.has(name) && !/^(refund|dispute|settlement)_id$/.test(name),
            )
            .filter(([name]) => !/^(payout|transfer|downtime)_id$/.test(name))
            .map(([name, value]) =>
              typeof value === 'bigint'
                ? [
                    name,
                    name.endsWith('entry') || name === 'entry_no' ? keys.get(value) : String(value),
                  ]
                : [name, value],
            ),
        ),
      )
      .sort()
  }

  /** All that can be seen afterwards. */
  async function endState() {
    const entries = await books.read<{ entry_no: bigint; idempotency_key: string }>(
      'select entry_no, idempotency_key from journal_entries',
      [],
      org,
    )
    const keys = new Map(entries.map((row) => [row.entry_no, row.idempotency_key]))
    const lines = await books.read<{ text: string }>(
      `select concat_ws(' ', e.idempotency_key, e.kind, e.effective_on, e.description, e.source,
                l.line_no, l.direction, l.amount, a.currency, a.code,
                (e.metadata - 'donation_id')::text) as text
         from journal_entries e
         join postings l using (org_id, entry_no) join accounts a using (org_id, account_id)`,
      [],
      org,
    )
    const balances = await books.read<{ code: string; balance: bigint }>(
      'select code, debits - credits as balance from accounts where debits <> credits',
      [],
      org,
    )
    const facts = await books.read<{ fact_key: string }>('select fact_key from facts', [], org)
    const tables: Record<string, string[]> = {}
    for (const table of TABLES) {
      tables[table] = await rowsOf(table, keys)
    }
    const promises = await books.read<object>('select 1 from outbox', [], org)
    const ledger = await verifyLedger(books.db, org, () => undefined)
    return {
      lines: lines.map(({ text }) => text).sort(),
      balances: Object.fromEntries(balances.map(({ code, balance }) => [code, balance])),
      facts: facts.map((row) => row.fact_key).sort(),
      tables,
      promises: promises.length,
      findings: [...ledger.findings, ...(await verifyDonations(books.db, org))],
    }
  }

  /** What the lives' own sums add up to, without accounts that come out even. */
  function summed(all: readonly Life[]): Record<string, bigint> {
    const sums = new Map<string, bigint>()
    for (const [account, amount] of all.flatMap((life) => Object.entries(life.sums))) {
      sums.set(account, (sums.get(account) ?? 0n) + amount)
    }
    return Object.fromEntries([...sums].filter(([, amount]) => amount !== 0n))
  }

  const story = lives.chain((all) => {
    const events = all.flatMap((life) => life.events)
    return fc.record({
      all: fc.constant(all),
      shuffled: fc.shuffledSubarray(events, { minLength: events.length }),
      again: fc.array(fc.constantFrom(...events), { maxLength: 8 }),
      cuts: fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
    })
  })

  it('end alike however they are told', async () => {
    await fc.assert(
      fc.asyncProperty(story, async ({ all, shuffled, again, cuts }) => {
        await newOrganisation(all)
        for (const event of all.flatMap((life) => life.events)) {
          await tell([event])
        }
        const plain = await endState()
        expect(plain.balances).to.deep.equal(summed(all))
        expect(plain.findings).to.deep.equal([])
        expect(plain.tables['parked_facts']).to.deep.equal([])
        await newOrganisation(all)
        const rest = [...shuffled, ...again]
        while (rest.length > 0) {
          await tell(rest.splice(0, cuts.next().value))
        }
        expect(await endState()).to.deep.equal(plain)
      }),
      {
        numRuns: Number(process.env['BAHI_TEST_RUNS'] ?? 8),
        interruptAfterTimeLimit: TIME_LIMIT_MS,
      },
    )
  })

  it('end alike when several workers tell them at the same time', async () => {
    const [all = []] = fc.sample(lives, { numRuns: 1, seed: 7 })
    const events = all.flatMap((life) => life.events)
    await newOrganisation(all)
    await tell(events)
    const plain = await endState()
    await newOrganisation(all)
    await Promise.all(
      [events, events.toReversed(), events.toReversed()].map(async (part) => {
        for (let from = 0; from < part.length; from += 3) {
          await tell(part.slice(from, from + 3))
        }
      }),
    )
    expect(await endState()).to.deep.equal(plain)
  })
})
