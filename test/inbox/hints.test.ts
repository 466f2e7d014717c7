/** Webhooks that PayU does not sign: taken in as hints, posted from only as PayU confirms them. */
import { createHash } from 'node:crypto'
import { expect } from 'chai'
import nock from 'nock'
import { payuCallback, payuVerified } from '../support/bodies.ts'
import { startNock, stopNock } from '../support/nock.ts'
import { PAYU } from '../support/organisation.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'
import { payuJson } from '../support/sign.ts'

interface EventRow {
  state: string
  event_type: string | null
  secret_id: string | null
  needs_confirmation: boolean
  confirmation: object | null
  note: string | null
  last_error: string | null
}

const PAYMENT = '403993715531077182'
const REFUND = {
  action: 'refund',
  key: PAYU.account,
  status: 'success',
  amt: '40.00',
  mihpayid: ` ${PAYMENT} `,
  request_id: '8000000001',
  token: 'BAHIREFUND0001',
  bank_arn: null,
}
const DISPUTE = {
  type: 'payments',
  event: 'dispute',
  created_at: '2026-11-20T10:00:00.000+05:30',
  cb_id: 1000001,
  txn_id: PAYMENT,
  cb_type: 'Chargeback',
  cb_amount: '30.0',
  cb_status: 'New',
}

let service: TestService

async function eventsWith(text: string): Promise<EventRow[]> {
  return await service.rows<EventRow>(
    `select state, event_type, secret_id, needs_confirmation, confirmation, note, last_error
       from inbox_events where position($1::bytea in body) > 0 order by event_id`,
    [Buffer.from(text)],
  )
}

async function kindsPosted(text: string): Promise<string[]> {
  const rows = await service.rows<{ kind: string }>(
    `select kind from journal_entries where position($1 in idempotency_key) > 0 order by entry_no`,
    [text],
  )
  return rows.map(({ kind }) => kind)
}

function payuAnswers(command: string, answer: object): nock.Scope {
  return nock(GATEWAYS_URL)
    .post('/merchant/postservice.php', (body: { command: string }) => body.command === command)
    .query(true)
    .reply(200, answer)
}

/** PayU's word on the refund. */
function refundAnswer(changes: object = {}): object {
  const { request_id: id, amt, token, status } = REFUND
  const entry = { mihpayid: PAYMENT, request_id: id, action: 'refund', amt, token, status }
  return { status: 1, transaction_details: { [id]: { [id]: { ...entry, ...changes } } } }
}

function signedDispute(changes: object) {
  const body = { ...DISPUTE, ...changes }
  const status = body.cb_status.replaceAll(' ', '')
  const parts = [PAYU.account, body.txn_id, body.cb_amount, body.cb_id, body.cb_type, status]
  const text = [...parts, PAYU.salt].join('|')
  const signature = createHash('sha512').update(text).digest('hex')
  const { headers, ...webhook } = payuJson(body)
  return {
    ...webhook,
    headers: { ...headers, 'x-payu-dispute-webhook-signature-v2': signature },
  }
}

async function makeDue(): Promise<void> {
  await service.rows(`update inbox_events set next_try_at = now() where state = 'waiting'`)
}

