/** Tests of what persons do with matches: they make them, take them apart, and no run undoes it. */
import { expect } from 'chai'
import { verifyRecon } from '../../src/recon/verify.ts'
import { signToken } from '../../src/http/auth.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import type { Books } from '../ledger/books.ts'
import {
  askFor,
  balanceOf,
  captured,
  openBreaks,
  refunded,
  report,
  goThrough,
  runOver,
  settled,
  statement,
  tell,
} from './told.ts'

const TRANSIT = 'assets:bank:in-transit'

describe('a match that a person makes or undoes', () => {
  let service: TestService
  let books: Pick<Books, 'db' | 'database' | 'read'>
  let file = 0
  let keys = 0

  before(async () => {
    service = await startTestService()
    const { db } = service.parts
    books = {
      db,
      database: service.database,
      read: async <Row extends object>(sql: string, params: unknown[] = []) =>
        await db.read(1, async (trx) => await trx.query<Row>(sql, params)),
    }
  })

  after(async () => {
    expect(await verifyRecon(books.db, 1)).to.deep.equal([])
    await service.stop()
  })

  const nextFile = () => (file += 1)

  async function post(path: string, body: object, more: { key?: string; token?: string } = {}) {
    keys += 1
    const headers = {
      'idempotency-key': more.key ?? `key-${keys}`,
      ...(more.token === undefined ? {} : { authorization: `Bearer ${more.token}` }),
    }
    return await service.call('POST', `/v1/recon/matches${path}`, { body, headers })
  }

  /** What happened to the exceptions about something, and why. */
  async function timelineOf(subject: string): Promise<string[]> {
    const found = await service.call(
      'GET',
      `/v1/recon/exceptions?subject=${encodeURIComponent(subject)}`,
    )
    const [{ id } = { id: 'none' }] = found.json['data'] as { id: string }[]
    const { json } = await service.call('GET', `/v1/recon/exceptions/${id}/timeline`)
    return (json['data'] as { what: string; detail: Record<string, string> }[]).map(
      ({ what, detail }) => `${what} ${detail['reason'] ?? detail['because'] ?? 'run'}`,
    )
  }

  async function match(lines: string[], ids: string[]): Promise<Answer> {
    return await post('', { lines, with: ids, reason: 'seen in the dashboard' })
  }

  async function undo(line: string, more: { key?: string; token?: string } = {}): Promise<Answer> {
    return await post(`/${line}/undo`, { reason: 'not the same' }, more)
  }

  async function idOf(table: string, of: string): Promise<string> {
    const [column, external] =
      table === 'payments'
        ? ['payment_id', 'gateway_payment_id']
        : table === 'refunds'
          ? ['refund_id', 'gateway_refund_id']
          : ['settlement_id', 'gateway_settlement_id']
    const [row] = await books.read<{ id: string }>(
      `select ${column} as id from ${table} where ${external} = $1`,
      [of],
    )
    return row?.id ?? 'none'
  }

  async function credited(id: string, amount: bigint, text: string): Promise<string> {
    await tell(books, settled(id, amount, null))
    await statement(books, nextFile(), [{ amount, text }])
    await runOver(books, [file])
    return `${file}-1`
  }

  const codes = (answers: Answer[]) => answers.map(({ status, json }) => json['code'] ?? status)

  it('takes a credit apart: the entry is reversed, and no run ties the same again', async () => {
    const line = await credited('setl_1', 1000n, 'from razorpay')
    expect(await balanceOf(books, TRANSIT)).to.equal(0n)
    const before = await service.call('GET', `/v1/recon/bank-matches?of=${line}`)
    expect((before.json['data'] as object[])[0]).to.include({ rule: 'unique', undone: null })
    const undone = await undo(line, { key: 'once' })
    expect(undone.status, undone.text).to.equal(200)
    expect(undone.json['journal_entry']).to.match(/^je_/)
    expect((await undo(line, { key: 'once' })).json).to.deep.equal(undone.json)
    expect(await balanceOf(books, TRANSIT)).to.equal(1000n)
    await runOver(books, [])
    expect(await openBreaks(books)).to.include(`ambiguous bank ${file} 1`)
    expect(await balanceOf(books, TRANSIT)).to.equal(1000n)
    const settlement = await idOf('settlements', 'setl_1')
    expect((await match([line], [settlement])).status).to.equal(201)
    expect(await openBreaks(books)).to.not.include(`ambiguous bank ${file} 1`)
    await runOver(books, [])
    expect(await balanceOf(books, TRANSIT)).to.equal(0n)
    const after = await service.call('GET', `/v1/recon/bank-matches?of=${settlement}`)
    expect(after.json['data']).to.have.length(2)
    expect((after.json['data'] as object[])[0]).to.include({ rule: 'person' })
    expect((await undo(line)).status).to.equal(200)
    expect(await balanceOf(books, TRANSIT)).to.equal(1000n)
    expect(await timelineOf(`bank ${file} 1`)).to.deep.equal([
      'found run',
      'matched seen in the dashboard',
      'ended matched by a person',
      'taken_apart not the same',
    ])
  })

  it('is not put together by its UTR either, and is told as a thing to look at', async () => {
    await tell(books, settled('setl_2', 900n, 'UTRHAND0002'))
    await statement(books, nextFile(), [{ amount: 900n, text: 'UTRHAND0002' }])
    await runOver(books, [file])
    expect((await undo(`${file}-1`)).status).to.equal(200)
    await runOver(books, [])
    expect(await openBreaks(books)).to.include(`ambiguous bank ${file} 1`)
  })

  it('ties nothing that is matched, told twice, unknown, of another sum or currency', async () => {
    const line = await credited('setl_3', 800n, 'from razorpay')
    const [first, third] = [
      await idOf('settlements', 'setl_1'),
      await idOf('settlements', 'setl_3'),
    ]
    await statement(books, nextFile(), [{ amount: 1000n, text: 'x', currency: 'USD' }])
    await runOver(books, [file])
    const answers = [
      await match([line], [third]),
      await match([`${file}-1`], [first]),
      await match([`${file}-1`], [third]),
      await match(['999-1'], [first]),
      await match([line, '1-1'], [first, third]),
      await match(['1-1'], [first, first]),
      await match(['1-1'], [first, `pmt_${'0'.repeat(26)}`]),
      await match(['1-1'], [`pmt_${'0'.repeat(26)}`]),
    ]
    expect(codes(answers)).to.deep.equal([
      'recon_not_open',
      'recon_not_equal',
      'recon_not_open',
      'recon_not_open',
      'invalid_request',
      'invalid_request',
      'invalid_request',
      'recon_not_open',
    ])
    expect(
      answers.every(({ json }) => json['moved'] === 'no' || json['code'] === 'invalid_request'),
    )
    expect(codes([await undo('999-1'), await undo(`${file}-1`)])).to.deep.equal([
      'not_found',
      'not_found',
    ])
  })

  it('ties a line with records, and lines with a record; an undo brings both back', async () => {
    await tell(books, captured('pay_1', 300n), captured('pay_2', 200n), captured('pay_3', 700n))
    await report(books, nextFile(), [
      { id: 'pay_both', amount: 500n },
      { id: 'pay_part', amount: 300n },
      { id: 'pay_rest', amount: 400n },
    ])
    await runOver(books, [file])
    const [one, two, three] = await Promise.all(
      ['pay_1', 'pay_2', 'pay_3'].map(async (id) => await idOf('payments', id)),
    )
    const ids = [one ?? '', two ?? '', three ?? '']
    expect(codes([await match([`${file}-1`], [ids[0] ?? ''])])).to.deep.equal(['recon_not_equal'])
    const both = await match([`${file}-1`], ids.slice(0, 2))
    expect(both.status, both.text).to.equal(201)
    expect((await match([`${file}-2`, `${file}-3`], ids.slice(2))).status).to.equal(201)
    await runOver(books, [])
    expect((await openBreaks(books)).filter((one) => one.includes(`line ${file}`))).to.deep.equal(
      [],
    )
    expect(await timelineOf(`line ${file} 2`)).to.include.members([
      'matched seen in the dashboard',
      'ended matched by a person',
    ])
    const parts = await undo(`${file}-2`)
    expect(parts.json).to.deep.equal({
      lines: [`${file}-2`, `${file}-3`],
      from: ids.slice(2),
      journal_entry: null,
    })
    expect((await undo(`${file}-1`)).json['from']).to.have.members(ids.slice(0, 2))
    const open = await books.read(`select 1 from recon_open_records where kind = 'payment'`)
    expect(open).to.have.length(3)
  })

  it('ties no refund with a payment, and nothing against its direction', async () => {
    await tell(books, ...refunded('rfnd_1', 'pay_3', 100n))
    await report(books, nextFile(), [
      { id: 'pay_y', amount: 100n },
      { id: 'adj_1', kind: 'adjustment', amount: 100n, net: -100n },
    ])
    await runOver(books, [file])
    const refund = await idOf('refunds', 'rfnd_1')
    expect(codes([await match([`${file}-1`], [refund])])).to.deep.equal(['recon_not_equal'])
    expect(codes([await match([`${file}-2`], [refund])])).to.deep.equal([201])
  })

  it('matches no record by its id again that a person took from the line', async () => {
    await tell(books, captured('pay_4', 650n))
    await report(books, nextFile(), [{ id: 'pay_4', amount: 650n }])
    await runOver(books, [file])
    expect((await undo(`${file}-1`)).status).to.equal(200)
    await runOver(books, [])
    expect(await openBreaks(books)).to.include(`ambiguous line ${file} 1`)
    const same = await match([`${file}-1`], [await idOf('payments', 'pay_4')])
    expect(same.status, same.text).to.equal(201)
  })

  it('is undone once by two who do it at the same time, and beside a run', async () => {
    const line = await credited('setl_5', 5500n, 'from razorpay')
    const before = await balanceOf(books, TRANSIT)
    await askFor(books, [])
    const [one, two] = await Promise.all([undo(line), undo(line), goThrough(books)])
    expect([one.status, two.status]).to.have.members([200, 404])
    expect(await balanceOf(books, TRANSIT)).to.equal(before + 5500n)
    const settlement = await idOf('settlements', 'setl_5')
    const both = await Promise.all([match([line], [settlement]), match([line], [settlement])])
    expect(both.map(({ status }) => status)).to.have.members([201, 409])
  })

  it('is undone above the limit only after another consented, and by who may post', async () => {
    const line = await credited('setl_6', 70_000n, 'from razorpay')
    const limits = { limits: [{ currency: 'INR', amount: 60_000 }] }
    await service.call('PUT', '/v1/approval-limits', { role: 'admin', body: limits })
    const above = await undo(line)
    expect(above.json).to.include({ code: 'approval_required', moved: 'no' })
    const token = signToken(
      { subject: 'test', orgId: 1, role: 'viewer' },
      service.config.jwtSecret,
      60,
    )
    expect((await undo(line, { token })).status).to.equal(403)
    const [row] = await books.read<{ entry_no: bigint }>(
      `select max(entry_no) as entry_no from recon_bank_matches`,
    )
    const asked = await service.call('POST', `/v1/journal-entries/je_${row?.entry_no}/reverse`, {
      body: { reason: 'another credit' },
      headers: { 'idempotency-key': 'reverse' },
    })
    expect(asked.status).to.equal(202)
    const consent = signToken(
      { subject: 'checker', orgId: 1, role: 'approver' },
      service.config.jwtSecret,
      60,
    )
    const given = await service.call(
      'POST',
      `/v1/approvals/${asked.json['id'] as string}/approve`,
      {
        body: {},
        headers: { 'idempotency-key': 'consent', authorization: `Bearer ${consent}` },
      },
    )
    expect(given.status, given.text).to.equal(200)
    const undone = await undo(line)
    expect(undone.json['journal_entry']).to.equal(given.json['journal_entry'])
  })
})
