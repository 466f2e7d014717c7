/** What people do about stored events: replay, dismiss, pause, resume; and what that changes. */
import { expect } from 'chai'
import { operateInbox } from '../../jobs/operate-inbox.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { describeVerification, verifyBooks } from '../../scripts/verify-books.ts'
import { registry } from '../../src/base/metrics.ts'
import { noteStanding } from '../../src/inbox/standing.ts'
import { rowsOf, textIn } from '../http/seeded.ts'
import { payuCallback, razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'

const WHY = { reason: 'The fund was missing and is there now.' }

let service: TestService

function captured(id: string, amount = 5000) {
  return razorpayEvent('payment.captured', { id, orderId: null, amount })
}

async function post(path: string, body?: object): Promise<Answer> {
  const more = body === undefined ? {} : { body }
  return await service.call('POST', `/v1/${path}`, { role: 'finance', ...more })
}

async function process(): Promise<void> {
  await processInbox.run(service.jobParts)
}

async function eventIds(state: string): Promise<string[]> {
  const rows = await service.rows<{ event_id: string }>(
    'select event_id from inbox_events where state = $1 order by event_id',
    [state],
  )
  return rows.map((row) => row.event_id)
}

/** Refuses every fact until it is taken back; what is delivered in between ends as dead. */
async function whileRefused(work: () => Promise<void>): Promise<void> {
  await service.rows(`
    create function refuse() returns trigger language plpgsql as $$
    begin raise exception 'always refused'; end $$;
    create trigger refuse before insert on facts for each row execute function refuse()`)
  try {
    await work()
  } finally {
    await service.rows('drop trigger refuse on facts; drop function refuse()')
  }
}

async function killAll(): Promise<void> {
  await service.rows(
    `update inbox_events set attempts = attempts_forgiven + 23, next_try_at = now()
      where state = 'waiting'`,
  )
  await process()
}

/** All that processing writes, as one text a table. */
async function records(): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const table of [
    'journal_entries',
    'postings',
    'accounts',
    'payments',
    'donations',
    'facts',
    'outbox',
    'receipts',
  ]) {
    const [row] = await service.rows<{ all: string }>(
      `select count(*) || ' ' || md5(coalesce(string_agg(t::text, ',' order by t::text), '')) as all
         from ${table} t`,
    )
    found[table] = row?.all ?? ''
  }
  return found
}

/** Events of a type that nobody reads, put there without the intake. */
async function ignore(count: number): Promise<void> {
  await service.rows(
    `insert into inbox_events (org_id, event_id, endpoint_id, gateway, account, dedupe_key,
       secret_id, content_type, body, lane, state, processed_at)
     select 1, 'evt_0' || lpad(to_hex(n), 25, '0'), 'whe_0', 'razorpay', $1,
            sha256(n::text::bytea), 'whs_0', 'application/json',
            '{"event":"token.odd","payload":{}}', 'other', 'ignored', now()
       from generate_series(1, $2::integer) n`,
    [RAZORPAY.account, count],
  )
}

