/** What is overdue is told once an hour, to who has it and then to others, until it is heard. */
import { expect } from 'chai'
import { remindRecon } from '../../jobs/remind-recon.ts'
import { sweep } from '../../jobs/sweep.ts'
import type { JobName } from '../../src/base/queue.ts'
import { rolesWith } from '../../src/http/permissions.ts'
import { takeTurn } from '../../src/recon/work/reminders.ts'
import { OWNER_ROLES } from '../../src/recon/work/policy.ts'
import { startFakeSes, type FakeSes } from '../support/fake-ses.ts'
import { addPerson, type Person } from '../support/people.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { breakAll, broken, today } from './broken.ts'

const BOSS = 'treasurer@example.org'

describe('reminders of overdue exceptions', () => {
  let ses: FakeSes
  let service: TestService
  let asha: Person
  let ravi: Person
  let made = 0

  before(async () => {
    ses = await startFakeSes()
    service = await startTestService({ env: { SES_ENDPOINT: ses.url } })
    asha = await addPerson(service, 'asha@example.org', 'finance')
    ravi = await addPerson(service, 'ravi@example.org', 'admin')
  })

  beforeEach(async () => {
    ses.answer(() => 'accept')
    await service.rows(`update recon_exceptions set state = 'resolved', ended_at = now()
                         where state = 'open'`)
    await hourPasses()
    await remindRecon.run(service.jobParts)
    ses.sent.splice(0)
  })

  after(async () => {
    await service.stop()
    await ses.close()
  })

  async function setReminders(reminders: JsonObject | null): Promise<void> {
    const { json } = await service.call('GET', '/v1/recon/work-policy')
    const policy = { ...(json['policy'] as JsonObject), reminders }
    const body = { policy, reason: 'test' }
    const set = await service.call('POST', '/v1/recon/work-policy', { role: 'admin', body })
    expect(set.status, set.text).to.equal(201)
  }

  /** So many open exceptions that are overdue, of somebody. */
  async function overdue(count: number, owner: string | null): Promise<string[]> {
    const breaks = Array.from({ length: count }, () => broken((made += 1)))
    const ids = await breakAll(service, breaks)
    await service.call('POST', '/v1/recon/exceptions/assign', { body: { ids, owner } })
    await service.rows(
      `update recon_cases set due_at = now() - interval '1 minute',
              next_reminder_at = now() - interval '1 minute'
        where exception_id = any($1)`,
      [ids],
    )
    return ids
  }

  async function hourPasses(): Promise<void> {
    await service.rows(`update recon_turns set next_at = now()`)
  }

  /** The interval is over, and so is the hour. */
  async function dayPasses(): Promise<void> {
    await service.rows(
      `update recon_cases set next_reminder_at = now() where next_reminder_at is not null
          and due_at < now()`,
    )
    await hourPasses()
  }

  const told = () => ses.sent.map(({ to }) => to).toSorted()

  async function stateOf(id: string) {
    const { json } = await service.call('GET', `/v1/recon/exceptions/${id}`)
    return json
  }

  it('come as one email a person and turn, however much there is, and without data', async () => {
    await setReminders({ every_hours: 24, times: 3, addresses: [BOSS] })
    const [first = ''] = await overdue(30, asha.id)
    await overdue(2, ravi.id)
    await Promise.all([
      remindRecon.run(service.jobParts),
      remindRecon.run(service.jobParts),
      takeTurn(service.parts.db, 1),
    ])
    await remindRecon.run(service.jobParts)
    expect(told()).to.deep.equal([asha.email, ravi.email])
    const mail = ses.sent.find(({ to }) => to === asha.email)?.raw ?? ''
    expect(mail).to.contain('30 exceptions overdue at Test Trust')
    expect(mail).to.contain('INR 1500.00').and.to.contain('and 10 more.')
    expect(await stateOf(first)).to.include({ reminders: 1, overdue: true })
  })

  it('go to the organisation’s addresses from the second time on, and then expire', async () => {
    await setReminders({ every_hours: 24, times: 3, addresses: [BOSS] })
    const [id = ''] = await overdue(1, asha.id)
    await remindRecon.run(service.jobParts)
    await hourPasses()
    await remindRecon.run(service.jobParts)
    expect(told()).to.deep.equal([asha.email])
    for (let day = 0; day < 4; day += 1) {
      await dayPasses()
      await remindRecon.run(service.jobParts)
    }
    expect(told()).to.deep.equal([asha.email, asha.email, asha.email, BOSS, BOSS])
    const { json } = await service.call('GET', `/v1/recon/exceptions/${id}/timeline`)
    const events = (json['data'] as JsonObject[]).map(({ what }) => what)
    expect(events).to.deep.equal([
      'found',
      'assigned',
      'reminded',
      'reminded',
      'reminded',
      'expired',
    ])
  })

  it('go to the addresses at once where nobody has it, or to nobody', async () => {
    await setReminders({ every_hours: 24, times: 3, addresses: [BOSS] })
    await overdue(2, null)
    await remindRecon.run(service.jobParts)
    expect(told()).to.deep.equal([BOSS])
    await setReminders({ every_hours: 24, times: 3, addresses: [] })
    const [unheard = ''] = await overdue(1, null)
    await setReminders(null)
    const [off = ''] = await overdue(1, asha.id)
    await hourPasses()
    await remindRecon.run(service.jobParts)
    expect(ses.sent).to.have.length(1)
    expect(await stateOf(unheard)).to.include({ reminders: 0 })
    expect(await stateOf(off)).to.include({ reminders: 0 })
    await setReminders({ every_hours: 24, times: 3, addresses: [] })
    await dayPasses()
    await remindRecon.run(service.jobParts)
    expect(told()).to.deep.equal([asha.email, BOSS])
  })

  it('end when somebody acknowledges, until another due date has passed', async () => {
    await setReminders({ every_hours: 24, times: 3, addresses: [] })
    const [id = '', other = ''] = await overdue(2, asha.id)
    const path = `/v1/recon/exceptions/${id}/acknowledge`
    const heard = await service.call('POST', path, { body: { note: 'the bank is asked' } })
    expect(heard.json).to.include({ overdue: true, acknowledged_by: 'test', reminders: 0 })
    const inTime = new Date(Date.now() + 3_600_000).toISOString()
    const body = { ids: [other], due_at: inTime }
    const put = await service.call('POST', '/v1/recon/exceptions/acknowledge', { body })
    expect(put.json['data']).to.deep.equal([{ id: other, result: 'done' }])
    await dayPasses()
    await remindRecon.run(service.jobParts)
    expect(told()).to.deep.equal([])
    await service.rows(
      `update recon_cases set due_at = now(), next_reminder_at = now() where exception_id = $1`,
      [other],
    )
    await dayPasses()
    await remindRecon.run(service.jobParts)
    expect(told()).to.deep.equal([asha.email])
    const text = ses.sent[0]?.raw.replaceAll(/=\r?\n/g, '')
    expect(text).to.contain(other).and.not.to.contain(id)
    expect(await stateOf(other)).to.include({ reminders: 1, acknowledged_at: null })
  })

  it('are not sent of what has ended, and once more where SES does not answer', async () => {
    await setReminders({ every_hours: 24, times: 3, addresses: [] })
    const [id = ''] = await overdue(1, asha.id)
    await takeTurn(service.parts.db, 1)
    await service.rows(
      `update recon_exceptions set state = 'resolved', ended_at = now() where exception_id = $1`,
      [id],
    )
    await remindRecon.run(service.jobParts)
    expect(ses.sent).to.deep.equal([])
    await overdue(1, ravi.id)
    await hourPasses()
    ses.answer(() => 'hang up')
    const calls = ses.calls
    await remindRecon.run(service.jobParts)
    await remindRecon.run(service.jobParts)
    expect(ses.calls - calls).to.be.at.most(1)
    ses.answer(() => 'accept')
    await service.rows(`update recon_emails set next_try_at = now() where state = 'waiting'`)
    await Promise.all([remindRecon.run(service.jobParts), remindRecon.run(service.jobParts)])
    expect(told()).to.deep.equal([ravi.email])
  })

  it('are promised together with what they tell of, or not at all', async () => {
    await setReminders({ every_hours: 24, times: 3, addresses: [] })
    const [id = ''] = await overdue(1, asha.id)
    const { db } = service.parts
    const cut = {
      ...db,
      transact: async <T>(...[scope, work, options]: Parameters<typeof db.transact<T>>) =>
        await db.transact<T>(
          scope,
          async (trx) => {
            await work(trx)
            throw new Error('cut')
          },
          options,
        ),
    }
    const error = await takeTurn(cut, 1).catch((thrown: unknown) => thrown)
    expect(error).to.have.property('message', 'cut')
    expect(await stateOf(id)).to.include({ reminders: 0 })
    await remindRecon.run(service.jobParts)
    expect(told()).to.deep.equal([asha.email])
  })

  it('leave nothing to who has left, and make what grows old worse', async () => {
    await setReminders({ every_hours: 24, times: 3, addresses: [BOSS] })
    const leaver = await addPerson(service, 'leela@example.org', 'finance')
    const [id = ''] = await overdue(1, leaver.id)
    const [old = ''] = await breakAll(service, [broken((made += 1), { since: today() })])
    expect(await stateOf(old)).to.include({ severity: 'low' })
    await service.rows(
      `update recon_cases set since = since - 3, rises_at = now() where exception_id = $1`,
      [old],
    )
    const body = { state: 'disabled' }
    await service.call('PATCH', `/v1/users/${leaver.id}`, { role: 'admin', body })
    expect((await stateOf(id))['owner']).to.include({ id: leaver.id, active: false })
    await remindRecon.run(service.jobParts)
    expect((await stateOf(id))['owner']).to.equal(null)
    expect(await stateOf(old)).to.include({ severity: 'high' })
    expect(told()).to.deep.equal([BOSS])
    const again = await service.call('POST', `/v1/recon/exceptions/${id}/assign`, {
      body: { owner: leaver.id },
    })
    expect(again.json['code']).to.equal('unknown_owner')
    expect([...OWNER_ROLES].toSorted()).to.deep.equal([...rolesWith('recon.write')].toSorted())
  })

  it('are rung for by the sweep once an hour, and not where nothing is open', async () => {
    const rung: JobName[] = []
    const bells = { ...service.parts.bells, ring: (name: JobName) => void rung.push(name) }
    await hourPasses()
    await sweep({ ...service.parts, bells })
    expect(rung).to.not.include('remind-recon')
    await overdue(1, asha.id)
    await sweep({ ...service.parts, bells })
    expect(rung).to.include('remind-recon')
    await remindRecon.run(service.jobParts)
    rung.splice(0)
    await sweep({ ...service.parts, bells })
    expect(rung).to.not.include('remind-recon')
  })
})
