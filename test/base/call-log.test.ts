/** The log of calls out: written beside them, many at a time, never in their way, and kept. */
import { expect } from 'chai'
import { openBreakerStates } from '../../src/base/breaker-states.ts'
import { openBreakers } from '../../src/base/breakers.ts'
import { forgetCalls, openCallLog, type CallLog } from '../../src/base/call-log.ts'
import type { Attempt, Exchange } from '../../src/base/calls-out.ts'
import type { Database } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { Problem } from '../../src/base/problem.ts'
import { saidBreakers } from '../../src/gateways/call-history.ts'
import { openBooks, ORG, OTHER_ORG, type Books } from '../ledger/books.ts'
import { until } from '../support/until.ts'

const silent = openLog('silent', 'bahi test')

function exchange(more: Partial<Exchange> = {}): Exchange {
  return {
    method: 'POST',
    url: 'https://api.gateway.test/v1/refunds',
    requestHeaders: { authorization: 'Bearer sk_live_secret' },
    requestBody: '{"amount":100}',
    begunAt: new Date(),
    tookMs: 12.4,
    status: 200,
    answer: '{"id":"re_1"}',
    retryAfter: null,
    requestId: 'req_1',
    failure: null,
    ...more,
  }
}

function attempt(more: Partial<Attempt> = {}, orgId = ORG): Attempt {
  const errand = { orgId, service: 'stripe', operation: 'refund', repeatable: true }
  return { errand, attempt: 1, exchanges: [exchange()], error: null, ...more }
}

describe('the log of calls', () => {
  let books: Books
  let calls: CallLog
  let statements: number

  before(async () => {
    books = await openBooks()
  })

  beforeEach(async () => {
    statements = 0
    calls = openCallLog(counting(books.db), silent)
    await books.own('alter table gateway_calls disable trigger user; delete from gateway_calls')
    await books.own('alter table gateway_calls enable trigger user')
  })

  after(async () => {
    await books.close()
  })

  function counting(db: Database): Database {
    return {
      ...db,
      async statement<Row extends object>(sql: string, params?: readonly unknown[]) {
        statements += 1
        return await db.statement<Row>(sql, params)
      },
    }
  }

  const rows = async (orgId = ORG) =>
    await books.read<Record<string, unknown>>(
      `select operation, attempt, status, outcome, error, moved, took_ms, gateway_request_id,
              request, answer from gateway_calls order by call_id`,
      [],
      orgId,
    )

  it('has what was said and what became of it', async () => {
    calls.record(attempt())
    const lost = new Problem('gateway_unavailable', { detail: 'No answer.', moved: 'unknown' })
    const silence = exchange({ status: null, answer: null, failure: 'No answer.', requestId: null })
    calls.record(attempt({ attempt: 2, exchanges: [silence], error: lost }))
    await calls.written()
    expect(await rows()).to.deep.equal([
      {
        operation: 'refund',
        attempt: 1,
        status: 200,
        outcome: 'answered',
        error: null,
        moved: null,
        took_ms: 12,
        gateway_request_id: 'req_1',
        request: '{"amount":100}',
        answer: '{"id":"re_1"}',
      },
      {
        operation: 'refund',
        attempt: 2,
        status: null,
        outcome: 'unavailable',
        error: 'No answer.',
        moved: 'unknown',
        took_ms: 12,
        gateway_request_id: null,
        request: '{"amount":100}',
        answer: null,
      },
    ])
  })

  it('gives the error to the request that it is of', async () => {
    const refusal = new Problem('gateway_refused', { detail: 'No: a@b.in', moved: 'no' })
    const exchanges = [exchange(), exchange({ status: 400 }), exchange({ status: 200 })]
    calls.record(attempt({ exchanges, error: refusal }))
    calls.record(attempt({ exchanges: [exchange(), exchange()], error: new TypeError('a bug') }))
    calls.record(attempt({ exchanges: [], error: refusal }))
    await calls.written()
    const outcomes = (await rows()).map(({ outcome }) => String(outcome))
    expect(outcomes.filter((one) => one === 'answered')).to.have.length(3)
    expect(outcomes).to.include.members(['refused', 'failed'])
    const refused = (await rows()).find(({ outcome }) => outcome === 'refused')
    expect(refused).to.include({ status: 400, error: 'No: …', moved: 'no' })
  })

  it('writes those together that come together, of all organisations', async () => {
    for (let count = 0; count < 120; count += 1) {
      calls.record(attempt({}, count % 2 === 0 ? ORG : OTHER_ORG))
    }
    await calls.written()
    expect([(await rows()).length, (await rows(OTHER_ORG)).length]).to.deep.equal([60, 60])
    expect(statements).to.be.at.most(4)
  })

  it('loses only the row that Postgres refuses', async () => {
    calls.record(attempt())
    for (const orgId of [ORG, 4711, ORG]) {
      calls.record(attempt({}, orgId))
    }
    calls.record(attempt({ attempt: 99 }))
    calls.record(attempt({ exchanges: [exchange({ url: 'no address' })] }))
    await calls.written()
    expect(await rows()).to.have.length(3)
  })

  it('lets no call fail or wait where it cannot be written, and keeps only so many', async () => {
    let isAway = true
    const gate = Promise.withResolvers<boolean>()
    const away: Database = {
      ...books.db,
      async statement<Row extends object>(sql: string, params?: readonly unknown[]) {
        await gate.promise
        if (isAway) {
          throw new Error('Connection terminated unexpectedly')
        }
        return await books.db.statement<Row>(sql, params)
      },
    }
    const log = openCallLog(away, silent)
    for (let count = 0; count < 1500; count += 1) {
      log.record(attempt())
    }
    gate.resolve(true)
    await log.written()
    expect(await rows()).to.have.length(0)
    isAway = false
    log.record(attempt())
    await log.written()
    expect(await rows()).to.have.length(1)
  })

  it('is shown to its own organisation only, and never changed', async () => {
    calls.record(attempt())
    await calls.written()
    expect(await rows(OTHER_ORG)).to.have.length(0)
    const refusal = async (sql: string) =>
      await books.db
        .transact(ORG, async (trx) => await trx.query(sql))
        .then(
          () => 'done',
          (error: Error) => error.message,
        )
    expect(await refusal(`update gateway_calls set path = '/'`)).to.contain('permission denied')
    expect(await refusal('truncate gateway_calls')).to.contain('permission denied')
    expect(await refusal('delete from gateway_calls')).to.contain('kept for 90 days')
    const owner = await books.own('truncate gateway_calls').then(
      () => 'done',
      (error: Error) => error.message,
    )
    expect(owner).to.contain('is refused')
    expect(await rows()).to.have.length(1)
  })

  it('forgets calls after 90 days, the oldest first, so many at a time', async () => {
    const insert = (id: string, days: number) =>
      books.own(
        `insert into gateway_calls (org_id, call_id, gateway, operation, attempt, method, path,
           outcome, begun_at, took_ms, created_at)
         values (${ORG}, '${id}', 'payu', 'confirm', 1, 'POST', '/', 'answered', now(), 1,
           now() - interval '${days} days')`,
      )
    for (const [id, days] of [
      ['a', 89],
      ['b', 91],
      ['c', 92],
      ['d', 93],
    ] as const) {
      await insert(id, days)
    }
    expect(await forgetCalls(books.db, 90, 2)).to.equal(2)
    expect(await forgetCalls(books.db, 90, 2)).to.equal(1)
    expect(await forgetCalls(books.db, 90, 2)).to.equal(0)
    expect(await rows()).to.have.length(1)
  })
})