describe('replaying events', () => {
  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('shows with a dry run what it would reach, and changes nothing', async () => {
    await whileRefused(async () => {
      for (const id of ['pay_TESTdead1', 'pay_TESTdead2', 'pay_TESTdead3']) {
        await service.deliver('razorpay', captured(id))
      }
      await process()
      await killAll()
    })
    const dead = await eventIds('dead')
    expect(dead).to.have.length(3)
    const before = await records()
    const dry = await post('inbox-replays', { ...WHY, error: 'ALWAYS', dry_run: true })
    expect(dry.status, dry.text).to.equal(200)
    expect(dry.json['total']).to.equal(3)
    expect((dry.json['first'] as { id: string }[]).map(({ id }) => id)).to.deep.equal(dead)
    for (const none of [{ error: 'another' }, { gateway: 'payu' }, { type: 'order.paid' }]) {
      const empty = await post('inbox-replays', { ...WHY, ...none, dry_run: true })
      expect(empty.json).to.deep.equal({ total: 0, first: [] })
    }
    expect(await eventIds('dead')).to.deep.equal(dead)
    expect(await records()).to.deep.equal(before)
    expect(rowsOf((await service.call('GET', '/v1/inbox-replays')).json)).to.deep.equal([])
  })

  it('gives an event all its attempts anew, and keeps the log of those before', async () => {
    const [first = ''] = await eventIds('dead')
    await whileRefused(async () => {
      const asked = await post(`inbox-events/${first}/replay`, WHY)
      expect(asked.status, asked.text).to.equal(201)
      expect(asked.json).to.include({ total: 1, done: 1, state: 'done' })
      await process()
    })
    const event = (await service.call('GET', `/v1/inbox-events/${first}`)).json
    expect(event).to.include({ state: 'waiting', attempts: 25 })
    const steps = event['timeline'] as { what: string; by: string | null; detail: string }[]
    const replayed = steps.find(({ what }) => what === 'replayed')
    expect(replayed?.detail).to.equal(`was dead; ${WHY.reason}`)
    expect(replayed?.by).to.be.a('string')
    expect(steps.filter(({ what }) => what === 'failed')).to.have.length(3)
  })

  it('replays a filter of a time range, books what was dead, and says who asked', async () => {
    const dead = await eventIds('dead')
    expect(dead).to.have.length(2)
    const day = 24 * 60 * 60 * 1000
    const asked = await post('inbox-replays', {
      ...WHY,
      gateway: 'razorpay',
      type: 'payment.captured',
      received_from: new Date(Date.now() - day).toISOString(),
      received_before: new Date(Date.now() + day).toISOString(),
    })
    expect(asked.json, asked.text).to.include({ total: 2, done: 2, state: 'done' })
    expect(asked.json['filter']).to.include({ gateway: 'razorpay', type: 'payment.captured' })
    await process()
    expect(await eventIds('dead')).to.deep.equal([])
    const booked = await service.rows(
      `select 1 from payments where gateway_payment_id like 'pay_TESTdead%' and state = 'captured'`,
    )
    expect(booked).to.have.length(2)
    const id = textIn(asked.json, 'id')
    expect((await service.call('GET', `/v1/inbox-replays/${id}`)).json).to.deep.equal(asked.json)
    const audit = await service.call('GET', '/v1/people-audit?operation=replayInboxEvents', {
      role: 'auditor',
    })
    expect(rowsOf(audit.json)).to.have.length(1)
    expect(rowsOf(audit.json)[0]?.['reason']).to.equal(WHY.reason)
    const past = await post('inbox-replays', {
      ...WHY,
      states: ['processed'],
      received_before: '2020-01-01T00:00:00+05:30',
      dry_run: true,
    })
    expect(past.json['total']).to.equal(0)
  })

  it('changes no entry, balance, payment or promise where everything was processed', async () => {
    await service.deliver('razorpay', captured('pay_TESTdone1'))
    await service.deliver(
      'razorpay',
      razorpayEvent('payment.failed', {
        id: 'pay_TESTdone2',
        orderId: null,
        amount: 100,
      }),
    )
    await service.rows(`update inbox_events set next_try_at = now() where state = 'waiting'`)
    await process()
    const before = await records()
    const processed = await eventIds('processed')
    expect(processed).to.have.length(5)
    const asked = await post('inbox-replays', { ...WHY, states: ['processed', 'ignored'] })
    expect(asked.json).to.include({ total: 5, state: 'done' })
    expect(await eventIds('waiting')).to.deep.equal(processed)
    await process()
    expect(await eventIds('processed')).to.deep.equal(processed)
    expect(await records()).to.deep.equal(before)
  })

  it('goes on part by part as a job, and leaves room for what comes in meanwhile', async () => {
    await ignore(2600)
    const asked = await post('inbox-replays', { ...WHY, states: ['ignored'], lane: 'other' })
    expect(asked.json).to.include({ total: 2600, done: 500, state: 'running' })
    const path = `/v1/inbox-replays/${textIn(asked.json, 'id')}`
    await operateInbox.run(service.jobParts)
    expect((await service.call('GET', path)).json).to.include({ done: 2000, state: 'running' })
    // It was not meant: it came later.
    await service.rows(
      `update inbox_events set state = 'ignored', next_try_at = now() where event_id =
         (select max(event_id) from inbox_events)`,
    )
    await process()
    await operateInbox.run(service.jobParts)
    const ended = (await service.call('GET', path)).json
    expect(ended).to.include({ done: 2600, state: 'done' })
    await process()
    expect(await eventIds('waiting')).to.deep.equal([])
    const [log] = await service.rows<{ events: number }>(
      `select count(distinct event_id)::integer as events from inbox_replayed
        where replay_id = $1`,
      [textIn(asked.json, 'id')],
    )
    expect(log?.events).to.equal(2600)
  })

  it('runs ten at a time at the most', async () => {
    await service.rows(
      `insert into inbox_replays (org_id, replay_id, asked_by, reason, filter, through, total)
       select 1, 'rpl_' || n, 'x', 'x', '{"events":[]}', 'x', 1 from generate_series(1, 10) n`,
    )
    const refused = await post('inbox-replays', { ...WHY, states: ['ignored'] })
    expect([refused.status, refused.json['code']]).to.deep.equal([422, 'limit_reached'])
    await operateInbox.run(service.jobParts)
    const left = await service.rows(`select 1 from inbox_replays where state = 'running'`)
    expect(left).to.deep.equal([])
  })

  it('finds no event of that id, and none of another form', async () => {
    const none = `evt_${'0'.repeat(26)}`
    expect((await post(`inbox-events/${none}/replay`, WHY)).status).to.equal(404)
    expect((await post(`inbox-events/${none}/dismiss`, WHY)).status).to.equal(404)
    expect((await post('inbox-events/x/replay', WHY)).status).to.equal(404)
    for (const bad of [{}, { reason: '' }, { ...WHY, states: [] }, { ...WHY, events: [] }]) {
      expect((await post('inbox-replays', bad)).status, JSON.stringify(bad)).to.equal(400)
    }
  })
})

