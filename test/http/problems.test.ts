/** Bad input of every kind gets a problem document that says what is wrong and nothing internal. */
import { expect } from 'chai'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { request as httpRequest } from 'node:http'
import { PROBLEMS } from '../../src/base/problem.ts'
import { asProblem } from '../../src/http/problem-json.ts'
import { donationRequest } from '../support/bodies.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'

/** An answer is a problem document of that code, and tells nothing of our insides. */
function expectProblem(answer: Answer, code: keyof typeof PROBLEMS): void {
  const [status, title] = PROBLEMS[code]
  expect(answer.json, answer.text).to.include({
    type: `urn:bahi:problem:${code}`,
    title,
    status,
    code,
  })
  expect(answer.status).to.equal(status)
  expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/)
  expect(answer.json['request_id']).to.match(/^req_[0-9a-z]{26}$/)
  expect(answer.headers.get('request-id')).to.equal(answer.json['request_id'])
  expect(answer.text).to.not.match(/\bat .*:\d+:\d+|node_modules|\.ts\b|\bselect\b|postgres|zod/i)
}

describe('a problem document', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function post(
    body: unknown,
    headers: Record<string, string> = {},
    path = '/v1/donations',
  ): Promise<Answer> {
    return await service.call('POST', path, { body, headers })
  }

  function pointersOf(answer: Answer): string[] {
    expectProblem(answer, 'invalid_request')
    return (answer.json['errors'] as { pointer: string; detail: string }[]).map((one) => {
      expect(one.detail).to.be.a('string').and.not.equal('')
      return one.pointer
    })
  }

  it('comes for what is not there', async () => {
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/v1'],
      ['GET', '/v1/nothing'],
      ['GET', '/v2/payments'],
      ['GET', '/v1/payments/pmt_1/more'],
      ['GET', '/webhooks'],
      ['POST', '/webhooks/razorpay/whe_unknown'],
      ['POST', '/webhooks/stripe/whe_1'],
      ['POST', `/webhooks/razorpay/${'x'.repeat(100)}`],
      ['GET', '/.env'],
      ['GET', '/v1/../livez2'],
    ] as const) {
      expectProblem(await service.call(method, path), 'not_found')
    }
  })

  it('comes for a method that a resource does not have', async () => {
    for (const [method, path] of [
      ['PATCH', '/v1/donations'],
      ['PUT', '/v1/donations'],
      ['DELETE', '/v1/payments'],
      ['PATCH', '/v1/journal-entries/je_1'],
      ['DELETE', '/v1/accounts'],
      ['GET', '/webhooks/razorpay/whe_1'],
      ['POST', '/livez'],
    ] as const) {
      const { status } = await service.call(method, path)
      expect(status, `${method} ${path}`).to.be.oneOf([404, 405])
    }
  })

  it('names no id that the caller chose as the request’s', async () => {
    const { headers, json } = await service.call('GET', '/v1/none', {
      headers: { 'request-id': 'req_mine', 'x-request-id': 'req_mine' },
    })
    expect(headers.get('request-id')).to.equal(json['request_id']).and.not.equal('req_mine')
  })

  it('comes for a body that is not JSON', async () => {
    for (const body of ['{', '{"a":1,}', '{a: 1}', 'null', '"text"', '1', '\u0000', '{"a":1}{}']) {
      const answer = await post(body)
      expect(answer.status, body).to.equal(400)
      expectProblem(answer, 'malformed_json')
    }
  })

  it('comes for JSON that is no object, and for no body at all', async () => {
    for (const answer of [
      await post('[]'),
      await post('[1]'),
      await post('{}'),
      await post('', { 'content-type': 'application/json' }),
    ]) {
      expect(pointersOf(answer)).to.not.have.length(0)
    }
    const nothing = await service.call('POST', '/v1/donations')
    expectProblem(nothing, 'unsupported_media_type')
  })

  it('comes for a body of another kind', async () => {
    const text = JSON.stringify(donationRequest())
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/xml',
      'multipart/form-data; boundary=x',
      'application/json; charset=latin1',
    ]) {
      expectProblem(await post(text, { 'content-type': type }), 'unsupported_media_type')
    }
  })

  it('comes for a compressed body, which may hide its size', async () => {
    const text = JSON.stringify(donationRequest())
    for (const [encoding, body] of [
      ['gzip', gzipSync(text)],
      ['deflate', deflateSync(text)],
      ['br', brotliCompressSync(text)],
      ['unknown', Buffer.from(text)],
    ] as const) {
      const answer = await raw(service, body, { 'content-encoding': encoding })
      expect(answer.status, encoding).to.equal(415)
    }
  })

  it('comes for a body that is too large, whether or not its length is known before', async () => {
    expectProblem(await post({ name: 'x'.repeat(70_000) }), 'body_too_large')
    const answer = await raw(service, Buffer.alloc(70_000, ' '), { 'transfer-encoding': 'chunked' })
    expect(answer.status).to.equal(413)
  })

  it('comes for a path with broken % escapes', async () => {
    for (const path of ['/v1/payments/%', '/v1/receipts/%ff/pdf', '/v1/journal-entries/%c3%28']) {
      expectProblem(await service.call('GET', path), 'invalid_request')
    }
    expectProblem(await service.call('POST', '/webhooks/razorpay/%ff'), 'invalid_request')
  })

  it('comes for an unknown or repeated query parameter, and says which', async () => {
    for (const path of [
      'payments',
      'journal-entries',
      'accounts',
      'accounts/acc_1/statement',
      'trial-balance',
      'receipts',
      'inbox-events',
      'rejected-calls',
    ]) {
      const unknown = await service.call('GET', `/v1/${path}?colour=red`)
      expect(pointersOf(unknown), path).to.have.length(1)
      expect(unknown.text).to.contain('colour')
      for (const query of ['limit[$gt]=1', '__proto__=1', 'constructor=1']) {
        expectProblem(await service.call('GET', `/v1/${path}?${query}`), 'invalid_request')
      }
    }
    expect(pointersOf(await service.call('GET', '/v1/payments?limit=1&limit=2'))).to.deep.equal([
      '/query/limit',
    ])
  })

  it('comes at once for a body that is nested very deep, with and without a key', async () => {
    const body = '['.repeat(10_000) + ']'.repeat(10_000)
    for (const path of ['/v1/sign-in', '/v1/journal-entries/batch', '/v1/accounts']) {
      for (const key of [{}, { 'idempotency-key': 'deep' }]) {
        const json = { 'content-type': 'application/json', ...key }
        expect(pointersOf(await post(body, json, path)), path).to.have.length(1)
      }
    }
  })

  it('has a few kilobytes for a thousand unknown fields', async () => {
    const body = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`unknown${n}`, 'x']))
    const answer = await post(body, {}, '/v1/accounts')
    expectProblem(answer, 'invalid_request')
    expect(answer.text).to.have.length.below(4000)
  })

  it('names every unknown field of a body', async () => {
    const answer = await post({
      ...donationRequest({ colour: 'red', donor: { ...donor(), shoe_size: 43 } }),
    })
    expect(pointersOf(answer)).to.have.members(['', '/donor'])
    expect(answer.text).to.contain('colour').and.to.contain('shoe_size')
    const text = JSON.stringify(donationRequest())
    expectProblem(await post(text.replace('{', '{"__proto__":{"admin":true},')), 'invalid_request')
  })

  it('comes for a character in a query or a path that no text can have', async () => {
    for (const path of [
      'payments?gateway_payment_id=%00',
      'payments?donation=a%00b',
      'journal-entries?kind=%00',
      'receipts?number=%00',
      'receipts?donation=%00',
    ]) {
      const answer = await service.call('GET', `/v1/${path}`)
      expect(answer.status, path).to.equal(400)
      expectProblem(answer, 'invalid_request')
    }
    for (const path of [
      'payments/%00',
      'receipts/%00',
      'receipts/%00/pdf',
      'accounts/%00/statement',
    ]) {
      expect((await service.call('GET', `/v1/${path}`)).status, path).to.be.oneOf([400, 404])
    }
  })
})

