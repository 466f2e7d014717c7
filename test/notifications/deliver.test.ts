/** Delivering webhooks: at least once, signed, tried again, and disabled where nobody listens. */
import { expect } from 'chai'
import { readKeyring } from '../../src/base/crypto.ts'
import { registry } from '../../src/base/metrics.ts'
import { announce } from '../../src/notifications/outbox/announce.ts'
import { rotateSecret } from '../../src/notifications/subscriptions.ts'
import type { TestService } from '../support/service.ts'
import {
  deliver,
  deliveriesTo,
  emailed,
  makeDue,
  startOutbound,
  subscribe,
  subscriptionRow,
  tell,
} from './outbound.ts'
import { ok, receiver, status, type Answer, type Receiver } from './receivers.ts'
import { validSignatures } from './verify.ts'

describe('webhooks out', () => {
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

  const counted = async (sql: string): Promise<number> => {
    const [row] = await service.rows<{ count: number }>(`select count(*)::integer as count ${sql}`)
    return row?.count ?? -1
  }

  it('are not even written where nobody subscribed', async () => {
    await tell(service, [emailed()])
    const one = await receive()
    await subscribe(service, one.url, ['receipt.emailed'], 2)
    await tell(service, [emailed()])
    expect(await counted('from webhook_messages')).to.equal(0)
    expect(await deliver(service)).to.equal(0)
  })

  it('reach each subscription that wants the type, signed, as the standard has it', async () => {
    const [wanted, another, foreign] = [await receive(), await receive(), await receive()]
    const { id, secret } = await subscribe(service, wanted.url)
    await subscribe(service, another.url, ['period.closed'])
    await subscribe(service, foreign.url, ['receipt.emailed'], 2)
    const event = emailed()
    await tell(service, [event, event])
    await tell(service, [event])
    expect(await deliver(service)).to.equal(1)
    expect([wanted.got.length, another.got.length, foreign.got.length]).to.deep.equal([1, 0, 0])
    const [got] = wanted.got
    if (got === undefined) {
      throw new Error('nothing came')
    }
    expect(await validSignatures(got, secret)).to.equal(1)
    expect(got.headers['webhook-id']).to.match(/^msg_/)
    const seconds = Number(got.headers['webhook-timestamp'])
    expect(Date.now() / 1000 - seconds).to.be.within(0, 10)
    const body = JSON.parse(got.body) as { timestamp: string }
    expect(body).to.deep.equal({ type: event.type, timestamp: body.timestamp, data: event.data })
    expect(Date.now() - Date.parse(body.timestamp)).to.be.within(0, 10_000)
    const [row, ...others] = await deliveriesTo(service, id)
    expect(others).to.deep.equal([])
    expect(row).to.include({ state: 'delivered', attempts: 1, last_status: 200, last_error: null })
    expect(await deliver(service)).to.equal(0)
  })

  it('are undone with what they tell of', async () => {
    const one = await receive()
    await subscribe(service, one.url)
    const before = await counted('from webhook_messages')
    await tell(service, [emailed()])
    const undone = service.parts.db.transact(1, async (trx) => {
      await announce(trx, [emailed()])
      throw new Error('the payment was refused')
    })
    await undone.then(
      () => expect.fail('was committed'),
      (error: unknown) => expect(error).to.be.an('error'),
    )
    expect(await counted('from webhook_messages')).to.equal(before + 1)
    await deliver(service)
    expect(one.got).to.have.length(1)
  })

  it('are tried ten times over three days, with the same id and bytes, and then dead', async () => {
    const one = await receive(status(500))
    const { id } = await subscribe(service, one.url)
    await tell(service, [emailed()])
    const hours: number[] = []
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      expect(await deliver(service), `attempt ${attempt}`).to.equal(1)
      expect(await deliver(service)).to.equal(0)
      const [row] = await deliveriesTo(service, id)
      expect(row).to.include({ attempts: attempt, last_status: 500, last_error: 'answered 500' })
      expect(row?.state).to.equal(attempt === 10 ? 'dead' : 'waiting')
      hours.push((row?.due_in ?? 0) / 3600)
      await makeDue(service, id)
    }
    expect(hours.slice(0, 9).reduce((sum, one) => sum + one, 0)).to.be.within(68, 84)
    expect(await deliver(service)).to.equal(0)
    expect(new Set(one.got.map((got) => got.headers['webhook-id'])).size).to.equal(1)
    expect(new Set(one.got.map((got) => got.body)).size).to.equal(1)
    const log = await service.rows<{ attempt: number; answer: string; outcome: string }>(
      `select attempt, answer, outcome from webhook_attempts a
         join webhook_deliveries d using (org_id, delivery_id)
        where d.subscription_id = $1 order by attempt`,
      [id],
    )
    expect(log.map((row) => row.attempt)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(log[9]).to.include({ answer: 'it is 500', outcome: 'failed' })
  })

  it('wait for as long as the receiver asks, a day at most', async () => {
    for (const [asked, least, most] of [
      ['7200', 7190, 7201],
      ['99999999', 86_390, 86_401],
      ['0', 4, 6],
      ['nonsense', 4, 6],
    ] as const) {
      const one = await receive(status(429, { 'retry-after': asked }))
      const { id } = await subscribe(service, one.url)
      await tell(service, [emailed()])
      await deliver(service)
      const [row] = await deliveriesTo(service, id)
      expect(row?.due_in, asked).to.be.within(least, most)
    }
  })

  it('follow no redirect, and say so', async () => {
    const inside = await receive()
    const one = await receive(status(302, { location: inside.url }))
    const { id } = await subscribe(service, one.url)
    await tell(service, [emailed()])
    await deliver(service)
    const [row] = await deliveriesTo(service, id)
    expect(row).to.include({
      state: 'waiting',
      last_error: 'answered 302; redirects are not followed',
    })
    expect(inside.connections).to.equal(0)
  })

  it('never go where a name resolves to this machine, unless that was allowed', async () => {
    const one = await receive()
    const url = `https://hooks.example.org:${one.port}/`
    const { id } = await subscribe(service, url)
    await tell(service, [emailed()])
    const reach = { loopback: false }
    await deliver(service, { reach, resolve: async () => ['127.0.0.1'] })
    const [row] = await deliveriesTo(service, id)
    expect(row).to.include({ state: 'waiting', last_status: null })
    expect(row?.last_error).to.match(/not public/)
    const here = await subscribe(service, one.url)
    await tell(service, [emailed()])
    await deliver(service, { reach, resolve: async () => ['127.0.0.1'] })
    expect((await deliveriesTo(service, here.id))[0]?.last_error).to.match(/https/)
    expect(one.connections).to.equal(0)
  })

  it('end where the receiver says that it is gone, and that is recorded', async () => {
    const [gone, other] = [await receive(status(410)), await receive()]
    const { id } = await subscribe(service, gone.url)
    const kept = await subscribe(service, other.url)
    await tell(service, [emailed()])
    await deliver(service)
    expect(await subscriptionRow(service, id)).to.include({
      state: 'disabled',
      disabled_because: 'gone',
    })
    expect((await deliveriesTo(service, id))[0]).to.include({ state: 'dead', last_status: 410 })
    expect(await subscriptionRow(service, kept.id)).to.include({ state: 'enabled' })
    const [note] = await service.rows<{ actor: string; after: object }>(
      'select actor, after from people_audit_waiting where target like $1',
      [`%${id}`],
    )
    expect(note).to.deep.equal({
      actor: 'job:deliver-webhooks',
      after: { state: 'disabled', disabled_because: 'gone' },
    })
  })

  it('end after five days of nothing but failures, and one success begins them anew', async () => {
    const failing = await receive(status(500))
    const { id } = await subscribe(service, failing.url)
    const days = async (since: number, last: number): Promise<void> => {
      await service.rows(
        `update webhook_subscriptions set failing_since = now() - make_interval(hours => $2),
           last_failed_at = now() - make_interval(hours => $3) where subscription_id = $1`,
        [id, since, last],
      )
      await tell(service, [emailed()])
      await deliver(service)
    }
    await tell(service, [emailed()])
    await deliver(service)
    const first = (await subscriptionRow(service, id)).failing_since
    expect(first).to.be.an.instanceOf(Date)
    await days(5 * 24 - 1, 24)
    expect((await subscriptionRow(service, id)).state).to.equal('enabled')
    // Nothing was tried for weeks: that is no proof against the receiver.
    await days(30 * 24, 20 * 24)
    expect((await subscriptionRow(service, id)).state).to.equal('enabled')
    await days(5 * 24 + 1, 24)
    expect(await subscriptionRow(service, id)).to.include({
      state: 'disabled',
      disabled_because: 'failures',
    })
    // What happens meanwhile is written, so that it can be told when somebody has looked into it.
    const before = await counted('from webhook_messages')
    await tell(service, [emailed()])
    expect(await counted('from webhook_messages')).to.equal(before + 1)
    const healed = await receive()
    await service.rows(
      `update webhook_subscriptions set state = 'enabled', disabled_because = null,
         disabled_at = null, url = $2 where subscription_id = $1`,
      [id, healed.url],
    )
    await makeDue(service, id)
    await deliver(service)
    expect((await subscriptionRow(service, id)).failing_since).to.equal(null)
  })

  it('are signed with the old secret too for a day after a rotation', async () => {
    const one = await receive()
    const { id, secret } = await subscribe(service, one.url)
    const rotate = async (hours: number): Promise<string> =>
      await service.parts.db.transact(
        1,
        async (trx) => await rotateSecret(trx, service.parts.keyring, id, hours),
      )
    const signed = async (of: string): Promise<number> => {
      await tell(service, [emailed()])
      await deliver(service)
      return await validSignatures(one.got.at(-1) ?? { headers: {}, body: '' }, of)
    }
    const second = await rotate(24)
    expect(await signed(secret)).to.equal(1)
    expect(await signed(second)).to.equal(1)
    await service.rows(
      `update webhook_signing_secrets set expires_at = now() - interval '1 second'
        where subscription_id = $1 and expires_at is not null`,
      [id],
    )
    expect(await signed(secret)).to.equal(0)
    expect(await signed(second)).to.equal(1)
    const third = await rotate(0)
    expect(await signed(second)).to.equal(0)
    expect(await signed(third)).to.equal(1)
  })

  it('wait while a subscription is disabled, and go to where it is told then', async () => {
    const [old, moved] = [await receive(status(500)), await receive()]
    const { id } = await subscribe(service, old.url)
    await tell(service, [emailed(), emailed()])
    await deliver(service)
    await service.rows(
      `update webhook_subscriptions set state = 'disabled', disabled_because = 'caller',
         disabled_at = now() where subscription_id = $1`,
      [id],
    )
    await makeDue(service, id)
    expect(await deliver(service)).to.equal(0)
    await service.rows(
      `update webhook_subscriptions set state = 'enabled', disabled_because = null,
         disabled_at = null, url = $2 where subscription_id = $1`,
      [id, moved.url],
    )
    expect(await deliver(service)).to.equal(2)
    expect(moved.got).to.have.length(2)
  })

  it('blame nobody else where it is we who cannot sign', async () => {
    const one = await receive()
    const { id } = await subscribe(service, one.url)
    await tell(service, [emailed()])
    const keyring = readKeyring(`t9:${Buffer.alloc(32, 9).toString('base64')}`)
    await deliver(service, { keyring })
    const [row] = await deliveriesTo(service, id)
    expect(row).to.include({ state: 'waiting' })
    expect(row?.last_error).to.match(/on our side/)
    expect((await subscriptionRow(service, id)).failing_since).to.equal(null)
    await makeDue(service, id)
    await deliver(service)
    expect(one.got).to.have.length(1)
  })

  it('are counted by outcome', async () => {
    const text = await registry.getSingleMetricAsString('bahi_webhook_deliveries_total')
    for (const outcome of ['delivered', 'failed', 'dead', 'disabled']) {
      expect(text).to.match(new RegExp(`outcome="${outcome}"} [1-9]`))
    }
  })
})
