/** Books with breaks for the tests of resolutions, and how these are asked for. */
import { expect } from 'chai'
import { loadRecon } from '../../jobs/load-recon.ts'
import { reconcile } from '../../jobs/reconcile.ts'
import { signToken } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/permissions.ts'
import { razorpayEvent } from '../support/bodies.ts'
import type { Answer, JsonObject, TestService } from '../support/service.ts'
import { commit, gatewaySource, razorpayCsv, razorpayRow, uploadTo } from './files.ts'

export const CLEARING = 'assets:clearing:razorpay'
export const LOST = 'expenses:reconciliation-differences'
export const FOUND = 'income:reconciliation-differences'
/** The fourth of May 2026, as the rows of `razorpayRow` say. */
const PAID_AT = Date.parse('2026-05-04T12:09:16Z') / 1000

export function resolving(given: () => TestService) {
  let sent = 0

  async function capture(number: number, fee: number | null = 2360): Promise<Answer> {
    const payment = {
      id: `pay_T${String(number).padStart(13, '0')}`,
      orderId: `order_T${number}`,
      amount: 100_000,
      fee,
      tax: fee === null ? null : 360,
      createdAt: PAID_AT + 5,
    }
    const answer = await given().deliver('razorpay', razorpayEvent('payment.captured', payment))
    expect(answer.status).to.equal(200)
    await given().runJobs()
    return answer
  }

  async function load(...rows: string[]): Promise<void> {
    const seen = await uploadTo(given(), await gatewaySource(given()), razorpayCsv(rows))
    expect((await commit(given(), seen.json)).status).to.equal(200)
    await loadRecon.run(given().jobParts)
  }

  async function run(): Promise<JsonObject> {
    const asked = await given().call('POST', '/v1/recon/runs', { body: {} })
    expect(asked.status, asked.text).to.equal(202)
    await reconcile.run(given().jobParts)
    const done = (await given().call('GET', `/v1/recon/runs/${String(asked.json['id'])}`)).json
    expect(done['state'], JSON.stringify(done)).to.equal('done')
    return done
  }

  /** Sends as somebody by name. */
  async function as(
    subject: string,
    role: Role,
    path: string,
    body: unknown,
    key?: string,
  ): Promise<Answer> {
    sent += 1
    const { jwtSecret } = given().config
    const token = signToken({ subject, orgId: 1, role }, jwtSecret, 60)
    const headers = { authorization: `Bearer ${token}`, 'idempotency-key': key ?? `r-${sent}` }
    return await given().call('POST', path, { body, headers })
  }

  async function open(query = ''): Promise<JsonObject[]> {
    const answer = await given().call('GET', `/v1/recon/exceptions?state=open&limit=100${query}`)
    return answer.json['data'] as JsonObject[]
  }

  /** What is open as `kind amount`, in order. */
  async function kinds(): Promise<string[]> {
    return (await open()).map((one) => `${String(one['kind'])} ${String(one['amount'])}`).toSorted()
  }

  /** The open exception of a kind that says so in its detail, or of that amount. */
  async function exceptionOf(kind: string, said = ''): Promise<string> {
    const found = (await open(`&kind=${kind}`)).find((one) => JSON.stringify(one).includes(said))
    return found === undefined ? expect.fail(`no ${kind} with ${said}`) : String(found['id'])
  }

  async function exceptionAt(id: string): Promise<JsonObject> {
    return (await given().call('GET', `/v1/recon/exceptions/${id}`)).json
  }

  async function resolve(id: string, more: JsonObject, key?: string): Promise<Answer> {
    const body = { reason_code: 'other', reason: 'because', ...more }
    return await as('mira', 'finance', `/v1/recon/exceptions/${id}/resolve`, body, key)
  }

  async function undo(id: string, more: JsonObject = {}, key?: string): Promise<Answer> {
    const body = { reason: 'it was another', ...more }
    return await as('mira', 'finance', `/v1/recon/resolutions/${id}/undo`, body, key)
  }

  /** Debits less credits of an account, minor units. */
  async function balance(code: string): Promise<number> {
    const [row] = await given().rows<{ balance: string }>(
      `select coalesce(sum(debits - credits), 0)::text as balance from accounts
        where org_id = 1 and code = $1`,
      [code],
    )
    return Number(row?.balance)
  }

  /** What live write-offs say that they moved, and what the accounts of differences show. */
  async function differences(): Promise<{ said: number; shown: number }> {
    const [row] = await given().rows<{ said: string }>(
      `select coalesce(sum(moves), 0)::text as said from recon_resolutions
        where org_id = 1 and state = 'done' and action = 'write_off'`,
    )
    return { said: Number(row?.said), shown: (await balance(LOST)) + (await balance(FOUND)) }
  }

  /** What is open in the tables of the reconciliation. */
  async function openItems(): Promise<{ lines: number; records: number }> {
    const [row] = await given().rows<{ lines: number; records: number }>(
      `select (select count(*)::integer from recon_open_lines where org_id = 1) as lines,
              (select count(*)::integer from recon_open_records where org_id = 1) as records`,
    )
    return row ?? { lines: -1, records: -1 }
  }

  return {
    capture,
    load,
    run,
    as,
    open,
    kinds,
    exceptionOf,
    exceptionAt,
    resolve,
    undo,
    balance,
    differences,
    openItems,
  }
}

export { razorpayRow }