describe('dismissing a dead event', () => {
  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('settles it for verification, with who and why, and it can still be replayed', async () => {
    await service.deliver('razorpay', captured('pay_TESTclash', 700))
    await process()
    await service.deliver('razorpay', captured('pay_TESTclash', 900))
    await process()
    const [id = ''] = await eventIds('dead')
    const before = await verifyBooks(service.parts.db, () => undefined)
    expect(before.findings.map(({ finding }) => finding.check)).to.deep.equal(['dead'])

    const reason = 'Razorpay says it was a test of theirs.'
    const settled = await post(`inbox-events/${id}/dismiss`, { reason })
    expect(settled.status, settled.text).to.equal(200)
    expect(settled.json).to.include({ state: 'dismissed' })
    expect(settled.json['dismissed']).to.include({ reason })
    const after = await verifyBooks(service.parts.db, () => undefined)
    expect(after.findings).to.deep.equal([])
    expect(describeVerification(after).join('\n')).to.match(new RegExp(`accepted: .*${reason}`))

    const again = await post(`inbox-events/${id}/dismiss`, { reason })
    expect([again.status, again.json['code']]).to.deep.equal([409, 'not_dead'])
    await post(`inbox-events/${id}/replay`, WHY)
    await process()
    expect(await eventIds('dead')).to.deep.equal([id])
  })

  it('is refused where something may still come of it', async () => {
    const [processed = ''] = await eventIds('processed')
    const refused = await post(`inbox-events/${processed}/dismiss`, WHY)
    expect([refused.status, refused.json['code']]).to.deep.equal([409, 'not_dead'])
  })
})

