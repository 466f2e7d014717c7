/** Plans that processing keeps from when tables had few rows: they look up row by row. */
import { expect } from 'chai'
import type { Trx } from '../../src/base/db.ts'
import { recordFacts } from '../../src/donations/record.ts'
import { noteFailures } from '../../src/inbox/failures.ts'
import { hold } from '../../src/inbox/pauses.ts'
import { insertTold } from '../../src/inbox/store.ts'
import { loadParked } from '../../src/payments/parked.ts'
import { captured } from '../donations/facts.ts'
import { openBooks, ORG, type Books } from '../ledger/books.ts'

const EVENT = { event_id: 'evt_none', gateway: 'razorpay', attempts: 0, attempts_forgiven: 0 }

/** A scan that goes through all rows of the organisation. */
const ALL_ROWS =
  /Scan using \S+ on (?:inbox_events|parked_facts)\b.*\n\s+Index Cond: \(org_id = [^)]*\)\n/

describe('plans that processing keeps', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
    const facts = Array.from({ length: 150 }, (_none, n) => n + 1).map((n) => ({
      eventId: `evt_${n}`,
      fact: captured({ payment: `pay_${n}` }),
    }))
    const events = Array.from({ length: 150 }, (_none, n) => n + 1).map((n) => ({
      eventId: `evt_${n}`,
      dedupeKey: Buffer.alloc(32, n),
      contentType: 'application/json',
      body: Buffer.from('{}'),
      receivedAt: new Date(),
      needsConfirmation: false,
      confirmation: null,
    }))
    const told = { gateway: 'razorpay', account: 'acc', how: 'asked', trace: null } as const
    await books.db.transact(ORG, async (trx) => {
      await insertTold(trx, told, events)
      await recordFacts(trx, facts, new Date())
    })
  })

  after(async () => {
    await books.close()
  })

  async function planOf(text: string, run: (trx: Trx) => Promise<unknown>): Promise<string> {
    return await books.db.transact(
      ORG,
      async (trx) => {
        await run(trx)
        const [kept] = await trx.query<{ name: string; params: number }>(
          `select name, cardinality(parameter_types) as params
             from pg_prepared_statements where position($1 in statement) > 0
              and position('pg_prepared' in statement) = 0`,
          [text],
        )
        await trx.query('set local plan_cache_mode = force_generic_plan')
        const nulls = Array.from({ length: kept?.params ?? 0 }, () => 'null').join(', ')
        const lines = await trx.query<{ 'QUERY PLAN': string }>(
          `explain (costs off) execute ${kept?.name}(${nulls})`,
        )
        return lines.map((line) => line['QUERY PLAN']).join('\n')
      },
      { planOnce: true },
    )
  }

  const statements: Record<string, [string, (trx: Trx) => Promise<unknown>]> = {
    'notes failures': [
      'first_error = coalesce',
      async (trx) => await noteFailures(trx, [{ event: EVENT, reason: 'x', final: false }]),
    ],
    'holds events': [
      'set held_at = now()',
      async (trx) => await hold(trx, [{ event: EVENT, type: null }]),
    ],
    'finds what is parked': [
      'from parked_facts',
      async (trx) => await loadParked(trx, [captured({ payment: 'pay_1' })]),
    ],
  }
  for (const [what, [text, run]] of Object.entries(statements)) {
    it(`look up by key where it ${what}`, async () => {
      const plan = await planOf(text, run)
      expect(plan).to.include('Scan')
      expect(`${plan}\n`).not.to.match(ALL_ROWS)
    })
  }
})
