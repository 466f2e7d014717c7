/** Maker and checker are two people: not two names, keys, tokens or invitations of one. */
import { expect } from 'chai'
import { signToken } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/permissions.ts'
import {
  addPerson,
  callWith,
  invitationOf,
  PASSWORD,
  sessionOf,
  type Person,
} from '../support/people.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { BANK, countEntries, ENTRIES, entryBody, expectRefused, FUND, line } from './posting.ts'
import { textIn } from './seeded.ts'

const LIMITS = '/v1/approval-limits'

/** The service with a limit of ₹100, and calls by people, keys and tokens. */
async function opened() {
  const service = await startTestService()
  const body = { limits: [{ currency: 'INR', amount: 10_000 }] }
  expect((await service.call('PUT', LIMITS, { role: 'admin', body })).status).to.equal(200)
  let sent = 0
  const by = async (token: string, method: string, path: string, more?: unknown) => {
    sent += 1
    return await service.call(method, path, {
      ...(more === undefined ? {} : { body: more }),
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': `people-${sent}` },
    })
  }
  const tokenOf = (subject: string, role: Role) =>
    signToken({ subject, orgId: 1, role }, service.config.jwtSecret, 60)
  return {
    service,
    by,
    tokenOf,
    /** Asks for ₹200 to be posted; gives the approval's path. */
    async ask(token: string, more: object = {}): Promise<string> {
      const lines = [line('debit', BANK, 20_000), line('credit', FUND, 20_000)]
      const answer = await by(token, 'POST', ENTRIES, entryBody({ lines, ...more }))
      expect(answer.status, answer.text).to.equal(202)
      return `/v1/approvals/${textIn(answer.json, 'id')}`
    },
    async approve(token: string, path: string): Promise<Answer> {
      return await by(token, 'POST', `${path}/approve`, {})
    },
    async keyOf(token: string, role: Role, permissions?: string[]) {
      const wanted = { name: 'Key', role, ...(permissions === undefined ? {} : { permissions }) }
      const made = await by(token, 'POST', '/v1/api-keys', wanted)
      expect(made.status, made.text).to.equal(201)
      const { id } = made.json['api_key'] as { id: string }
      return { id, secret: textIn(made.json, 'secret') }
    },
  }
}

type Opened = Awaited<ReturnType<typeof opened>>

