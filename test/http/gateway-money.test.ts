/** Refunds, disputes, settlements, payouts, transfers, downtimes: shown, narrowed, page by page. */
import { expect } from 'chai'
import { captured, record } from '../donations/facts.ts'
import {
  disputeLost,
  disputeOpened,
  downtime,
  minutes,
  paymentFee,
  payoutPending,
  payoutProcessed,
  refundCreated,
  refundFailed,
  refundProcessed,
  refundVoided,
  settled,
  settlementReturned,
  transferProcessed,
  transferReversed,
} from '../payments/facts.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { allPages, rowsOf, textIn } from './seeded.ts'

const DAY = 24 * 60

/** Each list with how many rows it has, a filter by state, and how many rows that leaves. */
const LISTS: readonly [path: string, rows: number, filter: string, left: number][] = [
  ['refunds', 24, 'state=processed', 1],
  ['refunds', 24, 'gateway_refund_id=rfnd_2', 1],
  ['refunds', 24, 'gateway_payment_id=pay_9', 1],
  ['disputes', 3, 'state=lost', 1],
  ['disputes', 3, 'gateway_payment_id=pay_1', 2],
  ['settlements', 2, 'state=returned', 1],
  ['settlements', 2, 'utr=UTR1', 2],
  ['gateway-payouts', 2, 'state=queued', 1],
  ['gateway-payouts', 2, 'utr=UTR9', 1],
  ['transfers', 2, 'state=reversed', 1],
  ['transfers', 2, 'recipient=acc_WEAVER', 2],
  ['gateway-downtimes', 2, 'state=resolved', 1],
  ['gateway-downtimes', 2, 'method=card', 0],
]

const PATHS = [...new Set(LISTS.map(([path]) => path))]

