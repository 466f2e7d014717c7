/** A Redis that is killed and comes back empty: bells are lost, work is not. */
import { expect } from 'chai'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { startWorker, type RunningWorker } from '../../jobs/worker.ts'
import { freePort } from '../../src/base/embedded-postgres.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const hasRedis = spawnSync('redis-server', ['--version']).status === 0

async function startRedis(port: number): Promise<ChildProcess> {
  const redis = spawn('redis-server', ['--port', String(port), '--save', ''], { stdio: 'ignore' })
  await until(async () => {
    const probe = connect(port, '127.0.0.1')
    const up = await once(probe, 'connect').then(
      () => true,
      () => false,
    )
    probe.destroy()
    return up
  })
  return redis
}

async function kill(redis: ChildProcess | undefined): Promise<void> {
  if (redis !== undefined && redis.exitCode === null && redis.signalCode === null) {
    const ended = once(redis, 'exit')
    redis.kill('SIGKILL')
    await ended
  }
}

describe('a Redis killed with kill -9 and started again, empty', () => {
  let redis: ChildProcess | undefined
  let service: TestService
  let worker: RunningWorker
  let port: number

  before(async function () {
    if (!hasRedis) {
      process.stdout.write('    skipped: this machine has no redis-server\n')
      this.skip()
    }
    port = await freePort()
    redis = await startRedis(port)
    service = await startTestService({ env: { REDIS_URL: `redis://127.0.0.1:${port}` } })
    worker = startWorker(service.parts)
  })

  after(async () => {
    if (hasRedis) {
      await worker.close()
      await service.stop()
      await kill(redis)
    }
  })

  async function deliver(n: number): Promise<number> {
    const payment = { id: `pay_TESTredis000${n}`, orderId: null, amount: 1000 + n }
    return (await service.deliver('razorpay', razorpayEvent('payment.captured', payment))).status
  }

  async function posted(): Promise<number> {
    const [row] = await service.rows<{ n: number }>(
      'select count(*)::integer as n from journal_entries',
    )
    return row?.n ?? -1
  }

  it('takes webhooks all the while and posts each of them once', async () => {
    expect(await deliver(1)).to.equal(200)
    await until(async () => (await posted()) === 1)
    await kill(redis)
    expect(await deliver(2)).to.equal(200)
    expect(await deliver(3)).to.equal(200)
    redis = await startRedis(port)
    await until(async () => (await posted()) === 3)
    expect(await deliver(4)).to.equal(200)
    await until(async () => (await posted()) === 4)
  })
})