describe('maker and checker', () => {
  let it2: Opened
  let service: TestService
  let admin: Person
  let session: string
  let checker: string

  before(async () => {
    it2 = await opened()
    service = it2.service
    admin = await addPerson(service, 'asha@example.org', 'admin')
    session = await sessionOf(service, admin)
    // His invitation was seen by `test`, who asks for nothing here.
    checker = await sessionOf(service, await addPerson(service, 'omar@example.org', 'approver'))
  })

  after(async () => {
    await service.stop()
  })

  it('are not a user and his own key, nor one key and another of his', async () => {
    const before = await countEntries(service)
    const path = await it2.ask(session)
    for (const role of ['approver', 'admin'] as const) {
      const { secret } = await it2.keyOf(session, role)
      expectRefused(await it2.approve(secret, path), 'forbidden')
      const rejected = await it2.by(secret, 'POST', `${path}/reject`, { reason: 'x' })
      expectRefused(rejected, 'forbidden')
    }
    const other = await it2.keyOf(session, 'admin', ['books.post', 'books.read'])
    const byKey = await it2.ask(other.secret)
    expectRefused(await it2.approve(session, byKey), 'own_proposal')
    expect(await countEntries(service)).to.equal(before)
    expect((await it2.approve(checker, byKey)).json).to.include({ made_by: `key:${other.id}` })
    expect((await it2.approve(checker, path)).status).to.equal(200)
  })

  it('are not a key and what another key of the same maker made', async () => {
    const one = await it2.keyOf(session, 'admin')
    const two = await it2.keyOf(one.secret, 'admin', ['books.post', 'approvals.read'])
    const path = await it2.ask(two.secret)
    expectRefused(await it2.approve(session, path), 'own_proposal')
    const withdrawn = await it2.by(session, 'POST', `${path}/withdraw`, { reason: 'a mistake' })
    expect(withdrawn.json).to.include({ state: 'withdrawn', decided_by: `user:${admin.id}` })
  })

  it('are not who made a key and who took it over: the maker has its secret', async () => {
    const nils = await addPerson(service, 'nils@example.org', 'admin')
    const own = await sessionOf(service, nils)
    const key = await it2.keyOf(own, 'admin')
    const taken = await it2.by(session, 'POST', `/v1/api-keys/${key.id}/take-over`)
    expect(taken.json).to.include({ owner: `user:${admin.id}`, created_by: `user:${nils.id}` })
    const next = await it2.keyOf(key.secret, 'admin')
    for (const { secret } of [key, next]) {
      const path = await it2.ask(secret)
      expectRefused(await it2.approve(own, path), 'own_proposal')
      expectRefused(await it2.approve(session, path), 'own_proposal')
      expect((await it2.approve(checker, path)).status).to.equal(200)
    }
  })

  it('cannot be given to a key by name', async () => {
    for (const permission of ['approvals.decide', 'identity.manage']) {
      const body = { name: 'x', role: 'admin', permissions: [permission] }
      expectRefused(await it2.by(session, 'POST', '/v1/api-keys', body), 'invalid_request')
    }
  })

  it('are not one token in two spellings, nor a token and the user with its name', async () => {
    const path = await it2.ask(it2.tokenOf('Mira  Iyer', 'finance'))
    for (const subject of ['mira iyer', 'MIRA IYER', 'Mira Iyer', 'ｍｉｒａ iyer']) {
      const token = it2.tokenOf(subject, 'approver')
      expectRefused(await it2.approve(token, path), 'own_proposal')
    }
    expect((await it2.approve(it2.tokenOf('mira iyengar', 'approver'), path)).status).to.equal(200)
    const own = await it2.ask(it2.tokenOf('Asha@Example.org', 'finance'))
    expectRefused(await it2.approve(session, own), 'own_proposal')
    await service.rows(
      `insert into user_identities (org_id, user_id, issuer, subject)
       values (1, $1, 'https://login.example', 'Sub-7')`,
      [admin.id],
    )
    const bound = await it2.ask(it2.tokenOf('sub-7', 'finance'))
    expectRefused(await it2.approve(session, bound), 'own_proposal')
    const turned = await it2.ask(session)
    expectRefused(await it2.approve(it2.tokenOf('SUB-7', 'approver'), turned), 'own_proposal')
    expect((await it2.approve(checker, turned)).status).to.equal(200)
  })

  it('are not the maker and whom he invited, where he saw the invitation', async () => {
    const path = await it2.ask(session)
    const body = { email: 'puppet@example.org', name: 'Puppet', role: 'approver' }
    const made = await it2.by(session, 'POST', '/v1/users', body)
    const accept = async (token: string) =>
      await service.call('POST', '/v1/invitations/accept', {
        role: null,
        body: { token, password: PASSWORD },
      })
    expect((await accept(invitationOf(made))).status).to.equal(200)
    const puppet = { email: 'puppet@example.org', password: PASSWORD }
    const refused = await it2.approve(await sessionOf(service, puppet), path)
    expectRefused(refused, 'own_proposal')
    expect(refused.json['detail']).to.contain('shown the invitation')
    const { id } = made.json['user'] as { id: string }
    const shown = async () =>
      (await it2.by(session, 'GET', `/v1/users/${id}`)).json['invitation_shown_to']
    expect(await shown()).to.equal(`user:${admin.id}`)
    // What he asks for by a key, or who else asks, makes no difference.
    const key = await it2.keyOf(session, 'admin', ['books.post'])
    const byKey = await it2.ask(key.secret)
    expectRefused(await it2.approve(await sessionOf(service, puppet), byKey), 'own_proposal')
    const ofOther = await it2.ask(it2.tokenOf('nils', 'finance'))
    expect((await it2.approve(await sessionOf(service, puppet), ofOther)).status).to.equal(200)
    // Another admin's reset sets him free.
    const reset = await service.call('POST', `/v1/users/${id}/reset`, { role: 'admin' })
    expect((await accept(invitationOf(reset))).status).to.equal(200)
    expect(await shown()).to.equal('token:test')
    expect((await it2.approve(await sessionOf(service, puppet), path)).status).to.equal(200)
  })

  it('are two where only the email had the invitation', async () => {
    const only = { email_only: true }
    expect((await it2.by(session, 'PUT', '/v1/invitation-settings', only)).status).to.equal(200)
    const body = { email: 'nina@example.org', name: 'Nina', role: 'approver' }
    const made = await it2.by(session, 'POST', '/v1/users', body)
    expect((made.json['invitation'] as { token: unknown }).token).to.equal(null)
    const { id } = made.json['user'] as { id: string }
    const [kept] = await service.rows('select shown_to from user_invitations where user_id = $1', [
      id,
    ])
    expect(kept).to.deep.equal({ shown_to: null })
    expect((await callWith(service, session, 'GET', `/v1/users/${id}`)).json).to.include({
      invitation_shown_to: null,
    })
  })
})

