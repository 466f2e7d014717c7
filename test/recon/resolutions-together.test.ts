/** Resolutions by many hands: consent, many at once, two at the same time, closed months. */
import { expect } from 'chai'
import fc from 'fast-check'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { signToken } from '../../src/http/auth.ts'
import { asOwner } from '../../scripts/stack.ts'
import { expectRefused } from '../http/posting.ts'
import { RAZORPAY, testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'
import { bankSource, commit, HDFC, uploadTo } from './files.ts'
import { loadRecon } from '../../jobs/load-recon.ts'
import { CLEARING, LOST, razorpayRow, Resolving } from './resolving.ts'

const idIn = ({ json }: Answer): string => json['id'] as string
const BULK = '/v1/recon/exceptions/bulk-resolve'
const SEED = 12

describe('resolutions together', () => {
  let service: TestService
  const { capture, load, run, open, exceptionOf, exceptionAt, ...more } = new Resolving(
    () => service,
  )
  const { resolve, undo, as, balance, differences, openItems } = more

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    for (let number = 1; number <= 12; number += 1) {
      await service.deliver('razorpay', capturedOf(number))
    }
    await service.deliver('razorpay', settled('setl_T1', 97_000, 'AXISCN0000000001'))
    await service.deliver('razorpay', settled('setl_T9', 54_000, 'AXISCN0000000009'))
    await capture(20)
    await load(razorpayRow(20))
    const bank = await uploadTo(service, await bankSource(service), LATER)
    expect((await commit(service, bank.json)).status).to.equal(200)
    await loadRecon.run(service.jobParts)
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

  /** A statement that goes on long after every settlement of the test, without their credits. */
  const LATER = HDFC.replace('AXISCN1153863727-RAZORPAY SOFTWARE', 'SOMEBODY ELSE').replaceAll(
    /0([45])\/05\/26/g,
    '2$1/05/26',
  )

  const capturedOf = (number: number) => more.captured(number, 2360)

  function settled(id: string, amount: number, utr: string) {
    const entity = {
      id,
      amount,
      status: 'processed',
      fees: 0,
      tax: 0,
      utr,
      created_at: 1_778_038_200,
    }
    const body = {
      entity: 'event',
      account_id: RAZORPAY.account,
      event: 'settlement.processed',
      contains: ['settlement'],
      payload: { settlement: { entity } },
      created_at: 1_778_038_201,
    }
    return razorpayWebhook(body, RAZORPAY.webhookSecret, `evt_${id}`)
  }

  const missing = async (number: number) =>
    await exceptionOf('missing_external', `pay_T${String(number).padStart(13, '0')}`)

  it('write off what a gateway did not send of its lines, until the lines agree', async () => {
    const id = await exceptionOf('batch_total_mismatch')
    const done = await resolve(id, { action: 'write_off' })
    expect(done.json, done.text).to.include({ moves: 640, account: CLEARING })
    await run()
    expect(JSON.stringify(await open())).to.not.contain('batch_total_mismatch')
    await load(
      razorpayRow(0, {
        entity_id: 'adj_late',
        type: 'adjustment',
        debit: '6.40',
        credit: '0',
        amount: '6.40',
        fee: '',
        tax: '',
      }),
    )
    await run()
    const again = await exceptionOf('batch_total_mismatch', idIn(done))
    expect(await exceptionAt(again)).to.include({ amount: 640 })
    expect((await undo(idIn(done))).status).to.equal(200)
    await run()
    expect(JSON.stringify(await open('&kind=batch_total_mismatch'))).to.equal('[]')
  })

  it('give up a credit that never came, and say so when it comes', async () => {
    const id = await exceptionOf('missing_external', 'AXISCN0000000009')
    const done = await resolve(id, { action: 'write_off', reason_code: 'never_settled' })
    expect(done.json, done.text).to.include({ moves: 54_000, account: 'assets:bank:in-transit' })
    const late = HDFC.replace('AXISCN1153863727-RAZORPAY', 'AXISCN0000000009-RAZORPAY').replaceAll(
      '5,40,560.00',
      '540.00',
    )
    const file = await uploadTo(service, await bankSource(service), late)
    expect((await commit(service, file.json)).status).to.equal(200)
    await loadRecon.run(service.jobParts)
    await run()
    const told = await exceptionOf('status_mismatch', idIn(done))
    expectRefused(await resolve(told, { action: 'adjust', lines: [] }), 'resolution_unfit')
    expect((await undo(idIn(done))).status).to.equal(200)
    await run()
    expect(await exceptionAt(told)).to.include({ state: 'gone' })
    // Tied to its settlement it is in transit no more.
    expect(await balance('assets:bank:in-transit')).to.equal(97_000)
  })

  it('wait above the limit, and are done as another consents, once', async () => {
    const limits = (amount: number) => ({ limits: [{ currency: 'INR', amount }] })
    const set = await service.call('PUT', '/v1/approval-limits', {
      role: 'admin',
      body: limits(50_000),
    })
    expect(set.status).to.equal(200)
    const id = await missing(1)
    const before = await balance(CLEARING)
    const asked = await resolve(id, { action: 'write_off' }, 'above')
    expect(asked.status, asked.text).to.equal(202)
    expect(asked.json).to.include({ state: 'waiting', journal_entry: null })
    expect(await exceptionAt(id)).to.deep.include({
      state: 'open',
      resolution: { id: idIn(asked), state: 'waiting' },
    })
    expectRefused(await resolve(id, { action: 'write_off' }), 'resolution_state')
    expectRefused(await undo(idIn(asked)), 'resolution_state')
    const path = `/v1/approvals/${asked.json['approval'] as string}`
    expectRefused(await as('mira', 'admin', `${path}/approve`, {}), 'own_proposal')
    const reject = await as('omar', 'approver', `${path}/reject`, { reason: 'ask again' })
    expect(reject.status, reject.text).to.equal(200)
    expect(await exceptionAt(id)).to.deep.include({ state: 'open', resolution: null })
    const second = await resolve(id, { action: 'write_off' })
    expect(second.status, second.text).to.equal(202)
    const dropped = await service.call('GET', `/v1/recon/resolutions/${idIn(asked)}`)
    expect(dropped.json).to.include({ state: 'dropped' })
    const other = `/v1/approvals/${second.json['approval'] as string}`
    const both = await Promise.all(
      ['omar', 'nina'].map(async (who) => await as(who, 'approver', `${other}/approve`, {})),
    )
    expect(both.map(({ status }) => status)).to.have.members([200, 409])
    expect(before - (await balance(CLEARING))).to.equal(97_640)
    const done = await service.call('GET', `/v1/recon/resolutions/${idIn(second)}`)
    expect(done.json).to.include({ state: 'done', asked_by: 'mira' })
    expect(done.json['approved_by']).to.be.oneOf(['omar', 'nina'])
    const undoing = await undo(idIn(second))
    expect(undoing.status, undoing.text).to.equal(202)
    expectRefused(await undo(idIn(second)), 'resolution_state')
    const last = `/v1/approvals/${undoing.json['undo_waits_for'] as string}/approve`
    expect((await as('omar', 'approver', last, {})).status).to.equal(200)
    expect(await balance(CLEARING)).to.equal(before)
    expect(await exceptionAt(id)).to.include({ state: 'open' })
    const { json } = await service.call('GET', `/v1/recon/exceptions/${id}/timeline`)
    const events = json['data'] as { what: string; by: string; detail: JsonObject }[]
    expect(
      events.map(({ what, by }) => `${what} ${by}`).filter((one) => /resol|undo/.test(one)),
    ).to.deep.equal([
      'resolution_asked mira',
      'resolution_dropped omar',
      'resolution_asked mira',
      'resolved mira',
      'undo_asked mira',
      'undone mira',
    ])
    expect(events.find(({ what }) => what === 'resolved')?.detail).to.deep.include({
      resolution: idIn(second),
      action: 'write_off',
      journal_entry: done.json['journal_entry'],
      approved_by: done.json['approved_by'],
    })
    expect(events.at(-1)?.detail).to.include({ approved_by: 'omar', reason: 'it was another' })
  })

  it('are refused with consent where the break says something else by then', async () => {
    const id = await missing(2)
    const asked = await resolve(id, { action: 'write_off' })
    expect(asked.status).to.equal(202)
    await load(razorpayRow(2, { settlement_id: 'setl_T3' }))
    await run()
    const path = `/v1/approvals/${asked.json['approval'] as string}`
    expectRefused(await as('omar', 'approver', `${path}/approve`, {}), 'resolution_state')
    expect(await exceptionAt(id)).to.include({ state: 'gone' })
    expect(
      (await as('mira', 'finance', `${path}/withdraw`, { reason: 'it came' })).status,
    ).to.equal(200)
    // The tests after this one work without limits.
    await service.database.asOwner(async (client) => {
      await client.query(`set bahi.org_id = '1'`)
      await client.query('alter table approval_limits disable trigger user')
      await client.query('delete from approval_limits')
      await client.query('alter table approval_limits enable trigger user')
    })
  })

  it('go through one of them where two resolve the same at the same time', async () => {
    const id = await missing(3)
    const both = await Promise.all([
      resolve(id, { action: 'write_off' }),
      resolve(id, { action: 'write_off' }),
      more.runs(),
    ])
    const [first, second] = both
    const statuses = [first.status, second.status]
    expect(statuses.filter((status) => status === 201).length, statuses.join()).to.be.at.most(1)
    for (const one of [first, second].filter(({ status }) => status !== 201)) {
      expect(one.json['code']).to.be.oneOf(['resolution_state', 'run_going'])
    }
    const entries = await service.rows(
      `select 1 from journal_entries where kind = 'difference_written_off' and source = $1`,
      [id],
    )
    expect(entries).to.have.length(statuses.filter((status) => status === 201).length)
  })

  it('come many at a time, each for itself, and the same key does nothing twice', async () => {
    const ids = await Promise.all([4, 5, 6].map(missing))
    const unfit = await exceptionOf('missing_internal', 'setl_T3')
    const wall = `exc_${'0'.repeat(26)}`
    const body = {
      action: 'write_off',
      reason_code: 'never_settled',
      reason: 'the gateway is gone',
      exceptions: [...ids, unfit, wall],
    }
    const before = await balance(LOST)
    const done = await as('mira', 'finance', BULK, body, 'bulk')
    expect(done.json, done.text).to.include({ resolved: 3, waiting: 0, refused: 2 })
    const codes = (done.json['results'] as JsonObject[]).flatMap(({ problem }) =>
      problem === undefined
        ? []
        : [(problem as JsonObject)['code'], (problem as JsonObject)['moved']],
    )
    expect(codes).to.deep.equal(['resolution_unfit', 'no', 'not_found', 'no'])
    expect((await balance(LOST)) - before).to.equal(3 * 97_640)
    const again = await as('mira', 'finance', BULK, body, 'bulk')
    expect(again.json).to.deep.equal(done.json)
    // As where the first call was killed before it could keep its answer.
    await service.database.asOwner(async (client) => {
      await client.query(`set bahi.org_id = '1'`)
      await client.query('alter table kept_answers disable trigger user')
      await client.query(`delete from kept_answers where idempotency_key = 'bulk'`)
      await client.query('alter table kept_answers enable trigger user')
    })
    const anew = await as('mira', 'finance', BULK, body, 'bulk')
    expect(anew.json).to.include({ resolved: 3, refused: 2 })
    expect((await balance(LOST)) - before).to.equal(3 * 97_640)
    const by = { kind: 'missing_external', amount_at_most: 100_000 }
    const filtered = { ...body, exceptions: undefined, filter: { ...by, expected_count: 1 } }
    expectRefused(await as('mira', 'finance', BULK, filtered), 'precondition_failed')
    const neither = { ...body, exceptions: undefined }
    expectRefused(await as('mira', 'finance', BULK, neither), 'invalid_request')
  })

  it('keep out of closed months, say what to do, and are nobody else’s', async () => {
    const id = await missing(7)
    for (const month of ['2026-04', '2026-05']) {
      const close = { state: 'closed', reason: 'done' }
      await as('root', 'admin', `/v1/periods/${month}/close`, close)
    }
    const early = await resolve(id, { action: 'write_off', effective_on: '2026-05-31' })
    expectRefused(early, 'period_closed')
    expect(early.json['detail']).to.match(/date|reopen/i)
    expect(await exceptionAt(id)).to.include({ state: 'open' })
    const token = signToken(
      { subject: 'eve', orgId: 2, role: 'admin' },
      service.config.jwtSecret,
      60,
    )
    const headers = { authorization: `Bearer ${token}`, 'idempotency-key': 'theirs' }
    const body = { action: 'dismiss', reason_code: 'other', reason: 'x' }
    const theirs = await service.call('POST', `/v1/recon/exceptions/${id}/resolve`, {
      body,
      headers,
    })
    expectRefused(theirs, 'not_found')
    expect(
      (await as('omar', 'approver', `/v1/recon/exceptions/${id}/resolve`, body)).status,
    ).to.equal(403)
    const done = await resolve(id, {
      action: 'write_off',
      effective_on: '2026-06-01',
      reason: `'; drop table x; -- =cmd() <b>₹</b>`,
    })
    expect(done.status, done.text).to.equal(201)
    const path = `/v1/recon/resolutions/${idIn(done)}`
    const undoing = { body: { reason: 'ours' }, headers }
    expectRefused(await service.call('POST', `${path}/undo`, undoing), 'not_found')
    expect((await service.call('GET', path, { headers })).status).to.equal(404)
    const list = await service.call('GET', '/v1/recon/resolutions', { headers })
    expect(list.json['data']).to.deep.equal([])
  })

  it('cannot be forged or taken away by the application’s role', async () => {
    const forge = async (sql: string) =>
      await service.parts.db
        .transact(1, async (trx) => await trx.query(sql))
        .then(
          () => 'went through',
          (error: unknown) => String(error),
        )
    const [one] = await service.rows<{ id: string }>(
      `select resolution_id as id from recon_resolutions where state = 'done' limit 1`,
    )
    const where = `where org_id = 1 and resolution_id = '${one?.id}'`
    for (const sql of [
      `delete from recon_resolutions ${where}`,
      `update recon_resolutions set moves = 1 ${where}`,
      `update recon_resolutions set entry_no = 1 ${where}`,
      `update recon_resolutions set state = 'waiting', done_at = null ${where}`,
      `update recon_resolutions set state = 'undone', undone_at = now(), undone_by = 'x',
         undone_because = 'x', undo_entry_no = 1 ${where}`,
      `insert into recon_resolutions (org_id, resolution_id, exception_id, action, reason_code,
         words, state, account, moves, currency, asked_key, fingerprint, asked_by, entry_no,
         done_at)
       select org_id, 'rsl_x', exception_id, action, reason_code, words, state, account, moves,
              currency, 'k', fingerprint, asked_by, entry_no, done_at
         from recon_resolutions ${where}`,
    ]) {
      expect(await forge(sql), sql).to.match(/permission denied|bahi:|duplicate key|violates/)
    }
  })

  it('leave sound books behind in whatever order they are made and undone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 8, max: 12 }), fc.boolean(), fc.boolean()), {
          minLength: 4,
          maxLength: 6,
        }),
        async (steps) => {
          for (const [number, runsFirst, takesBack] of steps) {
            const standing = await service.rows<{ id: string; exception: string }>(
              `select r.resolution_id as id, r.exception_id as exception
                 from recon_resolutions r join recon_exceptions e using (org_id, exception_id)
                where r.state = 'done' and e.detail ->> 'id' = $1`,
              [`pay_T${String(number).padStart(13, '0')}`],
            )
            const [live] = standing
            if (live === undefined) {
              const done = await resolve(await missing(number), { action: 'write_off' })
              expect(done.status, done.text).to.equal(201)
            } else if (takesBack) {
              expect((await undo(live.id)).status).to.equal(200)
            } else {
              expectRefused(
                await resolve(live.exception, { action: 'write_off' }),
                'resolution_state',
              )
            }
            if (runsFirst) {
              await run()
            }
          }
          const { said, shown } = await differences()
          expect(shown).to.equal(said)
          const [closed] = await service.rows<{ n: number }>(
            `select count(*)::integer as n from recon_closed_records c
              where not exists (select from recon_resolutions r
                                 where r.org_id = c.org_id and r.resolution_id = c.resolution_id
                                   and r.state = 'done')`,
          )
          expect(closed?.n).to.equal(0)
          const { records } = await openItems()
          const [kept] = await service.rows<{ n: number }>(
            'select count(*)::integer as n from recon_closed_records',
          )
          expect(records + (kept?.n ?? 0)).to.equal(await payments())
        },
      ),
      { numRuns: 2, seed: SEED },
    )
  })

  /** Payments that no line was matched with: each is open, or closed by a resolution. */
  async function payments(): Promise<number> {
    const [row] = await service.rows<{ n: number }>(
      `select count(*)::integer as n from payments p
        where p.org_id = 1 and not exists (
          select from recon_matches m where m.record_id = p.payment_id and m.undone_at is null)`,
    )
    return row?.n ?? -1
  }
})
