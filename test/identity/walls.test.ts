/** What the database itself does not let the application do with users, sessions and keys. */
import { expect } from 'chai'
import { bind } from '../../src/identity/identities.ts'
import { fetchOutside } from '../../src/identity/outside.ts'
import { addPerson, sessionOf } from '../support/people.ts'
import { startTestService, type TestService } from '../support/service.ts'

const TABLES = [
  'users',
  'user_invitations',
  'invitation_emails',
  'invitation_settings',
  'user_identities',
  'sessions',
  'api_keys',
  'oidc_providers',
] as const

describe('the tables of identity', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
    const person = await addPerson(service, 'asha@example.org', 'admin')
    await sessionOf(service, person)
    await service.call('POST', `/v1/users`, {
      role: 'admin',
      body: { email: 'new@example.org', name: 'New', role: 'viewer' },
    })
    await service.call('PUT', '/v1/invitation-settings', {
      role: 'admin',
      body: { email_only: false },
    })
    await service.parts.db.transact(1, async (trx) => {
      await bind(trx, person.id, { issuer: 'https://login.example', subject: 'somebody' })
    })
    const key = { name: 'key', role: 'viewer' }
    await service.call('POST', '/v1/api-keys', { role: 'admin', body: key })
    await service.call('PUT', '/v1/oidc-provider', {
      role: 'admin',
      body: { issuer: 'https://login.example', client_id: 'x', client_secret: 'y' },
    })
  })

  after(async () => {
    await service.stop()
  })

  /** What the application hears when it tries that for organisation 1. */
  async function rejects(sql: string): Promise<string> {
    return await service.parts.db
      .transact(1, async (trx) => await trx.query(sql))
      .then(
        () => 'done',
        (error: Error) => error.message,
      )
  }

  it('are walled in: another organisation’s transactions see nothing of them', async () => {
    for (const table of TABLES) {
      const count = async (scope: number) =>
        await service.parts.db.read(scope, async (trx) => {
          const [row] = await trx.query<{ rows: number }>(
            `select count(*)::integer as rows from ${table}`,
          )
          return row?.rows
        })
      expect(await count(1), table).to.be.greaterThan(0)
      expect(await count(2), table).to.equal(0)
      const [policy] = await service.rows<{ forced: boolean }>(
        'select relforcerowsecurity as forced from pg_class where oid = $1::regclass',
        [table],
      )
      expect(policy, table).to.deep.equal({ forced: true })
    }
  })

  it('lose no user, and change nobody’s email, organisation or past', async () => {
    for (const sql of [
      'delete from users',
      'truncate users cascade',
      `update users set email = 'other@example.org'`,
      'update users set org_id = 2',
      `update users set created_by = 'nobody'`,
      'delete from api_keys',
      `update api_keys set role = 'admin'`,
      'update api_keys set permissions = null',
      `update api_keys set expires_at = now() + interval '1 day'`,
      `update sessions set expires_at = now() + interval '1 day'`,
      `update sessions set token_hash = sha256('')`,
      `update user_invitations set expires_at = now()`,
      `update invitation_emails set token_hash = sha256('')`,
      `update invitation_emails set page_url = 'https://evil.example/'`,
      `update user_identities set subject = 'another'`,
      `update user_identities set user_id = 'another'`,
    ]) {
      expect(await rejects(sql), sql).to.contain('permission denied')
    }
    expect(await rejects(`update users set role = 'viewer' where role = 'admin'`)).to.equal(
      'bahi: the last active admin stays',
    )
  })

  it('take no row that is none, nor one for another organisation', async () => {
    const columns = 'org_id, user_id, email, name, role, created_by, updated_by'
    const id = `usr_${'0'.repeat(26)}`
    for (const values of [
      `1, 'usr_1', 'a@b.in', 'A', 'viewer', 'x', 'x'`,
      `1, '${id}', 'A@b.in', 'A', 'viewer', 'x', 'x'`,
      `1, '${id}', 'a b@b.in', 'A', 'viewer', 'x', 'x'`,
      `1, '${id}', 'a@b.in', '', 'viewer', 'x', 'x'`,
      `1, '${id}', 'a@b.in', 'A', 'owner', 'x', 'x'`,
      `1, '${id}', 'asha@example.org', 'A', 'viewer', 'x', 'x'`,
      `2, '${id}', 'a@b.in', 'A', 'viewer', 'x', 'x'`,
    ]) {
      const said = await rejects(`insert into users (${columns}) values (${values})`)
      expect(said, values).to.match(/violates (check|unique|row-level)/)
    }
    for (const hash of ['plain', 'scrypt$15$8$1$x$y', 'md5$1']) {
      const said = await rejects(`update users set password_hash = '${hash}'`)
      expect(said, hash).to.contain('violates check')
    }
  })
})

describe('a call to a server that an organisation named', () => {
  it('goes to no address inside, and not without https', async () => {
    for (const url of [
      'https://localhost:1/',
      'https://127.0.0.1:1/',
      'https://[::1]:1/',
      'https://[::ffff:10.0.0.1]:1/',
      'https://169.254.169.254/latest/meta-data',
      'https://0x7f000001/',
      'http://8.8.8.8/',
    ]) {
      const failed = await fetchOutside(url, {}).catch((error: Error) => error.message)
      expect(failed, url).to.contain('is not on the public internet by https')
    }
  })
})
