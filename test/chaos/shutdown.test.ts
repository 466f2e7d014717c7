/** SIGTERM: stop accepting, finish what is in hand, close, exit 0. */
import { expect } from 'chai'
import { once } from 'node:events'
import { connect } from 'node:net'
import { razorpayEvent } from '../support/bodies.ts'
import { holdBatch } from '../support/held-batch.ts'
import { startScript, type TestProcess } from '../support/process.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('SIGTERM', () => {
  let service: TestService
  const started: TestProcess[] = []

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await Promise.all(started.map((one) => one.end('SIGKILL')))
    await service.stop()
  })

  it('lets the API answer the request in hand, refuses new ones, and exits 0', async () => {
    const api = startScript('src/server.ts', { ...service.env, LOG_LEVEL: 'info', PORT: '0' })
    started.push(api)
    await api.says('listening')
    const [, port] = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(api.output()) ?? []
    const webhook = razorpayEvent('payment.captured', {
      id: 'pay_TESTterm00001',
      orderId: null,
      amount: 100,
    })
    const socket = connect(Number(port), '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    const headers = Object.entries(webhook.headers).map(([name, value]) => `${name}: ${value}`)
    socket.write(
      [
        `POST /webhooks/razorpay/${service.endpoints.get('razorpay') ?? ''} HTTP/1.1`,
        'Host: 127.0.0.1',
        `Content-Length: ${webhook.body.length}`,
        ...headers,
        '',
        webhook.body.subarray(0, 10).toString(),
      ].join('\r\n'),
    )
    await until(async () => {
      const metrics = await fetch(`http://127.0.0.1:${port}/livez`)
      return metrics.status === 200
    })
    api.child.kill('SIGTERM')
    await api.says('"ending"')
    await until(async () => {
      const probe = connect(Number(port), '127.0.0.1')
      const refused = await Promise.race([
        once(probe, 'connect').then(() => false),
        once(probe, 'error').then(() => true),
      ]).catch(() => true)
      probe.destroy()
      return refused
    })
    socket.write(webhook.body.subarray(10))
    await once(socket, 'close')
    expect(answer).to.match(/^HTTP\/1\.1 200 /)
    expect(await api.ended()).to.equal(0)
  })

  it('lets the worker finish the batch in hand, and exits 0', async () => {
    for (let n = 0; n < 5; n += 1) {
      const payment = { id: `pay_TESTbatch000${n}`, orderId: null, amount: 100 + n }
      await service.deliver('razorpay', razorpayEvent('payment.captured', payment))
    }
    const { worker, release } = await holdBatch(service)
    started.push(worker)
    worker.child.kill('SIGTERM')
    await worker.says('"ending"')
    await release()
    expect(await worker.ended()).to.equal(0)
    const [row] = await service.rows<{ n: number }>(
      `select count(*)::integer as n from inbox_events where state = 'waiting'`,
    )
    expect(row?.n).to.equal(0)
  })
})
