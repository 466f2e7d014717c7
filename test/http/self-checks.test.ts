/** GET /v1/self-checks: what auditors read of the continuous check of their own books. */
import { expect } from 'chai'
import { selfCheckJob } from '../../jobs/self-check.ts'
import { post } from '../../src/ledger/posting/post.ts'
import { draftOf } from '../ledger/books.ts'
import { startTestService, type TestService } from '../support/service.ts'

describe('GET /v1/self-checks', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
    await service.parts.db.transact(
      1,
      async (trx) => await post(trx, [draftOf('a'), draftOf('b')]),
      { queue: 'journal' },
    )
  })

  after(async () => {
    await service.stop()
  })

  async function check(): Promise<void> {
    await service.rows('update self_checks set due_at = now()')
    await selfCheckJob.run(service.jobParts)
  }

  it('says before the first run that there was none', async () => {
    const { status, json } = await service.call('GET', '/v1/self-checks', { role: 'auditor' })
    expect(status).to.equal(200)
    expect(json).to.deep.equal({
      last_run_at: null,
      last_round_at: null,
      rounds: 0,
      round: {
        state: 'resting',
        started_at: null,
        entries: { checked: 0, of: 0 },
        accounts: { checked: 0, of: 0 },
      },
      differences: 0,
      frozen_accounts: [],
      findings: [],
    })
  })

  it('says how far a round came and when', async () => {
    await check()
    const { json } = await service.call('GET', '/v1/self-checks', { role: 'finance' })
    expect(json['rounds']).to.equal(1)
    expect(json['round']).to.deep.equal({
      state: 'resting',
      started_at: null,
      entries: { checked: 2, of: 2 },
      accounts: { checked: 2, of: 2 },
    })
    expect(Date.parse(json['last_run_at'] as string)).to.be.closeTo(Date.now(), 30_000)
    expect(json['last_round_at']).to.be.a('string')
  })

  it('names frozen accounts and findings, newest first, as many as asked for', async () => {
    await service.rows('alter table journal_entries disable trigger all')
    await service.rows(`update journal_entries set description = 'x' where entry_no = 2`)
    await service.rows('alter table journal_entries enable trigger all')
    await check()
    await service.rows(`update accounts set debits = debits + 1 where account_id = 1`)
    await check()
    const { json, text } = await service.call('GET', '/v1/self-checks', { role: 'admin' })
    expect(json['frozen_accounts']).to.deep.equal([
      { id: 'acc_1', code: 'assets:bank:main', currency: 'INR' },
    ])
    expect(json['differences']).to.equal(3)
    const findings = json['findings'] as { check: string; found_at: string }[]
    expect(findings.map(({ check: name }) => name)).to.have.members([
      'account balance',
      'trial balance',
      'fingerprint',
    ])
    expect(findings.at(-1)).to.deep.include({
      check: 'fingerprint',
      detail: 'entry 2: it is not of its content',
      account: null,
      journal_entry: 'je_2',
    })
    expect(text).to.contain('"account":"acc_1","journal_entry":null')
    const one = await service.call('GET', '/v1/self-checks?limit=1')
    expect(one.json['findings']).to.have.length(1)
  })

  it('is for auditors, finance and administrators only, and takes nothing else', async () => {
    expect((await service.call('GET', '/v1/self-checks', { role: 'service' })).status).to.equal(403)
    expect((await service.call('GET', '/v1/self-checks', { role: null })).status).to.equal(401)
    expect((await service.call('GET', '/v1/self-checks?limit=0')).status).to.equal(400)
    expect((await service.call('GET', '/v1/self-checks?org=2')).status).to.equal(400)
  })
})
