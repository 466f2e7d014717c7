/** Calls out to the gateways: what becomes of every way in which they can fail. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import nock from 'nock'
import type { CallOptions } from '../../src/gateways/gateway.ts'
import { payu } from '../../src/gateways/payu.ts'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { HOST, isSafe, ORDER, PAYU, RAZORPAY, soon, withoutNetwork } from './calls.ts'
import { rejectionOf } from './thrown.ts'

/** The two calls that go over the network, with all that differs between them. */
const CALLS = [
  {
    name: 'Razorpay: a new order',
    path: '/v1/orders',
    call: (apiUrl: string, options: CallOptions) =>
      razorpay.createOrder({ ...RAZORPAY, apiUrl }, ORDER, options),
  },
  {
    name: 'PayU: a confirmation',
    path: '/merchant/postservice.php?form=2',
    call: (apiUrl: string, options: CallOptions) =>
      payu.confirm({ ...PAYU, apiUrl }, ['order:T1001'], options),
  },
]

for (const { name, path, call } of CALLS) {
  describe(`${name}, when things go wrong`, () => {
    withoutNetwork()

    for (const status of [500, 502, 503, 504, 429]) {
      it(`calls HTTP ${status} unavailable, and says when to try again`, async () => {
        nock(HOST).post(path).reply(status, 'oops', { 'retry-after': '7' })
        nock(HOST).post(path).reply(status, '', { 'retry-after': 'Fri, 02 Jan 2026 00:00:00 GMT' })
        nock(HOST).post(path).reply(status, '', { 'retry-after': '99999' })
        const problem = await rejectionOf(call(HOST, soon()))
        expect(problem.code).to.equal('gateway_unavailable')
        expect(problem.extras.retryAfter).to.equal(7)
        isSafe(problem)
        expect((await rejectionOf(call(HOST, soon()))).extras.retryAfter).to.equal(30)
        expect((await rejectionOf(call(HOST, soon()))).extras.retryAfter).to.equal(3600)
      })
    }

    for (const status of [302, 400, 401, 404, 409]) {
      it(`calls HTTP ${status} refused`, async () => {
        nock(HOST).post(path).reply(status, '<html>no</html>', { location: 'https://other.test/' })
        const problem = await rejectionOf(call(HOST, soon()))
        expect(problem.code).to.equal('gateway_refused')
        expect(problem.message).to.contain(`HTTP ${status}`)
        isSafe(problem)
      })
    }

    for (const garbage of ['', 'null', '[]', '<html></html>', '{"a":', '7']) {
      it(`calls the answer ${JSON.stringify(garbage)} unavailable`, async () => {
        nock(HOST).post(path).reply(200, garbage)
        const problem = await rejectionOf(call(HOST, soon()))
        expect(problem.code).to.equal('gateway_unavailable')
        isSafe(problem)
      })
    }

    it('does not read an answer without end', async () => {
      nock(HOST).post(path).reply(200, ' '.repeat(2_000_001))
      const problem = await rejectionOf(call(HOST, soon()))
      expect(problem.code).to.equal('gateway_unavailable')
      expect(problem.message).to.contain('2000000 bytes')
    })

    it('calls a refused connection unavailable', async () => {
      nock.enableNetConnect('127.0.0.1')
      const server = await listening(() => {})
      const { port } = server.address() as AddressInfo
      await new Promise((resolve) => server.close(resolve))
      const problem = await rejectionOf(call(`http://127.0.0.1:${port}`, soon()))
      expect(problem.code).to.equal('gateway_unavailable')
      expect(problem.message).to.contain('ECONNREFUSED')
      expect(problem.extras.retryAfter).to.equal(30)
      isSafe(problem)
    })

    it('calls it unavailable when the limit passes before any answer', async () => {
      nock.enableNetConnect('127.0.0.1')
      const controller = new AbortController()
      const server = await listening(() => {
        controller.abort(new DOMException('The limit passed.', 'TimeoutError'))
      })
      const { port } = server.address() as AddressInfo
      const pending = call(`http://127.0.0.1:${port}`, { signal: controller.signal })
      const problem = await rejectionOf(pending)
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      expect(problem.code).to.equal('gateway_unavailable')
      expect(problem.message).to.contain('did not answer in time')
      isSafe(problem)
    })

    it('calls it unavailable when the limit passes in the middle of the answer', async () => {
      nock.enableNetConnect('127.0.0.1')
      const server = await listening((answer) => {
        answer.writeHead(200, { 'content-type': 'application/json' })
        answer.write('{"status":')
      })
      const { port } = server.address() as AddressInfo
      const options = { signal: AbortSignal.timeout(50) }
      const problem = await rejectionOf(call(`http://127.0.0.1:${port}`, options))
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      expect(problem.code).to.equal('gateway_unavailable')
      expect(problem.message).to.contain('did not answer in time')
    })

    it('calls nobody once the limit has passed', async () => {
      const problem = await rejectionOf(call(HOST, { signal: AbortSignal.abort() }))
      expect(problem.code).to.equal('gateway_unavailable')
    })
  })
}

/** A server on this machine that does with every request what it is told, here mostly nothing. */
async function listening(answer: (response: ServerResponse) => void): Promise<Server> {
  const server = createServer((_request, response) => answer(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}
