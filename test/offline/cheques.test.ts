/** Cheques: paper until they are realised, and what comes of one that the bank does not honour. */
import { expect } from 'chai'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import { indianDate } from '../../src/base/clock.ts'
import { unseal } from '../../src/base/crypto.ts'
import { decodeDocument } from '../../src/donations/receipt-file.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { lastDayOfCheque } from '../../src/offline/payment.ts'
import { verifyOffline } from '../../src/offline/verify.ts'
import { textIn } from '../http/seeded.ts'
import {
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { balances, cheque, record, upi } from './asked.ts'

const MONEY = 2_500_000

describe('a cheque', () => {
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

  async function received(more: JsonObject = {}): Promise<JsonObject> {
    const answer = await record(service, cheque({ amount: MONEY, ...more }))
    expect(answer.status, answer.text).to.equal(201)
    return answer.json
  }

  const step = async (one: JsonObject, name: string, body: JsonObject): Promise<Answer> =>
    await service.call('POST', `/v1/offline-payments/${textIn(one, 'id')}/${name}`, { body })

  const realise = async (one: JsonObject, on = '2026-05-07', more: JsonObject = {}) =>
    await step(one, 'realise', { on, ...more })

  const bounce = async (one: JsonObject, on = '2026-05-08', more: JsonObject = {}) =>
    await step(one, 'bounce', { on, reason: 'Funds insufficient', ...more })

  const receipts = async () => {
    await issueReceiptsJob.run(service.jobParts)
    return await service.rows<{ receipt_id: string; document_sealed: Buffer }>(
      'select receipt_id, document_sealed from receipts',
    )
  }

  const donationOf = async (one: JsonObject) =>
    (await service.call('GET', `/v1/donations/${textIn(one, 'donation')}`)).json

  it('is neither income nor a receipt until it is realised', async () => {
    const one = await received({ cheque_number: '004711' })
    expect(one).to.include({ state: 'received', payment: null, account: null, realised_on: null })
    expect(await balances(service)).to.deep.equal({
      'assets:cheques-in-hand': MONEY,
      'liabilities:cheques-unrealised': MONEY,
    })
    expect(await donationOf(one)).to.include({ state: 'open', payment: null })
    expect(await receipts()).to.deep.equal([])

    const done = await realise(one)
    expect(done.json, done.text).to.include({
      state: 'realised',
      realised_on: '2026-05-07',
      account: 'assets:bank:main',
      realised_by: 'test',
    })
    expect(await balances(service)).to.deep.equal({
      'assets:bank:main': MONEY,
      'income:donations:education': MONEY,
    })
    expect(await donationOf(one)).to.include({ state: 'paid', payment: done.json['payment'] ?? '' })
    const [receipt] = await receipts()
    const sealed = receipt?.document_sealed ?? Buffer.alloc(0)
    const text = unseal(service.config.dataKeys, sealed, receipt?.receipt_id ?? '').toString()
    expect(decodeDocument(text)).to.deep.include({
      kind: 'tax',
      donatedOn: '2026-05-07',
      mode: 'Cheque',
      references: [
        { label: 'Cheque number', text: '004711' },
        { label: 'Cheque date', text: '2 May 2026' },
        { label: 'Bank', text: 'HDFC Bank, HDFC0000123' },
      ],
    })
  })

  it('that bounces leaves nothing but the bank’s charge, and never has a receipt', async () => {
    const one = await received()
    const back = await bounce(one, '2026-05-08', { bank_charge: 29_500 })
    expect(back.json, back.text).to.include({
      state: 'bounced',
      bank_charge: 29_500,
      payment: null,
    })
    expect(await balances(service)).to.deep.equal({
      'assets:bank:main': -29_500,
      'expenses:bank-charges': 29_500,
    })
    expect(await donationOf(one)).to.include({ state: 'closed' })
    expect(await receipts()).to.deep.equal([])
    const late = await realise(one)
    expect([late.status, late.json['code']]).to.deep.equal([409, 'offline_step'])
  })

  it('that comes back after its credit takes income and promised receipt with it', async () => {
    const one = await received()
    await realise(one)
    const back = await bounce(one, '2026-05-09', { bank_charge: 100 })
    expect(back.json, back.text).to.include({ state: 'returned', receipt: null })
    expect(await receipts()).to.deep.equal([])
    expect(await balances(service)).to.deep.equal({
      'assets:bank:main': -100,
      'expenses:bank-charges': 100,
    })
  })

  it('that comes back after its receipt cancels it, whose number stays used', async () => {
    const one = await received()
    await realise(one)
    const [receipt] = await receipts()
    const back = await bounce(one)
    const id = String(receipt?.receipt_id)
    expect(back.json['receipt']).to.equal(id)
    const { json } = await service.call('GET', `/v1/receipts/${id}`)
    expect(json).to.include({ state: 'cancelled', number: '80G/2026-27/000001' })
    expect(json['refunded']).to.equal(json['amount'])
    const mails = await service.rows<{ kind: string }>('select kind from receipt_emails')
    expect(mails.map(({ kind }) => kind).sort()).to.deep.equal(['cancelled', 'issued'])
  })

  it('that comes back while its receipt is being issued has a cancelled one, or none', async () => {
    for (let round = 0; round < 4; round += 1) {
      const one = await received()
      await realise(one)
      const [back] = await Promise.all([bounce(one), issueReceiptsJob.run(service.jobParts)])
      expect(back.json, back.text).to.include({ state: 'returned' })
    }
    // That neither is lost nor promised any more, verification says after each test.
    const waiting = await service.rows(`select 1 from outbox where state <> 'done'`)
    expect(waiting).to.deep.equal([])
  })

  it('takes each step once, and no other in its place', async () => {
    const one = await received()
    const both = await Promise.all([realise(one), realise(one), realise(one)])
    expect(both.map(({ status }) => status)).to.deep.equal([200, 200, 200])
    const otherDay = await realise(one, '2026-05-08')
    expect(otherDay.json['code']).to.equal('offline_step')
    const backs = await Promise.all([bounce(one), bounce(one)])
    expect(backs.map(({ status }) => status)).to.deep.equal([200, 200])
    const other = await bounce(one, '2026-05-08', { reason: 'Payment stopped' })
    expect(other.json['code']).to.equal('offline_step')
    const [rows] = await service.rows<{ n: number }>(
      'select count(*)::integer as n from journal_entries',
    )
    expect(rows?.n).to.equal(3)
    const race = await received()
    const raced = await Promise.all([realise(race), bounce(race, '2026-05-07')])
    // Realised first it comes back; bounced first it cannot be realised.
    expect(raced[1]?.status).to.equal(200)
    const { json } = await service.call('GET', `/v1/offline-payments/${textIn(race, 'id')}`)
    expect(json['state']).to.be.oneOf(['bounced', 'returned'])
  })

  it('is one, however its bank is named, unless another donor gave it', async () => {
    const one = await received({ cheque_number: '000777' })
    const again = { cheque_number: '000777', amount: MONEY }
    const named = await record(service, cheque({ ...again, ifsc: undefined as never }))
    expect([named.status, named.json['code']], named.text).to.deep.equal([409, 'reference_used'])
    expect(named.json['detail']).to.contain(textIn(one, 'id'))
    const other = { donor: { name: 'Somebody Else' }, ifsc: 'SBIN0000300' }
    expect((await record(service, cheque({ ...again, ...other }))).status).to.equal(201)
  })

  it('that came back may be presented again, as often as it comes back', async () => {
    const number = { cheque_number: '000777', amount: MONEY }
    const first = await received(number)
    await bounce(first, '2026-05-08', { bank_charge: 29_500 })
    const asked = { ...number, received_on: '2026-05-11' }
    const again = await record(service, cheque(asked))
    expect(again.status, again.text).to.equal(201)
    expect(textIn(again.json, 'id')).to.not.equal(textIn(first, 'id'))
    expect(again.json['warnings']).to.deep.include({
      code: 'cheque_presented_again',
      detail: `It came back on 2026-05-08 as ${textIn(first, 'id')}.`,
    })
    for (const one of [asked, { ...asked, received_on: first['received_on'] as string }]) {
      expect(
        (await record(service, cheque(one))).status,
        'the lists of before, sent anew',
      ).to.equal(200)
    }
    const early = await record(service, cheque({ ...asked, received_on: '2026-05-08' }))
    expect([early.status, early.json['code']], early.text).to.deep.equal([409, 'reference_used'])
    await bounce(again.json, '2026-05-13')
    const third = await record(service, cheque({ ...asked, received_on: '2026-05-14' }))
    expect(third.status, third.text).to.equal(201)
    expect((await realise(third.json, '2026-05-15')).json['state']).to.equal('realised')
    expect(await receipts()).to.have.length(1)
    expect((await donationOf(first))['state']).to.equal('closed')
    expect(await balances(service)).to.include({
      'assets:bank:main': MONEY - 29_500,
      'expenses:bank-charges': 29_500,
    })
  })

  it('that came back after its credit is presented again once', async () => {
    const number = { cheque_number: '000778', amount: MONEY }
    const first = await received(number)
    await realise(first)
    await bounce(first, '2026-05-09')
    const again = cheque({ ...number, received_on: '2026-05-11', ifsc: undefined as never })
    expect((await record(service, again)).status).to.equal(201)
    const named = await record(service, cheque({ ...number, received_on: '2026-05-11' }))
    expect([named.status, named.json['code']], named.text).to.deep.equal([409, 'reference_used'])
  })

  it('has its steps on days that can be', async () => {
    const one = await received({ received_on: '2026-05-04', cheque_date: '2026-05-20' })
    expect(one['warnings']).to.have.nested.property('[0].code', 'cheque_post_dated')
    for (const answer of [
      await realise(one, '2026-05-19'),
      await realise(one, '2026-05-03'),
      await realise(one, indianDate(new Date(Date.now() + 86_400_000))),
      await bounce(one, '2026-05-03'),
    ]) {
      expect([answer.status, answer.json['code']], answer.text).to.deep.equal([
        400,
        'invalid_request',
      ])
    }
    expect((await realise(one, '2026-05-20')).status).to.equal(200)
    expect((await bounce(one, '2026-05-19')).status).to.equal(400)
  })

  it('is not realised into what is no open account at a bank', async () => {
    const one = await received()
    expect(
      (await realise(one, '2026-05-07', { account: 'assets:bank:moon' })).json['code'],
    ).to.equal('unknown_account')
    expect((await realise(one, '2026-05-07', { account: 'assets:cash' })).status).to.equal(400)
    await service.call('POST', '/v1/accounts', {
      body: { code: 'assets:bank:sbi', currency: 'INR', name: 'SBI, FCRA' },
      headers: { 'idempotency-key': 'sbi' },
    })
    const done = await realise(one, '2026-05-07', { account: 'assets:bank:sbi' })
    expect(done.json, done.text).to.include({ account: 'assets:bank:sbi' })
  })

  it('is what only a cheque is, and another organisation’s is not there', async () => {
    const paid = (await record(service, upi())).json
    expect((await realise(paid)).json['code']).to.equal('offline_step')
    expect((await bounce(paid)).json['code']).to.equal('offline_step')
    const gone = { id: 'ofp_01kham8v2tq7w9x4y5z6a7b8c9' }
    expect((await realise(gone)).status).to.equal(404)
  })

  it('in hand keeps its donor from being erased', async () => {
    const one = await received()
    const erase = async () =>
      await service.call('POST', `/v1/donors/${textIn(one, 'donor')}/erase`, {
        role: 'admin',
        body: { reason: 'asked for it' },
      })
    await service.rows(`update donations set opened_at = now() - interval '30 days'`)
    const early = await erase()
    expect([early.status, early.json['code']], early.text).to.deep.equal([409, 'donor_in_use'])
    await bounce(one)
    expect((await erase()).status).to.equal(200)
  })

  it('is taken by banks for three months from its date', () => {
    expect(lastDayOfCheque('2026-01-31')).to.equal('2026-04-30')
    expect(lastDayOfCheque('2025-11-30')).to.equal('2026-02-28')
    expect(lastDayOfCheque('2026-05-02')).to.equal('2026-08-02')
    expect(lastDayOfCheque('2023-11-29')).to.equal('2024-02-29')
  })
})

describe('the database’s guard of offline payments', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('lets none go back, lose its money or vanish, whoever asks', async () => {
    const one = await record(service, cheque())
    const id = textIn(one.json, 'id')
    await service.call('POST', `/v1/offline-payments/${id}/realise`, { body: { on: '2026-05-07' } })
    for (const sql of [
      `update offline_payments set state = 'received', realised_entry = null`,
      `update offline_payments set realised_on = '2026-05-09'`,
      `update offline_payments set account = 'assets:cash'`,
      'update offline_payments set amount = 1',
      'delete from offline_payments',
      'truncate offline_payments',
      `update offline_payments set state = 'bounced'`,
    ]) {
      expect(await service.rows(sql).catch(String), sql).to.match(/bahi: /)
    }
    const typed = await service.parts.db
      .transact(1, async (trx) => await trx.query('update offline_payments set amount = 1'))
      .catch(String)
    expect(typed).to.match(/permission denied/)
  })
})
