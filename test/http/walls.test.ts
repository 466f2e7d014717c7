/** Walls between organisations: every operation, every table, and ids that are somebody else's. */
import { expect } from 'chai'
import fc from 'fast-check'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { makeExports } from '../../jobs/make-exports.ts'
import { asOwner } from '../../scripts/stack.ts'
import { signToken } from '../../src/http/auth.ts'
import { fitting, type Schema } from '../support/arbitrary.ts'
import { donationRequest } from '../support/bodies.ts'
import { testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { cashCells, cheque, csvOf, record, upload } from '../offline/asked.ts'
import { breakAll, broken } from '../recon/broken.ts'
import { gatewaySource, razorpayCsv, razorpayRow, uploadTo } from '../recon/files.ts'
import { entryBody, postEntry } from './posting.ts'
import { donate, withGateways } from './seeded.ts'

/** In every text that organisation 1 writes. */
const MARK = 'Walled off'
const TRIES = 1
const SEED = 20_261_121

interface Offered {
  operationId: string
  parameters: { name: string; in: string; required: boolean; schema: Schema }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  security?: []
}

type Contract = JsonObject & { paths: Record<string, Record<string, Offered>> }

describe('the walls', () => {
  let service: TestService
  let contract: Contract

  withGateways()

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    contract = (await (await fetch(`${service.url}/openapi.json`)).json()) as Contract
    await donate(service, 250_050, '2026-05-10')
    await service.runJobs()
    const gift = await record(service, cheque({ donor: { name: MARK } }))
    expect(gift.status, gift.text).to.equal(201)
    const file = await upload(service, csvOf([cashCells({ donor_name: MARK })]))
    expect(file.status, file.text).to.equal(201)
    const source = await gatewaySource(service, { name: MARK })
    const lines = await uploadTo(service, source, razorpayCsv([razorpayRow(1)]), { name: MARK })
    expect(lines.status, lines.text).to.equal(201)
    const [exception = ''] = await breakAll(service, [broken(1, { detail: { id: MARK } })])
    const said = { text: MARK }
    await service.call('POST', `/v1/recon/exceptions/${exception}/comments`, { body: said })
    await postEntry(service, 'walled', entryBody({ description: MARK }))
    const limits = { limits: [{ currency: 'INR', amount: 99 }] }
    await service.call('PUT', '/v1/approval-limits', { role: 'admin', body: limits })
    const asked = { report: 'journal', parameters: { kind: 'manual' } }
    const headers = { 'idempotency-key': 'walled' }
    await service.call('POST', '/v1/exports', { body: asked, headers })
    await makeExports.run(service.jobParts)
    // A donation of its own, which is expanded beside all others.
    const own = await asOther('POST', '/v1/donations', donationRequest({ gateway: 'payu' }))
    expect(own.status, own.text).to.equal(201)
    const proposed = await postEntry(service, 'proposed', entryBody({ description: MARK }))
    expect(proposed.status).to.equal(202)
  })

  after(async () => {
    await service.stop()
  })

  async function asOther(method: string, path: string, body?: unknown): Promise<Answer> {
    const token = signToken(
      { subject: 'other', orgId: 2, role: 'admin' },
      service.config.jwtSecret,
      600,
    )
    const headers = { authorization: `Bearer ${token}`, 'idempotency-key': 'other' }
    return await service.call(method, path, {
      headers,
      ...(body === undefined ? {} : { body }),
    })
  }

  /** Every random id of organisation 1, from every table that it has rows in. */
  async function idsOfFirst(): Promise<string[]> {
    const texts: string[] = []
    // One after the other: each has a connection of its own.
    for (const table of await tables()) {
      const rows = await service.rows<{ row: string }>(
        `select t::text as row from ${table} t where org_id = 1 limit 1000`,
      )
      texts.push(...rows.map(({ row }) => row))
    }
    return [...new Set(texts.join().match(/\b[a-z]{3}_[0-9a-z]{26}\b/g))]
  }

  async function tables(): Promise<string[]> {
    const rows = await service.rows<{ name: string }>(
      `select c.table_name as name
         from information_schema.columns c
         join information_schema.tables t using (table_schema, table_name)
        where c.table_schema = 'public' and c.column_name = 'org_id'
          and t.table_type = 'BASE TABLE'
        order by 1`,
    )
    return rows.map(({ name }) => name)
  }

  /** All that organisation 1 has, as one text a table. */
  async function allOfFirst(): Promise<Record<string, string>> {
    const found: Record<string, string> = {}
    for (const table of await tables()) {
      const [row] = await service.rows<{ all: string }>(
        `select md5(coalesce(string_agg(t::text, ',' order by t::text), '')) as all
           from ${table} t where org_id = 1`,
      )
      found[table] = row?.all ?? ''
    }
    return found
  }

  it('stand around every table that has an organisation', async () => {
    const open = await service.rows<{ relname: string }>(
      `select relname from pg_class c join pg_attribute a on a.attrelid = c.oid
        where a.attname = 'org_id' and c.relkind in ('r', 'p')
          and c.relnamespace = 'public'::regnamespace
          and not (c.relrowsecurity and c.relforcerowsecurity)`,
    )
    expect(open).to.deep.equal([])
    expect((await tables()).length).to.be.greaterThan(20)
  })

  it('let no operation show or change a row of the other organisation', async () => {
    const ids = await idsOfFirst()
    expect(ids.length).to.be.greaterThan(5)
    const before = await allOfFirst()
    const leaks: string[] = []
    let operations = 0
    let expanding = 0
    for (const [template, item] of Object.entries(contract.paths)) {
      for (const [method, offered] of Object.entries(item)) {
        operations += 1
        expanding += offered.parameters.some(({ name }) => name === 'expand') ? 1 : 0
        for (const { path, body } of attempts(template, offered, ids)) {
          const answer = await asOther(method.toUpperCase(), path, body)
          const own = `${path}${JSON.stringify(body) ?? ''}`
          const leaked = [MARK, ...ids].find(
            (text) => answer.text.includes(text) && !own.includes(text),
          )
          const found = template.includes('{id}') && answer.status < 300 && !path.includes('_1')
          if (leaked !== undefined || found || answer.status >= 500) {
            leaks.push(`${method} ${path} ${answer.status} ${leaked}: ${answer.text.slice(0, 300)}`)
          }
        }
      }
    }
    expect(leaks).to.deep.equal([])
    expect(await allOfFirst()).to.deep.equal(before)
    const all = Object.values(contract.paths).flatMap((item) => Object.keys(item))
    expect(operations, 'every operation was tried').to.equal(all.length)
    expect(expanding, 'and those that expand did').to.be.at.least(8)
  })

  /** The operation with each of the other's ids that could fit, and a few bodies that fit. */
  function* attempts(
    template: string,
    { parameters, requestBody, security }: Offered,
    ids: readonly string[],
  ): Generator<{ path: string; body: unknown }> {
    // What everybody may use has no walls: signing in, for one.
    if (security !== undefined) {
      return
    }
    const schema = requestBody?.content['application/json']?.schema
    const bodies: unknown[] =
      schema === undefined
        ? [undefined]
        : fc.sample(fitting(schema, contract), { numRuns: TRIES, seed: SEED })
    const parameter = parameters.find((one) => one.in === 'path')
    const pattern = parameter?.schema['pattern']
    const form = new RegExp(typeof pattern === 'string' ? pattern : '^')
    const fits = ids.filter((id) => form.test(id))
    const values = parameter === undefined ? [''] : [...fits, 'je_1', 'acc_1', '2026-05', '1']
    const query = new URLSearchParams()
    for (const { name, schema: of } of parameters) {
      if (name === 'limit') {
        query.set(name, '100')
      }
      if (name === 'expand') {
        query.set(name, String((of['items'] as { enum: string[] }).enum))
      }
    }
    const more = query.size === 0 ? '' : `?${query.toString()}`
    for (const value of values) {
      for (const body of bodies) {
        yield { path: template.replaceAll(/\{\w+\}/g, value) + more, body }
      }
    }
  }
})
