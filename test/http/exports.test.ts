/** Exports over HTTP: the same bytes at once and later; cancelled, killed, two at once. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { forgetOld } from '../../jobs/forget-old.ts'
import { makeExports } from '../../jobs/make-exports.ts'
import type { Files } from '../../src/base/files.ts'
import { claimExport, endExport, sayAlive } from '../../src/exports/jobs.ts'
import { makeNextExport } from '../../src/exports/run.ts'
import { signToken } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/permissions.ts'
import { startScript } from '../support/process.ts'
import {
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { until } from '../support/until.ts'
import { expectRefused, line, postEntry } from './posting.ts'
import { textIn } from './seeded.ts'

const EXPORTS = '/v1/exports'

describe('exports', () => {
  let service: TestService
  let asked = 0

  before(async () => {
    service = await startTestService()
    // More than one piece of a file: five entries of a thousand lines with a long text each.
    for (let n = 0; n < 5; n += 1) {
      const lines = Array.from({ length: 500 }, () => [
        line('debit', 'assets:bank:main', 10 + n),
        line('credit', 'equity:general-fund', 10 + n),
      ]).flat()
      const description = `=${n}, ${'लंबा "विवरण" '.repeat(35)}`.trim()
      const posted = await postEntry(service, `long${n}`, {
        effective_on: '2026-05-04',
        description,
        lines,
      })
      expect(posted.status, posted.text).to.equal(201)
    }
  })

  after(async () => {
    await service.stop()
  })

  async function ask(body: JsonObject = {}, role: Role = 'finance', key?: string): Promise<Answer> {
    asked += 1
    return await service.call('POST', EXPORTS, {
      role,
      body: { report: 'journal', ...body },
      headers: { 'idempotency-key': key ?? `ask${asked}` },
    })
  }

  const idOf = (answer: Answer): string => {
    expect(answer.status, answer.text).to.equal(202)
    return textIn(answer.json, 'id')
  }

  const seen = async (id: string): Promise<JsonObject> =>
    (await service.call('GET', `${EXPORTS}/${id}`)).json

  const run = async () => await makeExports.run(service.jobParts)

  async function pieces(): Promise<string[]> {
    const all = await readdir(service.config.filesDir, { recursive: true })
    return all.filter((name) => name.includes('.part'))
  }

  /** A report with what comes behind its last byte. */
  async function atOnce(query: string): Promise<{ answer: IncomingMessage; body: string }> {
    const token = signToken(
      { subject: 'test', orgId: 1, role: 'finance' },
      service.config.jwtSecret,
      60,
    )
    const headers = { authorization: `Bearer ${token}` }
    const [answer] = (await once(
      get(`${service.url}/v1/reports/${query}`, { headers }),
      'response',
    )) as [IncomingMessage]
    return { answer, body: await text(answer) }
  }

  it('are the same bytes at once and in the background, in pieces, with their hash', async () => {
    const { answer, body } = await atOnce('journal?from=2026-05-01')
    expect(answer.headers).to.include({
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': 'attachment; filename="bahi-journal-2026-05-01.csv"',
    })
    const digest = createHash('sha256').update(body).digest()
    expect(answer.trailers).to.deep.equal({
      'repr-digest': `sha-256=:${digest.toString('base64')}:`,
      'bahi-rows': '5000',
    })
    const id = idOf(await ask({ parameters: { from: '2026-05-01' } }))
    await run()
    expect((await pieces()).length).to.be.at.least(2)
    const file = await service.call('GET', `${EXPORTS}/${id}/file`)
    expect(file.text).to.equal(body)
    expect(file.headers.get('etag')).to.equal(`"${digest.toString('hex')}"`)
    expect(file.headers.get('content-length')).to.equal(String(Buffer.byteLength(body)))
    expect(await seen(id)).to.include({
      state: 'done',
      rows: 5000,
      bytes: Buffer.byteLength(body),
      sha256: digest.toString('hex'),
    })
    const manifest = await service.call('GET', `${EXPORTS}/${id}/manifest`)
    expect(manifest.json).to.include({ agrees: true, rows: 5000, report: 'journal' })
    expect(manifest.json['parameters']).to.deep.equal({ from: '2026-05-01' })
    const [noted] = await service.rows<{ operation: string }>(
      `select operation from people_audit_waiting where operation = 'getExportFile'
       union all select operation from people_audit where operation = 'getExportFile'`,
    )
    expect(noted).to.deep.equal({ operation: 'getExportFile' })
  })

  it('hold the books as they were when somebody asked', async () => {
    const id = idOf(await ask({ report: 'trial_balance' }))
    const { body } = await atOnce('trial_balance')
    await postEntry(service, 'meanwhile')
    await run()
    expect((await service.call('GET', `${EXPORTS}/${id}/file`)).text).to.equal(body)
    const known = (await seen(id))['asked_at'] as string
    const then = await atOnce(`trial_balance?known_at=${encodeURIComponent(known)}`)
    expect(then.body).to.equal(body)
    expect((await atOnce('trial_balance')).body).to.not.equal(body)
  })

  it('are asked for once with one key', async () => {
    const first = idOf(await ask({}, 'finance', 'the-same'))
    expect(idOf(await ask({}, 'finance', 'the-same'))).to.equal(first)
    expectRefused(await ask({ report: 'day_book' }, 'finance', 'the-same'), 'idempotency_conflict')
    await run()
  })

  it('are refused in so many words where a report has not what is asked for', async () => {
    for (const [body, words] of [
      [{ report: 'journal', format: 'hledger' }, 'csv, xlsx'],
      [{ report: 'trial_balance', parameters: { from: '2026-05-01' } }, 'takes to'],
      [{ report: 'income_and_expenditure' }, 'needs "from"'],
      [{ parameters: { from: '2026-05-02', to: '2026-05-01' } }, 'before'],
      [{ report: 'account_statement' }, 'needs "account"'],
      [{ report: 'audit_trail', parameters: { kind: 'manual' } }, 'no parameters'],
      [{ report: 'clearing_proof' }, 'needs "gateway"'],
      [
        {
          report: 'clearing_proof',
          parameters: { gateway: 'razorpay' },
          known_at: '2026-05-01T00:00:00Z',
        },
        'of now',
      ],
    ] as const) {
      const refused = await ask(body)
      expectRefused(refused, 'report_unfit')
      expect(refused.json['detail']).to.contain(words)
    }
    const missing = await service.call('GET', '/v1/reports/account_statement?account=acc_999')
    expect(missing.status).to.equal(404)
  })

  it('fail with their reason where the report finds it out later', async () => {
    const id = idOf(await ask({ report: 'account_statement', parameters: { account: 'acc_999' } }))
    await run()
    expect(await seen(id)).to.include({ state: 'failed', failure: 'There is no such account.' })
    expect((await service.call('GET', `${EXPORTS}/${id}/file`)).status).to.equal(404)
    expect((await service.call('GET', `${EXPORTS}/${id}/manifest`)).status).to.equal(404)
  })

  it('take the permission of what they hold beside their own', async () => {
    const made = await service.call('POST', '/v1/api-keys', {
      role: 'admin',
      body: { name: 'exporter', role: 'finance', permissions: ['exports.read'] },
    })
    const headers = { authorization: `Bearer ${textIn(made.json, 'secret')}` }
    const own = { headers: { ...headers, 'idempotency-key': 'narrow' } }
    const register = { body: { report: 'receipts_register' } }
    expectRefused(await service.call('POST', EXPORTS, { ...own, ...register }), 'forbidden')
    const refused = await service.call('GET', '/v1/reports/receipts_register', { headers })
    expect(refused.status).to.equal(403)
    const id = idOf(await ask(register.body))
    await run()
    expect((await service.call('GET', `${EXPORTS}/${id}/file`)).status).to.equal(200)
    expect((await service.call('GET', `${EXPORTS}/${id}/file`, { headers })).status).to.equal(403)
    const manifest = await service.call('GET', `${EXPORTS}/${id}/manifest`, { headers })
    expect(manifest.status).to.equal(403)
  })

  it('are cancelled while they wait or are made, and leave nothing behind', async () => {
    const before = await pieces()
    const waiting = idOf(await ask())
    const cancelled = await service.call('POST', `${EXPORTS}/${waiting}/cancel`)
    expect(cancelled.json).to.include({ state: 'cancelled', file: null })
    const running = idOf(await ask())
    const { files } = service.parts
    const held: Files = {
      ...files,
      async put(key, bytes) {
        await files.put(key, bytes)
        await service.call('POST', `${EXPORTS}/${running}/cancel`)
      },
    }
    expect(await makeNextExport({ ...service.jobParts, files: held }, 1)).to.equal(true)
    expect(await seen(running)).to.include({ state: 'cancelled', sha256: null })
    expect(await pieces()).to.deep.equal(before)
    const again = await service.call('POST', `${EXPORTS}/${running}/cancel`)
    expect([again.status, again.json['state']]).to.deep.equal([200, 'cancelled'])
    expect((await service.call('GET', `${EXPORTS}/${running}/file`)).status).to.equal(404)
  })

  it('are made from the beginning by the next worker where one died', async () => {
    const before = await pieces()
    const id = idOf(await ask())
    const dead = await claimExport(service.parts.db, 1)
    expect(dead).to.include({ export_id: id, attempts: 1 })
    if (dead === null) {
      throw new Error('nothing was claimed')
    }
    await service.parts.files.put(`exports/1/${id}/1-00001.part`, Buffer.from('half'))
    // As long as it lives nobody else begins, neither this export nor another.
    idOf(await ask())
    expect(await claimExport(service.parts.db, 1)).to.equal(null)
    await service.rows(`update export_jobs set alive_until = now() - interval '1 second'
      where state = 'running'`)
    await run()
    expect(await seen(id)).to.include({ state: 'done', rows: 5002 })
    expect((await pieces()).some((name) => name.includes(`${id}/1-`))).to.equal(false)
    expect((await pieces()).length).to.equal(before.length + 4)
    // What the dead one says after all counts no more.
    const manifest = dead.manifest
    const nine = { rows: 9, bytes: 9, pieces: 9 }
    expect(await sayAlive(service.parts.db, 1, dead, nine)).to.equal(false)
    const late = { state: 'failed' as const, failure: 'late', manifest }
    expect(await endExport(service.parts.db, 1, dead, late)).to.equal(false)
  })

  it('are made although a worker was killed with kill -9 in the middle of one', async () => {
    const locked = await service.database.asOwner(async (client) => {
      await client.query('begin; lock table settlements in access exclusive mode')
      const asked = idOf(await ask({ report: 'settlements' }))
      const worker = startScript('jobs/worker.ts', service.env)
      try {
        await until(async () => (await seen(asked))['state'] === 'running')
      } finally {
        expect(await worker.end('SIGKILL')).to.equal('SIGKILL')
        await client.query('rollback')
      }
      return asked
    })
    await service.rows(`update export_jobs set alive_until = now() where state = 'running'`)
    await run()
    expect(await seen(locked)).to.include({ state: 'done', rows: 0 })
  })

  it('are claimed by one of many who come at the same time', async () => {
    idOf(await ask())
    const claims = await Promise.all(
      Array.from({ length: 6 }, async () => await claimExport(service.parts.db, 1)),
    )
    expect(claims.filter((one) => one !== null)).to.have.length(1)
    await service.rows(`update export_jobs set alive_until = now() where state = 'running'`)
    const again = await Promise.all(
      Array.from({ length: 6 }, async () => await claimExport(service.parts.db, 1)),
    )
    expect(again.flatMap((one) => (one === null ? [] : [one.attempts]))).to.deep.equal([2])
    await service.rows(`update export_jobs set alive_until = now() where state = 'running'`)
    await run()
  })

  it('that kill every worker are given up', async () => {
    const id = idOf(await ask())
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      expect((await claimExport(service.parts.db, 1))?.attempts).to.equal(attempt)
      await service.rows(`update export_jobs set alive_until = now() where state = 'running'`)
    }
    expect(await claimExport(service.parts.db, 1)).to.equal(null)
    expect(await seen(id)).to.include({ state: 'failed' })
  })

  it('are put back by a worker that is asked to end', async () => {
    const id = idOf(await ask())
    await makeNextExport({ ...service.jobParts, shouldStop: () => true }, 1)
    expect(await seen(id)).to.include({ state: 'waiting', rows: 0 })
    await run()
    expect(await seen(id)).to.include({ state: 'done' })
  })

  it('are made once by workers at the same time', async () => {
    const ids = [idOf(await ask()), idOf(await ask({ report: 'day_book' }))]
    await Promise.all([run(), run(), run()])
    await run()
    for (const id of ids) {
      expect(await seen(id)).to.include({ state: 'done' })
      const [job] = await service.rows<{ attempts: number }>(
        'select attempts from export_jobs where export_id = $1',
        [id],
      )
      expect(job?.attempts).to.equal(1)
    }
  })

  it('wait in a line that has an end', async () => {
    for (let n = 0; n < 20; n += 1) {
      idOf(await ask({ report: 'trial_balance' }))
    }
    expectRefused(await ask(), 'limit_reached')
    const open = await service.call('GET', `${EXPORTS}?state=waiting&limit=100`)
    expect(open.json['data']).to.have.length(20)
    await run()
    const page = await service.call('GET', `${EXPORTS}?limit=2`)
    expect([page.json['has_more'], (page.json['data'] as unknown[]).length]).to.deep.equal([
      true,
      2,
    ])
  })

  it('are forgotten with their files a week after they ended', async () => {
    const id = idOf(await ask())
    await run()
    await service.rows(`update forgetting set begun_at = now() - interval '1 hour'`)
    await forgetOld.run(service.jobParts)
    expect((await seen(id))['state']).to.equal('done')
    await service.rows(`alter table export_jobs disable trigger guard`)
    await service.rows(`update export_jobs set ended_at = ended_at - interval '8 days'`)
    await service.rows(`alter table export_jobs enable trigger guard`)
    await service.rows(`update forgetting set begun_at = now() - interval '1 hour'`)
    await forgetOld.run(service.jobParts)
    expect((await service.call('GET', `${EXPORTS}/${id}`)).status).to.equal(404)
    expect(await pieces()).to.deep.equal([])
    expect(join(service.config.filesDir, 'exports')).to.contain('exports')
  })

  it('break off, or fail, where they do not agree with the books', async () => {
    await service.rows('alter table postings disable trigger append_only')
    await service.rows('update postings set amount = amount + 1 where entry_no = 1 and line_no = 1')
    const broken = await atOnce('journal').catch((error: unknown) => error)
    expect(broken).to.be.instanceOf(Error)
    const id = idOf(await ask())
    await run()
    const failed = await seen(id)
    expect(failed).to.include({ state: 'failed', file: null, sha256: null })
    expect(failed['failure']).to.contain('does not agree with the books')
    const manifest = await service.call('GET', `${EXPORTS}/${id}/manifest`)
    expect(manifest.json['agrees']).to.equal(false)
    await service.rows('update postings set amount = amount - 1 where entry_no = 1 and line_no = 1')
    await service.rows('alter table postings enable trigger append_only')
  })

  it('that have ended are changed by nobody', async () => {
    const id = idOf(await ask())
    await run()
    const client = service.parts.db.transact(1, async (trx) => {
      await trx.query(
        `update export_jobs set state = 'running', alive_until = now(),
        ended_at = null, sha256 = null where export_id = $1`,
        [id],
      )
    })
    expect(await client.catch((error: unknown) => String(error))).to.contain('never changed')
  })
})