describe('what processes say of their breakers', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  const said = async () => await books.db.read(ORG, async (trx) => await saidBreakers(trx))

  function process(name: string) {
    const breakers = openBreakers({ windowMs: 1000, callsMin: 1, resetMs: 60_000 }, () =>
      states.say(),
    )
    const states = openBreakerStates(books.db, silent, name, breakers.all)
    return { breakers, states }
  }

  it('is there on every change, for each process, until it ends or falls silent', async () => {
    const [one, other] = [process('api'), process('worker')]
    one.breakers.of('payu', 'confirm')
    other.breakers.of('payu', 'confirm')
    await until(async () => (await said()).length === 2)
    const failing = {
      run: () => Promise.reject(new Problem('gateway_unavailable')),
      isFailure: () => true,
    }
    const breaker = one.breakers.of('payu', 'confirm')
    await breaker.run(failing, () => new Error('open')).catch((error: unknown) => error)
    await until(async () => (await said()).some(({ state }) => state === 'open'))
    const [open, closed] = (await said()).sort((a, b) => (a.state < b.state ? 1 : -1))
    expect([open?.state, closed?.state]).to.deep.equal(['open', 'closed'])
    expect(open?.process).to.match(/^api [0-9a-f]{8}$/)
    expect(open?.probe_at?.getTime()).to.be.greaterThan(Date.now())
    await books.own(
      `update gateway_breakers set expires_at = now() - interval '1 s' where process like 'api%'`,
    )
    expect((await said()).map(({ process: name }) => name.split(' ')[0])).to.deep.equal(['worker'])
    // Whoever speaks next takes what is out of date away.
    other.breakers.of('payu', 'refund')
    await until(async () => (await said()).length === 2)
    const all = await books.db.statement<{ process: string }>('select * from gateway_breakers')
    expect(all.every(({ process: name }) => name.startsWith('worker'))).to.equal(true)
    for (const { breakers, states } of [one, other]) {
      breakers.close()
      await states.close()
    }
    expect(await books.db.statement('select * from gateway_breakers')).to.deep.equal([])
  })
})