describe('what a thrown thing becomes', () => {
  it('is “internal” without a word of its own, unless it is known', () => {
    for (const thrown of [new Error('secret'), 'secret', null, undefined, { status: 418 }]) {
      const problem = asProblem(thrown)
      expect(problem.code).to.equal('internal')
      expect(problem.message).to.not.contain('secret')
    }
  })

  it('is “unavailable”, to be tried again, where the database is away', () => {
    const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const problem = asProblem(away)
    expect(problem.code).to.equal('unavailable')
    expect(problem.extras.retryAfter).to.be.a('number')
    expect(problem.message).to.not.contain('ECONNREFUSED')
  })

  it('has a status between 400 and 599 and a title in words, whatever it is', () => {
    for (const [code, [status, title]] of Object.entries(PROBLEMS)) {
      expect(status, code).to.be.within(400, 599)
      expect(title, code).to.match(/^[A-Z].*\w$/)
    }
  })
})

function donor(): object {
  return donationRequest()['donor'] as object
}

/** Posts bytes with headers that fetch would not let through. */
async function raw(
  service: TestService,
  body: Buffer,
  headers: Record<string, string>,
): Promise<{ status: number }> {
  const { signToken } = await import('../../src/http/auth.ts')
  const principal = { subject: 'test', orgId: 1, role: 'finance' } as const
  const status = await new Promise<number>((resolve, reject) => {
    const sent = httpRequest(`${service.url}/v1/donations`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${signToken(principal, service.config.jwtSecret, 60)}`,
        'content-type': 'application/json',
        ...headers,
      },
    })
    sent.on('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
      sent.destroy()
    })
    sent.on('error', reject)
    sent.end(body)
  })
  return { status }
}
