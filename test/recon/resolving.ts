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

/** All that a test of resolutions asks of a service; its members stand by themselves. */
export class Resolving {
  readonly #given: () => TestService
  #sent = 0

  constructor(given: () => TestService) {
    this.#given = given
  }

  /** The event of a payment of 1,000 rupees on 4 May. */
  readonly captured = (number: number, fee: number | null) =>
    razorpayEvent('payment.captured', {
      id: `pay_T${String(number).padStart(13, '0')}`,
      orderId: `order_T${number}`,
      amount: 100_000,
      fee,
      tax: fee === null ? null : 360,
      createdAt: PAID_AT + 5,
    })

  readonly capture = async (number: number, fee: number | null = 2360): Promise<Answer> => {
    const answer = await this.#given().deliver('razorpay', this.captured(number, fee))
    expect(answer.status).to.equal(200)
    await this.#given().runJobs()
    return answer
  }

  readonly load = async (...rows: string[]): Promise<void> => {
    const seen = await uploadTo(
      this.#given(),
      await gatewaySource(this.#given()),
      razorpayCsv(rows),
    )
    expect((await commit(this.#given(), seen.json)).status).to.equal(200)
    await loadRecon.run(this.#given().jobParts)
  }

  /** Asks for a run and does it, while others do what they do. */
  readonly runs = async (): Promise<void> => {
    await this.#given().call('POST', '/v1/recon/runs', { body: {} })
    await reconcile.run(this.#given().jobParts)
  }

  readonly run = async (): Promise<JsonObject> => {
    const asked = await this.#given().call('POST', '/v1/recon/runs', { body: {} })
    expect(asked.status, asked.text).to.equal(202)
    await reconcile.run(this.#given().jobParts)
    const done = (await this.#given().call('GET', `/v1/recon/runs/${asked.json['id'] as string}`))
      .json
    expect(done['state'], JSON.stringify(done)).to.equal('done')
    return done
  }

  /** Sends as somebody by name. */
  readonly as = async (
    subject: string,
    role: Role,
    path: string,
    body: unknown,
    key?: string,
  ): Promise<Answer> => {
    this.#sent += 1
    const { jwtSecret } = this.#given().config
    const token = signToken({ subject, orgId: 1, role }, jwtSecret, 60)
    const headers = {
      authorization: `Bearer ${token}`,
      'idempotency-key': key ?? `r-${this.#sent}`,
    }
    return await this.#given().call('POST', path, { body, headers })
  }

  readonly open = async (query = ''): Promise<JsonObject[]> => {
    const answer = await this.#given().call(
      'GET',
      `/v1/recon/exceptions?state=open&limit=100${query}`,
    )
    return answer.json['data'] as JsonObject[]
  }

  /** What is open as `kind amount`, in order. */
  readonly kinds = async (): Promise<string[]> => {
    return (await this.open())
      .map((one) => `${one['kind'] as string} ${one['amount'] as number}`)
      .toSorted()
  }

  /** The open exception of a kind that says so in its detail, or of that amount. */
  readonly exceptionOf = async (kind: string, said = ''): Promise<string> => {
    const found = (await this.open(`&kind=${kind}`)).find((one) =>
      JSON.stringify(one).includes(said),
    )
    return found === undefined ? expect.fail(`no ${kind} with ${said}`) : (found['id'] as string)
  }

  readonly exceptionAt = async (id: string): Promise<JsonObject> => {
    return (await this.#given().call('GET', `/v1/recon/exceptions/${id}`)).json
  }

  readonly resolve = async (id: string, more: JsonObject, key?: string): Promise<Answer> => {
    const body = { reason_code: 'other', reason: 'because', ...more }
    return await this.as('mira', 'finance', `/v1/recon/exceptions/${id}/resolve`, body, key)
  }

  readonly undo = async (id: string, more: JsonObject = {}, key?: string): Promise<Answer> => {
    const body = { reason: 'it was another', ...more }
    return await this.as('mira', 'finance', `/v1/recon/resolutions/${id}/undo`, body, key)
  }

  /** Debits less credits of an account, minor units. */
  readonly balance = async (code: string): Promise<number> => {
    const [row] = await this.#given().rows<{ balance: string }>(
      `select coalesce(sum(debits - credits), 0)::text as balance from accounts
        where org_id = 1 and code = $1`,
      [code],
    )
    return Number(row?.balance)
  }

  /** What live write-offs say that they moved, and what the accounts of differences show. */
  readonly differences = async (): Promise<{ said: number; shown: number }> => {
    const [row] = await this.#given().rows<{ said: string }>(
      `select coalesce(sum(moves), 0)::text as said from recon_resolutions
        where org_id = 1 and state = 'done' and action = 'write_off'`,
    )
    return {
      said: Number(row?.said),
      shown: (await this.balance(LOST)) + (await this.balance(FOUND)),
    }
  }

  /** What is open in the tables of the reconciliation. */
  readonly openItems = async (): Promise<{ lines: number; records: number }> => {
    const [row] = await this.#given().rows<{ lines: number; records: number }>(
      `select (select count(*)::integer from recon_open_lines where org_id = 1) as lines,
              (select count(*)::integer from recon_open_records where org_id = 1) as records`,
    )
    return row ?? { lines: -1, records: -1 }
  }
}

export { razorpayRow }
