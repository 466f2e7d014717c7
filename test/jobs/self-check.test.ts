/** The self-check as a job: woken by the sweep when it is due, seen in metrics and by auditors. */
import { expect } from 'chai'
import { selfCheckJob } from '../../jobs/self-check.ts'
import { sweep } from '../../jobs/sweep.ts'
import type { JobName } from '../../src/base/queue.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import { post } from '../../src/ledger/posting/post.ts'
import { credit, debit, draftOf } from '../ledger/books.ts'
import { testOrganisation } from '../support/organisation.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'

const ORGS = [1, 2, 3, 4]

describe('the self-check job', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
    for (const orgId of ORGS) {
      if (orgId > 1) {
        await asOwner(service.database.ownerUrl, async (client) => {
          const spec = testOrganisation(GATEWAYS_URL, { orgId, slug: `test-${orgId}` })
          await createOrganisation(client, service.config.dataKeys, spec)
        })
      }
      await service.parts.db.transact(
        orgId,
        async (trx) => await post(trx, [draftOf('a'), draftOf('b')]),
        { queue: 'journal' },
      )
    }
  })

  after(async () => {
    await service.stop()
  })

  async function rung(): Promise<JobName[]> {
    const names: JobName[] = []
    const bells = { ...service.parts.bells, ring: (name: JobName) => void names.push(name) }
    await sweep({ ...service.parts, bells })
    return names
  }

  async function rounds(): Promise<unknown[]> {
    return await service.rows('select org_id, rounds::integer from self_checks order by org_id')
  }

  async function gauges(): Promise<string> {
    const { text } = await service.call('GET', '/metrics', { role: null })
    return text
  }

  const all = (count: number) => ORGS.map((orgId) => ({ org_id: orgId, rounds: count }))

  it('is rung for while a run is due, and not again before the next one is', async () => {
    expect(await rung()).to.include('self-check')
    await selfCheckJob.run(service.jobParts)
    expect(await rounds()).to.deep.equal(all(1))
    expect(await rung()).not.to.include('self-check')
    await selfCheckJob.run(service.jobParts)
    expect(await rounds()).to.deep.equal(all(1))
  })

  it('checks each organisation once when two workers come at the same time', async () => {
    await service.rows(`update self_checks set due_at = now()`)
    await Promise.all([1, 2, 3].map(async () => await selfCheckJob.run(service.jobParts)))
    expect(await rounds()).to.deep.equal(all(2))
  })

  it('goes on with what a worker that died has left', async () => {
    await service.rows(`update self_checks set due_at = now() + interval '60 seconds', runs = 9`)
    expect(await rung()).not.to.include('self-check')
    await service.rows(`update self_checks set due_at = now() - interval '1 second'`)
    await selfCheckJob.run(service.jobParts)
    expect(await rounds()).to.deep.equal(all(3))
  })

  it('takes no more organisations once the worker is to end', async () => {
    await service.rows(`update self_checks set due_at = now()`)
    await selfCheckJob.run({ ...service.jobParts, shouldStop: () => true })
    expect(await rounds()).to.deep.equal(all(3))
  })

  it('checks the others where the books of one cannot be read', async () => {
    await service.rows(`update self_checks set due_at = now() - interval '1 minute'`)
    await service.rows('create table kept as select * from journal_heads where org_id = 2')
    await service.rows('delete from journal_heads where org_id = 2')
    await selfCheckJob.run(service.jobParts)
    expect(await rounds()).to.deep.equal(
      ORGS.map((orgId) => ({ org_id: orgId, rounds: orgId === 2 ? 3 : 4 })),
    )
    await service.rows('insert into journal_heads select * from kept')
  })

  it('begins anew where it does not understand how far another version came', async () => {
    await service.rows(`update self_checks set due_at = now(), rounds = 3, round_started_at = now(),
      next_entry_no = 3, walk = '{"accountId": 1}' where org_id = 2`)
    await selfCheckJob.run(service.jobParts)
    expect(await rounds()).to.deep.equal(all(4))
  })

  it('tells how old its knowledge is when it is asked, though no worker runs', async () => {
    await service.rows(`update self_checks set checked_at = now() - interval '100 seconds',
      round_ended_at = now() - interval '200 seconds' where org_id = 3`)
    const text = await gauges()
    const age = (since: string) => {
      const labels = `organisation="test-3",since="${since}"`
      const [, seconds] = new RegExp(`bahi_self_check_age_seconds{${labels}} (.+)`).exec(text) ?? []
      return Number(seconds)
    }
    expect(age('run')).to.be.within(100, 130)
    expect(age('round')).to.be.within(200, 230)
    expect(text).to.contain('bahi_self_check_differences{organisation="test-3"} 0')
    expect(text).to.contain('bahi_accounts_frozen{organisation="test-3"} 0')
  })

  it('tells metrics without its tables too', async () => {
    await service.rows('alter table self_checks rename to gone')
    const { status, text } = await service.call('GET', '/metrics', { role: null })
    await service.rows('alter table gone rename to self_checks')
    expect(status).to.equal(200)
    expect(text).to.contain('bahi_http_request_duration_seconds')
  })

  it('freezes the account that does not agree, counts it, and lets the others go on', async () => {
    await service.rows(`update self_checks set due_at = now()`)
    await service.rows('alter table accounts disable trigger all')
    await service.rows(`update accounts set credits = credits + 1 where org_id = 4
      and code = 'equity:general-fund'`)
    await service.rows('alter table accounts enable trigger all')
    await selfCheckJob.run(service.jobParts)
    const text = await gauges()
    expect(text).to.contain('bahi_self_check_differences{organisation="test-4"} 2')
    expect(text).to.contain('bahi_accounts_frozen{organisation="test-4"} 1')
    expect(text).to.contain('bahi_accounts_frozen{organisation="test-3"} 0')
    const [result] = await service.parts.db.transact(
      4,
      async (trx) => await post(trx, [draftOf('c')]),
      { queue: 'journal' },
    )
    expect(result?.status === 'refused' ? result.problem.code : '').to.equal('account_frozen')
    expect(
      (await service.parts.db.transact(3, async (trx) => await post(trx, [draftOf('c')])))[0],
    ).to.deep.equal({ status: 'posted', entryNo: 3n })
  })

  it('ends a round with what stands on the clearing accounts, and tells it once', async () => {
    const lines = [debit('assets:clearing:razorpay', 5n), credit('assets:bank:main', 5n)]
    await service.parts.db.transact(
      3,
      async (trx) => await post(trx, [{ ...draftOf('of-clearing'), lines }]),
      { queue: 'journal' },
    )
    await service.rows(`insert into settlements (org_id, settlement_id, gateway, account,
      gateway_settlement_id, amount, currency, state, began_at, settled_at,
      settled_entry)
      select 3, 'stl_x', 'razorpay', 'acc', 'setl_x', 700, 'INR', 'processed', now(),
             now(), entry_no
        from journal_entries where org_id = 3 limit 1`)
    const [before] = await service.rows(
      `select count(*)::integer as n from self_check_findings where org_id = 3`,
    )
    expect(before).to.deep.equal({ n: 0 })
    for (const round of [1, 2]) {
      await service.rows(`update self_checks set due_at = now() where org_id = 3`)
      await selfCheckJob.run(service.jobParts)
      const found = await service.rows(
        `select check_name, differences from self_check_findings
           join self_checks using (org_id) where org_id = 3`,
      )
      expect(found, `round ${round}`).to.deep.equal([
        { check_name: 'clearing account', differences: 1 },
      ])
    }
    await service.rows(`delete from settlements where org_id = 3`)
  })
})