describe('webhooks that PayU does not sign', () => {
  before(async () => {
    service = await startTestService()
    startNock()
    nock.enableNetConnect(/127\.0\.0\.1|localhost/)
    const amounts = { amt: '100.00', transaction_amount: '100.00', mihpayid: PAYMENT }
    payuAnswers('verify_payment', payuVerified('TXNhints', amounts))
    const callback = { txnid: 'TXNhints', amount: '100.00', mihpayid: PAYMENT }
    await service.deliver('payu', payuCallback(callback))
    await service.runJobs()
  })

  afterEach(() => {
    nock.cleanAll()
  })

  after(async () => {
    stopNock()
    await service.stop()
  })

  it('are refused where they are of another merchant key, or name no refund', async () => {
    for (const change of [{ key: 'Other1' }, { request_id: null }]) {
      const answer = await service.deliver('payu', payuJson({ ...REFUND, ...change }))
      expect(answer.status).to.equal(401)
    }
    expect(await eventsWith('"action":"refund"')).to.deep.equal([])
  })

  it('are stored as signed by nobody, and wait until PayU has been asked', async () => {
    const first = await service.deliver('payu', payuJson(REFUND))
    expect([first.status, first.json['duplicate']]).to.deep.equal([200, false])
    const again = await service.deliver('payu', payuJson(REFUND))
    expect(again.json['duplicate']).to.equal(true)
    payuAnswers('check_action_status', refundAnswer({ status: 'queued' }))
    await service.runJobs()
    const [event] = await eventsWith('8000000001')
    expect(event).to.include({ state: 'waiting', secret_id: null, needs_confirmation: true })
    expect(event?.last_error).to.contain('queued')
    expect(await kindsPosted('refund:8000000001')).to.deep.equal([])
  })

  it('are not posted from while PayU says otherwise', async () => {
    payuAnswers('check_action_status', refundAnswer({ amt: '41.00' }))
    await makeDue()
    await service.runJobs()
    const [event] = await eventsWith('8000000001')
    expect(event?.state).to.equal('waiting')
    expect(event?.last_error).to.contain('4100')
    expect(await kindsPosted('refund:8000000001')).to.deep.equal([])
  })

  it('are posted once PayU has confirmed them, and its answer stands beside them', async () => {
    payuAnswers('check_action_status', refundAnswer())
    await makeDue()
    await service.runJobs()
    const [event] = await eventsWith('8000000001')
    expect(event).to.include({ state: 'processed', event_type: 'refund.success', secret_id: null })
    expect(event?.confirmation).to.include({ request_id: '8000000001', status: 'success' })
    expect(await kindsPosted('refund:8000000001')).to.deep.equal([
      'refund_created',
      'refund_processed',
    ])
  })

  it('bring the ARN with the second delivery, which posts nothing more', async () => {
    await service.deliver('payu', payuJson({ ...REFUND, bank_arn: 308239782136 }))
    payuAnswers('check_action_status', refundAnswer({ bank_arn: 308239782136 }))
    await service.runJobs()
    expect((await eventsWith('308239782136'))[0]?.state).to.equal('processed')
    expect(await kindsPosted('refund:8000000001')).to.have.length(2)
    const [refund] = await service.rows<{ bank_reference: string }>(
      `select bank_reference from refunds where gateway_refund_id = '8000000001'`,
    )
    expect(refund?.bank_reference).to.equal('308239782136')
  })

  it('are kept as ignored where they are disputes, and say why', async () => {
    const answer = await service.deliver('payu', payuJson(DISPUTE))
    expect(answer.status).to.equal(200)
    await service.runJobs()
    const [event] = await eventsWith('"cb_id":1000001')
    expect(event).to.include({ state: 'ignored', secret_id: null, needs_confirmation: false })
    expect(event?.note).to.contain('Nobody vouches')
    expect(await kindsPosted('cb:1000001')).to.deep.equal([])
  })

  it('are refused where a signature is there and wrong, and read where it is right', async () => {
    const lost = { cb_status: 'Closed Customer Favour' }
    const { headers } = signedDispute({})
    const forged = { ...signedDispute(lost), headers }
    expect((await service.deliver('payu', forged)).status).to.equal(401)
    expect((await service.deliver('payu', signedDispute(lost))).status).to.equal(200)
    await service.runJobs()
    const [, event] = await eventsWith('"cb_id":1000001')
    expect(event?.secret_id).to.match(/^whs_/)
    expect(event?.state).to.equal('processed')
    expect(await kindsPosted('cb:1000001')).to.deep.equal(['dispute_lost'])
  })

  it('take contested money at once where the account says that PayU does', async () => {
    const change = { disputes_debited_upfront: true }
    const wrong = await service.call('PATCH', '/v1/gateway-accounts/razorpay', {
      role: 'admin',
      body: change,
    })
    expect(wrong.status).to.equal(400)
    const changed = await service.call('PATCH', '/v1/gateway-accounts/payu', {
      role: 'admin',
      body: change,
    })
    expect([changed.status, changed.json['disputes_debited_upfront']]).to.deep.equal([200, true])
    await service.deliver('payu', signedDispute({ cb_id: 1000002 }))
    await service.runJobs()
    expect(await kindsPosted('cb:1000002')).to.deep.equal(['dispute_debited'])
    const won = { cb_id: 1000002, cb_status: 'Closed in Merchant Favour' }
    await service.deliver('payu', signedDispute(won))
    await service.runJobs()
    expect(await kindsPosted('cb:1000002')).to.deep.equal(['dispute_debited', 'dispute_credited'])
  })
})
