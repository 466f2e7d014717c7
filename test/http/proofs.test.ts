/** Tests of the day seals and proofs over HTTP: what is public, what is not sealed yet, whose. */
import { expect } from 'chai'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sealDays } from '../../jobs/seal-days.ts'
import { sweep } from '../../jobs/sweep.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { signToken } from '../../src/http/auth.ts'
import type { JobName } from '../../src/base/queue.ts'
import { asOwner } from '../../scripts/stack.ts'
import { CLOCK_OF_OUR_OWN } from '../exports/past.ts'
import { run } from '../scripts/run.ts'
import { testOrganisation } from '../support/organisation.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'
import { donate, rowsOf, textIn, withGateways } from './seeded.ts'

const SCRIPT = 'scripts/verify-export.mjs'

describe('day seals and proofs over HTTP', () => {
  withGateways()

  let service: TestService
  let folder: string
  let receiptId: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bahi-proofs-'))
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      await client.query(CLOCK_OF_OUR_OWN)
      await client.query(
        `update past.present set instant = now() - interval '3 days';
         update organisations set created_at = now() - interval '4 days'`,
      )
      const spec = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, spec)
    })
    await donate(service, 50_000, '2026-05-04')
    await donate(service, 70_000, '2026-05-04')
    await service.runJobs()
    // Receipts carry the time of their job's own clock.
    await service.rows('alter table receipts disable trigger user')
    await service.rows(`update receipts set issued_at = now() - interval '3 days'`)
    await service.rows('alter table receipts enable trigger user')
    const [receipt] = rowsOf((await service.call('GET', '/v1/receipts')).json)
    receiptId = textIn(receipt, 'id')
  })

  after(async () => {
    await service.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function keep(name: string, content: string): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, content)
    return path
  }

  async function asOther(path: string) {
    const principal = { subject: 'test', orgId: 2, role: 'auditor' } as const
    const token = signToken(principal, service.config.jwtSecret, 60)
    return await service.call('GET', path, { headers: { authorization: `Bearer ${token}` } })
  }

  it('say that an entry is not sealed yet, and when it will be', async () => {
    const answer = await service.call('GET', '/v1/journal-entries/je_1/proof')
    expect(answer.status).to.equal(404)
    expect(answer.json['code']).to.equal('not_found')
    expect(answer.json['detail']).to.match(
      /^Entry 1 was posted on (\d{4}-\d\d-\d\d), which is not sealed yet\. .* from 00:10 on \d/,
    )
    const seals = await service.call('GET', '/v1/day-seals')
    expect(seals.json).to.deep.equal({ data: [], has_more: false })
  })

  it('come from a job that the sweep rings for, and that may be repeated', async () => {
    const rung: JobName[] = []
    const bells = { ...service.parts.bells, ring: (name: JobName) => void rung.push(name) }
    await sweep({ ...service.parts, bells })
    expect(rung).to.include('seal-days')
    await Promise.all([sealDays.run(service.jobParts), sealDays.run(service.jobParts)])
    await sealDays.run(service.jobParts)
    const rows = rowsOf((await service.call('GET', '/v1/day-seals')).json)
    expect(rows.length).to.be.within(3, 4)
    rung.length = 0
    await sweep({ ...service.parts, bells })
    expect(rung).to.not.include('seal-days')
  })

  it('are listed newest first, page by page', async () => {
    const all = rowsOf((await service.call('GET', '/v1/day-seals')).json)
    const days = all.map((row) => textIn(row, 'day'))
    expect(days).to.deep.equal(days.toSorted().reverse())
    const first = await service.call('GET', '/v1/day-seals?limit=1')
    expect(first.json['has_more']).to.equal(true)
    const next = await service.call('GET', `/v1/day-seals?limit=1&starting_after=${days[0]}`)
    expect(rowsOf(next.json)).to.deep.equal(all.slice(1, 2))
    expect(all[0]).to.have.all.keys(
      'organisation',
      'day',
      'previous',
      'first_entry',
      'entries',
      'head',
      'entries_root',
      'receipts',
      'receipts_root',
      'people',
      'people_head',
      'root',
      'receipts_without_pdf',
      'sealed_at',
    )
    expect((await service.call('GET', '/v1/day-seals?starting_after=x')).status).to.equal(400)
  })

  it('can be checked with what anybody may download, and nothing else', async () => {
    const download = async (path: string) => await service.call('GET', path, { role: 'auditor' })
    const trail = await download('/v1/audit-trail.csv')
    expect(trail.headers.get('content-disposition')).to.equal(
      'attachment; filename="audit-trail.csv"',
    )
    const list = await download('/v1/day-seals.json')
    expect(list.headers.get('content-type')).to.include('application/json')
    const files = [await keep('trail.csv', trail.text), '--seals', await keep('s.json', list.text)]
    const whole = await run(SCRIPT, files)
    expect(whole.code, whole.stdout).to.equal(0)
    expect(whole.stdout).to.include('test: 2 entries agree')
    for (const path of ['journal-entries/je_2', `receipts/${receiptId}`]) {
      const proof = await service.call('GET', `/v1/${path}/proof`)
      expect(proof.status, proof.text).to.equal(200)
      const seal = proof.json['seal'] as Record<string, string>
      const file = await keep('proof.json', proof.text)
      const { code, stdout } = await run(SCRIPT, ['--proof', file, '--root', seal['root'] ?? ''])
      expect(code, stdout).to.equal(0)
    }
  })

  it('prove the receipt that was sent', async () => {
    const proof = await service.call('GET', `/v1/receipts/${receiptId}/proof`)
    const receipt = await service.call('GET', `/v1/receipts/${receiptId}`)
    const proved = proof.json['receipt'] as Record<string, string>
    expect(proved['pdf_sha256']).to.equal(textIn(receipt.json, 'pdf_sha256'))
    expect(proved['number']).to.equal(textIn(receipt.json, 'number'))
  })

  it('know nothing of what is not there', async () => {
    for (const path of ['journal-entries/je_99', 'journal-entries/x', 'receipts/rcp_x']) {
      const answer = await service.call('GET', `/v1/${path}/proof`)
      expect(answer.status, path).to.equal(404)
    }
  })

  it('are each organisation’s own', async () => {
    for (const path of ['journal-entries/je_1', `receipts/${receiptId}`]) {
      expect((await asOther(`/v1/${path}/proof`)).status, path).to.equal(404)
    }
    expect((await asOther('/v1/day-seals')).json).to.deep.equal({ data: [], has_more: false })
    expect(JSON.parse((await asOther('/v1/day-seals.json')).text)).to.deep.equal({
      data: [],
      has_more: false,
    })
  })

  it('are for finance, auditors and admins', async () => {
    for (const path of ['day-seals', 'day-seals.json', 'journal-entries/je_1/proof']) {
      const answer = await service.call('GET', `/v1/${path}`, { role: 'service' })
      expect(answer.status, path).to.equal(403)
    }
  })

  it('are not given where the books no longer agree with them', async () => {
    await service.rows(`alter table journal_entries disable trigger user`)
    await service.rows(`update journal_entries set hash = sha256('x') where entry_no = 1`)
    await service.rows(`alter table journal_entries enable trigger user`)
    const answer = await service.call('GET', '/v1/journal-entries/je_2/proof')
    expect(answer.status).to.equal(500)
  })
})
