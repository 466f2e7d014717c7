/** Webhooks with slow receivers, several workers, and workers that die in the middle. */
import { expect } from 'chai'
import { deliverWebhooks } from '../../jobs/deliver-webhooks.ts'
import { sweep } from '../../jobs/sweep.ts'
import type { Database } from '../../src/base/db.ts'
import { openParts } from '../../src/base/parts.ts'
import type { JobName } from '../../src/base/queue.ts'
import { claim, lookForDue, recordResult, type Result } from '../../src/notifications/claims.ts'
import { fanOut, findDelivery } from '../../src/notifications/deliveries.ts'
import { deliverWebhooks as deliverWith } from '../../src/notifications/deliver.ts'
import { noteFailure } from '../../src/notifications/subscriptions.ts'
import type { TestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import {
  deliver,
  deliveriesTo,
  deliveryParts,
  emailed,
  makeDue,
  startOutbound,
  subscribe,
  subscriptionRow,
  tell,
} from './outbound.ts'
import { ok, receiver, silent, status, type Answer, type Receiver } from './receivers.ts'

const idsOf = (one: Receiver) => one.got.map((got) => String(got.headers['webhook-id']))

const RESULT: Result = {
  outcome: 'delivered',
  status: 200,
  durationMs: 1,
  error: null,
  answer: '',
  pauseMs: null,
  isGone: false,
  isOurs: false,
}

describe('webhooks of many', () => {
  let service: TestService
  const open: Receiver[] = []

  before(async () => {
    service = await startOutbound()
  })

  after(async () => {
    await service.stop()
  })

  afterEach(async () => {
    await Promise.all(open.splice(0).map(async (one) => await one.close()))
    await service.rows(
      `update webhook_subscriptions set state = 'disabled', disabled_because = 'caller',
         disabled_at = now() where state = 'enabled'`,
    )
  })

  async function receive(answer: Answer = ok): Promise<Receiver> {
    const one = await receiver(answer)
    open.push(one)
    return one
  }

  const events = (count: number) => Array.from({ length: count }, () => emailed())

  it('are not held up by receivers that never answer, and those hold few connections', async () => {
    const [slow, slower, fast] = [await receive(silent), await receive(silent), await receive()]
    const held: [Receiver, string][] = []
    for (const one of [slow, slower]) {
      held.push([one, (await subscribe(service, one.url)).id])
    }
    await subscribe(service, fast.url)
    const other = await receive()
    await subscribe(service, other.url, ['receipt.emailed'], 2)
    await tell(service, events(40))
    await tell(service, events(20), 2)
    let isEnding = false
    const start = Date.now()
    const running = deliver(service, { timeoutMs: 6000, shouldStop: () => isEnding })
    await until(() => fast.got.length === 40 && other.got.length === 20, 5000)
    expect(Date.now() - start).to.be.below(5000)
    expect([slow.connections, slower.connections]).to.deep.equal([2, 2])
    // What comes up while they are waited for does not wait for them either.
    await tell(service, events(3), 2)
    await until(() => other.got.length === 23, 5000)
    isEnding = true
    await running
    for (const [one, id] of held) {
      const rows = await deliveriesTo(service, id)
      expect(rows.filter((row) => row.last_error === 'no answer in 6000 ms')).to.have.length(2)
      expect(one.connections).to.equal(2)
    }
  })

  it('have one connection to a receiver that fails, and two again when it heals', async () => {
    let most = 0
    let now = 0
    let isWell = false
    const one = await receive((response) => {
      now += 1
      most = Math.max(most, now)
      setTimeout(() => {
        now -= 1
        response.writeHead(isWell ? 200 : 500).end()
      }, 20)
    })
    const { id } = await subscribe(service, one.url)
    await tell(service, events(1))
    await deliver(service)
    expect((await subscriptionRow(service, id)).failing_since).to.not.equal(null)
    most = 0
    await tell(service, events(6))
    await deliver(service)
    expect([most, one.got.length]).to.deep.equal([1, 7])
    isWell = true
    await makeDue(service, id)
    await deliver(service)
    expect(most).to.equal(2)
    expect((await deliveriesTo(service, id)).every((row) => row.state === 'delivered')).to.equal(
      true,
    )
  })

  it('come once though several workers send at the same time', async () => {
    const [one, another] = [await receive(), await receive()]
    for (let count = 0; count < 3; count += 1) {
      await subscribe(service, one.url)
      await subscribe(service, another.url, ['receipt.emailed'], 2)
    }
    const workers = [1, 2, 3].map(() => openParts(service.config, 'bahi test worker'))
    try {
      await tell(service, events(30))
      await tell(service, events(30), 2)
      await fanOut(service.parts.db)
      const made = await Promise.all(
        workers.map(async ({ db }) => await deliverWith(deliveryParts(service, { db }))),
      )
      expect(made.reduce((sum, count) => sum + count, 0)).to.equal(180)
    } finally {
      await Promise.all(workers.map(async (parts) => await parts.close()))
    }
    for (const { got } of [one, another]) {
      const times = Map.groupBy(got, ({ headers }) => headers['webhook-id'])
      expect([...times.values()].map((same) => same.length)).to.deep.equal(Array(30).fill(3))
    }
  })

  it('note failures in whatever order their transactions end', async () => {
    const one = await receive()
    const { id } = await subscribe(service, one.url)
    const failed = { subscriptionId: id, url: one.url, isGone: false }
    const { db } = service.parts
    const alone = { isolation: 'read committed' } as const
    await db.transact(
      1,
      async (early) => {
        await early.query('select now()')
        await db.transact(1, async (late) => await noteFailure(late, failed), alone)
        expect(await noteFailure(early, failed)).to.equal(null)
      },
      alone,
    )
    expect((await subscriptionRow(service, id)).failing_since).to.be.an.instanceOf(Date)
  })

  it('come again under the same id where a worker ends between sending and noting it', async () => {
    const one = await receive()
    const { id } = await subscribe(service, one.url)
    await tell(service, events(1))
    const dying: Database = {
      ...service.parts.db,
      transact: async (scope, work, options) => {
        if (scope === 1) {
          throw new Error('the worker is gone')
        }
        return await service.parts.db.transact(scope, work, options)
      },
    }
    await deliver(service, { db: dying })
    expect((await deliveriesTo(service, id))[0]).to.include({ state: 'sending', attempts: 1 })
    // The claim still holds: nobody else sends it.
    expect(await deliver(service)).to.equal(0)
    await makeDue(service, id)
    expect(await deliver(service)).to.equal(1)
    expect(idsOf(one)).to.have.length(2)
    expect(new Set(idsOf(one)).size).to.equal(1)
    const [row] = await deliveriesTo(service, id)
    expect(row).to.include({ state: 'delivered', attempts: 2 })
    const { attempts } = await service.parts.db.read(
      1,
      async (trx) => await findDelivery(trx, row?.delivery_id ?? ''),
    )
    expect(attempts.map((attempt) => attempt.outcome)).to.deep.equal(['lost', 'delivered'])
  })

  it('are dead where every worker that had them died', async () => {
    const one = await receive()
    const { id } = await subscribe(service, one.url)
    await tell(service, events(1))
    await fanOut(service.parts.db)
    const { db } = service.parts
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      expect(await claim(db, await lookForDue(db, [])), `attempt ${attempt}`).to.have.length(1)
      await makeDue(service, id)
    }
    expect(await claim(db, await lookForDue(db, []))).to.deep.equal([])
    expect((await deliveriesTo(service, id))[0]).to.include({ state: 'dead', attempts: 10 })
    expect(await deliver(service)).to.equal(0)
    expect(one.got).to.deep.equal([])
  })

  it('believe a worker that lost its claim that it delivered, and nothing else', async () => {
    const one = await receive()
    const { id } = await subscribe(service, one.url)
    await tell(service, events(2))
    await fanOut(service.parts.db)
    const { db } = service.parts
    const late = await claim(db, await lookForDue(db, []))
    await makeDue(service, id)
    const owned = await claim(db, await lookForDue(db, []))
    expect(owned.map(({ attempt }) => attempt)).to.deep.equal([2, 2])
    const [first, second] = late
    if (first === undefined || second === undefined) {
      throw new Error('two were due')
    }
    await recordResult(db, first, { ...RESULT, outcome: 'failed', status: 500, pauseMs: null })
    await recordResult(db, second, RESULT)
    const rows = await deliveriesTo(service, id)
    const stateOf = (deliveryId: string) =>
      rows.find((row) => row.delivery_id === deliveryId)?.state
    expect(stateOf(first.deliveryId)).to.equal('sending')
    expect(stateOf(second.deliveryId)).to.equal('delivered')
    for (const claimed of owned) {
      await recordResult(db, claimed, { ...RESULT, outcome: 'failed', pauseMs: 1000 })
    }
    const now = await deliveriesTo(service, id)
    expect(now.map((row) => row.state).sort()).to.deep.equal(['delivered', 'waiting'])
  })

  it('take no more in hand once the worker is to end', async () => {
    const one = await receive()
    await subscribe(service, one.url)
    await tell(service, events(1))
    expect(await deliver(service, { shouldStop: () => true })).to.equal(0)
    await deliver(service)
    expect(one.got).to.have.length(1)
  })

  it('are rung for by the sweep while some are due, and seen in its metrics', async () => {
    const rung = async (): Promise<JobName[]> => {
      const names: JobName[] = []
      const bells = { ...service.parts.bells, ring: (name: JobName) => void names.push(name) }
      await sweep({ ...service.parts, bells })
      return names
    }
    expect(await rung()).not.to.include('deliver-webhooks')
    const one = await receive(status(503))
    const { id } = await subscribe(service, one.url)
    await tell(service, events(2))
    expect(await rung()).to.include('deliver-webhooks')
    const { text } = await service.call('GET', '/metrics', { role: null })
    expect(text).to.contain('bahi_waiting_rows{kind="webhooks"} 2')
    await deliverWebhooks.run(service.jobParts)
    expect(one.got).to.have.length(2)
    expect(await rung()).not.to.include('deliver-webhooks')
    await makeDue(service, id)
    expect(await rung()).to.include('deliver-webhooks')
  })

  it('leave no place for a role that would rewrite their history', async () => {
    const one = await receive()
    const { id } = await subscribe(service, one.url)
    await tell(service, events(1))
    await deliver(service)
    const refused = async (sql: string): Promise<void> => {
      const work = service.parts.db.transact(1, async (trx) => await trx.query(sql, [id]))
      const words = await work.then(
        () => 'done',
        (error: unknown) => String(error),
      )
      expect(words, sql).to.match(/permission denied|bahi:|violates/)
    }
    await refused('delete from webhook_deliveries where subscription_id = $1')
    await refused('delete from webhook_subscriptions where subscription_id = $1')
    await refused(
      `update webhook_deliveries set state = 'waiting', ended_at = null where subscription_id = $1`,
    )
    await refused(`update webhook_messages set data = '{}' where message_id <> $1`)
    await refused(`update webhook_attempts set status = 200 where delivery_id <> $1`)
    await service.rows(
      'update webhook_signing_secrets set expires_at = now() where subscription_id = $1',
      [id],
    )
    await refused('update webhook_signing_secrets set expires_at = null where subscription_id = $1')
    await refused('delete from webhook_signing_secrets where subscription_id = $1')
    await refused(`update webhook_subscriptions set url = 'file:///x' where subscription_id = $1`)
    await refused(`update webhook_subscriptions set event_types = '{}' where subscription_id = $1`)
  })

  it('show no organisation another one’s', async () => {
    const one = await receive()
    for (const orgId of [1, 2]) {
      await subscribe(service, one.url, ['receipt.emailed'], orgId)
      await tell(service, events(1), orgId)
    }
    await deliver(service)
    for (const table of [
      'webhook_subscriptions',
      'webhook_signing_secrets',
      'webhook_messages',
      'webhook_deliveries',
      'webhook_attempts',
    ]) {
      const orgs = async (scope: number) =>
        await service.parts.db.read(
          scope,
          async (trx) => await trx.query(`select distinct org_id from ${table}`),
        )
      expect(await orgs(1), table).to.deep.equal([{ org_id: 1 }])
      expect(await orgs(2), table).to.deep.equal([{ org_id: 2 }])
    }
  })
})
