/** What refunds, fees, disputes and the rest become: parked, refused, contradicting, above all. */
import { expect } from 'chai'
import { newId } from '../../src/base/ids.ts'
import { refundsAboveCapture } from '../../src/base/metrics-gateways.ts'
import { recordFacts } from '../../src/donations/record.ts'
import type { Fact } from '../../src/gateways/fact.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { captured, openFor } from '../donations/facts.ts'
import { openBooks, type Books } from '../ledger/books.ts'
import {
  minutes,
  paymentFee,
  payoutProcessed,
  payoutReversed,
  refundCreated,
  refundFailed,
  refundFee,
  refundProcessed,
  refundVoided,
  settled,
  settlementReturned,
} from './facts.ts'

const PAID = { payment: 'pay_1', order: 'order_1' }
const REFUND = { refund: 'rfnd_1', payment: 'pay_1' }
const CREATED = refundCreated(REFUND, 'our-ref-1')
const PROCESSED = refundProcessed({ ...REFUND, at: minutes(60) })
const FAILED = refundFailed({ ...REFUND, at: minutes(90) })

describe('what gateways do with money', () => {
  let books: Books
  let org = 800
  let expected: string[] = []

  before(async () => {
    books = await openBooks()
  })

  beforeEach(async () => {
    org += 1
    expected = []
    await books.addOrganisation(org)
    await openFor(books, { order: 'order_1', orgId: org })
  })

  afterEach(async () => {
    const { findings } = await verifyLedger(books.db, org, () => undefined)
    expect(findings).to.deep.equal([])
    expect((await checks()).sort()).to.deep.equal(expected.sort())
  })

  after(async () => {
    await books.close()
  })

  const checks = async () => (await verifyDonations(books.db, org)).map(({ check }) => check)

  /** Each list of facts is what one event tells; gives what the events hear. */
  async function tell(...events: Fact[][]): Promise<(string | null)[]> {
    const ids = events.map(() => newId('evt'))
    const told = events.flatMap((facts, index) =>
      facts.map((fact) => ({ eventId: ids[index] ?? '', fact })),
    )
    const outcomes = await books.db.transact(
      org,
      async (trx) => await recordFacts(trx, told, new Date()),
      { queue: 'journal' },
    )
    return ids.map((eventId) => outcomes.get(eventId)?.code ?? null)
  }

  const read = async <Row extends object>(sql: string) => await books.read<Row>(sql, [], org)

  async function kinds(): Promise<string[]> {
    const rows = await read<{ kind: string }>('select kind from journal_entries order by entry_no')
    return rows.map(({ kind }) => kind)
  }

  const refunds = async () => await read<Record<string, unknown>>('select * from refunds')

  const parked = async () =>
    (await read<{ kind: string }>('select kind from parked_facts order by 1')).map((r) => r.kind)

  const close = async (code: string, open = false): Promise<void> => {
    await books.own(`update accounts set open = ${open} where org_id = ${org} and code = '${code}'`)
  }

  it('keeps what a second telling of a parked fact adds, in one batch with the first', async () => {
    const told = { refund: 'rfnd_1', payment: 'pay_1' }
    const tellings = [null, 'ARN1'].map((arn) => [refundCreated(told), refundProcessed(told, arn)])
    expect(await tell(...tellings)).to.deep.equal([null, null])
    await tell([captured({ payment: 'pay_1' })])
    expect((await refunds()).map((row) => row['bank_reference'])).to.deep.equal(['ARN1'])
  })

  it('is a fee with an entry of its own; a fee of 0 is known and has none', async () => {
    await tell([captured(PAID), paymentFee('pay_1')], [captured({ payment: 'pay_2' })])
    await tell([paymentFee('pay_2', { fee: 0n, tax: 0n })])
    expect(await kinds()).to.deep.equal([
      'donation_captured',
      'gateway_fee',
      'unidentified_captured',
    ])
    expect(
      await read('select gateway_payment_id as id, fee, tax from payments order by 1'),
    ).to.deep.equal([
      { id: 'pay_1', fee: 1180n, tax: 180n },
      { id: 'pay_2', fee: 0n, tax: 0n },
    ])
    expect(await tell([paymentFee('pay_1', { fee: 1181n })])).to.deep.equal([
      'idempotency_conflict',
    ])
  })

  it('is a refund out of what the payment was booked to, step by step', async () => {
    await tell([captured(PAID)], [captured({ payment: 'pay_2' })])
    await tell([CREATED], [CREATED, PROCESSED])
    await tell([refundCreated({ refund: 'rfnd_2', payment: 'pay_2' })])
    const lines = await read<{ line: string }>(
      `select concat_ws(' ', l.direction, a.code, l.amount) as line
         from journal_entries e join postings l using (org_id, entry_no)
         join accounts a using (org_id, account_id)
        where e.kind like 'refund%' order by e.entry_no, l.line_no`,
    )
    expect(lines.map(({ line }) => line)).to.deep.equal([
      'debit income:donations:education 10000',
      'credit liabilities:refunds-payable:razorpay 10000',
      'debit liabilities:refunds-payable:razorpay 10000',
      'credit assets:clearing:razorpay 10000',
      'debit liabilities:unidentified-receipts 10000',
      'credit liabilities:refunds-payable:razorpay 10000',
    ])
    expect((await refunds())[0]).to.include({ state: 'processed', reference: 'our-ref-1' })
  })

  it('takes the bank’s reference whenever it comes, and posts nothing for it', async () => {
    await tell([captured(PAID)], [CREATED, PROCESSED])
    await tell([CREATED, refundProcessed({ ...REFUND, at: minutes(60) }, 'ARN7')])
    expect((await refunds())[0]).to.include({ bank_reference: 'ARN7' })
    expect(await kinds()).to.have.length(3)
  })

  for (const together of [true, false]) {
    it(`waits for its capture, told ${together ? 'in one batch' : 'long before it'}`, async () => {
      const before = [
        [CREATED, PROCESSED],
        [CREATED, refundProcessed({ ...REFUND, at: minutes(60) }, 'ARN7')],
        [refundFee('rfnd_1')],
        [paymentFee('pay_1')],
      ]
      const nothing = before.map(() => null)
      if (together) {
        expect(await tell(...before, [captured(PAID)])).to.deep.equal([...nothing, null])
      } else {
        expect(await tell(...before)).to.deep.equal(nothing)
        expect(await kinds()).to.deep.equal([])
        expect(await refunds()).to.deep.equal([])
        expect(await parked()).to.deep.equal([
          'payment_fee',
          'refund_created',
          'refund_fee',
          'refund_processed',
        ])
        await tell([CREATED, refundProcessed({ ...REFUND, at: minutes(60) }, 'ARN7')])
        expect(await tell([captured(PAID)])).to.deep.equal([null])
      }
      expect(await parked()).to.deep.equal([])
      expect((await kinds())[0]).to.equal('donation_captured')
      expect((await kinds()).slice(1)).to.have.members([
        'refund_created',
        'refund_processed',
        'gateway_fee',
        'gateway_fee',
      ])
      expect((await refunds())[0]).to.include({ state: 'processed', fee: 590n, tax: 90n })
      expect((await refunds())[0]).to.include({ bank_reference: 'ARN7' })
    })
  }

  it('contradicts what waits as it does what is recorded', async () => {
    await tell([CREATED])
    expect(await tell([refundCreated({ ...REFUND, amount: 9n })])).to.deep.equal([
      'idempotency_conflict',
    ])
    expect(await tell([captured(PAID)])).to.deep.equal([null])
    expect((await refunds())[0]).to.include({ amount: 10_000n })
  })

  it('is one amount, whichever step says it: another is a conflict, nothing moves', async () => {
    await tell([captured(PAID)], [CREATED])
    const other = refundProcessed({ ...REFUND, amount: 9000n })
    expect(await tell([CREATED, other])).to.deep.equal(['idempotency_conflict'])
    expect(await tell([settled({ id: 'setl_1' })])).to.deep.equal([null])
    expect(await tell([settlementReturned({ id: 'setl_1', amount: 1n })])).to.deep.equal([
      'idempotency_conflict',
    ])
    expect(
      await tell([payoutProcessed({ id: 'p' }), payoutReversed({ id: 'p', amount: 1n })]),
    ).to.deep.equal(['idempotency_conflict'])
    expect(await kinds()).to.deep.equal([
      'donation_captured',
      'refund_created',
      'settled',
      'payout_processed',
    ])
  })

  for (const [first, second] of [
    [PROCESSED, FAILED],
    [FAILED, PROCESSED],
  ] as const) {
    it(`is returned where ${second.kind} comes after ${first.kind}`, async () => {
      await tell([captured(PAID)], [CREATED, first])
      await tell([CREATED, second])
      const entries = await read<{ key: string; day: string }>(
        `select idempotency_key as key, effective_on as day from journal_entries
          where kind = 'refund_returned'`,
      )
      const day = minutes(90).toISOString().slice(0, 10)
      expect(entries).to.deep.equal([{ key: CREATED.key.replace(':created', ':returned'), day }])
      expect((await refunds())[0]).to.include({ state: 'returned' })
      const left = await read(
        `select code from accounts
          where debits <> credits and code not like 'income:%' and code not like '%clearing%'`,
      )
      expect(left).to.deep.equal([])
    })
  }

  it('of what was never captured is a memo; beside a capture somebody has to look', async () => {
    await tell([refundVoided(REFUND)], [refundVoided({ refund: 'rfnd_2', payment: 'pay_2' })])
    expect(await kinds()).to.deep.equal([])
    expect((await refunds()).map((row) => row['state'])).to.deep.equal(['voided', 'voided'])
    expect(await checks()).to.deep.equal([])
    await tell([captured(PAID)])
    expect(await checks()).to.deep.equal(['refunds and captures'])
    await tell([CREATED, PROCESSED])
    expect((await refunds()).map((row) => row['state'])).to.have.members(['processed', 'voided'])
  })

  it('above the capture is recorded all the same, counted, and shown by verify', async () => {
    const counted = async () => (await refundsAboveCapture.get()).values[0]?.value ?? 0
    const before = await counted()
    await tell([captured(PAID)], [refundCreated({ ...REFUND, amount: 50_000n })])
    expect(await counted()).to.equal(before)
    await tell([refundCreated({ refund: 'rfnd_2', payment: 'pay_1', amount: 1n })])
    expect(await counted()).to.equal(before + 1)
    expect(await refunds()).to.have.length(2)
    expected = ['refunds above the capture']
  })

  describe('where one is refused', () => {
    const CLEARING = 'assets:clearing:razorpay'
    const EDUCATION = 'income:donations:education'

    beforeEach(async () => {
      await openFor(books, { order: 'order_0', orgId: org })
      await tell([captured({ payment: 'pay_0', order: 'order_0' })])
    })

    it('lets what needs a refused capture wait for it', async () => {
      await close(EDUCATION)
      expect(
        await tell(
          [CREATED, PROCESSED],
          [captured(PAID), paymentFee('pay_1')],
          [settled({ id: 's' })],
        ),
      ).to.deep.equal([null, 'account_closed', null])
      expect(await kinds()).to.deep.equal(['donation_captured', 'settled'])
      expect(await parked()).to.deep.equal(['payment_fee', 'refund_created', 'refund_processed'])
      await close(EDUCATION, true)
      expect(await tell([captured(PAID), paymentFee('pay_1')])).to.deep.equal([null])
      expect(await kinds()).to.have.length(6)
      expect(await parked()).to.deep.equal([])
    })

    it('records what was posted, and the rest when it is told again', async () => {
      await tell([captured(PAID)])
      await close(EDUCATION)
      expect(await tell([CREATED, PROCESSED])).to.deep.equal(['account_closed'])
      expect((await kinds()).at(-1)).to.equal('refund_processed')
      expect(await checks()).to.deep.equal(['steps without a beginning'])
      await close(EDUCATION, true)
      expect(await tell([CREATED, PROCESSED])).to.deep.equal([null])
      expect((await kinds()).slice(-2)).to.deep.equal(['refund_processed', 'refund_created'])
      expect((await refunds())[0]).to.include({ state: 'processed' })
    })

    it('tells the event that let a parked fact go on, which tries it again', async () => {
      await tell([CREATED, PROCESSED])
      await tell([settled({ id: 's' })])
      await books.own(
        `insert into accounts (org_id, account_id, code, name, type, normal, currency, open)
         select ${org}, max(account_id) + 1, 'liabilities:refunds-payable:razorpay', 'x',
                'liability', 'credit', 'INR', false
           from accounts where org_id = ${org}`,
      )
      expect(await tell([captured(PAID)])).to.deep.equal(['account_closed'])
      expect(await parked()).to.deep.equal(['refund_created', 'refund_processed'])
      expect(await tell([captured(PAID)])).to.deep.equal(['account_closed'])
      await close('liabilities:refunds-payable:razorpay', true)
      expect(await tell([captured(PAID)])).to.deep.equal([null])
      expect(await parked()).to.deep.equal([])
      expect((await kinds()).slice(-2)).to.deep.equal(['refund_created', 'refund_processed'])
    })

    it('returns a refund when its time comes again', async () => {
      await tell([captured(PAID)], [CREATED, FAILED])
      await close(CLEARING)
      expect(await tell([CREATED, PROCESSED])).to.deep.equal(['account_closed'])
      expect((await refunds())[0]).to.include({ state: 'failed' })
      await close(CLEARING, true)
      expect(await tell([CREATED, PROCESSED])).to.deep.equal([null])
      expect((await kinds()).slice(-2)).to.deep.equal(['refund_processed', 'refund_returned'])
    })
  })

  it('is recorded in batches of more entries than are posted at once', async () => {
    const events = Array.from({ length: 400 }, (_, index) => {
      const payment = `pay_many_${index}`
      const refund = { refund: `rfnd_many_${index}`, payment, amount: 1n }
      return [
        refundProcessed(refund),
        refundCreated(refund),
        captured({ payment }),
        paymentFee(payment),
      ]
    })
    expect((await tell(...events)).filter((problem) => problem !== null)).to.deep.equal([])
    expect(await kinds()).to.have.length(1600)
    expect(await parked()).to.deep.equal([])
  })
})
