/** API keys with fewer permissions than their role: what the role alone may do is not theirs. */
import { expect } from 'chai'
import {
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { entryBody, ENTRIES, expectRefused } from './posting.ts'
import { textIn } from './seeded.ts'

describe('an admin’s API key with few permissions', () => {
  let service: TestService
  let secret: string

  before(async () => {
    service = await startTestService()
    const made = await service.call('POST', '/v1/api-keys', {
      role: 'admin',
      body: {
        name: 'Tally',
        role: 'admin',
        permissions: ['books.read', 'books.post', 'accounts.write', 'periods.close'],
      },
    })
    expect(made.status, made.text).to.equal(201)
    secret = textIn(made.json, 'secret')
  })

  after(async () => {
    await service.stop()
  })

  async function send(method: string, path: string, body: JsonObject): Promise<Answer> {
    return await service.call(method, path, {
      body,
      headers: {
        authorization: `Bearer ${secret}`,
        'idempotency-key': `${method} ${path}`.replaceAll(' ', '-'),
      },
    })
  }

  it('posts, and neither posts late nor closes hard nor unfreezes', async () => {
    expect((await send('POST', ENTRIES, entryBody())).status).to.equal(201)
    expectRefused(
      await send('POST', `${ENTRIES}/je_1/reverse`, { reason: 'x', late_reason: 'y' }),
      'forbidden',
    )
    const close = { state: 'closed', reason: 'x' }
    expectRefused(await send('POST', '/v1/periods/2026-04/close', close), 'forbidden')
    const unfreeze = { frozen: false, reason: 'x' }
    expectRefused(await send('PATCH', '/v1/accounts/acc_1', unfreeze), 'forbidden')
    expectRefused(await send('PUT', '/v1/approval-limits', { limits: [] }), 'forbidden')
  })
})
