/** The audit of people over HTTP: every operation that changes something, once, without secrets. */
import { expect } from 'chai'
import { linkPeopleAudit } from '../../jobs/link-people-audit.ts'
import { sweep } from '../../jobs/sweep.ts'
import { peopleGenesisOf, peopleHash, type PeopleLink } from '../../src/audit/people.ts'
import type { JobName } from '../../src/base/queue.ts'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'

describe('the audit of people over HTTP', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function records(query = ''): Promise<JsonObject[]> {
    const { status, json } = await service.call('GET', `/v1/people-audit${query}`, {
      role: 'auditor',
    })
    expect(status).to.equal(200)
    return json['data'] as JsonObject[]
  }

  const headers = { 'user-agent': 'Bahi’s test'.replace('’', "'"), 'idempotency-key': 'reg-1' }

  it('has one record of a change, and from where, and none of its repetition', async () => {
    const body = { code: 'PTS', name: 'Points of ABCPE1234F', exponent: 0 }
    for (const status of [201, 201]) {
      const answer = await service.call('POST', '/v1/currencies', { body, headers })
      expect(answer.status).to.equal(status)
    }
    const [one, ...rest] = await records()
    expect(rest).to.deep.equal([])
    expect(one).to.deep.include({
      id: 'aud_1',
      actor: 'test',
      operation: 'registerCurrency',
      ip: '127.0.0.1',
      user_agent: "Bahi's test",
      target: '/v1/currencies',
      before: null,
      after: { code: 'PTS', name: 'Points of ABC•••••••', exponent: 0 },
      reason: null,
    })
    expect(one?.['request_id']).to.match(/^req_/)
  })

  it('names what was made, and has the reason of a change apart', async () => {
    const opening = { code: 'assets:cash:box', name: 'Box', currency: 'INR' }
    const made = await service.call('POST', '/v1/accounts', { body: opening })
    const path = `/v1/accounts/${made.json['id'] as string}`
    const renaming = { name: 'Blue box', reason: 'painted' }
    await service.call('PATCH', path, { body: renaming })
    const [changed, opened] = await records()
    expect(opened).to.deep.include({ target: path, operation: 'openAccount' })
    expect(changed).to.deep.include({
      target: path,
      operation: 'changeAccount',
      before: { name: 'Box' },
      after: { name: 'Blue box' },
      reason: 'painted',
    })
  })

  it('has no record of what was refused, was so already, or was only read', async () => {
    const count = (await records()).length
    const same = { code: 'PTS', name: 'Points of ABCPE1234F', exponent: 0 }
    expect((await service.call('POST', '/v1/currencies', { body: same })).status).to.equal(200)
    const bad = { code: 'PTS', name: 'Other', exponent: 3 }
    expect((await service.call('POST', '/v1/currencies', { body: bad })).status).to.equal(409)
    await service.call('GET', '/v1/accounts')
    expect(await records()).to.have.length(count)
  })

  it('is paged and found by actor, operation and day', async () => {
    expect(await records('?actor=nobody')).to.deep.equal([])
    expect(await records('?operation=openAccount')).to.have.length(1)
    expect(await records('?limit=2&starting_after=aud_2')).to.have.length(1)
    expect(await records('?to=2020-01-01')).to.deep.equal([])
    for (const query of ['from=yesterday', 'starting_after=je_1', 'limit=0', 'actor=']) {
      const answer = await service.call('GET', `/v1/people-audit?${query}`, { role: 'auditor' })
      expect(answer.status, query).to.equal(400)
    }
  })

  it('is exported with its hashes, from the first to the head', async () => {
    const answer = await service.call('GET', '/v1/people-audit.csv', { role: 'auditor' })
    expect(answer.headers.get('content-type')).to.contain('text/csv')
    const [start, ...links] = rowsOf(answer.text)
    const end = links.pop()
    expect([start?.['record'], end?.['record']]).to.deep.equal(['start', 'end'])
    expect(links.map((row) => row['audit_no'])).to.deep.equal(['1', '2', '3'])
    let hash = peopleGenesisOf(start?.['organisation'] ?? '')
    expect(start?.['hash']).to.equal(hash.toString('hex'))
    for (const row of links) {
      hash = peopleHash(hash, linkOf(row))
      expect(row['hash']).to.equal(hash.toString('hex'))
    }
    expect(end?.['hash']).to.equal(hash.toString('hex'))
  })

  it('is linked by a job that the sweep rings for, and verified with the books', async () => {
    const body = { code: 'MLS', name: 'Miles', exponent: 0 }
    await service.call('POST', '/v1/currencies', { body })
    const rung: JobName[] = []
    const bells = { ...service.parts.bells, ring: (name: JobName) => void rung.push(name) }
    await sweep({ ...service.parts, bells })
    expect(rung).to.include('link-people-audit')
    await linkPeopleAudit.run(service.jobParts)
    const waiting = await service.rows('select from people_audit_waiting')
    expect(waiting).to.deep.equal([])
    const { findings } = await verifyBooks(service.parts.db, () => undefined)
    expect(findings).to.deep.equal([])
    await service.rows('alter table people_audit disable trigger append_only')
    await service.rows("update people_audit set actor = 'somebody else' where audit_no = 1")
    const damaged = await verifyBooks(service.parts.db, () => undefined)
    expect(damaged.findings.map(({ finding }) => finding.check)).to.deep.equal(['people'])
  })
})

/** What an auditor's own reader makes of the file: rows by column. */
function rowsOf(csv: string): Record<string, string>[] {
  const [header = [], ...rows] = csv
    .trimEnd()
    .split('\r\n')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
      ),
    )
  return rows.map((row) => Object.fromEntries(header.map((name, at) => [name, row[at] ?? ''])))
}

function linkOf(row: Record<string, string>): PeopleLink {
  const textOf = (name: string) => (row[name] === '' ? null : (row[name] ?? null))
  return {
    auditNo: BigInt(row['audit_no'] ?? ''),
    at: new Date(row['at'] ?? ''),
    actor: row['actor'] ?? '',
    operation: row['operation'] ?? '',
    requestId: textOf('request_id'),
    ip: textOf('ip'),
    userAgent: textOf('user_agent'),
    target: textOf('target'),
    before: textOf('before'),
    after: textOf('after'),
    reason: textOf('reason'),
  }
}