describe('a list of gateways’ money', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
    const refund = { refund: 'rfnd_1', payment: 'pay_1' }
    const dispute = { dispute: 'disp_1', payment: 'pay_1' }
    const facts = [
      captured({ payment: 'pay_1' }, { subscriptionRef: 'sub_1' }),
      paymentFee('pay_1'),
      refundCreated(refund, 'ours'),
      refundProcessed({ ...refund, at: minutes(DAY) }, 'ARN1'),
      refundCreated({ refund: 'rfnd_2', payment: 'pay_1', at: minutes(2 * DAY) }),
      refundFailed({ refund: 'rfnd_2', payment: 'pay_1', at: minutes(3 * DAY) }),
      refundVoided({ refund: 'rfnd_3', payment: 'pay_9' }),
      ...Array.from({ length: 21 }, (_, index) =>
        refundCreated({ refund: `rfnd_many_${index}`, payment: 'pay_1', amount: 1n }),
      ),
      disputeOpened(dispute),
      disputeLost({ ...dispute, amount: 390n, at: minutes(9) }),
      disputeOpened({ dispute: 'disp_2', payment: 'pay_1', at: minutes(2 * DAY) }),
      disputeOpened({ dispute: 'disp_3', payment: 'pay_unknown' }),
      settled({ id: 'setl_1' }),
      settled({ id: 'setl_2', at: minutes(2 * DAY) }),
      settlementReturned({ id: 'setl_2', at: minutes(3 * DAY) }),
      payoutPending({ id: 'pout_1' }, 'queued'),
      payoutProcessed({ id: 'pout_2', at: minutes(2 * DAY) }),
      transferProcessed({ id: 'trf_1' }),
      transferProcessed({ id: 'trf_2', at: minutes(2 * DAY) }),
      transferReversed({ id: 'trf_2', at: minutes(3 * DAY) }, 'rvrsl_1'),
      downtime('started'),
      downtime('resolved', { at: minutes(20) }),
      downtime('started', { id: 'down_2', at: minutes(2 * DAY) }),
    ]
    const heard = await record(service.parts, facts)
    expect(heard).to.deep.equal(facts.map(() => null))
  })

  after(async () => {
    await service.stop()
  })

  async function list(path: string): Promise<JsonObject[]> {
    const { status, json, text } = await service.call('GET', `/v1/${path}`)
    expect(status, text).to.equal(200)
    return rowsOf(json)
  }

  for (const [path, rows, filter, left] of LISTS) {
    it(`has ${left} of its ${rows} ${path} where ${filter}`, async () => {
      expect(await list(path)).to.have.length(rows)
      expect(await list(`${path}?${filter}&gateway=razorpay`)).to.have.length(left)
      expect(await list(`${path}?${filter}&gateway=payu`)).to.have.length(0)
    })
  }

  for (const path of PATHS) {
    it(`of ${path} shows each row once, whatever the size of its pages`, async () => {
      const whole = await list(`${path}?limit=100`)
      const pages = await allPages(service, `/v1/${path}`, 1)
      expect(pages.flat()).to.deep.equal(whole)
    })

    it(`of ${path} refuses what it does not understand`, async () => {
      for (const bad of ['state=none', 'gateway=none', 'from=yesterday', 'starting_after=pmt_1']) {
        expect((await service.call('GET', `/v1/${path}?${bad}`)).status, bad).to.equal(400)
      }
    })
  }

  it('is narrowed by the days in India on which it began', async () => {
    const [first, third] = ['2026-05-04', '2026-05-06']
    for (const path of PATHS.filter((one) => one !== 'refunds' && one !== 'gateway-downtimes')) {
      const later = await list(`${path}?from=${third}`)
      expect(later, path).to.have.length(1)
      expect(await list(`${path}?from=${third}&to=${third}`), path).to.deep.equal(later)
      const before = await list(`${path}?to=${first}`)
      expect(before.length, path).to.equal((await list(path)).length - 1)
      expect(await list(`${path}?from=2026-05-05&to=2026-05-05`), path).to.deep.equal([])
    }
    // 18:29:59 UTC is still the same day in India, a second later is the next.
    const midnight = [new Date('2026-06-10T18:29:59Z'), new Date('2026-06-10T18:30:00Z')]
    await record(
      service.parts,
      midnight.map((at, index) => settled({ id: `setl_night_${index}`, at })),
    )
    for (const [index, day] of ['2026-06-10', '2026-06-11'].entries()) {
      const [only, ...others] = await list(`settlements?from=${day}&to=${day}`)
      expect([only?.['gateway_settlement_id'], others]).to.deep.equal([`setl_night_${index}`, []])
    }
  })

  it('tells money, times and entries of a refund, and the payment that it is of', async () => {
    const [payment] = await list('payments?gateway_payment_id=pay_1')
    const [refund] = await list('refunds?gateway_refund_id=rfnd_1')
    expect(refund).to.include({
      payment: payment?.['id'],
      state: 'processed',
      amount: 10_000,
      currency: 'INR',
      reference: 'ours',
      bank_reference: 'ARN1',
      began_at: minutes(0).toISOString(),
      processed_at: minutes(DAY).toISOString(),
    })
    expect(refund?.['journal_entries']).to.have.length(2)
    const [voided] = await list('refunds?state=voided')
    expect(voided).to.include({ payment: null, gateway_payment_id: 'pay_9' })
  })

  it('tells what is contested, held and lost of a dispute', async () => {
    const [lost] = await list('disputes?state=lost')
    expect(lost).to.include({ amount: 20_000, lost: 390, held: 0, phase: 'chargeback' })
    const [unknown] = await list('disputes?gateway_payment_id=pay_unknown')
    expect(unknown).to.include({ payment: null, state: 'open' })
  })

  it('shows a payment with its fee, its tax and its newest refunds', async () => {
    const [payment] = await list('payments?gateway_payment_id=pay_1')
    expect(payment).to.include({ fee: 1180, tax: 180, refunded: 10_021, subscription_ref: 'sub_1' })
    const shown = payment?.['refunds'] as JsonObject[]
    expect(shown).to.have.length(20)
    const id = textIn(payment, 'id')
    expect((await service.call('GET', `/v1/payments/${id}`)).json).to.deep.equal(payment)
    await record(service.parts, [captured({ payment: 'pay_2' })])
    const [other] = await list('payments?gateway_payment_id=pay_2')
    expect(other).to.deep.include({ fee: null, tax: null, refunded: 0, refunds: [] })
  })
})
