/** A whole run against a small server that answers like the service, over real sockets. */
import { expect } from 'chai'
import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { play, type PlayOptions, type Progress } from '../../scripts/simulate/play.ts'
import { startTestGateways, type TestGateways } from '../../scripts/simulate/gateway-server.ts'
import { wentAsExpected } from '../../scripts/simulate/summary.ts'

const SECRET = 'webhook secret'
const SALT = 'TESTSALT123'
const KEY = 'gtKFFx'

interface Received {
  path: string
  headers: http.IncomingHttpHeaders
  body: string
}

/** Says what the fake service answers instead of what it would, or undefined. */
type Fault = (received: Received, count: number) => number | 'hang up' | undefined

interface FakeBahi {
  url: string
  donations: Received[]
  webhooks: Received[]
  most: number
  close(): Promise<void>
}

async function startFakeBahi(fault: Fault): Promise<FakeBahi> {
  const donations: Received[] = []
  const webhooks: Received[] = []
  let underWay = 0
  const fake = { url: '', donations, webhooks, most: 0, close }
  const answer = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    underWay += 1
    fake.most = Math.max(fake.most, underWay)
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk)
    }
    const body = Buffer.concat(chunks).toString('utf8')
    const received = { path: request.url ?? '', headers: request.headers, body }
    const list = received.path === '/v1/donations' ? donations : webhooks
    list.push(received)
    const status = fault(received, list.length)
    underWay -= 1
    if (status === 'hang up') {
      request.socket.destroy()
      return
    }
    const opening = list === donations
    response.statusCode = status ?? (opening ? 201 : isSigned(received) ? 200 : 401)
    response.end(opening ? openingAnswer(body, donations.length) : '{}')
  }
  const server = http.createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  async function close(): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  fake.url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  return fake
}

function openingAnswer(body: string, count: number): string {
  const { donor } = JSON.parse(body) as { donor: { name: string; email: string } }
  const fields = {
    amount: '10.00',
    productinfo: 'Donation',
    firstname: donor.name,
    email: donor.email,
  }
  return JSON.stringify({ id: `don_${count}`, order_ref: `ref${count}`, checkout: { fields } })
}

function isSigned({ path, headers, body }: Received): boolean {
  if (path === '/webhooks/razorpay/whe_r') {
    const mac = createHmac('sha256', SECRET).update(body).digest('hex')
    return headers['x-razorpay-signature'] === mac
  }
  if (headers['content-type'] === 'application/json') {
    // Refunds and disputes of PayU.
    return path === '/webhooks/payu/whe_p'
  }
  const form = new URLSearchParams(body)
  const charges = form.get('additionalCharges') ?? ''
  const middle = ['', '', '', '', '', 'udf5', 'udf4', 'udf3', 'udf2', 'udf1']
  const names = [...middle, 'email', 'firstname', 'productinfo', 'amount', 'txnid', 'key']
  const parts = [SALT, form.get('status'), ...names.map((name) => form.get(name) ?? '')]
  const text = (charges === '' ? '' : `${charges}|`) + parts.join('|')
  const hash = createHash('sha512').update(text).digest('hex')
  return path === '/webhooks/payu/whe_p' && form.get('key') === KEY && form.get('hash') === hash
}

