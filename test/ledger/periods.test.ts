/** Months of the books: closing in order, reopening in reverse, and what is posted meanwhile. */
import { expect } from 'chai'
import { sha256 } from '../../src/base/crypto.ts'
import { Problem } from '../../src/base/problem.ts'
import { openBatcher } from '../../src/ledger/posting/batcher.ts'
import { trialBalance } from '../../src/ledger/reading/balances.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { post } from '../../src/ledger/posting/post.ts'
import {
  closePeriod,
  encodeTrialBalance,
  reopenPeriod,
  type ChangedPeriod,
} from '../../src/ledger/closing/period-changes.ts'
import {
  findPeriod,
  lastDayOf,
  listPeriodChanges,
  listPeriods,
  monthBefore,
  refusalByPeriod,
  stateOf,
  storedTrialBalance,
} from '../../src/ledger/periods/periods.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import {
  BANK,
  credit,
  debit,
  draftOf,
  FUND,
  openBooks,
  outcomes,
  typingClient,
  type Books,
} from './books.ts'
import { refusalOf } from './typed.ts'

const TODAY = '2026-07-15'

function on(effectiveOn: string, key: string, more: Partial<Draft> = {}): Draft {
  return draftOf(key, { effectiveOn, ...more })
}

function late(effectiveOn: string, key: string): Draft {
  return on(effectiveOn, key, { metadata: { late_reason: 'the bill came late' } })
}

