/** Maker and checker: what is above the limit is posted when somebody else consents. */
import { expect } from 'chai'
import { signToken } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/permissions.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import {
  BANK,
  BATCH,
  countEntries,
  ENTRIES,
  entryBody,
  expectRefused,
  FUND,
  line,
} from './posting.ts'
import { rowsOf, textIn } from './seeded.ts'

const LIMITS = '/v1/approval-limits'

describe('an entry above the limit', () => {
  let service: TestService
  let sent = 0

  before(async () => {
    service = await startTestService()
    const body = { limits: [{ currency: 'INR', amount: 10_000 }] }
    const set = await service.call('PUT', LIMITS, { role: 'admin', body })
    expect(set.status, set.text).to.equal(200)
  })

  after(async () => {
    await service.stop()
  })

  /** Sends as somebody by name. */
  async function as(
    subject: string,
    role: Role,
    path: string,
    body: unknown,
    key?: string,
  ): Promise<Answer> {
    sent += 1
    const token = signToken({ subject, orgId: 1, role }, service.config.jwtSecret, 60)
    return await service.call('POST', path, {
      body,
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': key ?? `approval-${sent}` },
    })
  }

  const of = (amount: number) =>
    entryBody({ lines: [line('debit', BANK, amount), line('credit', FUND, amount)] })

  /** Mira asks for ₹200 to be posted; gives the approval's path. */
  async function asked(body: unknown = of(20_000)): Promise<string> {
    const answer = await as('mira', 'finance', ENTRIES, body)
    expect(answer.status, answer.text).to.equal(202)
    return `/v1/approvals/${textIn(answer.json, 'id')}`
  }

  it('at the limit is posted at once', async () => {
    expect((await as('mira', 'finance', ENTRIES, of(10_000))).status).to.equal(201)
  })

  it('waits, posts nothing, and is the same approval when it is sent again', async () => {
    const before = await countEntries(service)
    const first = await as('mira', 'finance', ENTRIES, of(10_001), 'wait')
    expect(first.status).to.equal(202)
    expect(first.json).to.include({
      state: 'waiting',
      verb: 'post',
      amount: 10_001,
      limit: 10_000,
      made_by: 'mira',
      journal_entry: null,
    })
    const second = await as('mira', 'finance', ENTRIES, of(10_001), 'wait')
    expect([second.status, second.text]).to.deep.equal([202, first.text])
    const listed = rowsOf((await service.call('GET', '/v1/approvals?state=waiting')).json)
    expect(listed).to.deep.equal([first.json])
    expect(await countEntries(service)).to.equal(before)
  })

  it('is posted as its maker asked for it once another consents, and says who did', async () => {
    const path = await asked()
    const approved = await as('omar', 'approver', `${path}/approve`, { reason: 'checked' })
    expect(approved.status, approved.text).to.equal(200)
    expect(approved.json).to.include({ state: 'approved', decided_by: 'omar', reason: 'checked' })
    const id = textIn(approved.json, 'journal_entry')
    const entry = await service.call('GET', `${ENTRIES}/${id}`)
    expect(entry.json).to.deep.include({ actor: 'mira', metadata: { approved_by: 'omar' } })
  })

  it('is not consented to by who asked for it, whatever role he has', async () => {
    const path = await asked()
    const before = await countEntries(service)
    for (const role of ['admin', 'approver'] as const) {
      expectRefused(await as('mira', role, `${path}/approve`, {}), 'own_proposal')
      expectRefused(await as('mira', role, `${path}/reject`, { reason: 'x' }), 'own_proposal')
    }
    expectRefused(await as('nils', 'finance', `${path}/approve`, {}), 'forbidden')
    expectRefused(await as('nils', 'finance', `${path}/withdraw`, { reason: 'x' }), 'own_proposal')
    expect(await countEntries(service)).to.equal(before)
  })

  it('is decided once, by whomever comes first', async () => {
    const path = await asked()
    const before = await countEntries(service)
    const answers = await Promise.all(
      Array.from({ length: 6 }, async (_none, n) =>
        n % 2 === 0
          ? await as(`omar-${n}`, 'approver', `${path}/approve`, {})
          : await as(`omar-${n}`, 'approver', `${path}/reject`, { reason: 'no' }),
      ),
    )
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1)
    for (const late of answers.filter(({ status }) => status !== 200)) {
      expectRefused(late, 'approval_decided')
    }
    const { json } = await service.call('GET', path)
    expect((await countEntries(service)) - before).to.equal(json['state'] === 'approved' ? 1 : 0)
  })

  it('is withdrawn by its maker, and then cannot be posted', async () => {
    const path = await asked()
    const withdrawn = await as('mira', 'finance', `${path}/withdraw`, { reason: 'typed wrong' })
    expect(withdrawn.json).to.include({ state: 'withdrawn', decided_by: 'mira' })
    expectRefused(await as('omar', 'approver', `${path}/approve`, {}), 'approval_decided')
  })

  it('waits on where the ledger refuses it, and no longer than seven days', async () => {
    const body = entryBody({
      lines: [line('debit', BANK, 90_000), line('credit', 'expenses:tea', 90_000)],
    })
    // Nobody is asked to consent to what no account could take.
    expectRefused(await as('mira', 'finance', ENTRIES, body), 'unknown_account')
    const tea = { code: 'expenses:tea', name: 'Tea', currency: 'INR' }
    const account = await as('mira', 'finance', '/v1/accounts', tea)
    const path = await asked(body)
    const closed = { state: 'closed', reason: 'nobody drinks it' }
    const change = { role: 'finance', body: closed } as const
    const there = `/v1/accounts/${textIn(account.json, 'id')}`
    expect((await service.call('PATCH', there, change)).status).to.equal(200)
    expectRefused(await as('omar', 'approver', `${path}/approve`, {}), 'account_closed')
    expect((await service.call('GET', path)).json).to.include({ state: 'waiting' })
    await service.rows(
      `set session_replication_role = replica;
       update approvals set expires_at = now() where approval_id = '${path.split('/').at(-1)}'`,
    )
    expect((await service.call('GET', path)).json).to.include({ state: 'expired' })
    expectRefused(await as('omar', 'approver', `${path}/approve`, {}), 'approval_decided')
  })

  it('may be a reversal, an adjustment or an exchange, but not part of a batch', async () => {
    const large = await as('omar', 'approver', `${await asked()}/approve`, {})
    const entry = `${ENTRIES}/${textIn(large.json, 'journal_entry')}`
    const reversal = await as('mira', 'finance', `${entry}/reverse`, { reason: 'twice' })
    expect(reversal.json).to.include({ verb: 'reverse', corrects: entry.split('/').at(-1) })
    const lines = [line('debit', BANK, 30_000), line('credit', FUND, 30_000)]
    const adjustment = await as('mira', 'finance', `${entry}/adjust`, { reason: 'less', lines })
    expect(adjustment.json).to.include({ verb: 'adjust', amount: 30_000 })
    const exchange = await as('mira', 'finance', '/v1/exchanges', {
      from_account: { code: BANK, currency: 'INR' },
      to_account: { code: BANK, currency: 'USD' },
      amount: 20_000,
      rate: '0.012',
      rate_source: 'bank',
      effective_on: '2026-05-04',
    })
    expect([exchange.status, exchange.json['verb']]).to.deep.equal([202, 'exchange'])
    for (const { json } of [adjustment, exchange, reversal]) {
      const path = `/v1/approvals/${textIn(json, 'id')}/approve`
      const approved = await as('omar', 'approver', path, {})
      const said = json['verb'] === 'reverse' ? 422 : 200
      // What was adjusted meanwhile is not reversed.
      expect(approved.status, approved.text).to.equal(said)
    }
    const batch = await as('mira', 'finance', BATCH, {
      mode: 'each',
      entries: [{ idempotency_key: 'in-batch', ...of(10_001) }],
    })
    expectRefused(batch, 'approval_required')
    expect(JSON.stringify(batch.json['errors'])).to.contain('/entries/0/lines')
  })

  it('is guarded by the database as well', async () => {
    const path = await asked()
    const id = path.split('/').at(-1) ?? ''
    const by = (name: string, person = `token:${name}`) =>
      `decided_by = '${name}', decided_person = '${person}', decided_at = now()`
    for (const set of [
      `${by('mira')}, state = 'approved', posted_no = 1`,
      `${by('omar')}, state = 'approved'`,
      `${by('omar')}, state = 'approved', posted_no = 999999`,
      `${by('omar', 'token:mira')}, state = 'approved', posted_no = 1`,
      `${by('key:key_1', 'token:omar')}, state = 'approved', posted_no = 1`,
      `${by('omar')}, state = 'withdrawn'`,
      "decided_by = 'omar', decided_at = now(), state = 'approved', posted_no = 1",
      "state = 'rejected'",
      'amount = 1',
      "made_by = 'omar'",
    ]) {
      const refused = await service.parts.db
        .transact(1, async (trx) => {
          await trx.query(`update approvals set ${set} where approval_id = $1`, [id])
        })
        .then(
          () => 'done',
          () => 'refused',
        )
      expect(refused, set).to.equal('refused')
    }
  })

  it('limits are an admin’s to set, whole, and each currency once', async () => {
    const inr = { currency: 'INR', amount: 10_000 }
    for (const limits of [[inr, inr], [{ currency: 'INR', amount: -1 }], [{ amount: 1 }], 'none']) {
      const answer = await service.call('PUT', LIMITS, { role: 'admin', body: { limits } })
      expectRefused(answer, 'invalid_request')
    }
    const both = { limits: [inr, { currency: 'USD', amount: 0 }] }
    const set = await service.call('PUT', LIMITS, { role: 'admin', body: both })
    expect([set.status, set.json]).to.deep.equal([200, both])
    expect((await service.call('GET', LIMITS)).json).to.deep.equal(both)
    expectRefused(await service.call('PUT', LIMITS, { role: 'finance', body: both }), 'forbidden')
  })
})
