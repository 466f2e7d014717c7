/** What gateways told when they were asked, taken into the inbox: once, and by every gateway. */
import { expect } from 'chai'
import { processInbox } from '../../jobs/process-inbox.ts'
import type { Told } from '../../src/gateways/asked.ts'
import type { GatewayName } from '../../src/gateways/fact.ts'
import { toldOf as toldByPayu } from '../../src/gateways/payu/ask.ts'
import { toldOf as toldByRazorpay } from '../../src/gateways/razorpay/calls.ts'
import { toldOf as toldByStripe } from '../../src/gateways/stripe/calls.ts'
import { storeTold } from '../../src/inbox/told.ts'
import { dispute } from '../gateways/stripe-objects.ts'
import { PAYU, RAZORPAY } from '../support/organisation.ts'
import { listedPayment } from '../support/razorpay-lists.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'

describe('what a gateway told when it was asked', () => {
  let service: TestService

  beforeEach(async () => {
    service = await startTestService()
  })

  afterEach(async () => {
    await service.stop()
  })

  const razorpayAccount = {
    gateway: 'razorpay' as const,
    ...RAZORPAY,
    apiUrl: 'http://gateways.test',
  }
  const payuAccount = {
    gateway: 'payu' as const,
    account: PAYU.account,
    keyId: PAYU.account,
    keySecret: PAYU.salt,
    apiUrl: 'http://gateways.test',
  }

  function payment(id: string, more: JsonObject = {}): Told {
    const entity = listedPayment(id, { created_at: 1_795_000_000, ...more })
    return toldByRazorpay(razorpayAccount, 'payment.captured', { payment: entity }, id)
  }

  function settlement(amount = '11697.15'): Told {
    const evidence = {
      settlementId: '114757202601021245',
      settlementCompletedDate: '2026-01-02 17:18:21',
      settlementAmount: amount,
      utrNumber: 'UTR1',
    }
    return toldByPayu(
      payuAccount,
      evidence.settlementId,
      { ...evidence, event: 'settlement' },
      evidence,
    )
  }

  async function store(
    gateway: GatewayName,
    account: string,
    told: readonly Told[],
    how: 'asked' | 'polled' = 'asked',
  ): Promise<number> {
    return await service.parts.db.transact(
      service.orgId,
      async (trx) => await storeTold(trx, { gateway, account }, told, how),
      { isolation: 'read committed' },
    )
  }

  async function states(): Promise<Record<string, unknown>[]> {
    return await service.rows(
      'select gateway, lane, state, told, event_type from inbox_events order by event_id',
    )
  }

  it('is stored once, however often and by however many at a time it is told', async () => {
    const some = [payment('pay_W1'), payment('pay_W2')]
    const stored = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const told = index % 2 === 0 ? some : [...some].reverse()
        return await store('razorpay', RAZORPAY.account, told)
      }),
    )
    expect(stored.reduce((sum, count) => sum + count, 0)).to.equal(2)
    expect(await store('razorpay', RAZORPAY.account, [...some, ...some], 'polled')).to.equal(0)
    expect(await store('razorpay', RAZORPAY.account, [])).to.equal(0)
    const other = payment('pay_W1', { amount: 1 })
    expect(await store('razorpay', RAZORPAY.account, [other])).to.equal(1)
  })

  it('is new where only the evidence beside it is', async () => {
    const one = settlement()
    expect(await store('payu', PAYU.account, [one, one])).to.equal(1)
    const evidence = { ...one.confirmation, utrNumber: 'UTR2' }
    expect(await store('payu', PAYU.account, [{ ...one, confirmation: evidence }])).to.equal(1)
  })

  it('goes with the money, and becomes facts without anybody being asked again', async () => {
    await store('payu', PAYU.account, [settlement()], 'polled')
    await store('razorpay', RAZORPAY.account, [payment('pay_W3')])
    const contested = toldByStripe('dispute', dispute())
    await store('stripe', 'acct_TEST', contested === undefined ? [] : [contested], 'polled')
    await processInbox.run(service.jobParts)
    const found = await states()
    expect(found.map(({ lane, state, told }) => [lane, state, told])).to.deep.equal([
      ['money', 'processed', 'polled'],
      ['money', 'processed', 'asked'],
      ['money', 'processed', 'polled'],
    ])
    const facts = await service.rows<{ kind: string }>('select kind from facts order by kind')
    expect(facts.map(({ kind }) => kind)).to.deep.equal([
      'dispute_opened',
      'payment_captured',
      'settled',
    ])
  })

  it('keeps its evidence when processing fails once', async () => {
    await service.rows(`
      create function refuse() returns trigger language plpgsql as $$
      begin raise exception 'always refused'; end $$;
      create trigger refuse before insert on facts for each row execute function refuse()`)
    await store('payu', PAYU.account, [settlement()], 'polled')
    await processInbox.run(service.jobParts)
    await service.rows('drop trigger refuse on facts')
    expect((await states())[0]).to.include({ state: 'waiting' })
    await service.rows('update inbox_events set next_try_at = now()')
    await processInbox.run(service.jobParts)
    expect((await states())[0]).to.include({ state: 'processed', event_type: 'settlement' })
  })

  it('does not stop at what nobody can read', async () => {
    const hostile: Told = {
      ...payment('pay_W4'),
      event: { ...payment('pay_W4').event, body: Buffer.from('{"event":"\u0000"}') },
    }
    expect(await store('razorpay', RAZORPAY.account, [hostile, payment('pay_W5')])).to.equal(2)
    await processInbox.run(service.jobParts)
    const ended = (await states()).map(({ state }) => state)
    expect(ended).to.have.members(['dead', 'processed'])
  })
})
