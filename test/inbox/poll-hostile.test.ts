/** Comparisons with a gateway that refuses, never ends, or leaves out what it says there is. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import { PAGES_MAX } from '../../src/inbox/polls/progress.ts'
import { openFor } from '../donations/facts.ts'
import { testOrganisation } from '../support/organisation.ts'
import { startPolling, type Polling } from '../support/polling.ts'
import { listedPayment } from '../support/razorpay-lists.ts'

describe('comparisons with a hostile gateway', () => {
  let polling: Polling

  beforeEach(async () => {
    polling = await startPolling()
  })

  afterEach(async () => {
    await polling.stop()
  })

  it('go on with the timetable where a range that was asked for is refused', async () => {
    const { service, razorpay } = polling
    razorpay.rows.payments = [listedPayment('pay_H1')]
    await polling.poll()
    await service.rows(`update gateway_polls set compared_until = now() - interval '1 hour'`)
    const body = { list: 'payments', from: '1991-01-01', to: '1991-01-02' }
    const asked = await service.call('POST', '/v1/gateway-polls/razorpay/run', { body })
    expect(asked.status, asked.text).to.equal(202)
    razorpay.before = (path) =>
      Number(new URL(path, razorpay.url).searchParams.get('from')) < 946_684_800 ? 400 : 200
    const before = (await polling.row('payments')).compared_until
    razorpay.rows.payments.push(listedPayment('pay_H2'))
    for (let tries = 0; tries < 3; tries += 1) {
      await polling.poll('all')
    }
    const row = await polling.row('payments')
    expect(row.compared_until).to.be.above(before)
    const again = await service.call('POST', '/v1/gateway-polls/razorpay/run', { body })
    expect(again.status, again.text).to.equal(202)
  })

  it('ask about one organisation’s orders though another’s key does not open', async () => {
    const { service, razorpay } = polling
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(razorpay.url, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    for (let n = 0; n < 25; n += 1) {
      await openFor(service.parts, { order: `order_H${n}` })
    }
    await openFor(service.parts, { order: 'order_OTHER', orgId: 2 })
    await polling.poll()
    await service.rows(
      `update gateway_accounts set key_secret_sealed = 'nothing'::bytea where org_id = 1`,
    )
    await service.rows(
      `insert into gateway_questions (org_id, gateway, account, about, gateway_ref, order_ref,
         since, next_ask_at)
       select org_id, gateway, a.account, 'order', order_ref, order_ref, now(),
              now() - interval '1 minute' * (3 - org_id)
         from donations d join gateway_accounts a using (org_id, gateway)`,
    )
    await polling.poll()
    expect(razorpay.asked).to.include('/v1/orders/order_OTHER/payments')
  })

  it('end where a list’s pages go in a circle, and begin anew with a shorter window', async () => {
    const { service, razorpay } = polling
    await polling.poll()
    await service.rows(
      `update gateway_polls
          set window_pages = ${PAGES_MAX - 1}, compared_until = now() - interval '1 hour'`,
    )
    // A row without a time is on every page, and these pages are always full.
    razorpay.rows.payments = Array.from({ length: 2000 }, (_none, n) => ({
      ...listedPayment(`pay_E${n % 100}`),
      created_at: 'once',
    }))
    const before = await polling.row('payments')
    await polling.poll('all')
    const row = await polling.row('payments')
    expect(row.last_problem).to.contain('pages and more')
    expect(row).to.include({ window_pages: 0, cursor: null, pass: 'usual' })
    expect(row.window_seconds).to.be.below(3600)
    expect(row.next_due_at.getTime() - Date.now()).to.be.above(9 * 60_000)
    expect(row.compared_until).to.deep.equal(before.compared_until)
    razorpay.rows.payments = []
    await polling.poll('all')
    expect(await polling.row('payments')).to.include({ pass: null, last_problem: null })
  })
})
