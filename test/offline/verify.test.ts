/** That verification sees each way in which offline payments and the books can disagree. */
import { expect } from 'chai'
import { issueReceiptsJob } from '../../jobs/issue-receipts.ts'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { OFFLINE_CHECKS, verifyOffline } from '../../src/offline/verify.ts'
import { textIn } from '../http/seeded.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { cash, cheque, record, upi } from './asked.ts'

/** What is spoilt, as the owner of the tables could, and what shows it. */
const SPOILT: readonly [check: string, sql: string, detail: RegExp][] = [
  [
    'entries of offline payments',
    `update offline_payments set amount = amount + 1 where channel = 'cash'`,
    /entry 1 is no donation_received of 150001/,
  ],
  [
    'entries of offline payments',
    `update offline_payments set realised_entry = 1 where state = 'returned'`,
    /entry 1 is no cheque_realised/,
  ],
  [
    'entries of offline payments',
    `update offline_payments set state = 'bounced' where state = 'returned'`,
    /is no cheque_bounced/,
  ],
  [
    'offline payments of entries',
    `delete from offline_payments where channel = 'cash'`,
    /entry 1, a donation_received, belongs to no offline payment/,
  ],
  [
    'donations of offline payments',
    `update offline_payments set state = 'bounced' where state = 'received'`,
    /is bounced, its donation don_\w+ is open/,
  ],
  [
    'donations of offline payments',
    `update donations set payment_id = 'pmt_x' where state = 'paid'`,
    /is realised, its donation/,
  ],
  [
    'payments past the gateways',
    `update payments set amount = 9 where method = 'cash'`,
    /of 9 has no offline payment of that/,
  ],
  [
    'booked twice',
    `update payments set gateway = 'razorpay', account = 'a', gateway_payment_id = 'b'
      where method = 'upi'`,
    /has the bank reference 612345678901 of pmt_\w+, which came through razorpay/,
  ],
  [
    'receipts of cheques',
    `update outbox set state = 'waiting'
      where subject in (select donation_id from offline_payments where state = 'returned')`,
    /came back on 2026-05-08, and a receipt is still promised/,
  ],
  [
    'receipts of returned cheques',
    'delete from receipt_cancellations',
    /^receipt \S+ stands, and its cheque came back on 2026-05-08: Funds insufficient/,
  ],
  [
    'imports stuck',
    `insert into offline_imports (org_id, import_id, file_sha256, state, made_by, committed_by,
       committed_at)
     values (1, 'imp_x', sha256(''), 'committing', 'x', 'x', now() - interval '16 minutes')`,
    /import imp_x is being recorded since/,
  ],
]

describe('verification of offline payments', () => {
  let service: TestService

  beforeEach(async () => {
    service = await startTestService()
    await record(service, cash())
    await record(service, upi({ rrn: '612345678901' }))
    await record(service, cheque())
    const { json } = await record(service, cheque())
    const step = async (name: string, body: object) =>
      await service.call('POST', `/v1/offline-payments/${textIn(json, 'id')}/${name}`, { body })
    await step('realise', { on: '2026-05-07' })
    await issueReceiptsJob.run(service.jobParts)
    const back = await step('bounce', { on: '2026-05-08', reason: 'Funds insufficient' })
    expect(back.status, back.text).to.equal(200)
  })

  afterEach(async () => {
    await service.stop()
  })

  it('finds nothing where every step has its entry and every entry its step', async () => {
    const { findings } = await verifyBooks(service.parts.db, () => undefined)
    expect(findings).to.deep.equal([])
  })

  for (const [check, sql, detail] of SPOILT) {
    it(`shows by “${check}” that this was done: ${sql.replaceAll(/\s+/g, ' ')}`, async () => {
      await service.rows(`set session_replication_role = replica; ${unchecked(sql)}`)
      const found = await verifyOffline(service.parts.db, 1)
      const shown = found.filter((one) => one.check === check && detail.test(one.detail))
      expect(shown, JSON.stringify(found)).to.not.deep.equal([])
      const { findings } = await verifyBooks(service.parts.db, () => undefined)
      expect(findings.map(({ finding }) => finding.check)).to.include(check)
    })
  }

  it('has a row in this list for each of its checks', () => {
    expect(new Set(SPOILT.map(([check]) => check))).to.deep.equal(
      new Set(OFFLINE_CHECKS.map(({ check }) => check)),
    )
  })
})

/** The statement with the table's own checks out of its way. */
function unchecked(sql: string): string {
  return `do $$
    declare one record;
    begin
      for one in select conrelid::regclass as of, conname from pg_constraint
                  where contype = 'c' and conrelid in ('offline_payments'::regclass,
                    'payments'::regclass, 'donations'::regclass)
      loop execute format('alter table %s drop constraint %I', one.of, one.conname); end loop;
    end $$; ${sql}`
}
