/** Cash, transfers and UPI that finance enters: donation, payment, entry and receipt, once each. */
import { expect } from 'chai'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import { sendReceipts } from '../../jobs/send-receipts.ts'
import { indianDate } from '../../src/base/clock.ts'
import { unseal } from '../../src/base/crypto.ts'
import { decodeDocument } from '../../src/donations/receipt-file.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { verifyOffline } from '../../src/offline/verify.ts'
import type { ReceiptDocument } from '../../reports/receipt-document.ts'
import { receiptText } from '../../reports/receipt-text.ts'
import { textIn } from '../http/seeded.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { balances, cash, cheque, DONOR, record, transfer, upi } from './asked.ts'

describe('money that comes past the gateways', () => {
  let service: TestService

  beforeEach(async () => {
    service = await startTestService()
  })

  afterEach(async () => {
    const findings = [
      ...(await verifyDonations(service.parts.db, 1)),
      ...(await verifyOffline(service.parts.db, 1)),
    ]
    await service.stop()
    expect(findings).to.deep.equal([])
  })

  async function receiptOf(donation: unknown): Promise<ReceiptDocument> {
    await issueReceiptsJob.run(service.jobParts)
    const [row] = await service.rows<{ receipt_id: string; document_sealed: Buffer }>(
      'select receipt_id, document_sealed from receipts where donation_id = $1',
      [donation],
    )
    if (row === undefined) {
      throw new Error(`${String(donation)} has no receipt`)
    }
    const keyring = service.config.dataKeys
    return decodeDocument(unseal(keyring, row.document_sealed, row.receipt_id).toString())
  }

  async function recorded(body: JsonObject): Promise<JsonObject> {
    const answer = await record(service, body)
    expect(answer.status, answer.text).to.equal(201)
    return answer.json
  }

  const count = async (table: string) =>
    (await service.rows<{ n: number }>(`select count(*)::integer as n from ${table}`))[0]?.n

  it('is a paid donation with its entry, seen wherever donations are', async () => {
    const made = await recorded(transfer({ utr: 'AXISCN1153863727', amount: 2_500_000 }))
    expect(made).to.include({
      channel: 'bank_transfer',
      state: 'realised',
      reference: 'AXISCN1153863727',
      account: 'assets:bank:main',
      donor_name: 'Asha Kulkarni',
      received_by: 'test',
      realised_on: '2026-05-04',
      receipt: null,
    })
    expect(made['warnings']).to.deep.equal([])
    expect(await balances(service)).to.deep.equal({
      'assets:bank:main': 2_500_000,
      'income:donations:education': 2_500_000,
    })
    const entry = await service.call('GET', `/v1/journal-entries/${textIn(made, 'received_entry')}`)
    expect(entry.json).to.include({ kind: 'donation_received', effective_on: '2026-05-04' })
    const donation = await service.call('GET', `/v1/donations/${textIn(made, 'donation')}`)
    expect(donation.json).to.include({ state: 'paid', gateway: null, payment: made['payment'] })
    const payment = await service.call(
      'GET',
      `/v1/payments/${textIn(made, 'payment')}?expand=donation`,
    )
    expect(payment.json).to.include({
      gateway: null,
      account: null,
      gateway_payment_id: null,
      method: 'bank_transfer',
      bank_reference: 'AXISCN1153863727',
      captured_at: '2026-05-03T18:30:00.000Z',
      refunded: 0,
    })
    for (const path of ['/v1/donations', '/v1/payments', '/v1/offline-payments']) {
      const list = await service.call('GET', path)
      expect(list.status, list.text).to.equal(200)
      expect(list.json['data']).to.have.length(1)
    }
  })

  it('has a receipt that says how it was paid, under the approval of its day', async () => {
    const made = await recorded(upi({ rrn: '612345678901' }))
    const document = await receiptOf(made['donation'])
    expect(document).to.deep.include({
      kind: 'tax',
      number: '80G/2026-27/000001',
      donatedOn: '2026-05-04',
      mode: 'Electronic (UPI)',
      references: [{ label: 'RRN', text: '612345678901' }],
    })
    await sendReceipts.run(service.jobParts)
    const { json } = await service.call('GET', '/v1/receipts')
    const [receipt] = json['data'] as JsonObject[]
    expect(receipt?.['email']).to.include({ state: 'sent', to: 'asha@example.org' })
  })

  it('has a receipt without an email where the donor has none', async () => {
    const { email: _none, ...donor } = DONOR
    const made = await recorded(cash({ donor }))
    const document = await receiptOf(made['donation'])
    expect(document.donor.email).to.equal(null)
    expect(receiptText(document).donor.rows.map(({ label }) => label)).to.not.include('Email')
    const { json } = await service.call('GET', '/v1/receipts')
    const [receipt] = json['data'] as JsonObject[]
    expect(receipt?.['email']).to.equal(null)
    const pdf = await service.call('GET', `/v1/receipts/${textIn(receipt, 'id')}/pdf`)
    expect(pdf.status).to.equal(200)
  })

  it('is deductible in cash up to ₹2,000, and says so above', async () => {
    const within = await recorded(cash({ amount: 200_000 }))
    expect(within['warnings']).to.deep.equal([])
    expect((await receiptOf(within['donation'])).number).to.equal('80G/2026-27/000001')
    const above = await recorded(cash({ amount: 200_001, voucher_number: 'CV-B' }))
    expect(above['warnings']).to.have.nested.property('[0].code', 'cash_not_deductible')
    const document = await receiptOf(above['donation'])
    expect(document).to.include({ kind: 'general', mode: 'Cash', approval: null })
    expect(document.references).to.deep.equal([{ label: 'Voucher', text: 'CV-B' }])
    expect(receiptText(document).notes.join(' ')).to.contain(
      'a sum above ₹2,000.00 gives no deduction (section 133(5) of the Income-tax Act, 2025)',
    )
    // By the bank, any sum counts.
    const banked = await recorded(transfer({ amount: 90_000_000 }))
    expect((await receiptOf(banked['donation'])).kind).to.equal('tax')
    const donor = above['donor']
    const third = await recorded(
      cash({ amount: 100, donor_id: donor ?? '', donor: undefined as never }),
    )
    expect(third['warnings']).to.have.nested.property('[0].code', 'cash_of_year')
  })

  it('is refused as cash of ₹2,00,000 from one person on a day, however parted', async () => {
    const over = await record(service, cash({ amount: 20_000_000 }))
    expect([over.status, over.json['code'], over.json['moved']]).to.deep.equal([
      422,
      'cash_limit',
      'no',
    ])
    await recorded(cash({ amount: 19_999_900 }))
    const more = await record(service, cash({ amount: 100 }))
    expect(more.json['code']).to.equal('cash_limit')
    // Without his PAN he is known by his name.
    const named = await record(service, cash({ amount: 100, donor: { name: 'asha  KULKARNI' } }))
    expect(named.json['code']).to.equal('cash_limit')
    // Another PAN is another person, another day another day, and a transfer no cash.
    const other = { ...DONOR, tax_id: { type: 'pan', value: 'ABCPK1234G' } }
    await recorded(cash({ amount: 100, donor: other }))
    await recorded(cash({ amount: 100, received_on: '2026-05-05' }))
    await recorded(transfer({ amount: 100 }))
  })

  it('is the same again with the same reference, and a conflict with another content', async () => {
    for (const body of [cash(), upi(), transfer(), cheque()]) {
      const first = await recorded(body)
      const again = await record(service, body)
      expect([again.status, again.json['id']], again.text).to.deep.equal([200, first['id']])
      expect(again.headers.get('idempotent-replayed')).to.equal('true')
      const otherFund = await record(service, { ...body, fund: 'health' })
      expect([otherFund.status, otherFund.json['code']]).to.deep.equal([409, 'reference_used'])
      expect(otherFund.json['detail']).to.contain(textIn(first, 'id')).and.to.contain('fund')
    }
    expect(await count('donations')).to.equal(4)
    expect(await count('donors')).to.equal(1)
    expect(await count('journal_entries')).to.equal(4)
  })

  it('is one money, whether its reference is UPI’s, IMPS’s or a gateway’s', async () => {
    await recorded(upi({ rrn: '612345678999' }))
    const imps = await record(service, transfer({ utr: '612345678999' }))
    expect(imps.json['code']).to.equal('reference_used')
    await service.rows(
      `insert into payments (org_id, payment_id, gateway, account, gateway_payment_id, state,
         amount, currency, bank_reference, captured_at, entry_no, booked_to)
       values (1, 'pmt_x', 'razorpay', 'acc', 'pay_x', 'captured', 150000, 'INR', '600000000042',
         now(), 99, 'income:donations:education')`,
    )
    const gateway = await record(service, upi({ rrn: '600000000042' }))
    expect([gateway.json['code'], gateway.json['detail']]).to.satisfy(
      ([code, detail]: string[]) => code === 'reference_used' && detail?.includes('pmt_x'),
    )
    await service.rows(`delete from payments where payment_id = 'pmt_x'`)
  })

  it('takes cash without a voucher by its Idempotency-Key, for ever', async () => {
    const body = cash({ voucher_number: undefined as never })
    const without = await record(service, body)
    expect([without.status, without.json['code']]).to.deep.equal([400, 'invalid_request'])
    const key = { 'idempotency-key': 'counter-1' }
    const first = await record(service, body, key)
    expect(first.status, first.text).to.equal(201)
    await service.rows('alter table kept_answers disable trigger user')
    await service.rows('delete from kept_answers')
    const again = await record(service, body, key)
    expect([again.status, again.json['id']]).to.deep.equal([200, first.json['id']])
    const other = await record(service, body, { 'idempotency-key': 'counter-2' })
    expect(other.json['id']).to.not.equal(first.json['id'])
  })

  it('is recorded once by all who enter it at the same time', async () => {
    const body = upi()
    const answers = await Promise.all(
      Array.from({ length: 12 }, async () => await record(service, body)),
    )
    expect(answers.map(({ status }) => status)).to.have.members([
      ...Array<number>(11).fill(200),
      201,
    ])
    expect(new Set(answers.map(({ json }) => json['id'])).size).to.equal(1)
    expect(await count('donations')).to.equal(1)
    const halves = await Promise.all(
      Array.from({ length: 4 }, async () => await record(service, cash({ amount: 9_000_000 }))),
    )
    expect(halves.map(({ status }) => status)).to.have.members([201, 201, 422, 422])
  })

  it('is refused with nothing written where it cannot be right', async () => {
    const tomorrow = indianDate(new Date(Date.now() + 86_400_000))
    const wrong: [body: JsonObject, status: number, code: string][] = [
      [cash({ received_on: tomorrow }), 400, 'invalid_request'],
      [cash({ account: 'assets:bank:main' }), 400, 'invalid_request'],
      [cash({ account: 'assets:cash:nowhere' }), 422, 'unknown_account'],
      [transfer({ account: 'assets:bank:in-transit' }), 400, 'invalid_request'],
      [transfer({ account: 'liabilities:unidentified-receipts' }), 400, 'invalid_request'],
      [transfer({ utr: 'AXIS1' }), 400, 'invalid_request'],
      [upi({ rrn: '12345' }), 400, 'invalid_request'],
      [upi({ rrn: '4.12346E+11' }), 400, 'invalid_request'],
      [cheque({ cheque_number: '4711' }), 400, 'invalid_request'],
      [cheque({ ifsc: 'HDFC1000123' }), 400, 'invalid_request'],
      [cheque({ ifsc: undefined as never, bank: undefined as never }), 400, 'invalid_request'],
      [cheque({ cheque_date: '2026-02-03' }), 422, 'cheque_stale'],
      [cash({ fund: 'moon' }), 422, 'unknown_fund'],
      [cash({ amount: 99 }), 400, 'invalid_request'],
      [cash({ donor: undefined as never }), 400, 'invalid_request'],
      [cash({ donor_id: 'dnr_01kham8v2tq7w9x4y5z6a7b8c9' }), 400, 'invalid_request'],
      [
        cash({ donor: undefined as never, donor_id: 'dnr_01kham8v2tq7w9x4y5z6a7b8c9' }),
        422,
        'unknown_donor',
      ],
      [cash({ nature: 'corpus' }), 400, 'invalid_request'],
      [cash({ purpose: '234123412346' }), 400, 'invalid_request'],
      [cash({ received_on: '2026-03-31' }), 422, 'period_closed'],
    ]
    await service.call('POST', '/v1/periods/2026-03/close', {
      role: 'admin',
      body: { state: 'soft_closed', reason: 'test' },
    })
    for (const [body, status, code] of wrong) {
      const answer = await record(service, body)
      const what = `${JSON.stringify(body)} ${answer.text}`
      expect([answer.status, answer.json['code']], what).to.deep.equal([status, code])
    }
    expect(await count('donors')).to.equal(0)
    expect(await count('journal_entries')).to.equal(0)
  })

  it('takes a foreign citizen’s gift only with an FCRA registration', async () => {
    await service.rows('update organisations set fcra_registration = null')
    const without = await record(service, upi({ citizenship: 'foreign' }))
    expect(without.json['code']).to.equal('foreign_contribution')
    await service.rows(`update organisations set fcra_registration = '083781234'`)
    await recorded(upi({ citizenship: 'foreign' }))
  })

  it('keeps hostile text as text, and no PAN in clear', async () => {
    const name = `=cmd|' /C calc'!A0 "><script> Robert'); drop table donors;--`
    const made = await recorded(cash({ donor: { ...DONOR, name }, voucher_number: '=1+1' }))
    expect(made).to.include({ donor_name: name, reference: '=1+1' })
    expect((await receiptOf(made['donation'])).donor.name).to.equal(name)
    for (const table of ['offline_payments', 'donors', 'people_audit_waiting', 'kept_answers']) {
      const [hit] = await service.rows(
        `select 1 from ${table} t where to_jsonb(t)::text like '%ABCPK1234F%'`,
      )
      expect(hit, table).to.equal(undefined)
    }
  })
})
