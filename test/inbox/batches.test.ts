/** What a batch leaves of each event: refused, replayed, cut off, run again, beside others. */
import { expect } from 'chai'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { isConnectionError } from '../../src/base/database-error.ts'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { registry } from '../../src/base/metrics.ts'
import { processTurn, type Turn } from '../../src/inbox/process.ts'
import { rowsOf, textIn } from '../http/seeded.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'
import { startWireCutter } from '../support/wire-cutter.ts'

const TURN: Turn = { orgId: 1, lane: 'money', limit: 500 }
const WHY = { reason: 'The fund was missing and is there now.' }

let service: TestService

/** Of two events, of which the second is refused for good. */
const UNTOUCHED = 'waiting 0 false 0,waiting 0 false 0'
const DONE = 'processed 1 true 0,dead 1 false 1'

interface EventRow {
  id: string
  state: string
  attempts: number
  /** Whether it says when it was processed. */
  isDone: boolean
  error: string | null
  log: number
}

function summary({ state, attempts, isDone, log }: EventRow): string {
  return `${state} ${attempts} ${isDone} ${log}`
}

/** The events that speak of it, in the order of their coming. */
async function eventsOf(text: string): Promise<EventRow[]> {
  return await service.rows<EventRow>(
    `select e.event_id as id, e.state, e.attempts, e.processed_at is not null as "isDone",
            e.last_error as error,
            (select count(*)::integer from inbox_attempts a where a.event_id = e.event_id) as log
       from inbox_events e where position($1::bytea in e.body) > 0 order by e.event_id`,
    [Buffer.from(text)],
  )
}

async function turn(limit = TURN.limit, db: Database = service.parts.db): Promise<number> {
  const taken = await processTurn({ ...service.jobParts, db }, { ...TURN, limit })
  return taken.events
}

async function capture(id: string, amount = 5000, currency = 'INR'): Promise<void> {
  const { body } = razorpayEvent('payment.captured', { id, orderId: null, amount })
  const text = body.toString().replace('"currency":"INR"', `"currency":"${currency}"`)
  const webhook = razorpayWebhook(text, RAZORPAY.webhookSecret, `evt_${id}${amount}`)
  expect((await service.deliver('razorpay', webhook)).status).to.equal(200)
}

/** How many events were counted as left in which state, since then. */
async function counts(since: Record<string, number> = {}): Promise<Record<string, number>> {
  const { values = [] } = (await registry.getSingleMetric('bahi_inbox_events_total')?.get()) ?? {}
  const states = ['processed', 'ignored', 'dead', 'failed'].map((state) => {
    const those = values.filter(({ labels }) => labels['state'] === state)
    const sum = those.reduce((all, { value }) => all + value, 0)
    return [state, sum - (since[state] ?? 0)] as const
  })
  return Object.fromEntries(states)
}

/** What GET says of an event, and the steps of its timeline. */
async function shown(id: string): Promise<{ event: JsonObject; steps: string[] }> {
  const { json: event } = await service.call('GET', `/v1/inbox-events/${id}`)
  return {
    event,
    steps: rowsOf({ data: event['timeline'] ?? [] }).map((row) => textIn(row, 'what')),
  }
}

async function replay(id: string): Promise<void> {
  const answer = await service.call('POST', `/v1/inbox-events/${id}/replay`, {
    role: 'finance',
    body: WHY,
  })
  expect(answer.status, answer.text).to.equal(201)
}

/** What waits is left out of the turns that follow. */
async function putOff(): Promise<void> {
  await service.rows(
    `update inbox_events set next_try_at = now() + interval '1 day' where state = 'waiting'`,
  )
}

/** While facts of payments with that in their id break whatever transaction writes them. */
async function whilePoisoned(work: () => Promise<void>): Promise<void> {
  await service.rows(`
    create function poison() returns trigger language plpgsql as $$
    begin
      if new.fact_key like '%POISON%' then raise exception 'poisoned'; end if;
      return new;
    end $$;
    create trigger poison before insert on facts for each row execute function poison()`)
  try {
    await work()
  } finally {
    await service.rows('drop trigger poison on facts; drop function poison()')
  }
}