describe('pausing the inbox', () => {
  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function held(): Promise<number[]> {
    const list = await service.call('GET', '/v1/inbox-pauses?state=paused')
    return rowsOf(list.json).map((row) => Number(row['held']))
  }

  async function gauge(name: string): Promise<number | undefined> {
    await noteStanding(service.parts.db)
    const metric = await registry.getSingleMetric(name)?.get()
    return metric?.values.find(({ labels }) => labels['gateway'] === 'razorpay')?.value
  }

  it('of one type lets the others go on, and holds what comes in', async () => {
    const asked = { gateway: 'razorpay', type: 'payment.captured', ...WHY }
    const made = await post('inbox-pauses', asked)
    expect(made.status, made.text).to.equal(201)
    const again = await post('inbox-pauses', asked)
    expect([again.status, again.json['id']]).to.deep.equal([200, made.json['id']])
    for (const id of ['pay_TESTp1', 'pay_TESTp2', 'pay_TESTp3']) {
      expect((await service.deliver('razorpay', captured(id))).status).to.equal(200)
    }
    const failed = { id: 'pay_TESTp4', orderId: null, amount: 100 }
    await service.deliver('razorpay', razorpayEvent('payment.failed', failed))
    await process()
    expect(await eventIds('processed')).to.have.length(1)
    expect(await held()).to.deep.equal([3])
    const list = await service.call('GET', '/v1/inbox-events?held=true&state=waiting')
    expect(rowsOf(list.json)).to.have.length(3)
    for (const row of rowsOf(list.json)) {
      expect(row).to.include({ attempts: 0, next_try_at: null, type: 'payment.captured' })
    }
    expect(await gauge('bahi_inbox_held_events')).to.equal(3)
    expect(await gauge('bahi_inbox_pauses')).to.equal(1)
  })

  it('is no fault to the verification, which says that it lasts', async () => {
    await service.rows(`update inbox_events set next_try_at = now() - interval '1 day'
                         where held_at is not null and event_id = (
                           select min(event_id) from inbox_events where held_at is not null)`)
    const verification = await verifyBooks(service.parts.db, () => undefined)
    expect(verification.findings).to.deep.equal([])
    expect(describeVerification(verification).join('\n')).to.include('is paused since')
  })

  it('ends with all of them processed in the order in which they came', async () => {
    const [row] = rowsOf((await service.call('GET', '/v1/inbox-pauses')).json)
    const path = `inbox-pauses/${textIn(row, 'id')}/resume`
    const ended = await post(path)
    expect(ended.status, ended.text).to.equal(200)
    expect(ended.json['resumed_at']).to.be.a('string')
    expect(ended.json['drained_at']).to.equal(null)
    await operateInbox.run(service.jobParts)
    await process()
    expect(await eventIds('waiting')).to.deep.equal([])
    const order = await service.rows<{ id: string }>(
      'select gateway_payment_id as id from payments where entry_no is not null order by entry_no',
    )
    expect(order.map(({ id }) => id)).to.deep.equal(['pay_TESTp1', 'pay_TESTp2', 'pay_TESTp3'])
    const again = (await post(path)).json
    expect(again['drained_at']).to.be.a('string')
    expect(again['resumed_at']).to.equal(ended.json['resumed_at'])
    expect(await gauge('bahi_inbox_held_events')).to.equal(0)
  })

  it('of a gateway neither asks it nor reads its events, and another pause goes on', async () => {
    const all = await post('inbox-pauses', { gateway: 'payu', ...WHY })
    const one = await post('inbox-pauses', { gateway: 'payu', type: 'payment.captured', ...WHY })
    const callback = payuCallback({ txnid: 'TXNpaused', amount: '100.00', mihpayid: '555' })
    await service.deliver('payu', callback)
    await service.runJobs()
    const [event] = await service.rows<{ attempts: number; held: boolean }>(
      `select attempts, held_at is not null as held from inbox_events where gateway = 'payu'`,
    )
    expect(event).to.deep.equal({ attempts: 0, held: true })
    await post(`inbox-pauses/${textIn(one.json, 'id')}/resume`)
    await operateInbox.run(service.jobParts)
    expect(await held()).to.deep.equal([1])
    await post(`inbox-pauses/${textIn(all.json, 'id')}/resume`)
    await operateInbox.run(service.jobParts)
    const list = await service.call('GET', '/v1/inbox-events?gateway=payu&held=false')
    expect(rowsOf(list.json)).to.have.length(1)
  })

  it('lasts in fifty places at the most', async () => {
    await service.rows(
      `insert into inbox_pauses (org_id, pause_id, gateway, event_type, reason, paused_by)
       select 1, 'pau_' || n, 'razorpay', 'type.' || n, 'x', 'x' from generate_series(1, 50) n`,
    )
    const refused = await post('inbox-pauses', { gateway: 'payu', ...WHY })
    expect([refused.status, refused.json['code']]).to.deep.equal([422, 'limit_reached'])
  })
})
