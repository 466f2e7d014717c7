/** What a refused request that would write says about money, on every path and at every stage. */
import { expect } from 'chai'
import type { Request, Response } from 'express'
import { Problem } from '../../src/base/problem.ts'
import { sayWhetherMoved } from '../../src/http/moved.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { expectRefused } from './posting.ts'

const WRITES = [
  ['POST', '/v1/journal-entries'],
  ['POST', '/v1/journal-entries/batch'],
  ['POST', '/v1/journal-entries/je_1/reverse'],
  ['POST', '/v1/journal-entries/je_1/adjust'],
  ['POST', '/v1/exchanges'],
  ['POST', '/v1/accounts'],
  ['PATCH', '/v1/accounts/acc_1'],
  ['POST', '/v1/currencies'],
  ['POST', '/v1/periods/2025-06/close'],
  ['POST', '/v1/periods/2025-06/reopen'],
  ['POST', '/v1/financial-years/2025-26/close'],
  ['POST', '/v1/donations'],
] as const

describe('a refused write', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  for (const [method, path] of WRITES) {
    it(`says that nothing moved, wherever ${method} ${path} ends`, async () => {
      const body = {}
      const key = { 'idempotency-key': 'k' }
      const send = async (more: Parameters<TestService['call']>[2]) =>
        await service.call(method, path, { role: 'admin', ...more })
      expectRefused(await send({ role: null, body }), 'unauthenticated')
      expectRefused(await send({ role: 'auditor', body }), 'forbidden')
      expectRefused(await send({ body: { x: 1 }, headers: key }), 'invalid_request')
      expectRefused(await send({ body: '{"x":', headers: key }), 'malformed_json')
      const plain = { ...key, 'content-type': 'text/plain' }
      expectRefused(await send({ body, headers: plain }), 'unsupported_media_type')
      const large = { x: 'x'.repeat(5 * 1024 * 1024) }
      expectRefused(await send({ body: large, headers: key }), 'body_too_large')
    })
  }

  it('says so where there is nothing to change, and nothing to be found', async () => {
    const change = { role: 'admin', body: { name: 'x', reason: 'x' } } as const
    for (const id of ['acc_99', 'x']) {
      expectRefused(await service.call('PATCH', `/v1/accounts/${id}`, change), 'not_found')
    }
    expectRefused(await service.call('POST', '/v1/nothing', change), 'not_found')
    const read = await service.call('GET', '/v1/accounts/acc_99')
    expect(read.json).to.not.have.property('moved')
  })
})

describe('what is said of money after a failure', () => {
  function movedAfter(thrown: unknown, method = 'POST'): unknown {
    let said: unknown
    const request = { method } as Request
    sayWhetherMoved(thrown, request, {} as Response, (passed) => {
      said = passed
    })
    return said instanceof Problem ? (said.extras.moved ?? null) : said
  }

  it('is that nobody knows, where whoever failed does not say', () => {
    const lost = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    for (const thrown of [lost, new Error('x'), 'x', new Problem('unavailable')]) {
      expect(movedAfter(thrown), String(thrown)).to.equal('unknown')
    }
  })

  it('is what was said already, and that nothing moved for a request that was not valid', () => {
    expect(movedAfter(new Problem('unavailable', { moved: 'no' }))).to.equal('no')
    expect(movedAfter(new Problem('forbidden', { moved: 'yes' }))).to.equal('yes')
    expect(movedAfter(new Problem('forbidden'))).to.equal('no')
    expect(movedAfter(new Problem('not_found'), 'PATCH')).to.equal('no')
  })

  it('is nothing at all of a request that only reads', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      expect(movedAfter(new Problem('not_found'), method)).to.equal(null)
    }
  })
})
