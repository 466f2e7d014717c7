/** Limits of what may be posted alone: stricter ones stand at once, looser ones take two people. */
import { expect } from 'chai'
import { signToken } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/permissions.ts'
import { startTestService, type Answer, type Json, type TestService } from '../support/service.ts'
import { expectRefused } from './posting.ts'
import { rowsOf, textIn } from './seeded.ts'

const LIMITS = '/v1/approval-limits'

describe('approval limits', () => {
  let service: TestService
  let sent = 0

  beforeEach(async () => {
    service = await startTestService()
  })

  afterEach(async () => {
    await service.stop()
  })

  const inr = (amount: number) => ({ currency: 'INR', amount })
  const usd = (amount: number) => ({ currency: 'USD', amount })

  async function as(
    subject: string,
    role: Role,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer> {
    sent += 1
    const token = signToken({ subject, orgId: 1, role }, service.config.jwtSecret, 60)
    return await service.call(method, path, {
      ...(body === undefined ? {} : { body }),
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': `limits-${sent}` },
    })
  }

  const put = async (limits: object[], subject = 'asha') =>
    await as(subject, 'admin', 'PUT', LIMITS, { limits })
  const stand = async () => (await service.call('GET', LIMITS)).json['limits'] as Json[]
  const approve = async (asked: Answer, subject: string, role: Role = 'approver') =>
    await as(subject, role, 'POST', `/v1/approvals/${textIn(asked.json, 'id')}/approve`, {})

  it('are set alone where they let less be posted: first, lower, and further ones', async () => {
    for (const limits of [[], [inr(1000)], [inr(1000)], [inr(900), usd(0)], [inr(0), usd(0)]]) {
      const answer = await put(limits)
      expect([answer.status, answer.json]).to.deep.equal([200, { limits }])
    }
  })

  for (const [how, limits, amount] of [
    ['raised', [inr(1001), usd(5)], 1001],
    ['taken away', [usd(5)], null],
    ['all taken away', [], null],
    ['raised while another is lowered', [inr(1001), usd(4)], 1001],
  ] as const) {
    it(`are ${how} when somebody else consents`, async () => {
      await put([inr(1000), usd(5)])
      const asked = await put([...limits])
      expect(asked.status, asked.text).to.equal(202)
      expect(asked.json).to.deep.include({
        verb: 'limits',
        request: { limits },
        amount,
        currency: 'INR',
        limit: 1000,
        made_by: 'asha',
        state: 'waiting',
        journal_entry: null,
      })
      expect(await stand()).to.deep.equal([inr(1000), usd(5)])
      expectRefused(await approve(asked, 'Asha', 'admin'), 'own_proposal')
      expect(await stand()).to.deep.equal([inr(1000), usd(5)])
      const approved = await approve(asked, 'omar')
      expect(approved.json).to.include({ state: 'approved', journal_entry: null })
      expect(await stand()).to.deep.equal(limits)
      expectRefused(await approve(asked, 'omar'), 'approval_decided')
    })
  }

  it('asked for twice are one proposal, and another after others stand', async () => {
    await put([inr(1000)])
    const [first, second] = [await put([]), await put([])]
    expect(second.text).to.equal(first.text)
    const other = await put([], 'bina')
    expect(other.json['id']).to.not.equal(first.json['id'])
    await put([inr(500)])
    const third = await put([])
    expect(third.json['id']).to.not.equal(first.json['id'])
    expect(third.json['limit']).to.equal(500)
  })

  it('that were changed meanwhile are not loosened by what was asked for before', async () => {
    await put([inr(1000)])
    const asked = await put([inr(2000)])
    await put([inr(1000), usd(7)])
    const refused = await approve(asked, 'omar')
    expectRefused(refused, 'precondition_failed')
    expect(await stand()).to.deep.equal([inr(1000), usd(7)])
    expect(rowsOf((await service.call('GET', '/v1/approvals?state=waiting')).json)).to.have.length(
      1,
    )
  })

  it('are loosened once where two consent at the same time, or to two proposals', async () => {
    await put([inr(1000)])
    const [one, two] = [await put([inr(2000)]), await put([inr(3000)], 'bina')]
    const answers = await Promise.all([
      approve(one, 'omar'),
      approve(one, 'nils'),
      approve(two, 'omar'),
      approve(two, 'nils'),
    ])
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1)
    const [limit] = (await stand()) as { amount: number }[]
    expect(limit?.amount).to.be.oneOf([2000, 3000])
  })

  it('are rejected and withdrawn like entries, and need a maker who is an admin', async () => {
    await put([inr(1000)])
    const rejected = await put([inr(2000)])
    const path = `/v1/approvals/${textIn(rejected.json, 'id')}`
    expect(
      (await as('omar', 'approver', 'POST', `${path}/reject`, { reason: 'no' })).json,
    ).to.include({ state: 'rejected' })
    const withdrawn = await put([inr(3000)])
    const own = `/v1/approvals/${textIn(withdrawn.json, 'id')}/withdraw`
    expect((await as('asha', 'admin', 'POST', own, { reason: 'no' })).json).to.include({
      state: 'withdrawn',
    })
    const asked = await put([inr(4000)])
    const id = textIn(asked.json, 'id')
    await service.rows(`update approvals set made_as = 'finance' where approval_id = $1`, [id])
    expectRefused(await approve(asked, 'omar'), 'maker_left')
    expect(await stand()).to.deep.equal([inr(1000)])
  })

  it('are not loosened by the application’s role alone', async () => {
    await put([inr(1000)])
    for (const sql of [
      'update approval_limits set amount = 1001',
      'delete from approval_limits',
      `update approval_limits set amount = 1, currency = 'USD'`,
      'truncate approval_limits',
    ]) {
      const told = await service.parts.db
        .transact(1, async (trx) => trx.query(sql))
        .then(
          () => 'done',
          (error: unknown) => String(error),
        )
      expect(told, sql).to.match(/by two people|permission denied/)
    }
    expect(await stand()).to.deep.equal([inr(1000)])
  })
})
