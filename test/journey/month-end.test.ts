/** The close of a month, by the API only: docs/month-end.md as a test, to the paisa. */
import { expect } from 'chai'
import { parse } from 'csv-parse/sync'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from '../../jobs/job.ts'
import { loadRecon } from '../../jobs/load-recon.ts'
import { makeExports } from '../../jobs/make-exports.ts'
import { processInbox } from '../../jobs/process-inbox.ts'
import { reconcile } from '../../jobs/reconcile.ts'
import { playMonth } from '../../scripts/recon/play-month.ts'
import { startTestGateways, type TestGateways } from '../../scripts/simulate/gateway-server.ts'
import { sha256 } from '../../src/base/crypto.ts'
import { signToken } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/permissions.ts'
import { expectRefused } from '../http/posting.ts'
import { run as runScript } from '../scripts/run.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY } from '../support/organisation.ts'
import {
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'

const MONTH = '2026-05'
const LAST = '2026-05-31'
const LIMIT = 1_000_000
const CLEARING = 'assets:clearing:razorpay'
const FINANCE = { subject: 'mira', role: 'finance' } as const
const APPROVER = { subject: 'omar', role: 'approver' } as const
const ADMIN = { subject: 'nina', role: 'admin' } as const

interface Row {
  [column: string]: string
}

const idIn = (one: JsonObject): string => one['id'] as string
const rowsOf = (csv: string): Row[] => parse<Row>(csv, { columns: true })

/** Sums by account, as far as they are not 0. */
function sumsOf(moved: readonly [string, number][]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const [code, amount] of moved) {
    sums.set(code, (sums.get(code) ?? 0) + amount)
  }
  return new Map([...sums].filter(([, sum]) => sum !== 0))
}

