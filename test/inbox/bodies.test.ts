/** Webhook bodies at rest: sealed when old enough, read in both forms, without who was erased. */
import { expect } from 'chai'
import nock from 'nock'
import { confirmPayments } from '../../jobs/confirm-payments.ts'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { rotateKeysJob } from '../../jobs/rotate-keys.ts'
import { sealInboxBodies } from '../../jobs/seal-inbox-bodies.ts'
import { sendReceipts } from '../../jobs/send-receipts.ts'
import { sweep } from '../../jobs/sweep.ts'
import { readKeyring, unseal, type Keyring } from '../../src/base/crypto.ts'
import type { JobName } from '../../src/base/queue.ts'
import {
  bodyOf,
  CLEAR_DAYS,
  DONE_SINCE,
  sealBodies,
  type KeptBody,
} from '../../src/inbox/bodies.ts'
import { rowsUnderOtherKeys } from '../../src/keys/rotate.ts'
import { openFor } from '../donations/facts.ts'
import { payuCallback, payuVerified, razorpayEvent } from '../support/bodies.ts'
import { startNock, stopNock } from '../support/nock.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'

interface EventRow extends KeptBody {
  state: string
  redacted_at: Date | null
  last_error: string | null
}

const CONTACTS = /donor@example\.org|\+919900000000/
const NEW = `t2:${Buffer.alloc(32, 8).toString('base64')}`

