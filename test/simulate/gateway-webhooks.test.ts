/** Webhooks of the test gateways: signed as they are verified, held, silent, tried again. */
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import { gateways as clients } from '../../src/gateways/registry.ts'
import type { GatewayName } from '../../src/gateways/fact.ts'
import { startTestGateways, type TestGateways } from '../../scripts/simulate/gateway-server.ts'

interface Received {
  headers: Record<string, string>
  body: Buffer
}

/** A service that keeps what it gets and answers what it is told to. */
async function startListener() {
  const received: Received[] = []
  const answers: number[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const headers = request.headers as Record<string, string>
      received.push({ headers, body: Buffer.concat(chunks) })
      response.statusCode = answers.shift() ?? 200
      response.end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/hook`
  return {
    received,
    answers,
    url,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

describe('the webhooks of the test gateways', () => {
  let there: TestGateways
  let listener: Awaited<ReturnType<typeof startListener>>

  beforeEach(async () => {
    listener = await startListener()
    there = await startTestGateways({ port: 0, webhooks: { attempts: 4, firstDelayMs: 1 } })
    for (const gateway of ['razorpay', 'payu', 'stripe'] as const) {
      there.webhooks.to(gateway, { url: listener.url, account: 'Acc1', secret: `${gateway} old` })
    }
  })

  afterEach(async () => {
    await there.close()
    await listener.close()
  })

  /** By which secret the service's own verifier says that it was signed. */
  function signerOf(gateway: GatewayName, { headers, body }: Received): string | null {
    const contentType = headers['content-type'] ?? ''
    const secrets = ['old', 'new'].map((secretId) => {
      return { secretId, value: `${gateway} ${secretId}` }
    })
    const raw = { body, contentType, headers, receivedAt: new Date() }
    return clients[gateway].verify(raw, 'Acc1', secrets).secretId
  }

  it('are signed as each gateway signs', async () => {
    there.razorpay.pay({ amount: 5000 })
    await there.webhooks.idle()
    const [razorpay] = listener.received.splice(0)
    there.stripe.pay({ amount: 5000 })
    await there.webhooks.idle()
    const [stripe] = listener.received.splice(0)
    const { mihpayid } = there.payu.pay({ txnid: 'T1', amount: 5000, charges: 300 })
    there.payu.dispute({ payment: mihpayid, dispute: '2042053' })
    there.payu.dispute({ payment: mihpayid, dispute: '2042054', signed: false })
    const { requestId } = there.payu.refund({ payment: mihpayid, amount: 1000 })
    there.payu.finishRefund({ refund: requestId, status: 'success' })
    await there.webhooks.idle()
    const payu = listener.received
    expect(razorpay && signerOf('razorpay', razorpay)).to.equal('old')
    expect(stripe && signerOf('stripe', stripe)).to.equal('old')
    expect(payu.map((one) => signerOf('payu', one))).to.deep.equal(['old', 'old', null, null])
  })

  it('come in the order in which things happened', async () => {
    for (let index = 0; index < 10; index += 1) {
      there.razorpay.pay({ amount: 5000 })
    }
    await there.webhooks.idle()
    const events = listener.received.map(({ body }) => /"event":"(.*?)"/.exec(body.toString())?.[1])
    const pair = ['payment.authorized', 'payment.captured']
    expect(events).to.deep.equal(Array.from({ length: 10 }, () => pair).flat())
  })

  it('come again until they are answered, the same id and bytes', async () => {
    listener.answers.push(500, 401)
    there.razorpay.fail({ payment: there.razorpay.begin({ amount: 5000 }).id })
    await there.webhooks.idle()
    const ids = listener.received.map(({ headers }) => headers['x-razorpay-event-id'])
    expect(ids).to.have.length(3)
    expect(new Set(ids).size).to.equal(1)
    expect(new Set(listener.received.map(({ body }) => body.toString())).size).to.equal(1)
    expect(there.webhooks.sent.at(-1)).to.include({ state: 'delivered' })
  })

  it('are given up in the end', async () => {
    listener.answers.push(500, 500, 500, 500)
    there.razorpay.fail({ payment: there.razorpay.begin({ amount: 5000 }).id })
    await there.webhooks.idle()
    expect(there.webhooks.sent.at(-1)).to.deep.include({
      state: 'given up',
      statuses: [500, 500, 500, 500],
    })
  })

  it('keep the secret of their time when they are held, but those of Stripe', async () => {
    for (const gateway of ['razorpay', 'stripe'] as const) {
      there.webhooks.mode(gateway, 'held')
    }
    there.razorpay.fail({ payment: there.razorpay.begin({ amount: 5000 }).id })
    there.stripe.decline({ amount: 5000 })
    await there.webhooks.idle()
    expect(listener.received).to.deep.equal([])
    for (const gateway of ['razorpay', 'stripe'] as const) {
      there.webhooks.to(gateway, { url: listener.url, account: 'Acc1', secret: `${gateway} new` })
      there.webhooks.mode(gateway, 'on')
      await there.webhooks.idle()
      const [first] = listener.received.splice(0)
      expect(first && signerOf(gateway, first)).to.equal(gateway === 'stripe' ? 'new' : 'old')
    }
  })

  it('are never sent while it is silent, but can be asked for', async () => {
    there.webhooks.mode('razorpay', 'silent')
    const { id } = there.razorpay.pay({ amount: 5000 })
    there.webhooks.mode('razorpay', 'on')
    await there.webhooks.idle()
    expect(listener.received).to.deep.equal([])
    const [event] = there.webhooks.sent
    expect(event).to.include({ state: 'silent', about: id })
    there.webhooks.again(event?.id ?? '')
    await there.webhooks.idle()
    expect(listener.received).to.have.length(1)
  })

  it('go nowhere where no endpoint was named, and end with the server', async () => {
    const alone = await startTestGateways({ port: 0, webhooks: { firstDelayMs: 60_000 } })
    alone.razorpay.pay({ amount: 5000 })
    expect(alone.webhooks.sent.map(({ state }) => state)).to.deep.equal(['nowhere', 'nowhere'])
    listener.answers.push(500)
    alone.webhooks.to('stripe', { url: listener.url, account: 'Acc1', secret: 'x' })
    alone.stripe.decline({ amount: 5000 })
    await alone.close()
    await alone.webhooks.idle()
    expect(alone.webhooks.sent.at(-1)?.state).to.equal('waiting')
  })

  it('and what happens can be steered over HTTP, without telling a secret', async () => {
    const call = async (method: string, path: string, body: unknown = {}) => {
      const sent = method === 'GET' ? {} : { body: JSON.stringify(body) }
      const response = await fetch(`${there.url}/_test/${path}`, { method, ...sent })
      return { status: response.status, text: await response.text() }
    }
    const paid = await call('POST', 'razorpay/pay', { amount: 5000 })
    expect(paid.status).to.equal(200)
    expect(paid.text).to.include('"status":"captured"')
    const list = await call('GET', 'webhooks')
    expect(JSON.parse(list.text)).to.have.length(2)
    expect(list.text).to.not.include('razorpay old')
    expect((await call('PUT', 'webhooks/payu/mode', { mode: 'held' })).status).to.equal(200)
    for (const [method, path, body, status] of [
      ['POST', 'razorpay/pay', { amount: -1 }, 400],
      ['POST', 'razorpay/pay', { amount: 5000, sum: 1 }, 400],
      ['POST', 'razorpay/pay', {}, 409],
      ['POST', 'razorpay/capture', { payment: 'pay_0' }, 409],
      ['POST', 'razorpay/constructor', {}, 404],
      ['POST', 'razorpay/toString', {}, 404],
      ['POST', 'paypal/pay', {}, 404],
      ['PUT', 'webhooks/payu/mode', { mode: 'loud' }, 400],
      ['PUT', 'webhooks/payu', { url: 'file:///etc/passwd', account: 'a', secret: 'b' }, 400],
      ['POST', 'faults', { operation: 'a b', kind: 'refuse' }, 400],
      ['POST', 'webhooks/again', { id: 'none' }, 409],
      ['DELETE', 'faults', {}, 200],
      ['GET', 'calls', {}, 200],
    ] as const) {
      expect((await call(method, path, body)).status, `${method} ${path}`).to.equal(status)
    }
    const broken = await fetch(`${there.url}/_test/razorpay/pay`, { method: 'POST', body: '{' })
    expect(broken.status).to.equal(400)
  })
})
