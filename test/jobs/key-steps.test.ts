/** A new data key step by step: who has it second goes on, who lacks it says so. */
import { expect } from 'chai'
import { rotateKeysJob } from '../../jobs/rotate-keys.ts'
import { readKeyring } from '../../src/base/crypto.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'

const keyText = (id: string, byte: number) => `${id}:${Buffer.alloc(32, byte).toString('base64')}`
const OLD = keyText('t1', 7)
const NEW = keyText('t2', 8)

describe('a process, while another seals with a new key', () => {
  let service: TestService
  let sent = 0

  const start = async (keys: string) => {
    service = await startTestService({ env: { DATA_KEYS: keys } })
  }

  afterEach(async () => {
    await service.stop()
  })

  /** As a worker does that has the new key first. */
  const rotateElsewhere = async () =>
    await rotateKeysJob.run({ ...service.jobParts, keyring: readKeyring(`${NEW},${OLD}`) })

  async function webhook(): Promise<Answer> {
    sent += 1
    const payment = { id: `pay_TESTkey${sent}`, orderId: null, amount: 100 }
    return await service.deliver('razorpay', razorpayEvent('payment.captured', payment))
  }

  const ready = async () => await service.call('GET', '/readyz', { role: null })

  async function unknownKeys(): Promise<string | undefined> {
    const { text } = await service.call('GET', '/metrics', { role: null })
    return /^bahi_unknown_data_keys (\d+)$/m.exec(text)?.[1]
  }

  it('that has it as the second one takes webhooks and is ready', async () => {
    await start(`${OLD},${NEW}`)
    await rotateElsewhere()
    expect((await webhook()).status).to.equal(200)
    expect((await ready()).status).to.equal(200)
    expect(await unknownKeys()).to.equal('0')
  })

  it('that lacks it says so, and asks gateways to come again', async () => {
    await start(OLD)
    expect((await ready()).status).to.equal(200)
    await rotateElsewhere()
    const refused = await webhook()
    expect([refused.status, refused.json['code']]).to.deep.equal([503, 'unavailable'])
    expect(refused.headers.get('retry-after')).to.equal('5')
    expect(refused.text).to.not.contain('t2')
    const answer = await ready()
    expect(answer.status).to.equal(503)
    expect(answer.json).to.deep.include({
      checks: {
        postgres: 'ok',
        migrations: 'ok',
        data_keys: 'lacks a key that others seal with (DATA_KEYS)',
        draining: 'ok',
      },
    })
    expect(await unknownKeys()).to.equal('1')
    const stored = await service.rows('select 1 from inbox_events')
    expect(stored).to.deep.equal([])
  })

  it('that has another key under its name takes nothing either', async () => {
    await start(OLD)
    await service.rows(
      `update webhook_secrets set secret_sealed = set_byte(secret_sealed, 40,
         (get_byte(secret_sealed, 40) + 1) % 256)`,
    )
    expect((await webhook()).status).to.equal(503)
  })

  it('that lost the old one again after the rotation is ready', async () => {
    await start(NEW)
    expect((await ready()).status).to.equal(200)
    await service.rows(
      `insert into key_rotations (org_id, key_id, checked_at, rows_left)
       values (1, 't1', now(), 0)`,
    )
    expect((await ready()).status).to.equal(200)
  })
})
