/** Processing: what is understood is recorded once, what is not is kept and harms nobody else. */
import { expect } from 'chai'
import nock from 'nock'
import { confirmPayments } from '../../jobs/confirm-payments.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { asOwner } from '../../scripts/stack.ts'
import { payuCallback, payuVerified, razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'
import { startNock, stopNock } from '../support/nock.ts'

interface EventRow {
  event_id: string
  state: string
  attempts: number
  event_type: string | null
  last_error: string | null
  next_try_at: Date
}

let service: TestService

async function eventOf(text: string): Promise<EventRow> {
  const [row] = await service.rows<EventRow>(
    `select event_id, state, attempts, event_type, last_error, next_try_at
       from inbox_events where position($1::bytea in body) > 0`,
    [Buffer.from(text)],
  )
  if (row === undefined) {
    throw new Error(`no event with ${text}`)
  }
  return row
}

async function entries(text: string): Promise<number> {
  const rows = await service.rows(
    `select 1 from journal_entries where idempotency_key like '%' || $1 || '%'`,
    [text],
  )
  return rows.length
}

async function makeDue(): Promise<void> {
  await service.rows(`update inbox_events set next_try_at = now() where state = 'waiting'`)
}

function captured(id: string, amount = 5000) {
  return razorpayEvent('payment.captured', { id, orderId: null, amount })
}

describe('processing the inbox', () => {
  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('keeps an event type that it does not know, as ignored', async () => {
    const webhook = razorpayWebhook(
      { event: 'token.rejected', payload: { token: {} } },
      RAZORPAY.webhookSecret,
    )
    await service.deliver('razorpay', webhook)
    await processInbox.run(service.jobParts)
    expect(await eventOf('token.rejected')).to.include({
      state: 'ignored',
      event_type: 'token.rejected',
    })
  })

  it('sets signed nonsense aside with its reason, and processes what came with it', async () => {
    const nonsense = [
      'not json at all',
      '[1,2]',
      '{"event":1}',
      '\u0000',
      '{"event":"payment.captured"}',
    ]
    for (const [n, text] of nonsense.entries()) {
      const webhook = razorpayWebhook(text, RAZORPAY.webhookSecret, `evt_nonsense${n}`)
      expect((await service.deliver('razorpay', webhook)).status).to.equal(200)
    }
    await service.deliver('razorpay', captured('pay_TESTamong0001'))
    await processInbox.run(service.jobParts)
    expect(await entries('pay_TESTamong0001')).to.equal(1)
    const dead = await service.call('GET', '/v1/inbox-events?state=dead')
    expect(dead.json['data']).to.have.length(nonsense.length)
    for (const one of dead.json['data'] as Record<string, unknown>[]) {
      expect(one['last_error']).to.be.a('string').and.not.equal('')
    }
  })

  it('refuses a second telling of a capture with another amount, and says so', async () => {
    await service.deliver('razorpay', captured('pay_TESTclash0001', 700))
    await processInbox.run(service.jobParts)
    await service.deliver('razorpay', captured('pay_TESTclash0001', 900))
    await processInbox.run(service.jobParts)
    expect(await entries('pay_TESTclash0001')).to.equal(1)
    const clash = await eventOf('"amount":900')
    expect(clash.state).to.equal('dead')
    expect(clash.last_error).to.include('another amount')
  })

  it('marks what went well of a batch, and of what is refused the one attempt', async () => {
    await service.deliver('razorpay', captured('pay_TESTmixed0001', 1100))
    await service.deliver('razorpay', captured('pay_TESTmixed0001', 1300))
    await service.deliver('razorpay', captured('pay_TESTmixed0002', 1500))
    await processInbox.run(service.jobParts)
    const rows = await service.rows<Record<string, unknown>>(
      `select e.state, e.attempts, e.event_type, e.processed_at is null as unprocessed,
              (select count(*)::integer from inbox_attempts a
                where a.event_id = e.event_id) as failed
         from inbox_events e where position('pay_TESTmixed'::bytea in e.body) > 0
        order by e.event_id`,
    )
    const well = {
      state: 'processed',
      attempts: 1,
      event_type: 'payment.captured',
      unprocessed: false,
      failed: 0,
    }
    const refused = { ...well, state: 'dead', unprocessed: true, failed: 1 }
    expect(rows).to.deep.equal([well, refused, well])
  })

  it('changes nothing when processed events are processed again', async () => {
    const before = await service.rows('select * from payments order by payment_id')
    await service.rows(`update inbox_events set state = 'waiting' where state = 'processed'`)
    await processInbox.run(service.jobParts)
    expect(await service.rows('select * from payments order by payment_id')).to.deep.equal(before)
    expect(await service.rows(`select 1 from inbox_events where state = 'waiting'`)).to.have.length(
      0,
    )
  })

  it('isolates one event that breaks the whole batch, however many come with it', async () => {
    await asOwner(service.database.ownerUrl, async (client) => {
      await client.query(`
        create function poison() returns trigger language plpgsql as $$
        begin
          if new.fact_key like '%pay_TESTpoison%' then raise exception 'poisoned'; end if;
          return new;
        end $$;
        create trigger poison before insert on facts for each row execute function poison()`)
    })
    for (let n = 0; n < 30; n += 1) {
      const id = n === 11 ? 'pay_TESTpoison001' : `pay_TESTbeside${n}`
      await service.deliver('razorpay', captured(id))
    }
    await processInbox.run(service.jobParts)
    expect(await entries('pay_TESTbeside')).to.equal(29)
    const poisoned = await eventOf('pay_TESTpoison001')
    expect(poisoned).to.include({ state: 'waiting', attempts: 1, last_error: 'poisoned' })
    expect(poisoned.next_try_at.getTime()).to.be.greaterThan(Date.now())

    await service.rows('drop trigger poison on facts')
    await makeDue()
    await processInbox.run(service.jobParts)
    expect((await eventOf('pay_TESTpoison001')).state).to.equal('processed')
    const log = await service.rows('select error from inbox_attempts where event_id = $1', [
      poisoned.event_id,
    ])
    expect(log).to.deep.equal([{ error: 'poisoned' }])
  })

  it('gives an event up as dead after its last try, visible and with its reason', async () => {
    await service.rows(`
      create function refuse() returns trigger language plpgsql as $$
      begin raise exception 'always refused'; end $$;
      create trigger refuse before insert on facts for each row execute function refuse()`)
    await service.deliver('razorpay', captured('pay_TESTgiveup001'))
    for (let n = 0; n < 24; n += 1) {
      await makeDue()
      await processInbox.run(service.jobParts)
    }
    await service.rows('drop trigger refuse on facts')
    expect(await eventOf('pay_TESTgiveup001')).to.include({ state: 'dead', attempts: 24 })
  })
})

describe('processing PayU callbacks', () => {
  before(async () => {
    startNock()
    service = await startTestService()
  })

  afterEach(() => {
    nock.cleanAll()
  })

  after(async () => {
    stopNock()
    await service.stop()
  })

  function verifyAnswers(txnid: string, fields: Record<string, string>): void {
    const amounts = { amt: '100.00', transaction_amount: '100.00' }
    nock(GATEWAYS_URL)
      .post('/merchant/postservice.php', (body: { var1: string }) => body.var1 === txnid)
      .query(true)
      .reply(200, payuVerified(txnid, { ...amounts, ...fields }))
  }

  it('posts no money for status success with unmappedstatus auth', async () => {
    verifyAnswers('TXNauth', { mihpayid: '111', unmappedstatus: 'auth' })
    const callback = payuCallback({
      txnid: 'TXNauth',
      amount: '100.00',
      mihpayid: '111',
      unmappedstatus: 'auth',
    })
    await service.deliver('payu', callback)
    await service.runJobs()
    expect(await entries(':111:')).to.equal(0)
    const [payment] = await service.rows<{ state: string }>(
      `select state from payments where gateway_payment_id = '111'`,
    )
    expect(payment?.state).to.equal('authorized')
  })

  it('posts nothing that a replayed form claims and PayU does not confirm', async () => {
    verifyAnswers('TXNforge', { mihpayid: '222', unmappedstatus: 'captured' })
    // The hash does not cover mihpayid: this form was captured once under 222.
    const forged = payuCallback({ txnid: 'TXNforge', amount: '100.00', mihpayid: '999' })
    await service.deliver('payu', forged)
    await service.runJobs()
    expect(await entries(':999:')).to.equal(0)
    expect((await eventOf('TXNforge')).state).to.equal('waiting')
  })

  it('waits while PayU does not answer, asks again, and posts then', async () => {
    nock(GATEWAYS_URL).post('/merchant/postservice.php').query(true).reply(502, 'Bad gateway')
    const callback = payuCallback({ txnid: 'TXNlate', amount: '100.00', mihpayid: '333' })
    expect((await service.deliver('payu', callback)).status).to.equal(200)
    await service.runJobs()
    const waiting = await eventOf('TXNlate')
    expect(waiting).to.include({ state: 'waiting', attempts: 1 })
    expect(await entries(':333:')).to.equal(0)

    verifyAnswers('TXNlate', { mihpayid: '333' })
    await service.rows(`update inbox_events set next_try_at = now() where event_id = $1`, [
      waiting.event_id,
    ])
    await service.runJobs()
    expect(await entries(':333:')).to.equal(1)
  })

  it('asks about many payments in one call', async () => {
    // What the tests before left waiting is not asked about beside them.
    await service.rows(
      `update inbox_events set next_try_at = now() + interval '1 hour' where state = 'waiting'`,
    )
    const txnids = Array.from({ length: 5 }, (_none, n) => `TXNmany${n}`)
    const details = Object.fromEntries(
      txnids.map((txnid, n) => {
        const answer = payuVerified(txnid, { amt: '100.00', mihpayid: `44${n}` })
        const { transaction_details: own } = answer as { transaction_details: object }
        return Object.entries(own)[0] ?? []
      }),
    ) as object
    let calls = 0
    nock(GATEWAYS_URL)
      .post('/merchant/postservice.php')
      .query(true)
      .times(5)
      .reply(200, () => {
        calls += 1
        return { status: 1, msg: 'ok', transaction_details: details }
      })
    for (const [n, txnid] of txnids.entries()) {
      await service.deliver('payu', payuCallback({ txnid, amount: '100.00', mihpayid: `44${n}` }))
    }
    await confirmPayments.run(service.jobParts)
    await processInbox.run(service.jobParts)
    expect(calls).to.equal(1)
    expect(await entries(':44')).to.equal(5)
  })
})
