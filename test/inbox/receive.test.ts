/** The intake: what is accepted is stored, what is repeated is counted, what is forged refused. */
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { seal } from '../../src/base/crypto.ts'
import type { Database, Statement } from '../../src/base/db.ts'
import { openEndpoints } from '../../src/inbox/endpoints.ts'
import { openIntake } from '../../src/inbox/receive.ts'
import { asOwner } from '../../scripts/stack.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'

function event(id: string, eventId?: string) {
  return razorpayEvent('payment.captured', { id, orderId: null, amount: 12_300 }, eventId)
}

describe('the webhook intake', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function counts() {
    const [row] = await service.rows<{ events: number; duplicates: number; rejected: number }>(
      `select (select count(*)::integer from inbox_events) as events,
              (select count(*)::integer from inbox_duplicates) as duplicates,
              (select count(*)::integer from rejected_calls) as rejected`,
    )
    return row ?? { events: -1, duplicates: -1, rejected: -1 }
  }

  it('answers 200 and stores the bytes untouched', async () => {
    const webhook = razorpayWebhook(
      `{"event":"payment.captured","payload":{"note":"\\u0930\\/x"},  "odd" : 1.0 }`,
      RAZORPAY.webhookSecret,
    )
    const answer = await service.deliver('razorpay', webhook)
    expect(answer.status).to.equal(200)
    expect(answer.json).to.deep.equal({ received: true, duplicate: false })
    const [row] = await service.rows<{ body: Buffer }>('select body from inbox_events')
    expect(row?.body.equals(webhook.body)).to.equal(true)
  })

  it('stores one event when eight deliveries of it come at the same time', async () => {
    const before = await counts()
    const webhook = event('pay_TESTsame00001')
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => service.deliver('razorpay', webhook)),
    )
    expect(answers.map((answer) => answer.status)).to.deep.equal(Array(8).fill(200))
    expect(answers.filter((answer) => answer.json['duplicate'] === false)).to.have.length(1)
    const after = await counts()
    expect(after.events - before.events).to.equal(1)
    expect(after.duplicates - before.duplicates).to.equal(7)
  })

  it('stores both where two bodies come under one event id, which nobody signed', async () => {
    const before = await counts()
    await service.deliver('razorpay', event('pay_TESTfirst0001', 'evt_reused'))
    await service.deliver('razorpay', event('pay_TESTsecond001', 'evt_reused'))
    expect((await counts()).events - before.events).to.equal(2)
  })

  it('lets calls that come together share one insert', async () => {
    let statements = 0
    const counted: Database = {
      ...service.parts.db,
      async prepared<Row extends object>(statement: Statement) {
        statements += statement.sql.includes('insert into inbox_events') ? 1 : 0
        return await service.parts.db.prepared<Row>(statement)
      },
    }
    const endpoints = openEndpoints(
      service.parts.db,
      service.parts.keyring,
      service.parts.caches.near,
    )
    const id = service.endpoints.get('razorpay') ?? ''
    const endpoint = await endpoints.find('razorpay', id)
    if (endpoint === undefined) {
      throw new Error('no endpoint')
    }
    const intake = openIntake(counted, service.parts.bells)
    const before = await counts()
    await Promise.all(
      Array.from({ length: 100 }, (_none, n) =>
        intake.receive(endpoint, event(`pay_TESTmany${n}`), new Date()),
      ),
    )
    expect((await counts()).events - before.events).to.equal(100)
    expect(statements).to.be.within(1, 4)
  })

  it('refuses a forged signature with 401, and keeps the call without its body', async () => {
    const before = await counts()
    const { body, headers } = event('pay_TESTforged001')
    const forged = { ...headers, 'x-razorpay-signature': randomBytes(32).toString('hex') }
    const answer = await service.deliver('razorpay', {
      body,
      contentType: 'application/json',
      headers: { ...forged, cookie: 'session=secret' },
    })
    expect(answer.status).to.equal(401)
    expect(answer.json['code']).to.equal('bad_signature')
    const after = await counts()
    expect(after.events).to.equal(before.events)
    const list = await service.call('GET', '/v1/rejected-calls')
    const [kept] = list.json['data'] as Record<string, unknown>[]
    expect(kept).to.include({ reason: 'bad_signature', body_bytes: body.length })
    expect(JSON.stringify(kept)).not.to.include('session')
  })

  it('keeps at most 60 refused calls of an endpoint a minute', async () => {
    const { body, headers } = event('pay_TESTflood0001')
    const forged = { ...headers, 'x-razorpay-signature': '0'.repeat(64) }
    for (let n = 0; n < 70; n += 1) {
      await service.deliver('razorpay', { body, contentType: '', headers: forged })
    }
    // The minute may turn in between: then each of the two keeps its own 60.
    expect((await counts()).rejected).to.be.within(60, 120)
  })

  it('refuses a body that is empty, compressed or over the limit, each by its status', async () => {
    const { headers } = event('pay_TESTempty0001')
    const empty = { body: Buffer.alloc(0), contentType: '', headers }
    expect((await service.deliver('razorpay', empty)).status).to.equal(401)
    const gzip = { ...headers, 'content-encoding': 'gzip' }
    const packed = { body: Buffer.from('x'), contentType: '', headers: gzip }
    expect((await service.deliver('razorpay', packed)).status).to.equal(415)
    const large = razorpayWebhook(Buffer.alloc(300 * 1024, 32), RAZORPAY.webhookSecret)
    expect((await service.deliver('razorpay', large)).status).to.equal(413)
  })

  it('answers 404 for an unknown endpoint, or one of another gateway', async () => {
    const webhook = event('pay_TESTlost00001')
    const razorpay = service.endpoints.get('razorpay') ?? ''
    for (const path of [
      `razorpay/whe_${'0'.repeat(26)}`,
      `stripes/${razorpay}`,
      `payu/${razorpay}`,
    ]) {
      const answer = await fetch(`${service.url}/webhooks/${path}`, {
        method: 'POST',
        headers: webhook.headers,
        body: new Uint8Array(webhook.body),
      })
      expect(answer.status, path).to.equal(404)
    }
  })
})

describe('webhook secrets in rotation', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      for (const [label, value, until] of [
        ['second', 'another secret', null],
        ['ended', 'an ended secret', '2020-01-01T00:00:00Z'],
      ] as const) {
        await client.query(
          `insert into webhook_secrets (org_id, secret_id, endpoint_id, label, secret_sealed,
             valid_from, valid_until)
           values (1, $1, $2, $1, $3, '2019-01-01', $4)`,
          [
            label,
            service.endpoints.get('razorpay'),
            seal(service.config.dataKeys, value, label),
            until,
          ],
        )
      }
    })
  })

  after(async () => {
    await service.stop()
  })

  it('accept what any valid one signed and refuse what an ended one signed', async () => {
    const content = { event: 'order.paid', payload: {} }
    const answers = await Promise.all(
      [RAZORPAY.webhookSecret, 'another secret', 'an ended secret', ''].map((secret, n) =>
        service.deliver('razorpay', razorpayWebhook(content, secret, `evt_${n}`)),
      ),
    )
    expect(answers.map((answer) => answer.status)).to.deep.equal([200, 200, 401, 401])
    const rows = await service.rows<{ secret_id: string }>('select secret_id from inbox_events')
    expect(rows.map((row) => row.secret_id)).to.include('second')
  })
})
