/** POST /v1/journal-entries/batch: all or none, or each for itself, and what became of each. */
import { expect } from 'chai'
import { request as httpRequest } from 'node:http'
import type { Role } from '../../src/http/permissions.ts'
import { signToken } from '../../src/http/auth.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import {
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import {
  BANK,
  BATCH,
  countEntries,
  ENTRIES,
  entryBody,
  expectRefused,
  FUND,
  line,
  pointersOf,
  postEntry,
} from './posting.ts'
import { textIn } from './seeded.ts'

describe('a batch of entries', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    const { findings } = await verifyLedger(service.parts.db, service.orgId, () => undefined)
    expect(findings).to.deep.equal([])
    await service.stop()
  })

  function entry(key: string, more: JsonObject = {}): JsonObject {
    return { idempotency_key: key, ...entryBody(more) }
  }

  const unbalanced = { lines: [line('debit', BANK, 2), line('credit', FUND, 1)] }
  const unknown = { lines: [line('debit', 'acc_99', 1), line('credit', FUND, 1)] }

  async function send(mode: string, entries: unknown, role: Role = 'service'): Promise<Answer> {
    return await service.call('POST', BATCH, { body: { mode, entries }, role })
  }

  /** Each result in a word: its status, or the code of its problem. */
  function wordsOf(answer: Answer): string[] {
    const results = answer.json['results'] as { status: string; problem?: JsonObject }[]
    return results.map(({ status, problem }) => {
      if (problem !== undefined) {
        expect(status).to.equal('refused')
        expect(problem['moved']).to.equal('no')
        expect(problem['type']).to.equal(`urn:bahi:problem:${textIn(problem, 'code')}`)
      }
      return problem === undefined ? status : textIn(problem, 'code')
    })
  }

  function idsOf(answer: Answer): unknown[] {
    return (answer.json['results'] as JsonObject[]).map((one) => one['journal_entry'])
  }

  it('posts all of them in order, and says the same when it comes again', async () => {
    for (const mode of ['atomic', 'each']) {
      const entries = Array.from({ length: 10 }, (_none, n) => entry(`${mode}-${n}`))
      const first = await send(mode, entries)
      expect(first.status, first.text).to.equal(200)
      expect(first.json['mode']).to.equal(mode)
      expect(wordsOf(first)).to.deep.equal(Array(10).fill('posted'))
      const numbers = idsOf(first).map((id) => Number(String(id).slice(3)))
      expect(numbers).to.deep.equal(numbers.map((_none, n) => (numbers[0] ?? 0) + n))
      const second = await send(mode, entries)
      expect(wordsOf(second)).to.deep.equal(Array(10).fill('existing'))
      expect(idsOf(second)).to.deep.equal(idsOf(first))
    }
  })

  it('shares its keys with single entries', async () => {
    const { json } = await postEntry(service, 'shared', entryBody(), 'service')
    const answer = await send('each', [entry('shared'), entry('shared', { description: 'Other' })])
    expect(wordsOf(answer)).to.deep.equal(['existing', 'idempotency_conflict'])
    expect(idsOf(answer)[0]).to.equal(json['id'])
  })

  it('posts each for itself, and refuses those that may not be posted', async () => {
    const before = await countEntries(service)
    const answer = await send('each', [
      entry('each-good-1'),
      entry('each-bad-1', unbalanced),
      entry('each-good-1'),
      entry('each-good-1', { description: 'Other' }),
      entry('each-bad-2', unknown),
      entry('each-bad-3', { lines: [] }),
      entry('each-good-2'),
    ])
    expect(answer.status).to.equal(200)
    expect(wordsOf(answer)).to.deep.equal([
      'posted',
      'unbalanced_entry',
      'existing',
      'idempotency_conflict',
      'unknown_account',
      'invalid_entry',
      'posted',
    ])
    expect(await countEntries(service)).to.equal(before + 2)
  })

  it('posts none where one of an atomic batch is refused, and says which', async () => {
    await send('atomic', [entry('known')])
    const before = await countEntries(service)
    const answer = await send('atomic', [
      entry('known'),
      entry('atomic-good'),
      entry('atomic-bad', unbalanced),
      entry('atomic-worse', unknown),
    ])
    expectRefused(answer, 'batch_refused')
    expect(wordsOf(answer)).to.deep.equal([
      'existing',
      'batch_refused',
      'unbalanced_entry',
      'unknown_account',
    ])
    expect(await countEntries(service)).to.equal(before)
    const mended = await send('atomic', [entry('known'), entry('atomic-good')])
    expect(wordsOf(mended)).to.deep.equal(['existing', 'posted'])
  })

  it('has 1 to 1,000 entries', async () => {
    expect(pointersOf(await send('each', []))).to.deep.equal(['/entries'])
    const entries = Array.from({ length: 1001 }, (_none, n) => entry(`many-${n}`))
    expect(pointersOf(await send('each', entries))).to.deep.equal(['/entries'])
    const answer = await send('atomic', entries.slice(1))
    expect(wordsOf(answer)).to.deep.equal(Array(1000).fill('posted'))
  })

  it('posts ten thousand lines, and refuses one more', async () => {
    const pairs = (count: number) =>
      Array.from({ length: count }, (_none, n) =>
        line(n % 2 === 0 ? 'debit' : 'credit', n % 3 === 0 ? BANK : FUND, 100),
      )
    const wide = Array.from({ length: 999 }, (_none, n) => entry(`wide-${n}`, { lines: pairs(10) }))
    const before = await countEntries(service)
    const three = [line('debit', BANK, 3), line('credit', FUND, 1), line('credit', FUND, 2)]
    const more = [...wide.slice(2), entry('tail-8', { lines: pairs(8) })]
    const tooWide = [...more, entry('tail-3', { lines: three })]
    for (const mode of ['each', 'atomic']) {
      const answer = await send(mode, [...tooWide, entry('tail-20', { lines: pairs(20) })])
      expect(pointersOf(answer)).to.deep.equal(['/entries'])
      expect(answer.text).to.include('at most 10000 lines in all')
    }
    expect(await countEntries(service)).to.equal(before)
    const answer = await send('each', [...wide, entry('wide-last', { lines: pairs(10) })])
    expect(new Set(wordsOf(answer))).to.deep.equal(new Set(['posted']))
  })

  it('refuses the whole for a fault in its form, and says where', async () => {
    const before = await countEntries(service)
    const good = entry('form-good')
    for (const [entries, pointer] of [
      [[good, entryBody()], '/entries/1/idempotency_key'],
      [[good, entry('two words')], '/entries/1/idempotency_key'],
      [[good, entry('x', { lines: [line('debit', BANK, '1')] })], '/entries/1/lines/0/amount'],
      [[good, entry('x', { metadata: { late_reason: 'x' } })], '/entries/1/metadata/late_reason'],
      [[good, entry('x', { colour: 'red' })], '/entries/1'],
      [[good, null], '/entries/1'],
      [{}, '/entries'],
    ] as const) {
      expect(pointersOf(await send('each', entries))).to.deep.equal([pointer])
    }
    expect(pointersOf(await send('some', [good]))).to.deep.equal(['/mode'])
    expectRefused(await send('each', [good, entry('x', { late_reason: 'x' })]), 'forbidden')
    expectRefused(await send('each', [good], 'auditor'), 'forbidden')
    expect(await countEntries(service)).to.equal(before)
  })

  it('may be as large as 5 MB; more is refused before it has come', async () => {
    const entries = [entry('large', { description: 'x'.repeat(5_300_000) })]
    expectRefused(await send('each', entries), 'body_too_large')
    const medium = [entry('medium', { description: 'x'.repeat(400_000) })]
    expect(pointersOf(await send('each', medium))).to.deep.equal(['/entries/0/description'])
    expect(await statusOfUnfinished(service, BATCH, 6_000_000)).to.equal(413)
    expect(await statusOfUnfinished(service, ENTRIES, 400_000)).to.equal(413)
  })
})

/** The status for a body of which only the first byte ever comes. */
async function statusOfUnfinished(
  service: TestService,
  path: string,
  length: number,
): Promise<number> {
  const principal = { subject: 'test', orgId: 1, role: 'finance' } as const
  return await new Promise<number>((resolve, reject) => {
    const sent = httpRequest(service.url + path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${signToken(principal, service.config.jwtSecret, 60)}`,
        'content-type': 'application/json',
        'content-length': length,
        'idempotency-key': 'unfinished',
      },
    })
    sent.on('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
      sent.destroy()
    })
    sent.on('error', reject)
    sent.write('{')
  })
}