describe('who asked for an entry', () => {
  let it2: Opened
  let service: TestService
  let session: string
  let checker: string

  before(async () => {
    it2 = await opened()
    service = it2.service
    session = await sessionOf(service, await addPerson(service, 'asha@example.org', 'admin'))
    checker = await sessionOf(service, await addPerson(service, 'omar@example.org', 'admin'))
    const close = { state: 'soft_closed', reason: 'done' }
    const closed = await it2.by(session, 'POST', '/v1/periods/2026-04/close', close)
    expect(closed.status, closed.text).to.equal(200)
  })

  after(async () => {
    await service.stop()
  })

  const late = { effective_on: '2026-04-15', late_reason: 'the bill came late' }

  it('gets by consent nothing that he may not do himself', async () => {
    const { secret } = await it2.keyOf(session, 'admin', ['books.post'])
    for (const amount of [500, 20_000]) {
      const lines = [line('debit', BANK, amount), line('credit', FUND, amount)]
      const body = entryBody({ lines, ...late })
      expectRefused(await it2.by(secret, 'POST', ENTRIES, body), 'forbidden')
    }
    expect((await it2.approve(checker, await it2.ask(session, late))).status).to.equal(200)
  })

  it('has to be allowed to when it is posted, too', async () => {
    const nils = await addPerson(service, 'nils@example.org', 'admin')
    const path = await it2.ask(await sessionOf(service, nils), late)
    const turn = async (change: object) =>
      await it2.by(session, 'PATCH', `/v1/users/${nils.id}`, change)
    expect((await turn({ role: 'finance' })).status).to.equal(200)
    const before = await countEntries(service)
    expectRefused(await it2.approve(checker, path), 'forbidden')
    await turn({ role: 'viewer' })
    expectRefused(await it2.approve(checker, path), 'maker_left')
    await turn({ role: 'admin', state: 'disabled' })
    expectRefused(await it2.approve(checker, path), 'maker_left')
    expect(await countEntries(service)).to.equal(before)
    expect((await service.call('GET', path)).json).to.include({ state: 'waiting' })
    await turn({ state: 'active' })
    expect((await it2.approve(checker, path)).status).to.equal(200)
  })

  it('by a key has to have it still, and a maker who is there', async () => {
    const nils = await addPerson(service, 'nina@example.org', 'admin')
    const own = await sessionOf(service, nils)
    const [revoked, left] = [await it2.keyOf(own, 'service'), await it2.keyOf(own, 'service')]
    const [first, second] = [await it2.ask(revoked.secret), await it2.ask(left.secret)]
    await it2.by(session, 'POST', `/v1/api-keys/${revoked.id}/revoke`)
    expectRefused(await it2.approve(checker, first), 'maker_left')
    await it2.by(session, 'PATCH', `/v1/users/${nils.id}`, { state: 'disabled' })
    expectRefused(await it2.approve(checker, second), 'maker_left')
    await it2.by(session, 'POST', `/v1/api-keys/${left.id}/take-over`)
    expect((await it2.approve(checker, second)).status).to.equal(200)
  })
})
