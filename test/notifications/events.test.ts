/** What organisations' own systems hear of what really happens, and what they never hear. */
import { expect } from 'chai'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import nock from 'nock'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { sendInstructions } from '../../jobs/send-instructions.ts'
import { deliverReceipts } from '../../src/donations/deliver.ts'
import { EVENT_TYPES } from '../../src/notifications/outbox/events.ts'
import { post } from '../../src/ledger/posting/post.ts'
import { captured, record } from '../donations/facts.ts'
import { donate, payUnasked, textIn, withGateways } from '../http/seeded.ts'
import { BANK, credit, debit, draftOf } from '../ledger/books.ts'
import {
  disputeLost,
  disputeOpened,
  disputeWon,
  refundCreated,
  refundFailed,
  refundProcessed,
  settled,
} from '../payments/facts.ts'
import { cash, cheque } from '../offline/asked.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { GATEWAYS_URL, type TestService } from '../support/service.ts'
import { deliver, startOutbound, subscribe } from './outbound.ts'
import { receiver, type Receiver } from './receivers.ts'

interface Payload {
  type: string
  timestamp: string
  data: Record<string, unknown>
}

interface Contract {
  webhooks: Record<string, object>
}

describe('the events that webhooks tell of', () => {
  let service: TestService
  let one: Receiver
  const told: Payload[] = []

  withGateways()

  before(async () => {
    service = await startOutbound()
    one = await receiver()
    await subscribe(service, one.url, EVENT_TYPES)
  })

  after(async () => {
    await one.close()
    await service.stop()
  })

  /** What came since the last time, by type. */
  async function news(): Promise<Payload[]> {
    await deliver(service)
    const fresh = one.got.splice(0).map((got) => JSON.parse(got.body) as Payload)
    told.push(...fresh)
    return fresh.sort((a, b) => (a.type < b.type ? -1 : 1))
  }

  const typesOf = (all: readonly Payload[]) => all.map(({ type }) => type)

  it('are those of a donation, from its payment to the email of its receipt', async () => {
    const donation = await donate(service, 250_050, '2026-05-04')
    await service.runJobs()
    const all = await news()
    expect(typesOf(all)).to.deep.equal([
      'donation.paid',
      'payment.captured',
      'receipt.emailed',
      'receipt.issued',
    ])
    const [paid, captured, emailed, issued] = all.map(({ data }) => data)
    const money = { amount: 250_050, currency: 'INR' }
    expect(paid).to.include({ donation, fund: 'education', ...money, journal_entry: 'je_1' })
    expect(captured).to.include({ donation, gateway: 'razorpay', ...money, journal_entry: 'je_1' })
    expect(issued).to.include({ donation, donated_on: '2026-05-04', ...money })
    expect(emailed).to.deep.equal({ receipt: issued?.['receipt'], donation })
    expect(captured?.['payment']).to.equal(paid?.['payment'])
    expect(issued?.['payment']).to.equal(paid?.['payment'])
  })

  it('come once, whatever the gateway repeats', async () => {
    await service.deliver(
      'razorpay',
      razorpayEvent('payment.captured', { id: 'pay_T1', orderId: null, amount: 700 }),
    )
    await service.deliver(
      'razorpay',
      razorpayEvent('payment.captured', { id: 'pay_T1', orderId: null, amount: 700 }, 'evt_again'),
    )
    await service.runJobs()
    await service.runJobs()
    const all = await news()
    expect(typesOf(all)).to.deep.equal(['payment.captured'])
    expect(all[0]?.data).to.include({ donation: null, amount: 700, gateway_payment_id: 'pay_T1' })
  })

  it('are failures of payments too, unless the money came before them', async () => {
    const failed = { id: 'pay_T2', orderId: null, amount: 800 }
    await service.deliver('razorpay', razorpayEvent('payment.failed', failed))
    await service.deliver('razorpay', razorpayEvent('payment.failed', { ...failed, id: 'pay_T1' }))
    await service.runJobs()
    const all = await news()
    expect(typesOf(all)).to.deep.equal(['payment.failed'])
    expect(all[0]?.data).to.include({ gateway_payment_id: 'pay_T2', amount: 800 })
  })

  it('are emails that nobody can deliver', async () => {
    await donate(service, 900, '2026-05-05')
    await service.runJobs()
    await news()
    await donate(service, 901, '2026-05-05')
    const refusing = {
      send: async () => ({ outcome: 'refused', reason: 'no such mailbox' }) as const,
      close: () => undefined,
    }
    await processInbox.run(service.jobParts)
    await issueReceiptsJob.run(service.jobParts)
    await deliverReceipts({ ...service.jobParts, mailer: refusing }, 1)
    const undeliverable = (await news()).find(({ type }) => type === 'receipt.undeliverable')
    expect(undeliverable?.data).to.include({ state: 'refused' })
  })

  it('are emails of which nobody knows what became of them, after a while', async () => {
    await donate(service, 902, '2026-05-06')
    await service.runJobs()
    await news()
    await service.rows(
      `update receipt_emails set state = 'sending', sent_at = null, unknown_attempts = 1,
         next_try_at = now() - interval '1 second'
        where email_id = (select max(email_id) from receipt_emails)`,
    )
    await deliverReceipts(service.jobParts, 1)
    const [unknown, ...others] = await news()
    expect(others).to.deep.equal([])
    expect(unknown).to.deep.include({ type: 'receipt.undeliverable' })
    expect(unknown?.data).to.include({ state: 'unconfirmed' })
  })

  it('are months that close and open again, each change once, and years', async () => {
    await payUnasked(service, { id: 'pay_T9', amount: 900, day: '2024-02-10' })
    await service.runJobs()
    await news()
    const reason = 'Reviewed'
    const change = async (path: string, body: object): Promise<void> => {
      const answer = await service.call('POST', `/v1/${path}`, { role: 'admin', body })
      expect(answer.status, answer.text).to.equal(200)
    }
    await change('periods/2024-02/close', { state: 'soft_closed', reason })
    await change('periods/2024-02/close', { state: 'soft_closed', reason })
    await change('periods/2024-02/reopen', { reason })
    expect((await news()).map(({ type, data }) => [type, data])).to.have.deep.members([
      ['period.closed', { month: '2024-02', state: 'soft_closed', version: 1 }],
      ['period.reopened', { month: '2024-02', state: 'open', version: 2 }],
    ])
    const gift = draftOf('gift', {
      effectiveOn: '2024-03-15',
      lines: [debit(BANK, 500n), credit('income:donations:general', 500n)],
    })
    await service.parts.db.transact(1, async (trx) => await post(trx, [gift]))
    await change('financial-years/2023-24/close', { reason })
    await change('financial-years/2023-24/close', { reason })
    const years = await news()
    expect(typesOf(years)).to.deep.equal(['financial_year.closed'])
    expect(years[0]?.data).to.include({ financial_year: '2023-24' })
  })

  it('are refunds, disputes and settlements, each step once', async () => {
    const refund = { refund: 'rfnd_1', payment: 'pay_T4' }
    const other = { refund: 'rfnd_2', payment: 'pay_T4' }
    const dispute = { dispute: 'disp_1', payment: 'pay_T4' }
    const elsewhere = { dispute: 'disp_2', payment: 'pay_elsewhere' }
    const facts = [
      captured({ payment: 'pay_T4' }),
      refundCreated(refund),
      refundCreated(other),
      refundProcessed(refund),
      refundFailed(other),
      disputeOpened(dispute),
      disputeLost(dispute),
      disputeOpened(elsewhere),
      disputeWon(elsewhere),
      settled({ id: 'setl_1' }),
    ]
    await record(service.parts, [...facts, ...facts])
    await record(service.parts, facts)
    const all = await news()
    expect(typesOf(all)).to.deep.equal([
      'dispute.lost',
      'dispute.opened',
      'dispute.opened',
      'dispute.won',
      'payment.captured',
      'refund.created',
      'refund.created',
      'refund.failed',
      'refund.processed',
      'settlement.processed',
    ])
    const dataOf = (type: string) => all.find((one) => one.type === type)?.data
    const payment = dataOf('payment.captured')?.['payment']
    expect(dataOf('refund.processed')).to.include({ payment, amount: 10_000, currency: 'INR' })
    expect(dataOf('dispute.lost')).to.include({ payment, gateway_dispute_id: 'disp_1' })
    expect(dataOf('dispute.won')).to.include({ payment: null, amount: 20_000 })
    expect(dataOf('settlement.processed')).to.include({ amount: 30_000, utr: 'UTR1' })
  })

  it('are receipts that are cancelled, because their donation is given back', async () => {
    const donation = await donate(service, 7000, '2026-05-06')
    await service.runJobs()
    await news()
    const [row] = await service.rows<{ id: string }>(
      'select gateway_payment_id as id from payments where donation_id = $1',
      [donation],
    )
    const refund = { refund: 'rfnd_given', payment: row?.id ?? '', amount: 7000n }
    await record(service.parts, [refundCreated(refund), refundProcessed(refund)])
    const all = await news()
    expect(typesOf(all)).to.deep.equal(['receipt.cancelled', 'refund.created', 'refund.processed'])
    expect(all[0]?.data).to.include({ donation, amount: 7000, currency: 'INR' })
  })

  it('are instructions that end, each in its way', async () => {
    const [row] = await service.rows<{ id: string }>(
      `select payment_id as id from payments where gateway_payment_id = 'pay_T4'`,
    )
    const path = '/v1/payments/pay_T4/refund'
    const answer = (reference: string, status: string) => ({
      id: `rfnd_${status}`,
      entity: 'refund',
      payment_id: 'pay_T4',
      amount: 1000,
      currency: 'INR',
      receipt: reference,
      status,
      created_at: 1_795_000_000,
    })
    const instructed = async (key: string): Promise<string> => {
      const asked = await service.call('POST', `/v1/payments/${row?.id}/refunds`, {
        body: { amount: 1000, reason: 'Paid twice' },
        headers: { 'idempotency-key': key },
      })
      return textIn(asked.json, 'reference')
    }
    for (const status of ['processed', 'failed']) {
      const reference = await instructed(status)
      nock(GATEWAYS_URL).post(path).reply(200, answer(reference, status))
      await sendInstructions.run(service.jobParts)
      await processInbox.run(service.jobParts)
    }
    await instructed('refused')
    nock(GATEWAYS_URL)
      .post(path)
      .reply(400, { error: { description: 'Too old' } })
    await sendInstructions.run(service.jobParts)
    const lost = await instructed('unknown')
    nock(GATEWAYS_URL).post(path).reply(500, {})
    await sendInstructions.run(service.jobParts)
    await service.rows('alter table instructions disable trigger guard')
    await service.rows(
      `update instructions set first_sent_at = now() - interval '1 day', next_try_at = now()
        where reference = $1`,
      [lost],
    )
    await service.rows('alter table instructions enable trigger guard')
    nock(GATEWAYS_URL)
      .get(/refunds/)
      .reply(200, { entity: 'collection', items: [] })
    await sendInstructions.run(service.jobParts)
    const ends = (await news()).filter(({ type }) => type.startsWith('instruction.'))
    expect(typesOf(ends)).to.deep.equal([
      'instruction.done',
      'instruction.failed',
      'instruction.refused',
      'instruction.unknown',
    ])
    expect(ends[3]?.data).to.include({ kind: 'refund', payment: row?.id, reference: lost })
  })

  it('are cheques with what becomes of them, and other gifts past the gateways', async () => {
    const record = async (body: object) => {
      const answer = await service.call('POST', '/v1/offline-payments', { body })
      expect(answer.status, answer.text).to.equal(201)
      return textIn(answer.json, 'id')
    }
    await record(cash())
    expect(typesOf(await news())).to.deep.equal(['donation.paid'])
    const id = await record(cheque())
    const step = async (name: string, body: object) => {
      for (const _twice of [1, 2]) {
        await service.call('POST', `/v1/offline-payments/${id}/${name}`, { body })
      }
      return await news()
    }
    const [received] = await news()
    expect(received?.type).to.equal('cheque.received')
    expect(received?.data).to.include({ offline_payment: id, received_on: '2026-05-04' })
    const realised = await step('realise', { on: '2026-05-07' })
    expect(typesOf(realised)).to.deep.equal(['cheque.realised', 'donation.paid'])
    const back = await step('bounce', { on: '2026-05-08', reason: 'Funds insufficient' })
    expect(typesOf(back)).to.deep.equal(['cheque.bounced'])
    expect(back[0]?.data['payment']).to.equal(realised[0]?.data['payment'])
  })

  it('are all that there are, as the published contract says they are', async () => {
    expect(new Set(typesOf(told))).to.deep.equal(new Set(EVENT_TYPES))
    const contract = (await (await fetch(`${service.url}/openapi.json`)).json()) as Contract
    expect(Object.keys(contract.webhooks)).to.deep.equal([...EVENT_TYPES, 'webhook.test'])
    const ajv = new Ajv2020({ strict: false })
    addFormats.default(ajv)
    ajv.addSchema({ ...contract, $id: 'contract' })
    for (const payload of told) {
      const place = `contract#/webhooks/${payload.type}/post/requestBody/content`
      const $ref = `${place}/application~1json/schema`
      expect(ajv.validate({ $ref }, payload), ajv.errorsText()).to.equal(true)
      expect(ajv.validate({ $ref }, { ...payload, data: { ...payload.data, x: 1 } })).to.equal(
        false,
      )
    }
  })

  it('name nobody: no donor, no address, no mail, no phone, no PAN', () => {
    const text = JSON.stringify(told)
    for (const personal of ['कुलकर्णी', 'example.org', '9900000000', 'ABCPK', 'Tilak', '411030']) {
      expect(text).not.to.include(personal)
    }
    expect(Math.max(...told.map((one) => JSON.stringify(one).length))).to.be.below(1000)
  })

  it('are explained on the page for people', async () => {
    const page = await (await fetch(`${service.url}/docs`)).text()
    for (const type of EVENT_TYPES) {
      expect(page).to.include(`Sent: ${type}`)
    }
  })
})
