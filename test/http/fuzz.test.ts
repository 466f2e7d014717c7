/** Random requests to every operation: none fails on our side or is answered off the contract. */
import { expect } from 'chai'
import fc from 'fast-check'
import { fitting, HOSTILE, spoilt, type Schema } from '../support/arbitrary.ts'
import {
  startTestService,
  type Json,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { postEntry } from './posting.ts'

/** Requests an operation; `BAHI_FUZZ_RUNS=2000 BAHI_FUZZ_SEED=7` makes it a long one. */
const RUNS = Number(process.env['BAHI_FUZZ_RUNS'] ?? 6)
const SEED = Number(process.env['BAHI_FUZZ_SEED'] ?? 20_261_121)

interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required: boolean
  schema: Schema
}

interface Offered {
  operationId: string
  parameters: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  security?: []
}

interface Sent {
  path: Record<string, string>
  query: Record<string, string>
  header: Record<string, string>
  body: Json | undefined
}

describe('random requests', () => {
  let service: TestService
  let contract: JsonObject & { paths: Record<string, Record<string, Offered>> }

  before(async () => {
    service = await startTestService()
    contract = (await (await fetch(`${service.url}/openapi.json`)).json()) as typeof contract
    await postEntry(service, 'first')
  })

  after(async () => {
    await service.stop()
  })

  /** A parameter's text: what fits, ids of what is there, or anything. */
  function text({ schema }: Parameter): fc.Arbitrary<string> {
    return fc.oneof(
      { weight: 5, arbitrary: fitting(schema, contract).map(String) },
      { weight: 2, arbitrary: fc.constantFrom('je_1', 'acc_1', 'acc_2', '2026-05', '1') },
      { weight: 1, arbitrary: fc.constantFrom(...HOSTILE) },
    )
  }

  function sent({ parameters, requestBody }: Offered): fc.Arbitrary<Sent> {
    const among = (place: Parameter['in']) => {
      const here = parameters.filter((one) => one.in === place)
      return fc.record(Object.fromEntries(here.map((one) => [one.name, text(one)])), {
        requiredKeys: here.filter(({ required }) => required).map(({ name }) => name),
      }) as fc.Arbitrary<Record<string, string>>
    }
    const schema = requestBody?.content['application/json']?.schema
    const bodies =
      schema === undefined
        ? fc.constant(undefined)
        : fc.oneof(
            { weight: 2, arbitrary: fitting(schema, contract) },
            { weight: 1, arbitrary: spoilt(fitting(schema, contract)) },
          )
    return fc.record({
      path: among('path'),
      query: among('query'),
      header: among('header'),
      body: bodies,
    })
  }

  it('fail nowhere on our side, and are answered as the contract says', async function () {
    // Each operation that is added brings its requests.
    this.timeout(Math.max(this.timeout(), RUNS * 30_000))
    const failed: string[] = []
    // Made before the first is sent: a connection that idles meanwhile would be closed.
    const all = Object.entries(contract.paths).flatMap(([template, item]) =>
      Object.entries(item).flatMap(([method, offered]) =>
        fc
          .sample(sent(offered), { numRuns: RUNS, seed: SEED })
          .map((one) => ({ template, method, offered, one })),
      ),
    )
    for (const { template, method, offered, one } of all) {
      const path = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
        encodeURIComponent((one.path[name] ?? '').toWellFormed()),
      )
      const query = new URLSearchParams(one.query).toString()
      const answer = await service.call(method.toUpperCase(), `${path}?${query}`, {
        role: offered.security === undefined ? 'admin' : null,
        headers: headersOf(one.header),
        ...(one.body === undefined ? {} : { body: one.body }),
      })
      if (answer.status >= 500 && answer.json['code'] !== 'gateway_unavailable') {
        const what = JSON.stringify(one).slice(0, 2000)
        failed.push(`${method} ${template} ${answer.status}: ${answer.text}\n${what}`)
      }
    }
    expect(failed).to.deep.equal([])
    expect(all.length).to.be.at.least(RUNS * 30)
  })
})

/** Header values that can be sent at all. */
function headersOf(given: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => /^[\x20-\x7e]*$/.test(value)),
  )
}
