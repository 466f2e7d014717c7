/** Exports by the calendar: each run once, one email to each user, never the data itself. */
import { expect } from 'chai'
import { makeExports } from '../../jobs/make-exports.ts'
import { sendExportEmailsJob } from '../../jobs/send-export-emails.ts'
import { sweep } from '../../jobs/sweep.ts'
import type { JobName } from '../../src/base/queue.ts'
import { daysOf, nextDay, runSchedules } from '../../src/exports/schedules.ts'
import { startFakeSes, type FakeSes } from '../support/fake-ses.ts'
import { addPerson, type Person } from '../support/people.ts'
import {
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { postEntry } from '../http/posting.ts'
import { textIn } from '../http/seeded.ts'

describe('the days of a schedule', () => {
  it('are those before, seen from the day on which it runs', () => {
    expect(daysOf('last_week', '2026-11-21')).to.deep.equal({
      from: '2026-11-09',
      to: '2026-11-15',
    })
    expect(daysOf('last_week', '2026-11-16')).to.deep.equal({
      from: '2026-11-09',
      to: '2026-11-15',
    })
    expect(daysOf('last_week', '2026-11-15')).to.deep.equal({
      from: '2026-11-02',
      to: '2026-11-08',
    })
    expect(daysOf('last_month', '2026-03-31')).to.deep.equal({
      from: '2026-02-01',
      to: '2026-02-28',
    })
    expect(daysOf('last_month', '2028-01-01')).to.deep.equal({
      from: '2027-12-01',
      to: '2027-12-31',
    })
    expect(daysOf('last_quarter', '2026-05-15')).to.deep.equal({
      from: '2026-01-01',
      to: '2026-03-31',
    })
    expect(daysOf('last_quarter', '2026-01-01')).to.deep.equal({
      from: '2025-10-01',
      to: '2025-12-31',
    })
    expect(daysOf('financial_year', '2026-04-01')).to.deep.equal({
      from: '2025-04-01',
      to: '2026-03-31',
    })
    expect(daysOf('financial_year', '2026-04-02')).to.deep.equal({
      from: '2026-04-01',
      to: '2026-04-01',
    })
  })

  it('on which it runs come after each other without a gap', () => {
    expect(nextDay({ every: 'month', on_day: 28 }, '2026-01-28')).to.equal('2026-02-28')
    expect(nextDay({ every: 'month', on_day: 5 }, '2026-12-31')).to.equal('2027-01-05')
    expect(nextDay({ every: 'month', on_day: 5 }, '2026-12-04')).to.equal('2026-12-05')
    // 2026-11-21 is a Saturday.
    for (let onDay = 1; onDay <= 7; onDay += 1) {
      const next = nextDay({ every: 'week', on_day: onDay }, '2026-11-21')
      expect(new Date(next).getUTCDay()).to.equal(onDay % 7)
      expect(next > '2026-11-21' && next <= '2026-11-28', next).to.equal(true)
      const after = nextDay({ every: 'week', on_day: onDay }, next)
      expect(Date.parse(after) - Date.parse(next)).to.equal(7 * 86_400_000)
    }
  })
})

describe('an export by the calendar', () => {
  let ses: FakeSes
  let service: TestService
  let asha: Person
  let ravi: Person

  before(async () => {
    ses = await startFakeSes()
    service = await startTestService({ env: { SES_ENDPOINT: ses.url } })
    asha = await addPerson(service, 'asha@example.org', 'finance')
    ravi = await addPerson(service, 'ravi@example.org', 'auditor')
    await postEntry(service, 'first')
  })

  beforeEach(() => {
    ses.sent.splice(0)
  })

  after(async () => {
    await service.stop()
    await ses.close()
  })

  async function schedule(more: JsonObject = {}): Promise<Answer> {
    return await service.call('POST', '/v1/export-schedules', {
      body: {
        report: 'receipts_and_payments',
        format: 'xlsx',
        period: 'last_month',
        every: 'month',
        on_day: 5,
        recipients: [asha.id, ravi.id],
        ...more,
      },
    })
  }

  async function work(): Promise<void> {
    await makeExports.run(service.jobParts)
    await sendExportEmailsJob.run(service.jobParts)
  }

  const dueOn = async (id: string, day: string) =>
    await service.rows('update export_schedules set next_on = $2 where schedule_id = $1', [id, day])

  it('is made on its day, once, and each user gets one email with a link and no data', async () => {
    const made = await schedule()
    expect(made.status, made.text).to.equal(201)
    const id = textIn(made.json, 'id')
    await work()
    expect(ses.sent).to.deep.equal([])
    const today = new Date(Date.now() + 19_800_000).toISOString().slice(0, 10)
    await dueOn(id, today)
    const rung: JobName[] = []
    const bells = { ...service.parts.bells, ring: (name: JobName) => rung.push(name) }
    await sweep({ ...service.parts, bells })
    expect(rung).to.include('make-exports')
    await Promise.all([runSchedules(service.parts.db, 1, today), work(), work()])
    await work()
    expect(ses.sent.map(({ to }) => to).sort()).to.deep.equal([asha.email, ravi.email])
    const list = await service.call('GET', '/v1/exports')
    const rows = list.json['data'] as JsonObject[]
    expect(rows).to.have.length(1)
    const { from, to } = daysOf('last_month', today)
    expect(rows[0]?.['parameters']).to.deep.equal({ from, to })
    expect(rows[0]).to.include({ state: 'done', schedule: id, asked_by: `schedule:${id}` })
    const raw = ses.sent[0]?.raw.replaceAll('=\r\n', '') ?? ''
    expect(raw).to.contain(`/v1/exports/${textIn(rows[0], 'id')}/file`)
    expect(raw).to.contain('Receipts and payments account of')
    expect(raw).to.not.contain('Content-Disposition: attachment')
    const again = await service.call('GET', '/v1/export-schedules')
    expect((again.json['data'] as JsonObject[])[0]?.['next_on']).to.equal(
      nextDay({ every: 'month', on_day: 5 }, today),
    )
  })

  it('that was missed for months is made for each of them', async () => {
    const id = textIn((await schedule({ report: 'trial_balance', format: 'csv' })).json, 'id')
    await dueOn(id, '2026-08-05')
    await runSchedules(service.parts.db, 1, '2026-11-21')
    await runSchedules(service.parts.db, 1, '2026-11-21')
    const rows = await service.rows<{ parameters: { to: string; from: null } }>(
      'select parameters from export_jobs where schedule_id = $1 order by scheduled_for',
      [id],
    )
    expect(rows.map(({ parameters: { from, to } }) => [from, to])).to.deep.equal([
      [null, '2026-07-31'],
      [null, '2026-08-31'],
      [null, '2026-09-30'],
      [null, '2026-10-31'],
    ])
    await work()
    expect(ses.sent).to.have.length(8)
    await service.call('DELETE', `/v1/export-schedules/${id}`)
  })

  it('that fails tells why, and who was disabled hears nothing', async () => {
    const id = textIn(
      (
        await schedule({
          report: 'account_statement',
          parameters: { account: 'acc_999' },
        })
      ).json,
      'id',
    )
    await dueOn(id, '2026-11-20')
    await makeExports.run(service.jobParts)
    const disabled = await service.call('PATCH', `/v1/users/${ravi.id}`, {
      role: 'admin',
      body: { state: 'disabled' },
    })
    expect(disabled.status, disabled.text).to.equal(200)
    await sendExportEmailsJob.run(service.jobParts)
    expect(ses.sent.map(({ to }) => to)).to.deep.equal([asha.email])
    expect(ses.sent[0]?.raw).to.contain('There is no such account.')
    const [withdrawn] = await service.rows<{ n: number }>(
      `select count(*)::integer as n from export_emails where state = 'withdrawn'`,
    )
    expect(withdrawn?.n).to.equal(1)
    const ended = await service.call('DELETE', `/v1/export-schedules/${id}`)
    expect(ended.json).to.include({ id, next_on: null })
    await dueOn(id, '2026-11-20')
    await runSchedules(service.parts.db, 1, '2026-11-21')
    const rows = await service.rows('select 1 from export_jobs where schedule_id = $1', [id])
    expect(rows).to.have.length(1)
  })

  it('is refused for who is no active user, and for a day that a week has not', async () => {
    for (const unfit of [
      { recipients: [ravi.id] },
      { every: 'week', on_day: 8 },
      { report: 'journal', format: 'beancount' },
    ]) {
      expect((await schedule(unfit)).json['code']).to.equal('report_unfit')
    }
    expect((await schedule({ parameters: { from: '2026-01-01' } })).status).to.equal(400)
  })

  it('is told of again where SES does not take the email', async () => {
    const id = textIn((await schedule({ recipients: [asha.id] })).json, 'id')
    await dueOn(id, '2026-11-19')
    await makeExports.run(service.jobParts)
    ses.answer(() => ({ error: 'Throttling', message: 'slowly', status: 400 }))
    await sendExportEmailsJob.run(service.jobParts)
    const [row] = await service.rows(
      `select state, attempts, last_error from export_emails where state = 'waiting'`,
    )
    expect(row).to.include({ state: 'waiting', attempts: 1 })
    ses.answer(() => 'accept')
    await service.rows(`update export_emails set next_try_at = now() where state = 'waiting'`)
    await Promise.all([
      sendExportEmailsJob.run(service.jobParts),
      sendExportEmailsJob.run(service.jobParts),
    ])
    expect(ses.sent).to.have.length(1)
  })
})