describe('the close of a month', () => {
  let service: TestService
  let gateways: TestGateways
  let folder: string
  let report: string
  let statement: string
  let sent = 0

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bahi-month-'))
    gateways = await startTestGateways({ port: 0 })
    service = await startTestService({ gatewaysUrl: gateways.url })
    const service_ = { subject: 'site', orgId: 1, role: 'service' } as const
    const played = await playMonth({
      running: {
        api_url: service.url,
        test_gateways_url: gateways.url,
        token: signToken(service_, service.config.jwtSecret, 60),
        endpoints: {
          razorpay: {
            path: `/webhooks/razorpay/${service.endpoints.get('razorpay') ?? ''}`,
            account: RAZORPAY.account,
            secret: RAZORPAY.webhookSecret,
          },
        },
      },
      month: MONTH,
      payments: 30,
      seed: 7,
      files: folder,
      signal: new AbortController().signal,
    })
    report = await readFile(played.report, 'utf8')
    statement = await readFile(played.statement, 'utf8')
    await runs(processInbox)
  })

  after(async () => {
    await service.stop()
    await gateways.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function runs(job: Job): Promise<void> {
    await job.run(service.jobParts)
  }

  /** As somebody; each call has a key of its own. */
  async function as(
    { subject, role }: { subject: string; role: Role },
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer> {
    sent += 1
    const token = signToken({ subject, orgId: 1, role }, service.config.jwtSecret, 60)
    const headers = { authorization: `Bearer ${token}`, 'idempotency-key': `m-${sent}` }
    return await service.call(method, path, { headers, ...(body === undefined ? {} : { body }) })
  }

  const read = async (path: string): Promise<JsonObject> => {
    const answer = await as(FINANCE, 'GET', path)
    expect(answer.status, answer.text).to.equal(200)
    return answer.json
  }

  const listed = async (path: string) => (await read(path))['data'] as JsonObject[]

  async function load(source: JsonObject, text: string): Promise<JsonObject> {
    const made = await as(FINANCE, 'POST', '/v1/recon/sources', source)
    expect(made.status, made.text).to.equal(201)
    const seen = await service.call('POST', `/v1/recon/sources/${idIn(made.json)}/files`, {
      body: text,
      headers: { 'content-type': 'text/csv' },
    })
    expect(seen.json, seen.text).to.include({ state: 'previewed', faults: 0, refused: 0 })
    const asked = await as(FINANCE, 'POST', `/v1/recon/files/${idIn(seen.json)}/commit`)
    expect(asked.status, asked.text).to.equal(200)
    await runs(loadRecon)
    return await read(`/v1/recon/files/${idIn(seen.json)}`)
  }

  async function reconciled(): Promise<JsonObject> {
    const asked = await as(FINANCE, 'POST', '/v1/recon/runs', { as_of: LAST })
    expect(asked.status, asked.text).to.equal(202)
    await runs(reconcile)
    return await read(`/v1/recon/runs/${idIn(asked.json)}`)
  }

  const open = async (kind?: string) =>
    await listed(`/v1/recon/exceptions?state=open&limit=100${kind ? `&kind=${kind}` : ''}`)

  async function only(kind: string, is: (one: JsonObject) => boolean = () => true) {
    const [found, ...others] = (await open(kind)).filter(is)
    expect(others).to.deep.equal([])
    return found ?? expect.fail(`no ${kind}`)
  }

  /** Resolves; what is above the limit gets its consent from another. */
  async function resolve(exception: JsonObject, body: JsonObject): Promise<JsonObject> {
    expect(exception['actions']).to.include(body['action'])
    const path = `/v1/recon/exceptions/${idIn(exception)}/resolve`
    const asked = await as(FINANCE, 'POST', path, { reason: 'as agreed', ...body })
    if (asked.status !== 202) {
      expect(asked.status, asked.text).to.equal(201)
      return asked.json
    }
    const approval = `/v1/approvals/${asked.json['approval'] as string}/approve`
    expectRefused(await as({ ...FINANCE, role: 'admin' }, 'POST', approval, {}), 'own_proposal')
    expect((await as(APPROVER, 'POST', approval, {})).status).to.equal(200)
    return await read(`/v1/recon/resolutions/${idIn(asked.json)}`)
  }

  const line = (account: string, direction: 'debit' | 'credit', amount: number) => {
    return { account, direction, amount, currency: 'INR' }
  }

  /** Debits less credits at the end of the month, as far as they are not 0. */
  async function balances(): Promise<Map<string, number>> {
    const { accounts } = (await read(`/v1/trial-balance?as_of=${LAST}`)) as unknown as {
      accounts: { code: string; debit: number; credit: number }[]
    }
    return sumsOf(accounts.map(({ code, debit, credit }) => [code, debit - credit]))
  }

  async function statementRows(): Promise<Row[]> {
    const bank = (await listed('/v1/accounts?limit=100')).find(
      ({ code }) => code === 'assets:bank:main',
    )
    const asked = `account=${idIn(bank ?? {})}&to=${LAST}`
    return rowsOf((await as(FINANCE, 'GET', `/v1/reports/reconciliation_statement?${asked}`)).text)
  }

  const statedItems = async () => (await statementRows()).map(({ item }) => item ?? '')

  async function proof(): Promise<Map<string, number>> {
    const found = await read('/v1/recon/clearing-proof?gateway=razorpay')
    expect(found['remainder'], JSON.stringify(found)).to.equal(0)
    expect(found['balance']).to.equal((await balances()).get(CLEARING))
    const parts = found['parts'] as { part: string; amount: number }[]
    return new Map(parts.map(({ part, amount }) => [part, amount]))
  }

  it('begins with the gateway’s report and the bank’s statement', async () => {
    const gateway = { side: 'gateway', name: 'Razorpay', gateway: 'razorpay' }
    const loaded = await load({ ...gateway, account: RAZORPAY.account }, report)
    expect(loaded).to.include({ state: 'loaded', fresh: rowsOf(report).length, known: 0 })
    const bank = { side: 'bank', name: 'HDFC Bank', ledger_account: 'assets:bank:main' }
    const stated = await load(bank, statement)
    expect(stated).to.include({ state: 'loaded', fresh: rowsOf(statement).length, known: 0 })
    const limits = { limits: [{ currency: 'INR', amount: LIMIT }] }
    expect((await as(ADMIN, 'PUT', '/v1/approval-limits', limits)).status).to.equal(200)
  })

  it('ties what agrees and tells the rest, each with what resolves it', async () => {
    const done = await reconciled()
    expect(done).to.include({ state: 'done', not_posted: 0, lines: rowsOf(report).length })
    const kinds = (await open()).map(({ kind }) => kind as string)
    expect(kinds.toSorted()).to.deep.equal([
      'batch_total_mismatch',
      'duplicate_external',
      'fee_variance',
      'missing_external',
      'missing_external',
      'missing_external',
      'missing_internal',
      'missing_internal',
      'reference_mismatch',
      'tax_variance',
    ])
    await proof()
  })

  it('goes on with its exceptions, one by one, each dated in the month', async () => {
    const before = await balances()
    const isCharge = ({ amount }: JsonObject) => amount === 5900
    const missed = await only('missing_internal', (one) => !isCharge(one))
    const told = await resolve(missed, { action: 'record', reason_code: 'missed_event' })
    expect(told['facts']).to.have.length(2)
    const ofFee = [
      line('expenses:gateway-fees', 'debit', 200),
      line('assets:input-gst', 'debit', 36),
      line(CLEARING, 'credit', 236),
    ]
    const how = { reason_code: 'fee_change', effective_on: LAST }
    const fee = await resolve(await only('fee_variance'), {
      ...how,
      action: 'adjust',
      lines: ofFee,
    })
    expect(fee).to.include({ state: 'done', moves: 236 })
    const word = { action: 'dismiss', reason_code: 'other' }
    await resolve(await only('tax_variance'), word)
    await resolve(await only('duplicate_external'), word)
    const ofCharge = [
      line('expenses:gateway-fees', 'debit', 5000),
      line('assets:input-gst', 'debit', 900),
      line(CLEARING, 'credit', 5900),
    ]
    const charge = await only('missing_internal', isCharge)
    const charged = await resolve(charge, { ...how, action: 'adjust', lines: ofCharge })
    expect(charged).to.include({ moves: 5900 })
    const { line: place, record } = await only('reference_mismatch')
    const tie = { lines: [place], with: [record], reason: 'same order, same amount' }
    expect((await as(FINANCE, 'POST', '/v1/recon/matches', tie)).status).to.equal(201)
    const never = await only('missing_external', ({ record: of }) =>
      (of as string).startsWith('pmt_'),
    )
    const given = { action: 'write_off', reason_code: 'never_settled', effective_on: LAST }
    const off = await resolve(never, given)
    expect(off).to.include({ state: 'done', approved_by: APPROVER.subject })
    const after = await balances()
    const [lost, moved] = ['expenses:reconciliation-differences', off['moves'] as number]
    expect(moved).to.be.greaterThan(LIMIT)
    expect((after.get(lost) ?? 0) - (before.get(lost) ?? 0)).to.equal(moved)
    expect(after.get('expenses:gateway-fees')).to.be.greaterThan(
      (before.get('expenses:gateway-fees') ?? 0) + 5200,
    )
  })

  it('books what only the bank told: a charge, a rent, a gift', async () => {
    const short = await only('batch_total_mismatch')
    const [amounts] = short['differences'] as { ours: number; theirs: number }[]
    const { ours, theirs } = amounts ?? expect.fail('it says no amounts')
    expect(ours - theirs).to.equal(1180)
    await resolve(short, {
      action: 'adjust',
      reason_code: 'bank_charge',
      effective_on: short['open_since'] as string,
      lines: [
        line('assets:bank:main', 'debit', theirs),
        line('expenses:bank-charges', 'debit', ours - theirs),
        line('assets:bank:in-transit', 'credit', ours),
      ],
    })
    const others = (await listed('/v1/recon/bank-lines?limit=100')).filter(
      ({ narration }) => !(narration as string).startsWith('NEFT CR'),
    )
    const rent = others.find(({ amount }) => (amount as number) < 0) ?? {}
    const gift = others.find(({ amount }) => (amount as number) > 0) ?? {}
    const paid = {
      effective_on: rent['booked_on'],
      description: 'Rent of the office',
      metadata: { bank_line: rent['id'] },
      lines: [
        line('expenses:rent', 'debit', 1_800_000),
        line('assets:bank:main', 'credit', 1_800_000),
      ],
    }
    // Nobody is asked to consent to what cannot be posted.
    const unknown = await as(FINANCE, 'POST', '/v1/journal-entries', paid)
    expectRefused(unknown, 'unknown_account')
    expect(unknown.json['detail']).to.contain('POST /v1/accounts')
    expect(await listed('/v1/approvals?state=waiting')).to.deep.equal([])
    const account = { code: 'expenses:rent', name: 'Rent', currency: 'INR' }
    expect((await as(FINANCE, 'POST', '/v1/accounts', account)).status).to.equal(201)
    const asked = await as(FINANCE, 'POST', '/v1/journal-entries', paid)
    expect(asked.status, asked.text).to.equal(202)
    const consent = `/v1/approvals/${idIn(asked.json)}/approve`
    expect((await as(APPROVER, 'POST', consent, {})).status).to.equal(200)
    // One that names a line of another amount stands for nothing; it is taken back below.
    const wrong = {
      ...paid,
      description: 'Tea',
      lines: paid.lines.map((one) => ({ ...one, amount: 100 })),
    }
    const tea = await as(FINANCE, 'POST', '/v1/journal-entries', wrong)
    expect(tea.status, tea.text).to.equal(201)
    expect(await statedItems())
      .to.include('Tea')
      .and.not.include('Rent of the office')
    const back = `/v1/journal-entries/${idIn(tea.json)}/reverse`
    const day = { reason: 'never drunk', effective_on: paid.effective_on }
    expect((await as(FINANCE, 'POST', back, day)).status).to.equal(201)
    const given = await as(FINANCE, 'POST', '/v1/offline-payments', {
      channel: 'upi',
      amount: gift['amount'],
      currency: 'INR',
      received_on: gift['booked_on'],
      fund: 'general',
      rrn: gift['reference'],
      donor: { name: 'Ravi Menon' },
    })
    expect(given.status, given.text).to.equal(201)
  })

  it('ends with nothing open, and each account as its own paper says', async () => {
    expect(await reconciled()).to.include({ state: 'done', not_posted: 0 })
    expect(await open()).to.deep.equal([])
    await proof()
    const now = await balances()
    const closing = rowsOf(statement).at(-1)?.['Closing Balance']
    expect(now.get('assets:bank:main')).to.equal(Number(closing?.replace('.', '')))
    expect(now.get('assets:bank:in-transit') ?? 0).to.equal(0)
    // What the report does not tell is of the last days, or was given up.
    const [off] = await listed('/v1/recon/resolutions?action=write_off')
    const settled = new Set(rowsOf(report).map(({ order_id: order }) => order))
    const owed = (await listed('/v1/payments?limit=100&gateway=razorpay&state=captured'))
      .filter(({ order_ref: order }) => !settled.has(order as string))
      .reduce((sum, { amount, fee }) => sum + (amount as number) - (fee as number), 0)
    expect(now.get(CLEARING)).to.equal(owed - (off?.['moves'] as number))
    const stated = await statementRows()
    expect(stated.find(({ section }) => section === 'difference')?.['amount_minor']).to.equal('0')
    expect((await statedItems()).join()).to.not.match(/RENT|UPI|Tea|never drunk/i)
  })

  it('is closed for good: nothing that comes later changes its trial balance', async () => {
    const close = `/v1/periods/${MONTH}/close`
    const body = (state: string) => ({ state, reason: 'Reconciled' })
    expectRefused(await as(FINANCE, 'POST', close, body('closed')), 'forbidden')
    const soft = await as(FINANCE, 'POST', close, body('soft_closed'))
    expect(soft.status, soft.text).to.equal(200)
    const left = soft.json['reconciliation'] as JsonObject
    expect(left).to.deep.include({ in_transit: [] })
    expect(left['exceptions']).to.deep.include({ count: 0, sums: [] })
    const closed = await as(ADMIN, 'POST', close, body('closed'))
    expect(closed.json, closed.text).to.include({ state: 'closed' })
    const kept = await balances()
    const late = {
      effective_on: LAST,
      description: 'Too late',
      lines: [line('assets:cash', 'debit', 100), line('income:donations:general', 'credit', 100)],
    }
    expectRefused(await as(ADMIN, 'POST', '/v1/journal-entries', late), 'period_closed')
    const event = razorpayEvent('payment.captured', {
      id: 'pay_TESTmonthlate1',
      orderId: 'order_TESTmonthlate',
      amount: 100_000,
      fee: 2360,
      tax: 360,
      createdAt: Date.parse(`${LAST}T12:00:00+05:30`) / 1000,
    })
    expect((await service.deliver('razorpay', event)).status).to.equal(200)
    await runs(processInbox)
    expect(await listed('/v1/payments?gateway_payment_id=pay_TESTmonthlate1')).to.have.length(1)
    const { last_change: change, ...now } = await read(`/v1/periods/${MONTH}`)
    expect(now).to.include({ state: 'closed', trial_balance_agrees: true })
    const text = await as(FINANCE, 'GET', `/v1/periods/${MONTH}/history/2`)
    expect((change as JsonObject)['trial_balance_sha256']).to.equal(
      sha256(Buffer.from(text.text)).toString('hex'),
    )
    expect(await balances()).to.deep.equal(kept)
  })

  it('is taken away in files that come to the trial balance, and prove themselves', async () => {
    const files = new Map<string, string>()
    const days = { from: `${MONTH}-01`, to: LAST }
    const reports = {
      journal: days,
      trial_balance: { to: LAST },
      exceptions: days,
      audit_trail: {},
    }
    for (const [name, parameters] of Object.entries(reports)) {
      const asked = await as(FINANCE, 'POST', '/v1/exports', { report: name, parameters })
      expect(asked.status, asked.text).to.equal(202)
      await runs(makeExports)
      const path = `/v1/exports/${idIn(asked.json)}`
      expect(await read(path)).to.include({ state: 'done' })
      const manifest = await read(`${path}/manifest`)
      const { text } = await as(FINANCE, 'GET', `${path}/file`)
      expect(manifest['agrees'], name).to.equal(true)
      expect(manifest['sha256'], name).to.equal(sha256(Buffer.from(text)).toString('hex'))
      files.set(name, text)
    }
    const now = await balances()
    const table = rowsOf(files.get('trial_balance') ?? '').map((row): [string, number] => [
      row['account'] ?? '',
      Number(row['debit_minor']) - Number(row['credit_minor']),
    ])
    expect(sumsOf(table)).to.deep.equal(now)
    const lines = rowsOf(files.get('journal') ?? '').map((row): [string, number] => [
      row['account'] ?? '',
      (row['direction'] === 'debit' ? 1 : -1) * Number(row['amount_minor']),
    ])
    expect(sumsOf(lines)).to.deep.equal(now)
    const told = rowsOf(files.get('exceptions') ?? '')
    expect(told).to.have.length(10)
    expect(new Set(told.map(({ state }) => state))).to.not.include('open')
    const trail = join(folder, 'audit-trail.csv')
    await writeFile(trail, files.get('audit_trail') ?? '')
    const checked = await runScript('scripts/verify-export.mjs', [trail])
    expect(checked.code, checked.stdout).to.equal(0)
    await writeFile(trail, (files.get('audit_trail') ?? '').replace('Rent of', 'Rest of'))
    expect((await runScript('scripts/verify-export.mjs', [trail])).code).to.equal(1)
  })
})
