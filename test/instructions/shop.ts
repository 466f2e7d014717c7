/** A service with a Razorpay that moves money, payments to give back, and a worker in steps. */
import { confirmPayments } from '../../jobs/confirm-payments.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { sendInstructions } from '../../jobs/send-instructions.ts'
import { signToken } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/permissions.ts'
import { textIn } from '../http/seeded.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'
import { startRazorpay, type FakeRazorpay } from './razorpay-server.ts'

export interface Shop {
  service: TestService
  razorpay: FakeRazorpay
  /** Money that came in from nobody known; gives our id of the payment. */
  paid(amount: number, id?: string): Promise<string>
  /** A payment that is authorised only. */
  authorized(amount: number): Promise<string>
  post(path: string, body: object, more?: { key?: string; role?: Role }): Promise<Answer>
  /** As another than everybody else in these tests. */
  postAs(subject: string, role: Role, path: string, body: object): Promise<Answer>
  get(id: string): Promise<Answer>
  /** Tells the gateways what is due, and takes in what they told. */
  work(): Promise<void>
  /** As if hours had gone by: whatever waits for its time is due. */
  later(): Promise<void>
  /** What the gateway tells of it by a webhook. */
  webhook(event: string, entities: object): Promise<void>
  /** Balances on the normal side by account's code. */
  balances(): Promise<Record<string, bigint>>
  /** As if the gateway had first been told of it hours ago. */
  sentBefore(id: string, hours: number): Promise<void>
  /** As if a day had gone by for the answers that are kept. */
  forgetAnswers(): Promise<void>
  close(): Promise<void>
}

let keys = 0
let payments = 0

export async function openShop(): Promise<Shop> {
  const razorpay = await startRazorpay()
  const service = await startTestService({ gatewaysUrl: razorpay.url })
  await service.rows(`update gateway_accounts set payout_account = '2323230000000001'
                       where gateway = 'razorpay'`)
  const idOf = async (gatewayId: string): Promise<string> => {
    const rows = await service.rows<{ id: string }>(
      'select payment_id as id from payments where gateway_payment_id = $1',
      [gatewayId],
    )
    return rows[0]?.id ?? ''
  }
  const take = async (event: Parameters<typeof razorpayEvent>[0], amount: number, id: string) => {
    razorpay.payments.set(id, { amount, captured: event === 'payment.captured' })
    await service.deliver('razorpay', razorpayEvent(event, { id, orderId: null, amount }))
    await processInbox.run(service.jobParts)
    return await idOf(id)
  }
  const nextId = () => {
    payments += 1
    return `pay_TESTshop${payments}`
  }
  return {
    service,
    razorpay,
    paid: async (amount, id = nextId()) => await take('payment.captured', amount, id),
    authorized: async (amount) => await take('payment.authorized', amount, nextId()),
    ...callsOf(service),
    ...timeOf(service),
    async close() {
      await service.stop()
      await razorpay.close()
    },
  }
}

/** A refund, payout, … that was written down; gives its id. */
export function idIn(answer: Answer): string {
  if (answer.status !== 202) {
    throw new Error(`answered ${answer.status}: ${answer.text}`)
  }
  return textIn(answer.json, 'id')
}

export const PAYOUT = {
  gateway: 'razorpay',
  amount: 150_000,
  currency: 'INR',
  mode: 'IMPS',
  purpose: 'vendor bill',
  narration: 'Books for Pune',
  beneficiary: {
    type: 'bank_account',
    name: 'Ravi Rao',
    account_number: '50100123456789',
    ifsc: 'HDFC0000053',
  },
  paid_for: 'liabilities:merchants-payable',
  reason: 'Invoice 17',
} as const

type Calls = Pick<Shop, 'post' | 'postAs' | 'get' | 'webhook'>

function callsOf(service: TestService): Calls {
  return {
    async post(path, body, { key, role } = {}) {
      keys += 1
      return await service.call('POST', path, {
        body,
        headers: { 'idempotency-key': key ?? `key-${keys}` },
        ...(role === undefined ? {} : { role }),
      })
    },
    async postAs(subject, role, path, body) {
      const token = signToken({ subject, orgId: 1, role }, service.config.jwtSecret, 60)
      const headers = { authorization: `Bearer ${token}` }
      return await service.call('POST', path, { body, headers })
    },
    get: async (id) => await service.call('GET', `/v1/instructions/${id}`),
    async webhook(event, entities) {
      const body = {
        entity: 'event',
        account_id: RAZORPAY.account,
        event,
        payload: entities,
        created_at: 1_795_000_200,
      }
      keys += 1
      const signed = razorpayWebhook(body, RAZORPAY.webhookSecret, `evt_shop${keys}`)
      await service.deliver('razorpay', signed)
      await processInbox.run(service.jobParts)
    },
  }
}

type Time = Pick<Shop, 'work' | 'later' | 'balances' | 'forgetAnswers' | 'sentBefore'>

function timeOf(service: TestService): Time {
  return {
    async work() {
      await sendInstructions.run(service.jobParts)
      await confirmPayments.run(service.jobParts)
      await processInbox.run(service.jobParts)
    },
    async later() {
      await service.rows(`update instructions set next_try_at = now() - interval '1 second'`)
    },
    async balances() {
      const rows = await service.rows<{ code: string; balance: string }>(
        `select code, case normal when 'debit' then debits - credits else credits - debits end
                  as balance
           from accounts order by code`,
      )
      return Object.fromEntries(rows.map(({ code, balance }) => [code, BigInt(balance)]))
    },
    async forgetAnswers() {
      await service.rows('alter table kept_answers disable trigger user')
      await service.rows('delete from kept_answers')
      await service.rows('alter table kept_answers enable trigger user')
    },
    async sentBefore(id, hours) {
      await service.rows('alter table instructions disable trigger guard')
      await service.rows(
        `update instructions set first_sent_at = now() - make_interval(hours => $2)
          where instruction_id = $1`,
        [id, hours],
      )
      await service.rows('alter table instructions enable trigger guard')
    },
  }
}
