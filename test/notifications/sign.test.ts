/** Signatures that receivers' own libraries accept. */
import { expect } from 'chai'
import { newSecret, signatureHeaders } from '../../src/notifications/sign.ts'
import { pauseAfter, retryAfterOf, ATTEMPTS_MAX } from '../../src/notifications/schedule.ts'
import { validSignatures } from './verify.ts'

const MESSAGE = { messageId: 'msg_1', timestamp: 1_760_000_000, payload: '{"a":"₹ “x”"}' }

describe('the signature of a webhook', () => {
  it('is verified by who knows the secret, and by nobody else', async () => {
    const secret = newSecret()
    const headers = signatureHeaders(MESSAGE, [secret])
    const got = { headers, body: MESSAGE.payload }
    expect(await validSignatures(got, secret)).to.equal(1)
    expect(await validSignatures(got, newSecret())).to.equal(0)
    expect(await validSignatures({ headers, body: '{"a":"₹ “y”"}' }, secret)).to.equal(0)
    const later = { ...headers, 'webhook-timestamp': '1760000001' }
    expect(await validSignatures({ headers: later, body: MESSAGE.payload }, secret)).to.equal(0)
    const other = { ...headers, 'webhook-id': 'msg_2' }
    expect(await validSignatures({ headers: other, body: MESSAGE.payload }, secret)).to.equal(0)
  })

  it('is there for each secret while they are rotated, the newest first', async () => {
    const secrets = [newSecret(), newSecret(), newSecret()]
    const headers = signatureHeaders(MESSAGE, secrets)
    for (const secret of secrets) {
      expect(await validSignatures({ headers, body: MESSAGE.payload }, secret)).to.equal(1)
    }
    const [first] = (headers['webhook-signature'] ?? '').split(' ')
    const alone = signatureHeaders(MESSAGE, secrets.slice(0, 1))
    expect(alone['webhook-signature']).to.equal(first)
    expect(() => signatureHeaders(MESSAGE, [])).to.throw('without a secret')
  })

  it('is made with a key of 32 random bytes', () => {
    const secrets = Array.from({ length: 20 }, () => newSecret())
    expect(new Set(secrets).size).to.equal(20)
    for (const secret of secrets) {
      expect(secret).to.match(/^whsec_[A-Za-z0-9+/]{43}=$/)
    }
  })
})

describe('the times of a webhook', () => {
  const HOUR = 3_600_000

  it('are ten over three days, a tenth more or less', () => {
    const pauses = (random: number) =>
      Array.from({ length: ATTEMPTS_MAX - 1 }, (_none, index) => {
        const pause = pauseAfter(index + 1, null, random)
        expect(pause).to.be.a('number')
        return pause ?? 0
      })
    const hours = pauses(0.5).map((pause) => pause / HOUR)
    expect(hours.slice(0, 3)).to.deep.equal([5 / 3600, 1 / 12, 0.5])
    expect(hours.slice(3)).to.deep.equal([2, 5, 10, 14, 20, 24])
    const sum = (of: number[]) => of.reduce((all, one) => all + one, 0)
    expect(sum(hours)).to.be.within(72, 80)
    expect(sum(pauses(0)) / sum(pauses(0.5))).to.be.closeTo(0.9, 1e-6)
    expect(sum(pauses(1)) / sum(pauses(0.5))).to.be.closeTo(1.1, 1e-6)
    expect(pauseAfter(ATTEMPTS_MAX, null, 0.5)).to.equal(null)
    expect(pauseAfter(ATTEMPTS_MAX, HOUR, 0.5)).to.equal(null)
    expect(pauseAfter(ATTEMPTS_MAX + 7, null, 0.5)).to.equal(null)
  })

  it('are later where the receiver asks for it, a day at most, and never earlier', () => {
    expect(pauseAfter(1, HOUR, 0.5)).to.equal(HOUR)
    expect(pauseAfter(4, 1000, 0.5)).to.equal(2 * HOUR)
    expect(pauseAfter(1, 9e15, 0.5)).to.equal(24 * HOUR)
  })

  it('are read from Retry-After as seconds or as a date, and from nothing else', () => {
    const now = new Date('2026-05-01T00:00:00Z')
    expect(retryAfterOf(' 120 ', now)).to.equal(120_000)
    expect(retryAfterOf('Fri, 01 May 2026 01:00:00 GMT', now)).to.equal(HOUR)
    expect(retryAfterOf('Fri, 01 May 2025 01:00:00 GMT', now)).to.equal(0)
    for (const text of [undefined, '', '-5', '1e9', '1.5', 'soon', '99999999999', '2027-01-01']) {
      expect(retryAfterOf(text, now), text).to.equal(null)
    }
  })
})