describe('a simulated run', () => {
  let gateways: TestGateways
  let bahi: FakeBahi
  let fault: Fault

  beforeEach(async () => {
    fault = () => undefined
    gateways = await startTestGateways({ port: 0 })
    bahi = await startFakeBahi((received, count) => fault(received, count))
  })

  afterEach(async () => {
    await bahi.close()
    await gateways.close()
  })

  function options(changes: Partial<PlayOptions> = {}): PlayOptions {
    return {
      running: {
        api_url: bahi.url,
        test_gateways_url: gateways.url,
        token: 'a.b.c',
        endpoints: {
          razorpay: { path: '/webhooks/razorpay/whe_r', account: 'acc_1', secret: SECRET },
          payu: { path: '/webhooks/payu/whe_p', account: KEY, secret: SALT },
        },
      },
      payments: 40,
      rate: 0,
      duplicates: 0.1,
      reorder: 0.2,
      badSignatures: 0.1,
      seed: 5,
      gateways: ['razorpay', 'payu'],
      clock: () => new Date('2026-05-04T06:30:00Z'),
      atOnce: 8,
      attempts: 4,
      firstDelayMs: 1,
      ...changes,
    }
  }

  it('counts what it sent and what came back', async () => {
    const summary = await play(options())
    expect(summary).to.include({ lives: 44, capturedLives: 40, opened: 44, unexpected: 0 })
    expect(summary).to.include({ retries: 0, stopped: false })
    expect(summary.sent).to.equal(bahi.webhooks.length)
    expect(summary.accepted).to.equal(bahi.webhooks.filter(isSigned).length)
    expect(summary.rejected).to.equal(summary.forged)
    expect(summary.accepted + summary.rejected).to.equal(summary.sent)
    expect(summary.duplicates).to.be.above(5)
    expect(summary.expected).to.have.length(40)
    expect(wentAsExpected(summary)).to.equal(true)
    expect(bahi.most).to.be.at.most(8)
  })

  it('opens each donation once, with the token and paise as a whole number', async () => {
    await play(options())
    expect(bahi.donations).to.have.length(44)
    for (const { headers, body } of bahi.donations) {
      expect(headers.authorization).to.equal('Bearer a.b.c')
      expect(body).to.match(/"amount":\d+,"currency":"INR"/)
    }
  })

  it('tries again what is answered 503 or not at all, and still gets everything in', async () => {
    fault = (_, count) => (count % 5 === 0 ? 503 : count % 7 === 0 ? 'hang up' : undefined)
    const summary = await play(options({ attempts: 12 }))
    expect(summary.retries).to.be.above(20)
    expect(bahi.webhooks.length + bahi.donations.length).to.equal(
      summary.sent + summary.opened + summary.retries,
    )
    expect(wentAsExpected(summary)).to.equal(true)
  })

  it('gives a call up after the last try, and does not count on its capture', async () => {
    fault = ({ path }) => (path.startsWith('/webhooks/payu') ? 503 : undefined)
    const summary = await play(options({ badSignatures: 0 }))
    expect(summary.expected.every(({ gateway }) => gateway === 'razorpay')).to.equal(true)
    expect(summary.unexpectedSamples[0]).to.match(/^payu .*200 expected, got 503/)
    expect(wentAsExpected(summary)).to.equal(false)
  })

  it('does not wait for an answer longer than the limit', async () => {
    const slow = await startSilentServer()
    const running = { ...options().running, api_url: slow.url }
    const summary = await play(options({ running, payments: 1, timeoutMs: 20, attempts: 2 }))
    await slow.close()
    expect(summary).to.include({ opened: 0, unexpected: 1, retries: 1 })
    expect(summary.unexpectedSamples[0]).to.match(/no answer: No answer within 20 ms/)
  })

  it('notices a forged call that is accepted', async () => {
    fault = ({ path }) => (path === '/v1/donations' ? undefined : 200)
    const summary = await play(options())
    expect(summary.forged).to.be.above(5)
    expect(summary).to.include({ rejected: 0, unexpected: summary.forged })
    expect(summary.unexpectedSamples[0]).to.match(/401 expected, got 200/)
    expect(wentAsExpected(summary)).to.equal(false)
  })

  it('notices a server error without trying again', async () => {
    fault = ({ path }, count) => (path !== '/v1/donations' && count === 1 ? 500 : undefined)
    const summary = await play(options({ atOnce: 1 }))
    expect(summary).to.include({ retries: 0, unexpected: 1 })
  })

  it('ends with a clear message where the token is refused', async () => {
    fault = () => 401
    const message = await play(options()).then(
      () => 'none',
      (error: unknown) => String(error),
    )
    expect(message).to.match(/refuses the token/)
    expect(bahi.donations.length).to.be.at.most(8)
  })

  it('begins nothing where the service has no endpoint for a gateway', async () => {
    const running = { ...options().running, endpoints: {} }
    const message = await play(options({ running })).then(
      () => 'none',
      (error: unknown) => String(error),
    )
    expect(message).to.match(/no webhook endpoint for razorpay/)
    expect(bahi.donations).to.deep.equal([])
  })

  it('keeps to the rate', async () => {
    const summary = await play(options({ payments: 5, badSignatures: 0, rate: 200 }))
    expect(summary.sent).to.be.above(10)
    expect(summary.seconds).to.be.at.least((summary.sent - 1) / 200)
    expect(summary.perSecond).to.be.at.most((summary.sent / (summary.sent - 1)) * 200)
  })

  it('stops when it is told to, with the counts so far', async () => {
    const stop = new AbortController()
    const summary = await play(options({ signal: stop.signal }), (progress) => {
      if (progress.phase === 'sending' && progress.done === 20) {
        stop.abort()
      }
    })
    expect(summary.stopped).to.equal(true)
    expect(summary.sent).to.be.within(20, 28)
    expect(summary.unexpected).to.equal(0)
    expect(summary.expected.length).to.be.below(40)
  })

  it('reports how far it is, to the end', async () => {
    const seen: Progress[] = []
    const summary = await play(options(), (progress) => seen.push(progress))
    expect(seen.filter(({ phase }) => phase === 'opening')).to.have.length(44)
    expect(seen.at(-1)).to.deep.include({
      phase: 'sending',
      done: summary.sent,
      total: summary.sent,
    })
  })

  it('lets the test gateways know what became of each PayU payment', async () => {
    const summary = await play(options({ gateways: ['payu'], duplicates: 0, badSignatures: 0 }))
    const txnids = bahi.donations.map((_, index) => `ref${index + 1}`)
    const hash = createHash('sha512').update(`${KEY}|verify_payment|${txnids.join('|')}|${SALT}`)
    const form = { key: KEY, command: 'verify_payment', var1: txnids.join('|') }
    const answer = await fetch(`${gateways.url}/merchant/postservice.php?form=2`, {
      method: 'POST',
      body: new URLSearchParams({ ...form, hash: hash.digest('hex') }),
    })
    const { transaction_details: details } = (await answer.json()) as {
      transaction_details: Record<string, { mihpayid: string; unmappedstatus: string }>
    }
    const captured = Object.values(details).filter((one) => one.unmappedstatus === 'captured')
    expect(captured.map(({ mihpayid }) => mihpayid)).to.have.members(
      summary.expected.map(({ gatewayPaymentId }) => gatewayPaymentId),
    )
  })
})

async function startSilentServer(): Promise<{ url: string; close(): Promise<void> }> {
  const server = http.createServer(() => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
