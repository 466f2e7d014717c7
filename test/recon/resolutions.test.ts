/** Resolutions over HTTP: what each action posts and closes, what undoes it, what comes after. */
import { expect } from 'chai'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { expectRefused } from '../http/posting.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { CLEARING, FOUND, LOST, razorpayRow, Resolving } from './resolving.ts'

const idIn = ({ json }: Answer): string => json['id'] as string

describe('a resolution', () => {
  let service: TestService
  const { capture, load, run, kinds, exceptionOf, exceptionAt, ...more } = new Resolving(
    () => service,
  )
  const { resolve, undo, as, balance, differences, openItems } = more

  before(async () => {
    service = await startTestService()
    await Promise.all([1, 2, 3, 4, 5].map(async (number) => await capture(number)))
    await capture(6, null)
    await load(
      razorpayRow(1),
      razorpayRow(2, { amount: '990.00', credit: '966.40' }),
      razorpayRow(3, { fee: '25.96', tax: '3.96', credit: '974.04' }),
      razorpayRow(6),
      razorpayRow(50),
      razorpayRow(0, {
        entity_id: 'rfnd_T1',
        type: 'refund',
        payment_id: 'pay_T0000000000001',
        debit: '100.00',
        credit: '0',
        amount: '100.00',
        fee: '0',
        tax: '0',
        order_id: '',
      }),
      razorpayRow(0, {
        entity_id: 'adj_T1',
        type: 'adjustment',
        debit: '59.00',
        credit: '0',
        amount: '59.00',
        fee: '',
        tax: '',
        order_id: '',
      }),
      razorpayRow(0, {
        entity_id: 'x_T1',
        type: 'riddle',
        credit: '7.00',
        amount: '7.00',
        fee: '',
      }),
    )
    await run()
  })

  after(async () => {
    const report = await verifyLedger(service.parts.db, 1, () => undefined)
    expect(report.findings).to.deep.equal([])
    expect(await verifyDonations(service.parts.db, 1)).to.deep.equal([])
    await service.stop()
  })

  afterEach(async () => {
    const { said, shown } = await differences()
    expect(shown, 'what write-offs say is what the accounts show').to.equal(said)
  })

  it('has breaks of all sorts before it', async () => {
    expect(await kinds()).to.deep.equal([
      'amount_under 1000',
      'fee_missing 2360',
      'fee_variance 236',
      'missing_external 100000',
      'missing_external 100000',
      'missing_internal 10000',
      'missing_internal 100000',
      'missing_internal 471764',
      'missing_internal 5900',
      'tax_variance 36',
      'unknown_line 700',
    ])
  })

  it('writes off what never came: all that it left, once, and no run tells it again', async () => {
    const id = await exceptionOf('missing_external', 'pay_T0000000000004')
    const before = await balance(CLEARING)
    const wrong = await resolve(id, { action: 'write_off', amount: 100_000 })
    expectRefused(wrong, 'resolution_unfit')
    expect(wrong.json['detail']).to.contain('97640')
    const done = await resolve(id, { action: 'write_off', reason_code: 'never_settled' }, 'once')
    expect(done.status, done.text).to.equal(201)
    expect(done.json).to.include({ state: 'done', account: CLEARING, moves: 97_640, exception: id })
    const again = await resolve(id, { action: 'write_off', reason_code: 'never_settled' }, 'once')
    expect(idIn(again)).to.equal(idIn(done))
    expectRefused(await resolve(id, { action: 'write_off' }), 'resolution_state')
    expect(before - (await balance(CLEARING))).to.equal(97_640)
    expect(await balance(LOST)).to.equal(97_640)
    expect(await exceptionAt(id)).to.deep.include({
      state: 'resolved',
      resolution: { id: idIn(done), state: 'done' },
    })
    await run()
    expect(await kinds()).to.include('missing_external 100000')
    expect((await kinds()).filter((one) => one.startsWith('missing_external'))).to.have.length(1)
  })

  it('is all that the accounts of differences take, whoever else posts there', async () => {
    const [lost] = await service.rows<{ id: string }>(
      `select 'acc_' || account_id as id from accounts where org_id = 1 and code = $1`,
      [LOST],
    )
    const linesOn = (account: string) => [
      { account, direction: 'debit', amount: 500, currency: 'INR' },
      { account: 'equity:general-fund', direction: 'credit', amount: 500, currency: 'INR' },
    ]
    const entry = { effective_on: '2026-05-20', description: 'by hand' }
    for (const account of [LOST, FOUND, lost?.id ?? '']) {
      const lines = linesOn(account)
      const refused = await as('mira', 'finance', '/v1/journal-entries', { ...entry, lines })
      expectRefused(refused, 'invalid_entry')
      expect(refused.json['detail']).to.contain('/resolve')
      const batch = await as('mira', 'finance', '/v1/journal-entries/batch', {
        mode: 'each',
        entries: [{ idempotency_key: `b-${account.length}`, ...entry, lines }],
      })
      expect(batch.text).to.contain('invalid_entry')
    }
    const sound = await as('mira', 'finance', '/v1/journal-entries', {
      ...entry,
      lines: linesOn('expenses:bank-charges'),
    })
    expect(sound.status, sound.text).to.equal(201)
    const path = `/v1/journal-entries/${idIn(sound)}/adjust`
    const adjusted = { reason: 'to there', lines: linesOn(LOST) }
    expectRefused(await as('mira', 'finance', path, adjusted), 'invalid_entry')
  })

  it('says so when what it gave up comes after all, and ties that once it is undone', async () => {
    const listed = await service.call('GET', '/v1/recon/resolutions?action=write_off')
    const [written] = listed.json['data'] as { id: string; journal_entry: string }[]
    const { id = '', journal_entry: entry = '' } = written ?? {}
    await load(razorpayRow(4, { settlement_id: 'setl_T2', settlement_utr: 'AXISCN0000000002' }))
    await run()
    const told = await exceptionOf('status_mismatch', id)
    const unfit = await resolve(told, { action: 'write_off' })
    expectRefused(unfit, 'resolution_unfit')
    expect(unfit.json['detail']).to.contain(`/v1/recon/resolutions/${id}/undo`)
    const reversed = await as('mira', 'finance', `/v1/journal-entries/${entry}/reverse`, {
      reason: 'by another door',
    })
    expectRefused(reversed, 'not_reversible')
    const undone = await undo(id)
    expect(undone.status, undone.text).to.equal(200)
    expect(undone.json).to.include({ state: 'undone', undone_by: 'mira' })
    expectRefused(await undo(id), 'resolution_state')
    const found = await service.call(
      'GET',
      `/v1/recon/resolutions?entry=${undone.json['undone_entry'] as string}`,
    )
    expect((found.json['data'] as { id: string }[]).map((one) => one.id)).to.deep.equal([id])
    await run()
    expect(await kinds()).to.not.include('status_mismatch 100000')
    const gone = await exceptionAt(undone.json['exception'] as string)
    expect(gone).to.include({ state: 'gone', resolution: null })
  })

  it('writes off a difference and closes both sides of it', async () => {
    const id = await exceptionOf('amount_under')
    const [items, before] = [await openItems(), await balance(CLEARING)]
    const done = await resolve(id, { action: 'write_off', reason_code: 'rounding' })
    expect(done.json, done.text).to.include({ moves: 1000 })
    expect(before - (await balance(CLEARING))).to.equal(1000)
    expect(await openItems()).to.deep.equal({ lines: items.lines - 1, records: items.records - 1 })
    const undone = await undo(idIn(done))
    expect(undone.status, undone.text).to.equal(200)
    expect(await exceptionAt(id)).to.deep.include({ state: 'open', resolution: null })
    expect(await openItems()).to.deep.equal(items)
    await run()
    expect(await exceptionAt(id)).to.include({ state: 'open' })
    expect((await resolve(id, { action: 'write_off' })).status).to.equal(201)
  })

  it('books a fee beyond what the gateway told, and the tax of it elsewhere', async () => {
    const fee = await exceptionOf('fee_variance')
    const lines = [
      { account: 'expenses:gateway-fees', direction: 'debit', amount: 236, currency: 'INR' },
      { account: CLEARING, direction: 'credit', amount: 236, currency: 'INR' },
    ]
    const unbalanced = [lines[0] ?? {}, { ...lines[1], amount: 235 }]
    expectRefused(await resolve(fee, { action: 'adjust', lines: unbalanced }), 'unbalanced_entry')
    const elsewhere = [lines[0] ?? {}, { ...lines[1], account: 'assets:bank:main' }]
    expectRefused(await resolve(fee, { action: 'adjust', lines: elsewhere }), 'resolution_unfit')
    const taken = [{ ...lines[0], account: LOST }, lines[1] ?? {}]
    expectRefused(await resolve(fee, { action: 'adjust', lines: taken }), 'resolution_unfit')
    const done = await resolve(fee, { action: 'adjust', lines, reason_code: 'fee_change' })
    expect(done.json, done.text).to.include({ moves: 236, action: 'adjust' })
    const tax = await exceptionOf('tax_variance')
    expectRefused(await resolve(tax, { action: 'write_off' }), 'resolution_unfit')
    const moved = await resolve(tax, {
      action: 'reclassify',
      lines: [
        { account: 'assets:input-gst', direction: 'debit', amount: 36, currency: 'INR' },
        { account: 'expenses:gateway-fees', direction: 'credit', amount: 36, currency: 'INR' },
      ],
    })
    expect(moved.json, moved.text).to.include({ moves: 0, action: 'reclassify' })
    expect((await undo(idIn(moved))).status).to.equal(200)
    expect((await resolve(tax, { action: 'dismiss' })).json).to.include({ journal_entry: null })
  })

  it('records what the gateway told, so that its late event is a second telling', async () => {
    const id = await exceptionOf('missing_internal', 'pay_T0000000000050')
    const before = await balance(CLEARING)
    const done = await resolve(id, { action: 'record', reason_code: 'missed_event' })
    expect(done.status, done.text).to.equal(201)
    expect(done.json['facts']).to.have.length(2)
    expect((await balance(CLEARING)) - before).to.equal(97_640)
    const entries = await service.rows('select 1 from journal_entries')
    await capture(50)
    expect(await service.rows('select 1 from journal_entries')).to.have.length(entries.length)
    const undone = await undo(idIn(done))
    expectRefused(undone, 'not_reversible')
    expect(undone.json['detail']).to.contain('Refund')
    const refund = await exceptionOf('missing_internal', 'rfnd_T1')
    const paid = await resolve(refund, { action: 'record' })
    expect(paid.json['facts'], paid.text).to.have.length(2)
    expect((await balance(CLEARING)) - before).to.equal(87_640)
    const fee = await exceptionOf('fee_missing')
    expectRefused(await resolve(fee, { action: 'dismiss' }), 'resolution_unfit')
    expect((await resolve(fee, { action: 'record' })).status).to.equal(201)
    expect((await balance(CLEARING)) - before).to.equal(85_280)
    await run()
    const left = await kinds()
    expect(left).to.not.include('missing_internal 100000')
    expect(left).to.not.include('missing_internal 10000')
  })

  it('books a line of the gateway’s own once, and again only when that was undone', async () => {
    const id = await exceptionOf('missing_internal', 'adj_T1')
    const before = await balance(CLEARING)
    const done = await resolve(id, { action: 'record' })
    expect(done.json, done.text).to.include({ moves: 5900 })
    expect(before - (await balance(CLEARING))).to.equal(5900)
    expect(await balance('assets:unidentified-payments')).to.equal(5900)
    await load(
      razorpayRow(0, {
        entity_id: 'adj_T1',
        type: 'adjustment',
        debit: '59.00',
        credit: '0',
        amount: '59.00',
        fee: '',
        tax: '',
        order_id: 'another',
      }),
    )
    await run()
    const second = await exceptionOf('missing_internal', 'adj_T1')
    expectRefused(await resolve(second, { action: 'record' }), 'resolution_unfit')
    expect((await undo(idIn(done))).status).to.equal(200)
    const now = await resolve(second, { action: 'record' })
    expect(now.status, now.text).to.equal(201)
    expectRefused(await resolve(id, { action: 'record' }), 'resolution_unfit')
    expect(before - (await balance(CLEARING))).to.equal(5900)
  })

  it('records a settlement from its lines, and finds what was not paid out of it', async () => {
    const id = await exceptionOf('missing_internal', 'setl_T1')
    const before = await balance('assets:bank:in-transit')
    expectRefused(await resolve(id, { action: 'dismiss' }), 'resolution_unfit')
    const done = await resolve(id, { action: 'record' })
    expect(done.status, done.text).to.equal(201)
    expect((await balance('assets:bank:in-transit')) - before).to.be.greaterThan(400_000)
    await run()
    const subjects = (await more.open()).map(({ subject }) => subject as string)
    expect(subjects.filter((one) => one.endsWith(' setl_T1'))).to.deep.equal([])
    const unknown = await exceptionOf('unknown_line')
    const found = await resolve(unknown, { action: 'write_off' })
    expect(found.json, found.text).to.include({ moves: -700 })
    expect(await balance(FOUND)).to.equal(-700)
  })
})