describe('the bodies of webhooks at rest', () => {
  let service: TestService
  let payments = 0

  beforeEach(async () => {
    service = await startTestService()
  })

  afterEach(async () => {
    await service.stop()
  })

  const events = async () =>
    await service.rows<EventRow>('select * from inbox_events order by event_id')
  const old = async (days = CLEAR_DAYS) =>
    await service.rows(
      `update inbox_events set processed_at = now() - $1 * interval '1 day' - interval '1 minute'
        where state <> 'waiting'`,
      [days],
    )
  const opened = (event: EventRow, keyring: Keyring = service.parts.keyring) =>
    bodyOf(keyring, 1, event).toString()

  /** Events of a donation's payment, as the gateway sends them, processed; gives the donor's id. */
  async function paid(): Promise<string> {
    payments += 1
    const order = `order_TESTbody${payments}`
    const donation = await openFor(
      { db: service.parts.db, keyring: service.parts.keyring },
      { order },
    )
    const payment = { id: `pay_TESTbody${payments}`, orderId: order, amount: 50_000 }
    for (const type of ['payment.authorized', 'payment.captured', 'order.paid'] as const) {
      await service.deliver('razorpay', razorpayEvent(type, payment))
    }
    await processInbox.run(service.jobParts)
    const [row] = await service.rows<{ donor_id: string }>(
      'select donor_id from donations where donation_id = $1',
      [donation],
    )
    return row?.donor_id ?? ''
  }

  async function erase(donorId: string): Promise<Record<string, unknown>> {
    await issueReceiptsJob.run(service.jobParts)
    await sendReceipts.run(service.jobParts)
    const body = { reason: 'asked by letter' }
    const path = `/v1/donors/${donorId}/erase`
    const answer = await service.call('POST', path, { body, role: 'admin' })
    expect(answer.status, answer.text).to.equal(200)
    return answer.json
  }

  async function refused(sql: string): Promise<string> {
    return await service.parts.db
      .transact(1, async (trx) => await trx.query(sql))
      .then(
        () => 'done',
        (error: unknown) => String(error),
      )
  }

  it('are in clear for a week after processing, and sealed then, byte for byte', async () => {
    await paid()
    const before = await events()
    await sealInboxBodies.run(service.jobParts)
    expect((await events()).map(({ body }) => body)).to.deep.equal(before.map(({ body }) => body))
    await old()
    await sealInboxBodies.run(service.jobParts)
    const after = await events()
    expect(after).to.have.length(3)
    after.forEach((event, index) => {
      expect([event.body, event.redacted_at]).to.deep.equal([null, null])
      expect(event.body_sealed?.toString('latin1')).to.not.match(/donor@|captured/)
      expect(opened(event)).to.equal(before[index]?.body?.toString())
    })
    const refs = await service.rows<{ ref: string }>(
      'select distinct ref from inbox_refs order by 1',
    )
    expect(refs.map(({ ref }) => ref)).to.have.length(2)
    await sealInboxBodies.run(service.jobParts)
    expect(await events()).to.deep.equal(after)
  })

  it('are sealed of dead and of unreadable events too, and never of one that waits', async () => {
    for (const [n, text] of ['not json', '', '{"event":1,"x":"donor@example.org"}'].entries()) {
      const webhook = razorpayWebhook(text, RAZORPAY.webhookSecret, `evt_bad${n}`)
      await service.deliver('razorpay', webhook)
    }
    await processInbox.run(service.jobParts)
    await paid()
    await service.rows("update inbox_events set state = 'waiting' where state = 'ignored'")
    await service.rows("update inbox_events set next_try_at = now() - interval '8 days'")
    await old()
    await service.rows("update inbox_events set state = 'waiting' where state = 'processed'")
    await sealInboxBodies.run(service.jobParts)
    for (const event of await events()) {
      expect(event.body_sealed !== null, event.state).to.equal(event.state === 'dead')
    }
  })

  it('are rung for when one is due', async () => {
    await paid()
    const rung = async () => {
      const names: JobName[] = []
      const bells = { ...service.parts.bells, ring: (name: JobName) => void names.push(name) }
      await sweep({ ...service.parts, bells })
      return names
    }
    expect(await rung()).to.not.include('seal-inbox-bodies')
    await old()
    expect(await rung()).to.include('seal-inbox-bodies')
    await sealInboxBodies.run(service.jobParts)
    expect(await rung()).to.not.include('seal-inbox-bodies')
  })

  it('are looked for by an index that knows how old they are', async () => {
    const plan = await service.parts.db.read(1, async (trx) => {
      await trx.query('set local enable_seqscan = off')
      return await trx.query<{ 'QUERY PLAN': string }>(
        `explain select event_id from inbox_events
          where org_id = 1 and body is not null and state <> 'waiting'
            and ${DONE_SINCE} < now() - interval '7 days' order by ${DONE_SINCE} limit 50`,
      )
    })
    const condition = plan.map((row) => row['QUERY PLAN']).find((one) => one.includes('Index Cond'))
    expect(condition).to.match(/Index Cond: .*CASE WHEN \(processed_at IS NULL\)/)
  })

  it('are read where they are sealed: an event is replayed and changes nothing', async () => {
    await paid()
    await old()
    await sealInboxBodies.run(service.jobParts)
    const books = async () => [
      await service.rows('select * from payments'),
      await service.rows('select * from journal_entries'),
    ]
    const before = await books()
    await service.rows("update inbox_events set state = 'waiting', processed_at = null")
    await processInbox.run(service.jobParts)
    expect((await events()).map(({ state }) => state)).to.deep.equal(Array(3).fill('processed'))
    expect(await books()).to.deep.equal(before)
  })

  it('are read where a gateway is asked about them, but for one that no key opens', async () => {
    startNock()
    try {
      for (const txnid of ['donsealed1', 'donsealed2']) {
        const mihpayid = txnid === 'donsealed1' ? '403993715531077182' : '403993715531077183'
        await service.deliver('payu', payuCallback({ txnid, amount: '12.00', mihpayid }))
      }
      await service.rows("update inbox_events set state = 'ignored'")
      await old()
      await sealInboxBodies.run(service.jobParts)
      const [first] = await events()
      await service.rows('alter table inbox_events disable trigger bodies')
      await service.rows(
        'update inbox_events set body_sealed = body_sealed || $2 where event_id <> $1',
        [first?.event_id, Buffer.from('x')],
      )
      await service.rows("update inbox_events set state = 'waiting', processed_at = null")
      nock(GATEWAYS_URL)
        .post('/merchant/postservice.php?form=2')
        .reply(200, payuVerified('donsealed1', { amt: '12.00', transaction_amount: '12.00' }))
      await confirmPayments.run(service.jobParts)
      await processInbox.run(service.jobParts)
      const [one, other] = await events()
      expect(one?.state).to.equal('processed')
      expect([other?.state, other?.last_error]).to.deep.equal([
        'waiting',
        'Unsupported state or unable to authenticate data',
      ])
    } finally {
      stopNock()
    }
  })

  it('set aside what no key opens in processing, and go on', async () => {
    await paid()
    await old()
    await sealInboxBodies.run(service.jobParts)
    await service.rows('alter table inbox_events disable trigger bodies')
    const [spoilt] = await events()
    await service.rows("update inbox_events set body_sealed = '\\x0174' where event_id = $1", [
      spoilt?.event_id,
    ])
    await service.rows("update inbox_events set state = 'waiting', processed_at = null")
    await processInbox.run(service.jobParts)
    const states = (await events()).map(({ state }) => state)
    expect(states).to.deep.equal(['waiting', 'processed', 'processed'])
  })

  it('are sealed anew with a new key, and counted until they are', async () => {
    await paid()
    await old()
    await sealInboxBodies.run(service.jobParts)
    const both = readKeyring(`${NEW},t1:${Buffer.alloc(32, 7).toString('base64')}`)
    const left = async () => (await rowsUnderOtherKeys(service.parts.db, 1, 't2'))['inbox_events']
    expect(await left()).to.equal(3n)
    await rotateKeysJob.run({ ...service.jobParts, keyring: both })
    expect(await left()).to.equal(0n)
    for (const event of await events()) {
      expect(opened(event, readKeyring(NEW))).to.match(CONTACTS)
    }
  })

  it('lose a donor’s contacts when he is erased, and are processed as before', async () => {
    const [donorId] = [await paid(), await paid()]
    await old()
    await sealInboxBodies.run(service.jobParts)
    const erased = await erase(donorId)
    expect(erased['erased']).to.include('gateway_contacts')
    expect(erased['kept']).to.include('gateway_events')
    const all = await events()
    const own = all.filter((event) => opened(event).includes(`pay_TESTbody${payments - 1}`))
    expect(own).to.have.length(3)
    for (const event of all) {
      const isOwn = own.includes(event)
      expect(CONTACTS.test(opened(event))).to.equal(!isOwn)
      expect(event.redacted_at !== null).to.equal(isOwn)
    }
    expect((await erase(donorId))['erased']).to.deep.equal([])
    await service.rows("update inbox_events set state = 'waiting', processed_at = null")
    await processInbox.run(service.jobParts)
    expect((await events()).map(({ state }) => state)).to.deep.equal(Array(6).fill('processed'))
  })

  it('lose the contacts of who was erased before they were sealed', async () => {
    const [donorId] = [await paid(), await paid()]
    expect((await erase(donorId))['erased']).to.not.include('gateway_contacts')
    await old()
    await sealInboxBodies.run(service.jobParts)
    const redacted = (await events()).map((event) => !CONTACTS.test(opened(event)))
    expect(redacted.filter(Boolean)).to.have.length(3)
    expect((await events()).map((event) => event.redacted_at !== null)).to.deep.equal(redacted)
  })

  it('lose them too where both happen at the same time', async () => {
    for (let round = 0; round < 5; round += 1) {
      const donorId = await paid()
      await issueReceiptsJob.run(service.jobParts)
      await sendReceipts.run(service.jobParts)
      await old()
      const body = { reason: 'x' }
      await Promise.all([
        service.call('POST', `/v1/donors/${donorId}/erase`, { body, role: 'admin' }),
        sealInboxBodies.run(service.jobParts),
        sealInboxBodies.run(service.jobParts),
      ])
      for (const event of await events()) {
        expect(opened(event), `round ${round}`).to.not.match(CONTACTS)
      }
    }
  })

  it('are one organisation’s: another seals and redacts none of them', async () => {
    const donorId = await paid()
    await old()
    expect(await sealBodies(service.parts.db, 2, service.parts.keyring)).to.equal(0)
    await sealInboxBodies.run(service.jobParts)
    const seen = await service.parts.db.read(2, async (trx) =>
      trx.query('select * from inbox_refs union all select * from inbox_refs'),
    )
    expect(seen).to.deep.equal([])
    const [event] = await events()
    const stolen = () =>
      bodyOf(service.parts.keyring, 2, event ?? { event_id: '', body: null, body_sealed: null })
    expect(stolen, donorId).to.throw()
  })

  it('are sealed or redacted by the application’s role, and not changed else', async () => {
    await paid()
    for (const set of [
      "body = 'x'",
      "body = null, body_sealed = 'x'",
      "body = null, body_sealed = '\\x027431' || body || '\\x00'",
      'body = null',
      'redacted_at = now()',
    ]) {
      expect(await refused(`update inbox_events set ${set}`), set).to.match(
        /sealed or redacted|violates check|out of range|not a valid/,
      )
    }
    await old()
    await sealInboxBodies.run(service.jobParts)
    for (const set of [
      "body = 'x', body_sealed = null",
      "body_sealed = '\\x0274310000'",
      "body_sealed = body_sealed || '\\x00'",
      'redacted_at = now()',
    ]) {
      expect(await refused(`update inbox_events set ${set}`), set).to.match(/sealed or redacted/)
    }
    expect(await refused('delete from inbox_refs')).to.contain('permission denied')
    const [event] = await events()
    const context = JSON.stringify(['inbox body', 1, event?.event_id])
    const bytes = unseal(service.parts.keyring, event?.body_sealed ?? Buffer.alloc(0), context)
    expect(bytes.toString()).to.match(CONTACTS)
  })
})
