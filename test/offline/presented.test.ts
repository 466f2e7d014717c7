/** Cheques presented again: by files, by two at once, however their bank is named. */
import { expect } from 'chai'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import { openBooks } from '../../src/exports/books.ts'
import { outstanding } from '../../src/exports/outstanding.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import type { AccountView } from '../../src/ledger/accounts/accounts.ts'
import { verifyOffline } from '../../src/offline/verify.ts'
import { rowsOf, textIn } from '../http/seeded.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { balances, cashCells, cheque, csvOf, record, upload } from './asked.ts'

describe('a cheque that is presented again', () => {
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

  const LONG = { ifsc: undefined as never, bank: '\ufdfa'.repeat(75) }

  async function received(more: JsonObject): Promise<JsonObject> {
    const answer = await record(service, cheque(more))
    expect(answer.status, answer.text).to.equal(201)
    return answer.json
  }

  async function step(one: JsonObject, name: string, on: string): Promise<JsonObject> {
    const body = { on, ...(name === 'bounce' ? { reason: 'Funds insufficient' } : {}) }
    const path = `/v1/offline-payments/${textIn(one, 'id')}/${name}`
    const answer = await service.call('POST', path, { body })
    expect(answer.status, answer.text).to.equal(200)
    return answer.json
  }

  const codes = (one: JsonObject) =>
    (one['warnings'] as JsonObject[]).map((warning) => warning['code'])

  const count = async () =>
    (await service.rows<{ n: number }>('select count(*)::integer as n from offline_payments'))[0]?.n

  it('by several at once is one payment, however they name its bank', async () => {
    for (const more of [{ cheque_number: '000001' }, { cheque_number: '000002', ...LONG }]) {
      const first = await received(more)
      await step(first, 'bounce', '2026-05-08')
      const before = Number(await count())
      const asked = { ...more, received_on: '2026-05-11' }
      const other = { ...asked, ifsc: undefined as never, bank: 'HDFC' }
      const answers = await Promise.all(
        [asked, other, asked, other, asked].map(async (one) => await record(service, cheque(one))),
      )
      expect(answers.filter(({ status }) => status === 201)).to.have.length(1)
      expect(await count()).to.equal(before + 1)
    }
  })

  it('says so also where its bank is named in another way than before', async () => {
    for (const [number, before, after] of [
      ['000011', { ifsc: undefined as never }, {}],
      ['000012', {}, { ifsc: undefined as never }],
      ['000013', LONG, {}],
    ] as const) {
      const first = await received({ cheque_number: number, ...before })
      await step(first, 'bounce', '2026-05-04')
      const again = await received({
        cheque_number: number,
        ...after,
        received_on: '2026-05-05',
      })
      expect(codes(again), number).to.deep.equal(['cheque_presented_again'])
      await step(again, 'bounce', '2026-05-06')
      const third = await received({ cheque_number: number, ...before, received_on: '2026-05-07' })
      expect(third['warnings'], number).to.deep.equal([
        {
          code: 'cheque_presented_again',
          detail: `It came back on 2026-05-06 as ${textIn(again, 'id')}.`,
        },
      ])
      // The list of the first, and that of the second, bring nothing new.
      for (const [names, day] of [
        [before, '2026-05-04'],
        [after, '2026-05-05'],
      ] as const) {
        const old = cheque({ cheque_number: number, ...names, received_on: day })
        expect((await record(service, old)).status, `${number} ${day}`).to.equal(200)
      }
    }
  })

  it('has a receipt of its own, after that of the first was cancelled', async () => {
    const first = await received({ cheque_number: '412345' })
    await step(first, 'realise', '2026-05-06')
    await issueReceiptsJob.run(service.jobParts)
    await step(first, 'bounce', '2026-05-08')
    const again = await received({ cheque_number: '412345', received_on: '2026-05-09' })
    await step(again, 'realise', '2026-05-12')
    await issueReceiptsJob.run(service.jobParts)
    const receipts = rowsOf((await service.call('GET', '/v1/receipts')).json)
    expect(
      receipts.map((one) => [one['number'], one['state'], one['donation']]),
    ).to.have.deep.members([
      ['80G/2026-27/000001', 'cancelled', first['donation']],
      ['80G/2026-27/000002', 'issued', again['donation']],
    ])
    expect(await balances(service)).to.deep.equal({
      'assets:bank:main': 150_000,
      'income:donations:education': 150_000,
    })
  })

  it('has its own credit in the bank’s statement, and the first has that of before', async () => {
    const number = { cheque_number: '412346' }
    const first = await received(number)
    await step(first, 'realise', '2026-05-06')
    await step(first, 'bounce', '2026-05-08')
    const again = await received({ ...number, received_on: '2026-05-09' })
    await step(again, 'realise', '2026-05-12')
    // The later statement was sent first.
    await service.rows(
      `insert into bank_lines (org_id, file_no, row_no, row_key, ledger_account, booked_on, amount,
         currency, narration, tokens)
       select 1, n.file_no, 1, gen_random_uuid(), 'assets:bank:main', n.on_day, n.amount, 'INR',
              'CLG 412346', '{412346}'
         from (values (1, date '2026-05-12', 150000), (2, date '2026-05-06', 150000),
                      (3, date '2026-05-08', -150000)) as n (file_no, on_day, amount)`,
    )
    const { db } = service.parts
    const account = await db.read(1, async (trx) => {
      const [found] = await trx.query<AccountView>(
        `select * from accounts where org_id = 1 and code = 'assets:bank:main'`,
      )
      return found
    })
    if (account === undefined) {
      throw new Error('there is no bank')
    }
    const open: string[] = []
    for (const to of ['2026-05-07', '2026-05-31']) {
      for await (const page of outstanding(await openBooks(db, 1, 100n), account, to)) {
        open.push(...page.map(({ side, day, amount }) => `${to} ${side} ${day} ${amount}`))
      }
    }
    // Of what the bank took back no reference is looked for: both sides name it.
    expect(open).to.deep.equal([
      '2026-05-31 books 2026-05-08 -150000',
      '2026-05-31 bank 2026-05-08 -150000',
    ])
  })

  it('stands in files: the old, the new, the new twice, and two at once', async () => {
    const cells = (day: string) =>
      cashCells({
        channel: 'cheque',
        reference: '000031',
        cheque_date: '02/05/2026',
        ifsc: 'HDFC0000123',
        received_on: day,
      })
    const send = async (...days: string[]) => {
      const answer = await upload(service, csvOf(days.map(cells)))
      expect(answer.status, answer.text).to.equal(201)
      return answer.json
    }
    const rowsIn = async (one: JsonObject) =>
      rowsOf((await service.call('GET', `/v1/offline-imports/${textIn(one, 'id')}/rows`)).json)
    const statesOf = async (one: JsonObject) => (await rowsIn(one)).map((row) => row['state'])
    const commit = async (one: JsonObject) =>
      await service.call('POST', `/v1/offline-imports/${textIn(one, 'id')}/commit`)
    const list = await send('04/05/2026', '11/05/2026')
    expect(await statesOf(list)).to.deep.equal(['ready', 'refused'])
    const waiting = await send('04/05/2026')
    await commit(list)
    const [row] = await rowsIn(list)
    await step({ id: row?.['offline_payment'] as string }, 'bounce', '2026-05-08')
    const [one, two] = [
      await send('04/05/2026', '11/05/2026', '11/05/2026', '12/05/2026'),
      await send('11/05/2026'),
    ]
    expect(await statesOf(one)).to.deep.equal(['duplicate', 'ready', 'duplicate', 'refused'])
    await Promise.all([commit(one), commit(two), commit(waiting)])
    expect(await statesOf(waiting)).to.deep.equal(['duplicate'])
    expect([(await statesOf(one))[1], (await statesOf(two))[0]]).to.have.members([
      'recorded',
      'duplicate',
    ])
    expect(await count()).to.equal(2)
  })
})
