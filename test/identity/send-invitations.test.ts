/** Invitations by email: the secret sealed until it is sent, each sent once, failures visible. */
import { expect } from 'chai'
import type { JobName } from '../../src/base/queue.ts'
import { sendInvitationsJob } from '../../jobs/send-invitations.ts'
import { sweep } from '../../jobs/sweep.ts'
import { sendInvitations } from '../../src/identity/send-invitations.ts'
import { REJECT, startFakeSes, THROTTLE, type FakeSes, type SesMail } from '../support/fake-ses.ts'
import { invitationOf, PASSWORD } from '../support/people.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const ORG = 1

describe('the email of an invitation', () => {
  let ses: FakeSes
  let service: TestService
  let people = 0

  before(async () => {
    ses = await startFakeSes()
    service = await startTestService({ env: { SES_ENDPOINT: ses.url } })
  })

  beforeEach(async () => {
    ses.answer(() => 'accept')
    ses.sent.splice(0)
    await service.rows(
      `update invitation_emails set state = 'dead', token_sealed = null
        where state in ('waiting', 'claimed', 'sending')`,
    )
  })

  after(async () => {
    await service.stop()
    await ses.close()
  })

  interface Invited {
    id: string
    email: string
    token: string | null
  }

  async function inviteSomebody(name = 'Asha Verma'): Promise<Invited> {
    people += 1
    const email = `invited${people}@example.org`
    const made = await service.call('POST', '/v1/users', {
      role: 'admin',
      body: { email, name, role: 'viewer' },
    })
    expect(made.status, made.text).to.equal(201)
    return { id: (made.json['user'] as { id: string }).id, email, token: invitationOf(made) }
  }

  const send = async (parts = service.jobParts) => await sendInvitations(parts, ORG)

  /** The email as an admin sees it. */
  async function seen({ id }: Invited): Promise<Record<string, unknown>> {
    const shown = await service.call('GET', `/v1/users/${id}/invitation`, { role: 'admin' })
    expect(shown.status, shown.text).to.equal(200)
    return shown.json['email'] as Record<string, unknown>
  }

  async function makeDue({ id }: Invited): Promise<void> {
    await service.rows(
      `update invitation_emails set next_try_at = now() - interval '1 second'
        where user_id = $1`,
      [id],
    )
  }

  /** The link in a message, put together again where its lines were broken. */
  function linkIn({ raw }: SesMail): string {
    const text = raw.replaceAll(/=\r\n/g, '').replaceAll('=3D', '=')
    return /https?:\/\/\S+\/invitation#\S+/.exec(text)?.[0] ?? ''
  }

  async function accept(token: string): Promise<Answer> {
    const body = { token, password: PASSWORD }
    return await service.call('POST', '/v1/invitations/accept', { role: null, body })
  }

  it('takes a link to who is invited, once, and it lets him set his password', async () => {
    const one = await inviteSomebody()
    expect(await seen(one)).to.include({ state: 'waiting', attempts: 0, sent_at: null })
    expect(await send()).to.equal(1)
    expect(await send()).to.equal(0)
    const [mail, ...more] = ses.sent
    expect(more).to.deep.equal([])
    expect(mail?.to).to.equal(one.email)
    expect(mail?.raw).to.contain('invitation to the books of Test Trust')
    const link = linkIn(mail ?? { to: '', raw: '', reference: '' })
    expect(link).to.equal(`${service.url}/invitation#${one.token}`)
    expect(await seen(one)).to.include({ state: 'sent', attempts: 1, last_error: null })
    expect((await accept(link.split('#')[1] ?? '')).status).to.equal(200)
    const gone = await service.call('GET', `/v1/users/${one.id}/invitation`, { role: 'admin' })
    expect(gone.status).to.equal(404)
  })

  it('leaves its secret readable nowhere, before it is sent and after', async () => {
    const one = await inviteSomebody()
    const secret = (one.token ?? '').slice(-43)
    const expectNowhere = async (): Promise<void> => {
      const tables = await service.rows<{ name: string }>(
        `select table_name as name from information_schema.tables
          where table_schema = 'public' and table_type = 'BASE TABLE'`,
      )
      expect(tables.length).to.be.greaterThan(20)
      for (const { name } of tables) {
        const found = await service.rows(
          `select 1 from ${name} t where strpos(t::text, $1) > 0 or strpos(t::text, $2) > 0`,
          [secret, Buffer.from(secret).toString('hex')],
        )
        expect(found, name).to.deep.equal([])
      }
    }
    await expectNowhere()
    await send()
    await expectNowhere()
    const sealed = await service.rows(
      'select 1 from invitation_emails where user_id = $1 and token_sealed is not null',
      [one.id],
    )
    expect(sealed).to.deep.equal([])
  })

  it('is the only one to have the secret where the organisation wants that', async () => {
    const set = async (email_only: boolean) =>
      await service.call('PUT', '/v1/invitation-settings', { role: 'admin', body: { email_only } })
    expect((await set(true)).json).to.include({ email_only: true, updated_by: 'test' })
    try {
      const one = await inviteSomebody()
      expect(one.token).to.equal(null)
      const reset = await service.call('POST', `/v1/users/${one.id}/reset`, { role: 'admin' })
      expect(reset.json['invitation']).to.include({ token: null })
      while ((await send()) > 0) {
        // The first one is withdrawn, the second one sent.
      }
      expect(ses.sent).to.have.length(1)
      const [mail = { to: '', raw: '', reference: '' }] = ses.sent
      expect((await accept(linkIn(mail).split('#')[1] ?? '')).status).to.equal(200)
    } finally {
      expect((await set(false)).json).to.include({ email_only: false })
    }
    const shown = await service.call('GET', '/v1/invitation-settings', { role: 'auditor' })
    expect(shown.json).to.include({ email_only: false })
    expect((await inviteSomebody()).token).to.match(/^bahi_invitation_/)
  })

  it('is withdrawn where the invitation was used, replaced or ended before', async () => {
    const [used, replaced, disabled, expired] = [
      await inviteSomebody(),
      await inviteSomebody(),
      await inviteSomebody(),
      await inviteSomebody(),
    ]
    await accept(used.token ?? '')
    await service.call('POST', `/v1/users/${replaced.id}/reset`, { role: 'admin' })
    await service.call('PATCH', `/v1/users/${disabled.id}`, {
      role: 'admin',
      body: { state: 'disabled' },
    })
    await service.rows(
      `update user_invitations set created_at = created_at - interval '8 days',
              expires_at = expires_at - interval '8 days' where user_id = $1`,
      [expired.id],
    )
    while ((await send()) > 0) {
      // Until nothing is due.
    }
    expect(ses.sent.map(({ to }) => to)).to.deep.equal([replaced.email])
    const states = await service.rows(
      `select state, token_sealed is null as is_clean from invitation_emails
        where user_id = any($1) order by state`,
      [[used.id, replaced.id, disabled.id, expired.id]],
    )
    const withdrawn = { state: 'withdrawn', is_clean: true }
    expect(states).to.deep.equal([
      { state: 'sent', is_clean: true },
      withdrawn,
      withdrawn,
      withdrawn,
      withdrawn,
    ])
  })

  it('that SES refuses or never takes ends, where the admin sees it', async () => {
    const [refused, dead] = [await inviteSomebody(), await inviteSomebody()]
    ses.answer((mail) => (mail.to === refused.email ? REJECT : THROTTLE))
    await service.rows('update invitation_emails set attempts = 19 where user_id = $1', [dead.id])
    expect(await send()).to.equal(2)
    expect(await seen(refused)).to.include({ state: 'refused', attempts: 1, sent_at: null })
    expect((await seen(refused))['last_error']).to.include('suppression list')
    expect(await seen(dead)).to.include({ state: 'dead', attempts: 20 })
    ses.answer(() => 'accept')
    await makeDue(refused)
    await makeDue(dead)
    expect(await send()).to.equal(0)
    const back = service.parts.db.transact(
      ORG,
      async (trx) =>
        await trx.query(
          `update invitation_emails set state = 'waiting', token_sealed = '' where user_id = $1`,
          [dead.id],
        ),
    )
    expect(await back.catch((error: Error) => error.message)).to.contain('not sent again')
  })

  it('that SES throttles waits and is sent then, with the same secret', async () => {
    const one = await inviteSomebody()
    ses.answer(() => THROTTLE)
    await send()
    expect(await seen(one)).to.include({ state: 'waiting', attempts: 1 })
    expect(await send(), 'before it is due').to.equal(0)
    ses.answer(() => 'accept')
    await makeDue(one)
    expect(await send()).to.equal(1)
    expect(await seen(one)).to.include({ state: 'sent', attempts: 2 })
    expect((await accept(one.token ?? '')).status).to.equal(200)
  })

  it('of which nobody knows whether it was sent goes out once more, and no more', async () => {
    const one = await inviteSomebody()
    ses.answer(() => 'hang up')
    await send()
    expect(await seen(one)).to.include({ state: 'waiting', attempts: 1 })
    expect(await send()).to.equal(0)
    await makeDue(one)
    await send()
    expect(await seen(one)).to.include({ state: 'unconfirmed', attempts: 2 })
    await makeDue(one)
    expect(await send()).to.equal(0)
    const other = await inviteSomebody()
    await service.rows(
      `update invitation_emails set state = 'sending', attempts = 2, unknown_attempts = 1
        where user_id = $1`,
      [other.id],
    )
    await makeDue(other)
    expect(await send()).to.equal(0)
    expect(await seen(other)).to.include({ state: 'unconfirmed' })
  })

  it('is sent once though many workers send, and while one has it in hand', async () => {
    const all: Invited[] = []
    for (let count = 0; count < 12; count += 1) {
      all.push(await inviteSomebody())
    }
    const worker = async (): Promise<void> => {
      while ((await send()) > 0) {
        // The next ones.
      }
    }
    await Promise.all(Array.from({ length: 4 }, worker))
    expect(ses.sent.map(({ to }) => to).toSorted()).to.deep.equal(
      all.map(({ email }) => email).toSorted(),
    )
    const held = Promise.withResolvers<'accept'>()
    ses.answer(async () => await held.promise)
    const calls = ses.calls
    const last = await inviteSomebody()
    const first = send()
    await until(() => ses.calls > calls)
    expect((await seen(last))['state']).to.equal('sending')
    expect(await send()).to.equal(0)
    held.resolve('accept')
    expect(await first).to.equal(1)
  })

  it('is promised once for a request that comes twice, and for none that is refused', async () => {
    const body = { email: 'twice@example.org', name: 'Twice', role: 'viewer' }
    const headers = { 'idempotency-key': 'invite-twice' }
    const more = { role: 'admin', body, headers } as const
    await service.call('POST', '/v1/users', more)
    await service.call('POST', '/v1/users', more)
    expect((await service.call('POST', '/v1/users', { role: 'admin', body })).status).to.equal(409)
    expect(await send()).to.equal(1)
    expect(await send()).to.equal(0)
  })

  it('goes to the address that stands there, whatever somebody is called', async () => {
    const one = await inviteSomebody('"Evil" <other@example.org>, आशा; x')
    await send()
    expect(ses.sent.map(({ to }) => to)).to.deep.equal([one.email])
    const [header = ''] = /^To: [^]*?(?=\r\n\S)/m.exec(ses.sent[0]?.raw ?? '') ?? []
    expect(header.replaceAll(/"[^]*?"|=\?[^]*?\?=/g, '')).to.not.include('other@example.org')
  })

  it('is found by the sweep, and sent by its job', async () => {
    const rung = async (): Promise<JobName[]> => {
      const names: JobName[] = []
      const bells = { ...service.parts.bells, ring: (name: JobName) => void names.push(name) }
      await sweep({ ...service.parts, bells })
      return names
    }
    expect(await rung()).to.not.include('send-invitations')
    const one = await inviteSomebody()
    expect(await rung()).to.include('send-invitations')
    await sendInvitationsJob.run(service.jobParts)
    expect(ses.sent.map(({ to }) => to)).to.deep.equal([one.email])
    expect(await rung()).to.not.include('send-invitations')
  })

  it('leads to a page that runs nothing but its own script', async () => {
    const page = await fetch(`${service.url}/invitation`)
    expect(page.status).to.equal(200)
    expect(page.headers.get('content-type')).to.contain('text/html')
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).to.match(/^default-src 'none'; .*connect-src 'self'; .*frame-ancestors 'none'$/)
    const html = await page.text()
    const script = /<script>([^]*?)<\/script>/.exec(html)?.[1] ?? ''
    const hash = await crypto.subtle.digest('SHA-256', Buffer.from(script))
    expect(policy).to.contain(`script-src 'sha256-${Buffer.from(hash).toString('base64')}'`)
    expect(html).to.contain('minlength="12"').and.contain('maxlength="200"')
  })
})