describe('a batch of the inbox', () => {
  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('leaves each event as what became of it, whatever became of the others', async () => {
    await service.rows(
      `insert into accounts (org_id, account_id, code, name, type, normal, currency, open)
       select 1, coalesce(max(account_id), 0) + 1000, 'assets:clearing:razorpay', 'x', 'asset',
              'debit', 'USD', false from accounts`,
    )
    await service.rows(
      `insert into inbox_pauses (org_id, pause_id, gateway, event_type, reason, paused_by)
       values (1, 'pau_x', 'razorpay', 'payment.failed', 'x', 'x')`,
    )
    await capture('pay_MIX1', 1100)
    await capture('pay_MIX1', 1300)
    await capture('pay_MIX2', 1500, 'USD')
    const failed = { id: 'pay_MIX3', orderId: null, amount: 100 }
    await service.deliver('razorpay', razorpayEvent('payment.failed', failed))
    await capture('pay_MIX4', 0)
    const odd = { event: 'payment.odd', payload: { of: 'pay_MIX5' } }
    await service.deliver('razorpay', razorpayWebhook(odd, RAZORPAY.webhookSecret, 'evt_MIX5'))
    await capture('pay_MIX6', 1700)
    const before = await counts()
    expect(await turn()).to.equal(7)
    const left = (await eventsOf('pay_MIX')).map(summary)
    expect(left).to.deep.equal([
      'processed 1 true 0',
      'dead 1 false 1',
      'waiting 1 false 1',
      'waiting 0 false 0',
      'dead 1 false 1',
      'ignored 1 true 0',
      'processed 1 true 0',
    ])
    expect(await counts(before)).to.deep.equal({ processed: 2, ignored: 1, dead: 2, failed: 1 })
  })

  it('is counted once, however often Postgres asks for it again', async () => {
    await capture('pay_AGAIN', 1100)
    await capture('pay_AGAIN', 1300)
    const before = await counts()
    let runs = 0
    const { db } = service.parts
    const conflicting: Database = {
      ...db,
      transact: async (scope, work, options) =>
        await db.transact(
          scope,
          async (trx) => {
            const done = await work(trx)
            runs += 1
            if (runs < 3) {
              await trx.query(`do $$ begin raise exception 'x' using errcode = '40001'; end $$`)
            }
            return done
          },
          options,
        ),
    }
    expect([await turn(500, conflicting), runs]).to.deep.equal([2, 3])
    expect(await counts(before)).to.deep.equal({ processed: 1, ignored: 0, dead: 1, failed: 0 })
  })

  it('says of none that it is processed whose replay waits, is refused or breaks', async () => {
    const ids = ['pay_NOMORE', 'pay_POISONED']
    await putOff()
    for (const id of ids) {
      await capture(id)
    }
    await turn()
    // As if the one had been read as another amount then, and the other had told nothing.
    await service.rows(`set session_replication_role = replica;
      update facts set fingerprint = sha256('x') where fact_key like '%pay_NOMORE:%';
      delete from facts where fact_key like '%pay_POISONED:%'`)
    const events = (await Promise.all(ids.map(eventsOf))).flat()
    for (const { id } of events) {
      await replay(id)
      const { event, steps } = await shown(id)
      expect(event).to.include({ state: 'waiting', processed_at: null })
      expect(steps.slice(-2)).to.deep.equal(['processed', 'replayed'])
    }
    await whilePoisoned(async () => {
      await turn(1)
      await turn(1)
    })
    for (const [index, state] of ['dead', 'waiting'].entries()) {
      const { event, steps } = await shown(events[index]?.id ?? '')
      expect(event).to.include({ state, processed_at: null, attempts: 2 })
      expect(steps.slice(-3)).to.deep.equal(['processed', 'replayed', 'failed'])
    }
  })

  it('that fails for one event blames no other, where two workers see it fail', async () => {
    await whilePoisoned(async () => {
      await putOff()
      await capture('pay_POISON')
      await capture('pay_INNOCENT')
      const { db } = service.parts
      const bothFailed = Promise.withResolvers<void>()
      let failed = 0
      const inStep: Database = {
        ...db,
        async transact(scope, work, options) {
          if (failed > 0) {
            await bothFailed.promise
          }
          try {
            return await db.transact(scope, work, options)
          } catch (error) {
            failed += 1
            if (failed === 2) {
              bothFailed.resolve()
            }
            throw error
          }
        },
      }
      await Promise.all([turn(1, inStep), turn(1, inStep)])
    })
    const [poisoned] = await eventsOf('pay_POISON"')
    expect(poisoned).to.include({ state: 'waiting', attempts: 1, log: 1, error: 'poisoned' })
    const [innocent] = await eventsOf('pay_INNOCENT')
    expect(innocent).to.include({ state: 'waiting', attempts: 0, log: 0, error: null })
    await turn()
  })

  it('is done whole or not at all, whichever answer its connection is cut before', async () => {
    const url = new URL(service.database.url)
    const wire = await startWireCutter({ host: url.hostname, port: Number(url.port) })
    url.port = String(wire.port)
    const cuts: string[] = []
    for (let cut: string | null = ''; cut !== null; cuts.push(cut ?? '')) {
      await putOff()
      const id = `pay_CUT${cuts.length}X`
      await capture(id, 700)
      await capture(id, 900)
      const db = openDatabase({ url: url.href, poolSize: 2, log: openLog('silent', 'cut') })
      wire.cutAt(cuts.length + 1, 'after')
      await turn(500, db).catch((error: unknown) => {
        expect(isConnectionError(error), `${cut}: ${String(error)}`).to.equal(true)
      })
      cut = wire.disarm()
      await db.close()
      const left = (await eventsOf(id)).map(summary).join()
      expect(left, cut ?? '').to.be.oneOf([UNTOUCHED, DONE])
      await turn()
      expect((await eventsOf(id)).map(summary).join(), cut ?? '').to.equal(DONE)
    }
    await wire.close()
    expect(cuts.filter((cut) => cut.startsWith('S')).length).to.be.greaterThan(10)
    expect(cuts.find((cut) => cut.includes('commit; select pg_advisory_unlock'))).to.be.a('string')
    const { findings } = await verifyBooks(service.parts.db, () => undefined)
    const found = new Set(findings.map(({ finding }) => finding.check))
    expect([...found]).to.deep.equal(['dead'])
  })
})