describe('a period', () => {
  let books: Books
  let org = 300

  before(async () => {
    books = await openBooks(20)
  })

  beforeEach(async () => {
    org += 1
    await books.addOrganisation(org)
  })

  afterEach(async () => {
    const { findings } = await verifyLedger(books.db, org, () => undefined)
    expect(findings).to.deep.equal([])
  })

  after(async () => {
    await books.close()
  })

  async function close(
    month: string,
    state: 'soft_closed' | 'closed' = 'closed',
    today = TODAY,
  ): Promise<ChangedPeriod> {
    const change = { month, state, reason: `end of ${month}`, actor: 'user:asha', today }
    return await books.db.transact(org, async (trx) => await closePeriod(trx, change), {
      queue: 'journal',
    })
  }

  async function reopen(
    month: string,
    state: 'open' | 'soft_closed' = 'open',
  ): Promise<ChangedPeriod> {
    const change = { month, state, reason: 'a bill was lost', actor: 'user:asha', today: TODAY }
    return await books.db.transact(org, async (trx) => await reopenPeriod(trx, change), {
      queue: 'journal',
    })
  }

  /** The code of the problem that the call ends in. */
  async function codeOf(call: Promise<unknown>): Promise<string> {
    const thrown = await call.then(
      () => 'nothing',
      (error: unknown) => error,
    )
    if (!(thrown instanceof Problem)) {
      return String(thrown)
    }
    expect(thrown.extras.moved).to.equal('no')
    return thrown.code
  }

  function codeOfProblem(error: unknown): string {
    return error instanceof Problem ? error.code : String(error)
  }

  async function postEach(...drafts: Draft[]): Promise<string[]> {
    const texts = outcomes(await books.post(drafts, org))
    return texts.map((text) => text.split(' ')[0] ?? '')
  }

  /** The hash of the trial balance as of that day as it is in the books now. */
  async function hashNow(day: string): Promise<string> {
    const { lines } = await books.db.read(
      org,
      async (trx) => await trialBalance(trx, { asOf: day, knownAt: null }),
    )
    return sha256(encodeTrialBalance(day, lines)).toString('hex')
  }

  const hashOf = ({ period }: ChangedPeriod): string | undefined =>
    period.change?.trial_balance_sha256.toString('hex')

  async function stateNow(month: string): Promise<string> {
    return (await books.db.read(org, async (trx) => await findPeriod(trx, month))).state
  }

  it('is open until somebody closes it, then takes late entries, then none', async () => {
    expect(await postEach(on('2026-05-04', 'a'))).to.deep.equal(['posted'])
    await close('2026-05', 'soft_closed')
    expect(await postEach(on('2026-05-31', 'b'), late('2026-05-01', 'c'))).to.deep.equal([
      'period_closed',
      'posted',
    ])
    await close('2026-05')
    expect(await postEach(on('2026-05-31', 'd'), late('2026-05-01', 'e'))).to.deep.equal([
      'period_closed',
      'period_closed',
    ])
    expect(await postEach(on('2026-06-01', 'f'))).to.deep.equal(['posted'])
  })

  it('stores the trial balance of its last day, as text whose hash is kept', async () => {
    await postEach(
      on('2026-05-31', 'a', { lines: [debit(BANK, 700n), credit(FUND, 700n)] }),
      on('2026-05-31', 'b', { lines: [debit(BANK, 5n, 'USD'), credit(FUND, 5n, 'USD')] }),
      on('2026-06-01', 'c'),
    )
    const { period } = await close('2026-05')
    expect(period.change).to.include({ version: 1, state: 'closed', actor: 'user:asha' })
    expect(period.change).to.include({ reason: 'end of 2026-05', entry_no: 3n })
    const text = await books.db.read(
      org,
      async (trx) => await storedTrialBalance(trx, '2026-05', 1),
    )
    const lines = [
      'account=16:assets:bank:main\ncurrency=3:INR\ndebit=3:700\ncredit=1:0',
      'account=16:assets:bank:main\ncurrency=3:USD\ndebit=1:5\ncredit=1:0',
      'account=19:equity:general-fund\ncurrency=3:INR\ndebit=1:0\ncredit=3:700',
      'account=19:equity:general-fund\ncurrency=3:USD\ndebit=1:0\ncredit=1:5',
    ]
    expect(text).to.equal(
      `bahi/trial-balance/1\nas_of=10:2026-05-31\n${lines.map((line) => `${line}\n`).join('')}`,
    )
    expect(period.change?.trial_balance_sha256).to.deep.equal(sha256(text ?? ''))
    const none = await books.db.read(
      org,
      async (trx) => await storedTrialBalance(trx, '2026-05', 2),
    )
    expect(none).to.equal(undefined)
  })

  it('keeps its hash when accounts are opened or renamed and later months go on', async () => {
    await postEach(on('2026-05-04', 'a'))
    const closed = await close('2026-05')
    await postEach(
      on('2026-06-04', 'b', {
        lines: [debit('assets:clearing:payu', 1n), credit('income:donations:food', 1n)],
      }),
    )
    await books.own(`update accounts set name = 'Renamed' where org_id = ${org}`)
    expect(await hashNow('2026-05-31')).to.equal(hashOf(closed))
    expect(await hashNow('2026-06-30')).to.not.equal(hashOf(closed))
  })

  it('cannot be closed before it has ended, nor in the future', async () => {
    await postEach(on('2026-07-01', 'a'))
    for (const state of ['soft_closed', 'closed'] as const) {
      for (const month of ['2026-07', '2026-08', '9999-12']) {
        expect(await codeOf(close(month, state)), month).to.equal('period_not_over')
      }
      expect(await codeOf(close('2026-07', state, '2026-07-31'))).to.equal('period_not_over')
    }
    await close('2026-07', 'closed', '2026-08-01')
    expect(await stateNow('2026-07')).to.equal('closed')
  })

  it('is named by a month only', async () => {
    for (const text of ['2026-13', '2026-00', '0000-01', '2026-5', '2026-05-01', 'x', '']) {
      expect(lastDayOf(text), text).to.equal(undefined)
      expect(await codeOf(close(text)), text).to.equal('not_found')
      expect(await codeOf(reopen(text)), text).to.equal('not_found')
    }
    const days = ['2026-02', '2028-02', '0001-01', '9999-12'].map(lastDayOf)
    expect(days).to.deep.equal(['2026-02-28', '2028-02-29', '0001-01-31', '9999-12-31'])
    const before = ['2026-01', '2026-12', '0001-01'].map(monthBefore)
    expect(before).to.deep.equal(['2025-12', '2026-11', '0000-12'])
  })

  it('closes after every earlier month that was posted to, and not before', async () => {
    await postEach(on('2026-02-10', 'a'), on('2026-04-10', 'b'), on('2026-05-10', 'c'))
    for (const month of ['2026-04', '2026-05', '2026-06']) {
      expect(await codeOf(close(month)), month).to.equal('period_order')
      expect(await codeOf(close(month, 'soft_closed')), month).to.equal('period_order')
    }
    await close('2026-02', 'soft_closed')
    expect(await codeOf(close('2026-04'))).to.equal('period_order')
    await close('2026-04', 'soft_closed')
    await close('2026-02')
    // March was never posted to: it needs no closing of its own.
    await close('2026-04')
    expect(await stateNow('2026-03')).to.equal('closed')
    expect(await stateNow('2025-01')).to.equal('closed')
    expect(await stateNow('2026-05')).to.equal('open')
  })

  it('closes what lies before it, whether posted to or not', async () => {
    await postEach(on('2026-02-10', 'a'), on('2026-05-10', 'b'))
    await close('2026-02')
    await close('2026-05')
    const before = await hashNow('2026-05-31')
    const drafts = ['0001-01-01', '2026-01-31', '2026-03-01', '2026-04-30'].map((day) =>
      late(day, `late-${day}`),
    )
    expect(new Set(await postEach(...drafts))).to.deep.equal(new Set(['period_closed']))
    // Without a look at the books, as a batch is posted: the database refuses it too.
    const batcher = openBatcher(books.db)
    for (const key of ['june', 'again']) {
      await batcher.post(org, on('2026-06-01', key))
    }
    const results = await Promise.all(drafts.map((draft) => batcher.post(org, draft)))
    expect(new Set(outcomes(results))).to.deep.equal(new Set(['period_closed']))
    await batcher.close()
    expect(await hashNow('2026-05-31')).to.equal(before)
  })

  it('stays as it is when it is closed or reopened to what it is', async () => {
    await postEach(on('2026-05-04', 'a'))
    expect(await reopen('2026-05')).to.deep.include({ changed: false })
    const first = await close('2026-05')
    const again = await close('2026-05')
    expect([first.changed, again.changed]).to.deep.equal([true, false])
    expect(again.period).to.deep.equal(first.period)
    await reopen('2026-05', 'soft_closed')
    expect((await reopen('2026-05', 'soft_closed')).changed).to.equal(false)
    expect((await close('2026-05', 'soft_closed')).changed).to.equal(false)
    const rows = await books.read('select 1 from period_changes', [], org)
    expect(rows).to.have.length(2)
  })

  it('is never made softer by closing, nor closed by reopening', async () => {
    await postEach(on('2026-05-04', 'a'))
    expect(await codeOf(reopen('2026-05', 'soft_closed'))).to.equal('invalid_request')
    await close('2026-05')
    expect(await codeOf(close('2026-05', 'soft_closed'))).to.equal('period_closed')
    expect(await stateNow('2026-05')).to.equal('closed')
  })

  it('reopens after every later month, and its history tells all of it', async () => {
    await postEach(on('2026-04-10', 'a'), on('2026-05-10', 'b'), on('2026-06-10', 'c'))
    for (const month of ['2026-04', '2026-05', '2026-06']) {
      await close(month)
    }
    expect(await codeOf(reopen('2026-04'))).to.equal('period_order')
    expect(await codeOf(reopen('2026-05', 'soft_closed'))).to.equal('period_order')
    // Never closed itself, and before one that was.
    expect(await codeOf(reopen('2026-01'))).to.equal('period_order')
    await reopen('2026-06', 'soft_closed')
    await reopen('2026-05', 'soft_closed')
    expect(await codeOf(reopen('2026-05'))).to.equal('period_order')
    expect(await postEach(on('2026-05-11', 'd'), late('2026-05-11', 'e'))).to.deep.equal([
      'period_closed',
      'posted',
    ])
    await close('2026-05')
    const history = await books.db.read(
      org,
      async (trx) => await listPeriodChanges(trx, '2026-05', { limit: 10, before: null }),
    )
    expect(history.map((one) => [one.version, one.state, one.entry_no])).to.deep.equal([
      [3, 'closed', 4n],
      [2, 'soft_closed', 3n],
      [1, 'closed', 3n],
    ])
    const [third, second, first] = history.map((one) => one.trial_balance_sha256.toString('hex'))
    expect(second).to.equal(first)
    expect(third)
      .to.equal(await hashNow('2026-05-31'))
      .and.not.equal(second)
  })

  it('is listed newest first, from now back to the first that was posted to', async () => {
    const list = async (through: string, limit: number) =>
      await books.db.read(org, async (trx) => await listPeriods(trx, { through, limit }))
    expect(await list('2026-07', 10)).to.deep.equal([])
    await postEach(on('2026-03-10', 'a'), on('2026-05-10', 'b'), on('2026-06-10', 'c'))
    await close('2026-03')
    await close('2026-05', 'soft_closed')
    const rows = (await list('2026-07', 10)).map(({ month, state, change }) => [
      month,
      state,
      change?.version ?? null,
    ])
    expect(rows).to.deep.equal([
      ['2026-07', 'open', null],
      ['2026-06', 'open', null],
      ['2026-05', 'soft_closed', 1],
      ['2026-04', 'soft_closed', null],
      ['2026-03', 'closed', 1],
    ])
    expect((await list('2026-05', 2)).map(({ month }) => month)).to.deep.equal([
      '2026-05',
      '2026-04',
    ])
    expect(await list('2026-02', 2)).to.deep.equal([])
    // A slip of the pen: thousands of months, a page at a time.
    await postEach(late('0206-05-10', 'slip'))
    await reopen('2026-05')
    await reopen('2026-03')
    await postEach(on('0206-05-10', 'slip'))
    expect(await list('2026-07', 101)).to.have.length(101)
    expect((await list('0206-06', 5)).map(({ month }) => month)).to.deep.equal([
      '0206-06',
      '0206-05',
    ])
  })

  it('of another organisation stays as it is', async () => {
    await books.post([on('2026-05-10', 'other')], 1)
    await postEach(on('2026-05-10', 'own'))
    await close('2026-05')
    expect(outcomes(await books.post([on('2026-05-11', 'other-2')], 1))[0]).to.match(/^posted/)
    expect(await books.read('select 1 from periods', [], 1)).to.deep.equal([])
  })

  it('takes its state from the next later one that has one', () => {
    const restricted = [
      { month: '2026-05-01', state: 'soft_closed' as const },
      { month: '2026-03-01', state: 'closed' as const },
    ]
    const states = ['0001-01', '2026-03', '2026-04', '2026-05', '2026-06', '9999-12'].map((month) =>
      stateOf(month, restricted),
    )
    expect(states).to.deep.equal(['closed', 'closed', 'soft_closed', 'soft_closed', 'open', 'open'])
    expect(refusalByPeriod(on('2026-04-30', 'x'), restricted)?.code).to.equal('period_closed')
    expect(refusalByPeriod(late('2026-04-30', 'x'), restricted)).to.equal(null)
    expect(refusalByPeriod(late('2026-03-31', 'x'), restricted)?.code).to.equal('period_closed')
  })

  it('is closed once, however many close it at the same time', async () => {
    await postEach(on('2026-05-04', 'a'))
    const change = { month: '2026-05', state: 'closed' as const, reason: 'x', actor: 'y' }
    const all = await Promise.all(
      Array.from({ length: 12 }, async (_none, index) =>
        books.db.transact(
          org,
          async (trx) => await closePeriod(trx, { ...change, today: TODAY }),
          index % 2 === 0 ? { queue: 'journal' } : {},
        ),
      ),
    )
    expect(all.filter(({ changed }) => changed)).to.have.length(1)
    expect(await books.read('select 1 from period_changes', [], org)).to.have.length(1)
  })

  it('has every entry in its trial balance or refused, whoever posts while it closes', async () => {
    await postEach(on('2026-05-04', 'first'), on('2026-04-04', 'april'))
    await close('2026-04')
    const batcher = openBatcher(books.db)
    const posts: Promise<string>[] = []
    const answers = { count: 0 }
    let closing: Promise<ChangedPeriod> | undefined
    let [unqueued, enough] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    const keep = (result: Promise<string>): void => {
      posts.push(result.finally(() => (answers.count += 1)))
    }
    for (let n = 0; n < enough; n += 1) {
      const day = `2026-05-${String((n % 31) + 1).padStart(2, '0')}`
      const draft = on(day, `b${n}`, {
        lines: [debit(BANK, BigInt(n + 1)), credit('income:donations:general', BigInt(n + 1))],
      })
      keep(batcher.post(org, draft).then((one) => outcomes([one])[0] ?? ''))
      if (n % 50 === 0 && n < unqueued) {
        // Without the writers' queue, which only spares retries, it may give up; the closing too.
        keep(
          books.db
            .transact(org, async (trx) => await post(trx, [on(day, `t${n}`)]))
            .then((results) => outcomes(results)[0] ?? '', codeOfProblem),
        )
      }
      if (n % 100 === 99) {
        await posts[n - 60]
      }
      if (answers.count > 600 && closing === undefined) {
        unqueued = n + 200
        closing = close('2026-05').finally(() => {
          enough = n + 500
        })
      }
    }
    const closed = await closing
    const texts = await Promise.all(posts)
    await batcher.close()
    const entryNo = closed?.period.change?.entry_no ?? 0n
    const posted = texts.filter((text) => text.startsWith('posted'))
    const numbers = posted.map((text) => BigInt(text.slice('posted '.length)))
    expect(numbers.length).to.be.greaterThan(0)
    expect(numbers.every((number) => number <= entryNo)).to.equal(true)
    const refused = texts.filter((text) => text === 'period_closed')
    expect(refused.length).to.be.greaterThan(0)
    const gaveUp = texts.filter((text) => text === 'unavailable')
    expect(posted.length + refused.length + gaveUp.length).to.equal(texts.length)
    expect(entryNo).to.equal(BigInt(numbers.length) + 2n)
    expect(closed === undefined ? '' : hashOf(closed)).to.equal(await hashNow('2026-05-31'))
  })

  describe('typed at psql', () => {
    const ADD = `insert into period_changes (org_id, month, version, state, reason, actor, entry_no,
                   trial_balance, trial_balance_sha256) values`

    async function typed(...statements: string[]): Promise<string | null> {
      const client = await typingClient(books, org)
      try {
        return await refusalOf(client, statements)
      } finally {
        await client.end()
      }
    }

    const changed = (month: string, version: number, state: string, text = 'x'): string =>
      `${ADD} (${org}, '${month}', ${version}, '${state}', 'r', 'a', 1, 'x', sha256('${text}'))`
    const opened = (month: string, state: string, version = 1): string =>
      `insert into periods values (${org}, '${month}', '${state}', ${version})`

    it('does not change without a row that says who and why', async () => {
      await postEach(on('2026-05-04', 'a'))
      expect(await typed(opened('2026-05-01', 'closed'))).to.match(/^23503 /)
      await close('2026-05')
      const update = `update periods set state = 'open', version = 2`
      expect(await typed(update)).to.match(/^23503 /)
      expect(await typed(update, changed('2026-05-01', 2, 'closed'))).to.match(/^23503 /)
      expect(await stateNow('2026-05')).to.equal('closed')
    })

    it('goes from one state to the next, one version at a time', async () => {
      await postEach(on('2026-05-04', 'a'))
      for (const [state, version] of [
        ['open', 1],
        ['closed', 2],
      ] as const) {
        const statements = [opened('2026-05-01', state, version)]
        expect(await typed(...statements)).to.match(/^23000 .* does not go from one state/)
      }
      await close('2026-05')
      for (const change of [`state = 'open', version = 3`, `state = 'closed', version = 2`]) {
        expect(await typed(`update periods set ${change}`)).to.match(/^23000 .* does not go/)
      }
    })

    it('keeps the order of months', async () => {
      await postEach(on('2026-04-04', 'a'), on('2026-05-04', 'b'))
      await close('2026-04', 'soft_closed')
      const early = [opened('2026-05-01', 'closed'), changed('2026-05-01', 1, 'closed')]
      expect(await typed(...early)).to.match(/^23000 .* less closed than a later month/)
      await close('2026-05', 'soft_closed')
      const back = `update periods set state = 'open', version = 2 where month = '2026-04-01'`
      expect(await typed(back)).to.match(/^23000 .* less closed than a later month/)
    })

    it('stores no other hash than its text’s, no other time, and nothing is changed', async () => {
      await postEach(on('2026-05-04', 'a'))
      const forged = [opened('2026-05-01', 'closed'), changed('2026-05-01', 1, 'closed', 'y')]
      expect(await typed(...forged)).to.match(/^23514 /)
      await close('2026-05')
      expect(await typed(`insert into period_changes (changed_at) values (now())`)).to.match(
        /^42501 /,
      )
      for (const sql of [
        `update period_changes set reason = 'x'`,
        'delete from period_changes',
        'delete from periods',
        `update periods set month = '2026-01-01'`,
      ]) {
        expect(await typed(sql), sql).to.match(/^42501 /)
      }
    })
  })
})
