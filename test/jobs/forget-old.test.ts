/** Forgetting what is over for long enough: all of it, nothing else, and in steps. */
import { expect } from 'chai'
import { forgetOld, isTimeToForget, KEPT_DAYS } from '../../jobs/forget-old.ts'
import { sweep } from '../../jobs/sweep.ts'
import type { JobName } from '../../src/base/queue.ts'
import { forgetSessions } from '../../src/identity/sessions.ts'
import { forgetDeliveries, forgetMessages } from '../../src/notifications/forget.ts'
import { addPerson, sessionOf } from '../support/people.ts'
import { startTestService, type TestService } from '../support/service.ts'

describe('the job that forgets', () => {
  let service: TestService

  beforeEach(async () => {
    service = await startTestService()
    await service.rows(
      `insert into webhook_subscriptions (org_id, subscription_id, url, event_types)
       values (1, 'sub_1', 'https://hooks.example/', '{payment.captured}')`,
    )
  })

  afterEach(async () => {
    await service.stop()
  })

  /** A message that was told so many days ago, with deliveries that ended so many days ago. */
  async function told(id: string, days: number, ended: readonly (number | null)[]): Promise<void> {
    await service.rows(
      `insert into webhook_messages (org_id, message_id, type, subject, data, created_at,
         fanned_out_at)
       values (1, $1, 'payment.captured', $1, '{}', now() - $2 * interval '1 day',
         now() - $2 * interval '1 day')`,
      [id, days],
    )
    for (const [index, one] of ended.entries()) {
      await service.rows(
        `insert into webhook_deliveries (org_id, delivery_id, message_id, subscription_id, reason,
           state, attempts, ended_at)
         values (1, $1, $2, 'sub_1', 'event', case when $3::float8 is null then 'waiting'
           when $4 then 'dead' else 'delivered' end, 1, now() - $3::float8 * interval '1 day')`,
        [`${id}_${index}`, id, one, index % 2 === 1],
      )
      await service.rows(
        `insert into webhook_attempts (org_id, delivery_id, attempt, outcome)
         values (1, $1, 1, 'delivered'), (1, $1, 2, 'lost')`,
        [`${id}_${index}`],
      )
    }
  }

  async function ids(table: string, column: string): Promise<string[]> {
    const rows = await service.rows<{ id: string }>(
      `select distinct ${column} as id from ${table} order by 1`,
    )
    return rows.map(({ id }) => id)
  }

  const again = async () => await service.rows(`update forgetting set begun_at = '-infinity'`)

  async function forget(): Promise<void> {
    await again()
    await forgetOld.run(service.jobParts)
  }

  it('forgets webhooks that are done for 90 days, and none that is not', async () => {
    expect(KEPT_DAYS.webhooks).to.equal(90)
    await told('done', 100, [90.1, 99])
    await told('never_sent', 91, [])
    await told('recent', 89.9, [])
    await told('ended_lately', 100, [89.9])
    await told('replayed', 200, [190, 1])
    await told('on_its_way', 200, [190, null])
    await forget()
    expect(await ids('webhook_messages', 'message_id')).to.deep.equal([
      'ended_lately',
      'on_its_way',
      'recent',
      'replayed',
    ])
    const left = ['ended_lately_0', 'on_its_way_1', 'replayed_1']
    expect(await ids('webhook_deliveries', 'delivery_id')).to.deep.equal(left)
    expect(await ids('webhook_attempts', 'delivery_id')).to.deep.equal(left)
    await forget()
    expect(await ids('webhook_deliveries', 'delivery_id')).to.deep.equal(left)
  })

  it('forgets them in steps, of all organisations, beside another that does', async () => {
    await service.rows(
      `insert into webhook_messages (org_id, message_id, type, subject, data, fanned_out_at)
       select 1, 'm' || n, 'payment.captured', 'm' || n, '{}', now() - interval '91 days'
         from generate_series(1, 2500) n`,
    )
    await service.rows(
      `insert into webhook_deliveries (org_id, delivery_id, message_id, subscription_id, reason,
         state, ended_at)
       select 1, 'd' || n, 'm' || n, 'sub_1', 'event', 'dead', now() - interval '91 days'
         from generate_series(1, 2500) n`,
    )
    const { db } = service.parts
    const [one, other, messages] = await Promise.all([
      forgetDeliveries(db, 90, 300),
      forgetDeliveries(db, 90, 300),
      forgetMessages(db, 90, 300),
    ])
    expect(one + other).to.be.within(300, 600)
    // Of messages only those whose deliveries were gone by then.
    expect(messages).to.be.at.most(one + other)
    expect((await ids('webhook_messages', 'message_id')).length).to.equal(2500 - messages)
    await forget()
    expect(await ids('webhook_messages', 'message_id')).to.deep.equal([])
  })

  it('is not needed by the database to keep them: it refuses to forget sooner', async () => {
    await told('young', 89, [89])
    await told('old', 100, [100])
    const refused = async (sql: string, scope: number | 'all' = 'all') =>
      await service.parts.db
        .transact(scope, async (trx) => await trx.query(sql))
        .then(
          () => 'done',
          (error: Error) => error.message,
        )
    expect(await refused('delete from webhook_deliveries')).to.contain('kept for 90 days')
    expect(await refused('delete from webhook_messages')).to.contain('bahi:')
    expect(await refused('delete from webhook_attempts')).to.contain('permission denied')
    expect(await refused('truncate webhook_messages cascade')).to.contain('permission denied')
    const asOwner = async (sql: string) =>
      await service.rows(sql).then(
        () => 'done',
        (error: Error) => error.message,
      )
    expect(await asOwner('delete from webhook_attempts')).to.contain('kept with its delivery')
    expect(await asOwner('truncate webhook_messages cascade')).to.contain('is refused')
    expect(await asOwner('truncate webhook_attempts')).to.contain('is refused')
    // Another organisation sees none of them, and forgets none.
    expect(await refused('delete from webhook_deliveries', 2)).to.equal('done')
    expect(await ids('webhook_deliveries', 'delivery_id')).to.deep.equal(['old_0', 'young_0'])
  })

  it('forgets sessions that ended long ago, and expired invitations with emails', async () => {
    const person = await addPerson(service, 'asha@example.org', 'viewer')
    await sessionOf(service, person)
    await sessionOf(service, person)
    const [first, second] = await ids('sessions', 'session_id')
    const age = async (id: string | undefined, days: number) =>
      await service.rows(
        `update sessions set created_at = created_at - $2 * interval '1 day',
                expires_at = expires_at - $2 * interval '1 day' where session_id = $1`,
        [id, days],
      )
    await age(first, 31)
    await age(second, 30)
    for (const [name, days] of [
      ['open', 0],
      ['late', 36],
      ['over', 38],
    ] as const) {
      await service.call('POST', '/v1/users', {
        role: 'admin',
        body: { email: `${name}@example.org`, name, role: 'viewer' },
      })
      await service.rows(
        `update user_invitations i set created_at = i.created_at - $2 * interval '1 day',
                expires_at = i.expires_at - $2 * interval '1 day'
           from users u where u.user_id = i.user_id and u.email = $1`,
        [`${name}@example.org`, days],
      )
    }
    await service.rows(
      `update invitation_emails set created_at = created_at - interval '38 days',
              state = 'withdrawn', token_sealed = null`,
    )
    await forget()
    expect(await ids('sessions', 'session_id')).to.deep.equal([second])
    const invited = await service.rows(
      `select u.name, e.email_id is not null as emailed from users u
         left join user_invitations i using (user_id)
         left join invitation_emails e using (user_id)
        where i.user_id is not null or e.user_id is not null order by 1`,
    )
    // The one that was used left no invitation; its email went with the one that is over.
    expect(invited).to.deep.equal([
      { name: 'late', emailed: true },
      { name: 'open', emailed: true },
    ])
    expect(await ids('users', 'email')).to.include('over@example.org')
  })

  it('forgets up to so many at a time, the oldest first', async () => {
    const person = await addPerson(service, 'many@example.org', 'viewer')
    for (let count = 0; count < 3; count += 1) {
      await sessionOf(service, person)
    }
    await service.rows(
      `update sessions set created_at = created_at - interval '40 days',
              expires_at = expires_at - interval '40 days'`,
    )
    expect(await forgetSessions(service.parts.db, 30, 2)).to.equal(2)
    expect(await forgetSessions(service.parts.db, 30, 2)).to.equal(1)
    expect(await forgetSessions(service.parts.db, 30, 2)).to.equal(0)
  })

  it('is rung for by the sweep every ten minutes, and runs once of those who come', async () => {
    const rung = async (): Promise<JobName[]> => {
      const names: JobName[] = []
      const bells = { ...service.parts.bells, ring: (name: JobName) => void names.push(name) }
      await sweep({ ...service.parts, bells })
      return names
    }
    expect(await rung()).to.include('forget-old')
    await forgetOld.run(service.jobParts)
    expect(await rung()).to.not.include('forget-old')
    await told('done', 100, [100])
    await forgetOld.run(service.jobParts)
    expect(await ids('webhook_messages', 'message_id')).to.deep.equal(['done'])
    await service.rows(`update forgetting set begun_at = now() - interval '11 minutes'`)
    expect(await isTimeToForget(service.parts.db)).to.equal(true)
    await forgetOld.run({ ...service.jobParts, shouldStop: () => true })
    expect(await ids('webhook_messages', 'message_id')).to.deep.equal(['done'])
    await again()
    await Promise.all([forgetOld.run(service.jobParts), forgetOld.run(service.jobParts)])
    expect(await ids('webhook_messages', 'message_id')).to.deep.equal([])
  })
})
