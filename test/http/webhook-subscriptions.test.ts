/** Webhooks out over HTTP: who is told, with which secret; a test, the log, and telling again. */
import { expect } from 'chai'
import { readConfig } from '../../src/base/config.ts'
import type { Role } from '../../src/http/permissions.ts'
import { signToken } from '../../src/http/auth.ts'
import { linkPeople } from '../../src/audit/append.ts'
import { deliver, emailed, makeDue, startOutbound, tell } from '../notifications/outbound.ts'
import { ok, receiver, status, type Receiver } from '../notifications/receivers.ts'
import { validSignatures } from '../notifications/verify.ts'
import type { Answer, JsonObject, TestService } from '../support/service.ts'
import { allPages, rowsOf, textIn } from './seeded.ts'

const SUBSCRIPTIONS = '/v1/webhook-subscriptions'

describe('webhook subscriptions over HTTP', () => {
  let service: TestService
  let one: Receiver

  before(async () => {
    service = await startOutbound()
    one = await receiver((response, got, request) => {
      const code = Number(new URL(request.url ?? '', 'http://x').searchParams.get('code') ?? 200)
      const act = code === 200 ? ok : status(code)
      act(response, got, request)
    })
  })

  beforeEach(() => {
    one.got.splice(0)
  })

  after(async () => {
    await one.close()
    await service.stop()
  })

  async function admin(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer> {
    return await service.call(method, path, {
      role: 'admin',
      ...(body === undefined ? {} : { body }),
      ...(headers === undefined ? {} : { headers }),
    })
  }

  async function made(more: object = {}): Promise<JsonObject> {
    const answer = await admin('POST', SUBSCRIPTIONS, {
      url: one.url,
      event_types: ['receipt.emailed'],
      ...more,
    })
    expect(answer.status, answer.text).to.equal(201)
    return answer.json
  }

  async function disable(id: string): Promise<void> {
    await admin('PATCH', `${SUBSCRIPTIONS}/${id}`, { state: 'disabled' })
  }

  it('are made with a secret that is shown once, and then sign what is sent', async () => {
    const subscription = await made({ description: 'ERP “बही”' })
    const secret = textIn(subscription, 'secret')
    expect(secret).to.match(/^whsec_/)
    expect(subscription).to.include({ state: 'enabled', description: 'ERP “बही”', url: one.url })
    const id = textIn(subscription, 'id')
    for (const path of [`${SUBSCRIPTIONS}/${id}`, SUBSCRIPTIONS]) {
      const seen = await service.call('GET', path)
      expect(seen.status).to.equal(200)
      expect(seen.text).to.include(id).and.not.include('whsec_')
    }
    const sent = await admin('POST', `${SUBSCRIPTIONS}/${id}/test`, {})
    expect(sent.status, sent.text).to.equal(201)
    expect(sent.json).to.include({ reason: 'test', type: 'webhook.test', state: 'waiting' })
    await deliver(service)
    const [got] = one.got
    expect(await validSignatures(got ?? { headers: {}, body: '' }, secret)).to.equal(1)
    expect(JSON.parse(got?.body ?? '')).to.deep.include({
      type: 'webhook.test',
      data: { subscription: id },
    })
    const log = await service.call('GET', `/v1/webhook-deliveries/${textIn(sent.json, 'id')}`)
    expect(log.json).to.include({ state: 'delivered', attempts: 1, last_status: 200 })
    expect(log.json['log']).to.have.length(1)
    expect((log.json['log'] as JsonObject[])[0]).to.include({
      attempt: 1,
      outcome: 'delivered',
      status: 200,
      answer: 'thanks',
      error: null,
    })
    await disable(id)
  })

  it('are made once with one key, with the same secret in the answer', async () => {
    const body = { url: one.url, event_types: ['receipt.emailed'] }
    const headers = { 'idempotency-key': 'sub-1' }
    const first = await admin('POST', SUBSCRIPTIONS, body, headers)
    const again = await admin('POST', SUBSCRIPTIONS, body, headers)
    expect(again.json).to.deep.equal(first.json)
    expect(again.headers.get('idempotent-replayed')).to.equal('true')
    await disable(textIn(first.json, 'id'))
    const kept = await service.rows<{ text: string }>(
      `select row_to_json(k)::text as text from kept_answers k
        union all select row_to_json(s)::text from webhook_signing_secrets s
        union all select row_to_json(p)::text from people_audit_waiting p`,
    )
    expect(kept.map(({ text }) => text).join()).not.to.include('whsec_')
  })

  it('are refused where webhooks may not go, or with what nobody tells of', async () => {
    const good = { url: 'https://example.org/hook', event_types: ['receipt.emailed'] }
    for (const [more, pointer] of [
      [{ url: 'http://example.org' }, '/url'],
      [{ url: 'https://10.0.0.1/' }, '/url'],
      [{ url: 'https://169.254.169.254/latest' }, '/url'],
      [{ url: 'https://[::ffff:10.0.0.1]/' }, '/url'],
      [{ url: 'https://example.org:22/' }, '/url'],
      [{ url: 'https://u:p@example.org/' }, '/url'],
      [{ url: `https://example.org/${'x'.repeat(2050)}` }, '/url'],
      [{ url: `https://example.org/${'ब'.repeat(1000)}` }, '/url'],
      [{ url: 7 }, '/url'],
      [{ event_types: [] }, '/event_types'],
      [{ event_types: ['webhook.test'] }, '/event_types/0'],
      [{ event_types: ['receipt.emailed', 'receipt.emailed'] }, '/event_types'],
      [{ description: 'a\nb' }, '/description'],
      [{ description: '' }, '/description'],
      [{ secret: 'whsec_x' }, ''],
    ] as const) {
      const answer = await admin('POST', SUBSCRIPTIONS, { ...good, ...more })
      expect(answer.status, JSON.stringify(more)).to.equal(400)
      const [error] = answer.json['errors'] as JsonObject[]
      expect(error?.['pointer'], answer.text).to.equal(pointer)
    }
    const fine = await made({ url: 'https://EXAMPLE.org:443/hook me' })
    expect(fine['url']).to.equal('https://example.org/hook%20me')
    await disable(textIn(fine, 'id'))
  })

  it('are changed, disabled and enabled; who did it is recorded, but no secret', async () => {
    const id = textIn(await made(), 'id')
    const path = `${SUBSCRIPTIONS}/${id}`
    const changed = await admin('PATCH', path, {
      url: `${one.url}?token=very-secret`,
      event_types: ['period.closed', 'donation.paid'],
      description: null,
    })
    expect(changed.json).to.deep.include({ event_types: ['period.closed', 'donation.paid'] })
    const off = await admin('PATCH', path, { state: 'disabled' })
    expect(off.json).to.include({ state: 'disabled', disabled_because: 'caller' })
    const again = await admin('PATCH', path, { state: 'disabled' })
    expect(again.json['disabled_at']).to.equal(off.json['disabled_at'])
    for (const [target, body, code] of [
      [`${path}/test`, {}, 'webhook_disabled'],
      [`${path}/replay`, { from: '2026-01-01T00:00:00Z' }, 'webhook_disabled'],
    ] as const) {
      const refused = await admin('POST', target, body)
      expect([refused.status, refused.json['code']]).to.deep.equal([422, code])
    }
    const on = await admin('PATCH', path, { state: 'enabled' })
    expect(on.json).to.include({ state: 'enabled', disabled_because: null, disabled_at: null })
    expect((await admin('PATCH', path, {})).status).to.equal(400)
    await disable(id)
    await service.parts.db.transact(1, async (trx) => await linkPeople(trx), {
      isolation: 'read committed',
    })
    const notes = await service.rows<{ operation: string; note: string }>(
      `select operation, row_to_json(a)::text as note from people_audit a
        where target like $1 order by audit_no`,
      [`%${id}%`],
    )
    expect(notes.map(({ operation }) => operation)).to.include.members([
      'createWebhookSubscription',
      'changeWebhookSubscription',
    ])
    expect(notes.map(({ note }) => note).join()).not.to.match(/very-secret|whsec_/)
  })

  it('get a new secret, and keep the old one for a day or not at all', async () => {
    const first = await made()
    const id = textIn(first, 'id')
    const rotate = async (body: object = {}) =>
      await admin('POST', `${SUBSCRIPTIONS}/${id}/rotate-secret`, body)
    const { json } = await rotate()
    expect(json['secret'])
      .to.match(/^whsec_/)
      .and.not.equal(first['secret'])
    const [newest, old] = json['signing_secrets'] as JsonObject[]
    expect(newest?.['expires_at']).to.equal(null)
    const hours = (Date.parse(textIn(old, 'expires_at')) - Date.now()) / 3_600_000
    expect(hours).to.be.within(23.9, 24.1)
    for (const body of [{ keep_old_hours: 25 }, { keep_old_hours: -1 }, { x: 1 }]) {
      expect((await rotate(body)).status).to.equal(400)
    }
    const both = await Promise.all([rotate(), rotate()])
    expect(both.map((answer) => answer.status)).to.deep.equal([200, 200])
    expect((await rotate()).status).to.equal(200)
    const full = await rotate()
    expect([full.status, full.json['code']]).to.deep.equal([422, 'webhook_limit'])
    const leaked = await rotate({ keep_old_hours: 0 })
    expect(leaked.json['signing_secrets']).to.have.length(1)
    await disable(id)
  })

  it('are at most a hundred', async () => {
    const [count] = await service.rows<{ count: number }>(
      'select count(*)::integer as count from webhook_subscriptions where org_id = 1',
    )
    await service.rows(
      `insert into webhook_subscriptions (org_id, subscription_id, url, event_types, state,
         disabled_because, disabled_at)
       select 1, 'sub_' || lpad(n::text, 26, '0'), 'https://example.org/', '{period.closed}',
              'disabled', 'caller', now()
         from generate_series(1, $1) n`,
      [100 - (count?.count ?? 0)],
    )
    await service.rows(
      `insert into webhook_signing_secrets (org_id, secret_id, subscription_id, secret_sealed)
       select 1, replace(subscription_id, 'sub_', 'whs_'), subscription_id, 'x'
         from webhook_subscriptions where subscription_id like 'sub_0000000000%'`,
    )
    const body = { url: one.url, event_types: ['receipt.emailed'] }
    const full = await admin('POST', SUBSCRIPTIONS, body)
    expect([full.status, full.json['code']]).to.deep.equal([422, 'webhook_limit'])
    const pages = await allPages(service, `${SUBSCRIPTIONS}?state=disabled`, 30)
    expect(pages.flat()).to.have.length(100)
    expect(new Set(pages.flat().map((row) => row['id'])).size).to.equal(100)
    await service.rows('alter table webhook_signing_secrets disable trigger no_removal')
    await service.rows('alter table webhook_subscriptions disable trigger no_removal')
    const made = `subscription_id like 'sub_0000000000%'`
    await service.rows(`delete from webhook_signing_secrets where ${made}`)
    await service.rows(`delete from webhook_subscriptions where ${made}`)
  })

  it('are there for their own organisation only, whoever knows an id', async () => {
    const mine = await made()
    const id = textIn(mine, 'id')
    const test = await admin('POST', `${SUBSCRIPTIONS}/${id}/test`, {})
    const claims = { subject: 'other', orgId: 2, role: 'admin' as Role }
    const token = signToken(claims, service.config.jwtSecret, 60)
    const headers = { authorization: `Bearer ${token}` }
    const other = async (method: string, path: string, body?: unknown) =>
      await service.call(method, path, { headers, ...(body === undefined ? {} : { body }) })
    const delivery = textIn(test.json, 'id')
    const message = textIn(test.json, 'message')
    for (const list of [SUBSCRIPTIONS, '/v1/webhook-messages', '/v1/webhook-deliveries']) {
      expect((await other('GET', list)).json).to.deep.equal({ data: [], has_more: false })
    }
    for (const [method, path, body] of [
      ['GET', `${SUBSCRIPTIONS}/${id}`],
      ['PATCH', `${SUBSCRIPTIONS}/${id}`, { state: 'disabled' }],
      ['POST', `${SUBSCRIPTIONS}/${id}/rotate-secret`, {}],
      ['POST', `${SUBSCRIPTIONS}/${id}/test`, {}],
      ['POST', `${SUBSCRIPTIONS}/${id}/replay`, { from: '2026-01-01T00:00:00Z' }],
      ['POST', `/v1/webhook-messages/${message}/replay`, { subscription: id }],
      ['GET', `/v1/webhook-deliveries/${delivery}`],
    ] as const) {
      expect((await other(method, path, body)).status, path).to.equal(404)
    }
    const seen = await service.call('GET', `${SUBSCRIPTIONS}/${id}`)
    expect(seen.json).to.include({ state: 'enabled' })
    await deliver(service)
    await disable(id)
  })

  describe('told again', () => {
    let id = ''
    const messages: string[] = []

    before(async () => {
      id = textIn(await made({ url: `${one.url}?code=500` }), 'id')
      for (let count = 0; count < 3; count += 1) {
        await tell(service, [emailed()])
      }
      await deliver(service)
      const { json } = await service.call('GET', '/v1/webhook-messages?type=receipt.emailed')
      messages.push(...rowsOf(json).map((row) => textIn(row, 'id')))
      expect(messages).to.have.length(3)
    })

    const range = async (body: object) => {
      const path = `${SUBSCRIPTIONS}/${id}/replay`
      return await admin('POST', path, { from: '2020-01-01T00:00:00Z', ...body })
    }

    it('is one message, and not twice while it is on its way', async () => {
      const [message = ''] = messages
      const path = `/v1/webhook-messages/${message}/replay`
      const waiting = await admin('POST', path, { subscription: id })
      expect([waiting.status, waiting.json['reason']]).to.deep.equal([200, 'event'])
      await admin('PATCH', `${SUBSCRIPTIONS}/${id}`, { url: one.url })
      await makeDue(service, id)
      one.got.splice(0)
      await deliver(service)
      expect(one.got).to.have.length(3)
      const again = await admin('POST', path, { subscription: id })
      expect([again.status, again.json['reason']]).to.deep.equal([201, 'replay'])
      expect((await admin('POST', path, { subscription: id })).status).to.equal(200)
      await deliver(service)
      expect(one.got).to.have.length(4)
      expect(one.got.at(-1)?.headers['webhook-id']).to.equal(message)
      const list = await service.call('GET', `/v1/webhook-deliveries?message=${message}`)
      expect(rowsOf(list.json).map((row) => row['reason'])).to.deep.equal(['replay', 'event'])
      const none = await admin('POST', `/v1/webhook-messages/msg_${'0'.repeat(26)}/replay`, {
        subscription: id,
      })
      expect(none.status).to.equal(404)
    })

    it('is a time: counted first, then what was never delivered, or all', async () => {
      const dry = async (body: object) => (await range({ ...body, dry_run: true })).json['messages']
      expect(await dry({})).to.equal(0)
      expect(await dry({ only: 'all' })).to.equal(3)
      expect(await dry({ only: 'all', to: '2021-01-01T00:00:00Z' })).to.equal(0)
      expect(await deliver(service)).to.equal(0)
      const all = await range({ only: 'all' })
      expect(all.json).to.deep.equal({ messages: 3, dry_run: false })
      expect((await range({ only: 'all' })).json).to.include({ messages: 0 })
      expect(await deliver(service)).to.equal(3)
      const pages = await allPages(service, `/v1/webhook-deliveries?subscription=${id}`, 2)
      expect(pages.flat()).to.have.length(7)
      for (const body of [
        { to: '2019-01-01T00:00:00Z' },
        { from: 'yesterday' },
        { from: '2026-13-01T00:00:00Z' },
        { only: 'some' },
      ]) {
        expect((await range(body)).status, JSON.stringify(body)).to.equal(400)
      }
    })

    it('is what a subscription was never sent, because it came later', async () => {
      const later = textIn(await made(), 'id')
      const path = `${SUBSCRIPTIONS}/${later}/replay`
      one.got.splice(0)
      const answer = await admin('POST', path, { from: '2020-01-01T00:00:00+05:30' })
      expect(answer.json['messages']).to.equal(3)
      await deliver(service)
      expect(new Set(one.got.map((got) => got.headers['webhook-id']))).to.deep.equal(
        new Set(messages),
      )
      await disable(later)
    })

    it('is ten thousand messages and no more, in seconds', async function () {
      this.timeout(60_000)
      const fill = async (from: number, to: number): Promise<void> => {
        await service.rows(
          `insert into webhook_messages (org_id, message_id, type, subject, data, fanned_out_at)
           select 1, 'msg_' || lpad(n::text, 26, '0'), 'receipt.emailed', 'x' || n, '{}', now()
             from generate_series($1::integer, $2::integer) n`,
          [from, to],
        )
      }
      await fill(1, 10_000)
      const start = Date.now()
      expect((await range({})).json).to.deep.equal({ messages: 10_000, dry_run: false })
      expect(Date.now() - start).to.be.below(15_000)
      expect((await range({})).json).to.deep.equal({ messages: 0, dry_run: false })
      await service.rows(
        `update webhook_deliveries set state = 'dead', ended_at = now() where state = 'waiting'`,
      )
      await fill(10_001, 10_001)
      for (const body of [{}, { dry_run: true }]) {
        const refused = await range(body)
        expect([refused.status, refused.json['code']]).to.deep.equal([422, 'webhook_limit'])
      }
      await disable(id)
    })
  })

  it('never go to this machine in production, and the service does not start so', async () => {
    const env: Record<string, string> = { ...service.env, NODE_ENV: 'production' }
    expect(() => readConfig(env)).to.throw(/WEBHOOKS_ALLOW_PRIVATE/)
    const { WEBHOOKS_ALLOW_PRIVATE: _allowed, ...plain } = env
    expect(readConfig(plain).webhookReach).to.deep.equal({ loopback: false })
  })
})
