/** Comparisons under attack: cut, crowded out, asked for twice, with keys that do not open. */
import { expect } from 'chai'
import nock from 'nock'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { pollGateways } from '../../jobs/poll-gateways.ts'
import { startWorker } from '../../jobs/worker.ts'
import { asOwner } from '../../scripts/stack.ts'
import { claim } from '../../src/inbox/polls/questions.ts'
import { openFor } from '../donations/facts.ts'
import { rowsOf } from '../http/seeded.ts'
import { payuVerified } from '../support/bodies.ts'
import { startNock, stopNock } from '../support/nock.ts'
import { PAYU, testOrganisation } from '../support/organisation.ts'
import { startPolling, type Polling } from '../support/polling.ts'
import { listedPayment, minutesAgo } from '../support/razorpay-lists.ts'
import { GATEWAYS_URL, type JsonObject } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('comparisons with gateways', () => {
  let polling: Polling

  beforeEach(async () => {
    polling = await startPolling()
  })

  afterEach(async () => {
    await polling.stop()
  })

  async function countOf(what: string): Promise<number> {
    const [row] = await polling.service.rows<{ count: number }>(
      `select count(*)::integer from ${what}`,
    )
    return row?.count ?? 0
  }

  function many(count: number): JsonObject[] {
    return Array.from({ length: count }, (_, n) => listedPayment(`pay_X${n}`, { amount: 100 + n }))
  }

  it('are begun by the sweep and the bell, without anybody asking', async () => {
    polling.razorpay.rows.payments = many(3)
    const worker = startWorker(polling.service.parts, ['poll-gateways', 'process-inbox'])
    try {
      await until(async () => (await countOf('payments')) === 3)
    } finally {
      await worker.close()
    }
    expect(await countOf('journal_entries')).to.equal(3)
  })

  it('keep all or nothing of a page that the database refuses in the middle', async () => {
    const { service, razorpay } = polling
    razorpay.rows.payments = many(120)
    await service.rows(`
      create function refuse() returns trigger language plpgsql as $$
      begin
        if convert_from(new.body, 'UTF8') like '%"pay_X110"%' then
          raise exception 'refused';
        end if;
        return new;
      end $$;
      create trigger refuse before insert on inbox_events for each row execute function refuse()`)
    await polling.poll()
    expect(await countOf('inbox_events')).to.equal(100)
    const row = await polling.row('payments')
    expect(row).to.include({ failures: 1, cursor: '100', seen: 100, lease: null })
    expect(row.last_problem).to.contain('our side').and.not.contain('refused')
    await service.rows('drop trigger refuse on inbox_events')
    await polling.poll('all')
    expect(await countOf('journal_entries')).to.equal(120)
    expect(await polling.row('payments')).to.include({ fed: 120, failures: 0 })
  })

  it('of one organisation do not wait for another’s long list', async () => {
    const { service, razorpay } = polling
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(razorpay.url, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    await service.rows(`update gateway_accounts set created_at = now() - interval '2 hours'`)
    razorpay.rows.payments = many(3000)
    const order: number[] = []
    razorpay.before = async () => {
      const rows = await service.rows<{ org_id: number }>(
        `select org_id from gateway_polls
          where gateway = 'razorpay' and list = 'payments' and leased_until > now()`,
      )
      order.push(...rows.map((row) => row.org_id))
      return 200
    }
    await pollGateways.run(service.jobParts)
    // Both are as long: neither is done before the other has had its turns.
    expect(order.indexOf(2)).to.be.below(order.lastIndexOf(1))
    expect(order.indexOf(1)).to.be.below(order.lastIndexOf(2))
    for (const orgId of [1, 2]) {
      expect(await countOf(`inbox_events where org_id = ${orgId}`)).to.equal(3000)
    }
  })

  it('go on for everybody else where one key does not open', async () => {
    const { service, razorpay } = polling
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(razorpay.url, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    await service.rows(
      `update gateway_accounts
          set key_secret_sealed = 'nothing'::bytea, created_at = now() - interval '2 hours'
        where org_id = 2`,
    )
    razorpay.rows.payments = many(2)
    await polling.poll()
    expect(await countOf('payments')).to.equal(2)
    const [row] = await service.rows<{ last_problem: string; failures: number }>(
      `select last_problem, failures from gateway_polls
        where org_id = 2 and gateway = 'razorpay' and list = 'refunds'`,
    )
    expect(row).to.include({ failures: 1 })
    expect(row?.last_problem).to.contain('our side')
  })

  it('take a range that is asked for while another pass runs, right after it', async () => {
    const { service, razorpay } = polling
    const old = minutesAgo(9 * 24 * 60)
    razorpay.rows.payments = [...many(5), listedPayment('pay_OLD', { created_at: old })]
    let isAsked = false
    razorpay.before = async (path) => {
      if (path.startsWith('/v1/payments?') && !isAsked) {
        isAsked = true
        const day = (ago: number) =>
          new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10)
        const body = { list: 'payments', from: day(11), to: day(7) }
        const asked = await service.call('POST', '/v1/gateway-polls/razorpay/run', { body })
        expect(asked.status, asked.text).to.equal(202)
      }
      return 200
    }
    await polling.poll()
    expect(await countOf('payments')).to.equal(6)
    const list = await service.call('GET', '/v1/gateway-polls?gateway=razorpay')
    expect(rowsOf(list.json)[0]).to.include({ asked: null, state: 'waiting', failures: 0 })
  })

  it('do not ask twice at a time, and ask again where the one who asked was killed', async () => {
    const { service } = polling
    await openFor(service.parts, { order: 'order_K1' })
    await service.rows(`update donations set opened_at = now() - interval '1 hour'`)
    await service.rows(
      `insert into gateway_questions (org_id, gateway, account, about, gateway_ref, since)
       values (1, 'razorpay', 'acc_TEST0000000001', 'order', 'order_K1', now())`,
    )
    const claims = await Promise.all(
      Array.from({ length: 5 }, async () => await claim(service.parts.db, 'razorpay')),
    )
    expect(claims.flat()).to.have.length(1)
    await polling.poll('all')
    expect(polling.razorpay.asked.join(' ')).to.not.contain('order_K1')
    await service.rows(`update gateway_questions set next_ask_at = now()`)
    await polling.poll('all')
    expect(polling.razorpay.asked.join(' ')).to.contain('order_K1')
  })

  it('let nobody of the application move what is compared to another organisation', async () => {
    await polling.poll()
    const { db } = polling.service.parts
    const foreign = await db.read(2, async (trx) => [
      ...(await trx.query('select 1 from gateway_polls')),
      ...(await trx.query('select 1 from gateway_differences')),
      ...(await trx.query('select 1 from gateway_questions')),
    ])
    expect(foreign).to.deep.equal([])
  })
})

describe('a comparison with PayU', () => {
  let polling: Polling

  before(async () => {
    startNock()
    polling = await startPolling()
    await polling.service.rows('delete from inbox_pauses')
    await polling.service.rows(
      `update gateway_accounts set created_at = now() - interval '50 minutes', api_url = $1
        where gateway = 'payu'`,
      [GATEWAYS_URL],
    )
  })

  after(async () => {
    await polling.stop()
    stopNock()
  })

  it('finds the payment whose callback was lost, and believes PayU’s own word on it', async () => {
    const txnid = 'BAHI0001'
    nock(GATEWAYS_URL)
      .post(
        '/merchant/postservice.php?form=2',
        (body: { command: string; key: string }) =>
          body.command === 'get_transaction_info' && body.key === PAYU.account,
      )
      .reply(200, { status: 1, Transaction_details: [{ txnid }] })
    nock(GATEWAYS_URL)
      .post(
        '/merchant/postservice.php?form=2',
        (body: { command: string }) => body.command === 'verify_payment',
      )
      .reply(200, payuVerified(txnid, { transaction_amount: '500.00' }))
    nock(GATEWAYS_URL)
      .get('/settlement/range')
      .query(true)
      .times(4)
      .reply(200, { status: 0, result: { totalCount: 0, data: [] } })
    await polling.poll()
    const [payment] = await polling.service.rows<JsonObject>(
      `select gateway, state, order_ref, amount::integer from payments`,
    )
    expect(payment).to.deep.equal({
      gateway: 'payu',
      state: 'captured',
      order_ref: txnid,
      amount: 50_000,
    })
    const rows = await polling.service.rows<{ list: string; failures: number }>(
      `select list, failures from gateway_polls where gateway = 'payu' order by list`,
    )
    expect(rows).to.deep.equal([
      { list: 'payments', failures: 0 },
      { list: 'settlementLines', failures: 0 },
      { list: 'settlements', failures: 0 },
    ])
  })
})
