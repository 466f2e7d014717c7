/** Tests of what comes after a break was found, matched or resolved: nothing counts twice. */
import { expect } from 'chai'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { reverse } from '../../src/ledger/posting/correct.ts'
import { matchCredit, matchLines } from '../../src/recon/by-hand.ts'
import { proveClearing } from '../../src/recon/passes/clearing-proof.ts'
import type { Action } from '../../src/recon/resolve/asked.ts'
import { resolveException } from '../../src/recon/resolve/resolve.ts'
import { undoResolution } from '../../src/recon/resolve/undo.ts'
import { undo } from '../../src/recon/undo.ts'
import { credit, debit, openBooks, ORG, type Books } from '../ledger/books.ts'
import { AT, balanceOf, captured, fee, report, runOver, settled, statement, tell } from './told.ts'

const TRANSIT = 'assets:bank:in-transit'
const CLEARING = 'assets:clearing:razorpay'
const TODAY = '2026-05-31'
const how = { by: 'test', because: 'test', today: TODAY }
const MAKER = { actor: 'test', role: 'finance', person: 'test' }

describe('what comes late', () => {
  let books: Books
  let file = 0
  let asked = 0

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    expect(await verifyDonations(books.db, ORG)).to.deep.equal([])
    await books.close()
  })

  afterEach(async () => {
    const of = { gateway: AT.gateway, currency: 'INR' }
    const proof = await books.db.read(ORG, async (trx) => await proveClearing(trx, of))
    expect(proof.remainder).to.equal(0n)
  })

  const tells = async (...lines: Parameters<typeof report>[2]) => {
    await report(books, (file += 1), lines)
    await run()
  }
  const credits = async (...lines: Parameters<typeof statement>[2]) => {
    await statement(books, (file += 1), lines)
    await run()
  }
  const run = async () => {
    await runOver(books, file === 0 ? [] : [file], TODAY)
  }

  /** Open breaks that say so, as their kind and their amount. */
  async function told(said: string): Promise<string[]> {
    const rows = await books.read<{ what: string }>(
      `select kind || ' ' || amount as what from recon_exceptions
        where state = 'open' and strpos(subject || ' ' || detail::text, $1) > 0
        order by 1`,
      [said],
    )
    return rows.map(({ what }) => what)
  }

  const journal = async <T>(work: Parameters<typeof books.db.transact<T>>[1]) =>
    await books.db.transact(ORG, work, { queue: 'journal', behind: 'recon' })

  async function resolve(said: string, kind: string, action: Action, lines: unknown[] = []) {
    const [row] = await books.read<{ id: string }>(
      `select exception_id as id from recon_exceptions
        where state = 'open' and kind = $2
          and (subject like '%' || $1 || '%' or detail::text like '%' || $1 || '%')`,
      [said, kind],
    )
    const one = {
      exceptionId: row?.id ?? `no ${kind} of ${said}`,
      action,
      reasonCode: 'other',
      words: 'test',
      amount: null,
      effectiveOn: null,
      today: TODAY,
      lateReason: null,
      lines: lines as ReturnType<typeof debit>[],
      askedKey: `key ${(asked += 1)}`,
      fingerprint: Buffer.alloc(32),
      body: {},
    } as const
    const { resolutionId } = await journal(async (trx) => await resolveException(trx, one, MAKER))
    const [made] = await books.read<{ moves: bigint }>(
      'select moves from recon_resolutions where resolution_id = $1',
      [resolutionId],
    )
    return { resolutionId, moves: made?.moves }
  }

  const takeBack = async (resolutionId: string) => {
    const one = { effectiveOn: null, today: TODAY, lateReason: null, body: {}, reason: 'test' }
    await journal(
      async (trx) => await undoResolution(trx, { ...one, resolutionId, key: resolutionId }, MAKER),
    )
  }

  const refusal = async (work: Promise<unknown>): Promise<string> =>
    await work.then(
      () => 'went through',
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    )

  const idOf = async (table: string, id: string, gateway: string) => {
    const [row] = await books.read<{ id: string }>(
      `select ${id} as id from ${table} where gateway_${id} = $1`,
      [gateway],
    )
    return row?.id ?? ''
  }

  it('is told again where a match by hand that ended it is taken apart', async () => {
    await tell(books, captured('pay_a1', 111n), captured('pay_a2', 111n))
    await tells({ id: null, amount: 111n, settlement: null })
    expect(await told(`line ${file} 1`)).to.deep.equal(['ambiguous 111'])
    const place = { fileNo: file, rowNo: 1 }
    const record = await idOf('payments', 'payment_id', 'pay_a1')
    await journal(async (trx) => {
      await matchLines(trx, { lines: [place], records: [record] }, how)
    })
    expect(await told(`line ${file} 1`)).to.deep.equal([])
    await journal(async (trx) => await undo(trx, place, { ...how, mayPost: true }))
    await run()
    expect(await told(`line ${file} 1`)).to.deep.equal(['ambiguous 111'])
  })

  it('is in what is written off, where a fee is told after its payment was carried', async () => {
    await tell(books, captured('pay_b', 1000n))
    await run()
    await tell(books, fee('pay_b', 20n))
    const { moves, resolutionId } = await resolve('pay_b', 'missing_external', 'write_off')
    expect(moves).to.equal(980n)
    await run()
    expect(await told('pay_b')).to.deep.equal([])
    await takeBack(resolutionId)
  })

  it('is told where a fee comes after its payment was written off without it', async () => {
    await tell(books, captured('pay_c', 1000n))
    await run()
    const { resolutionId } = await resolve('pay_c', 'missing_external', 'write_off')
    await tell(books, fee('pay_c', 20n))
    await run()
    expect(await told(resolutionId)).to.deep.equal(['status_mismatch 20'])
    expect(await refusal(resolve(resolutionId, 'status_mismatch', 'write_off'))).to.equal(
      'resolution_unfit',
    )
    await takeBack(resolutionId)
    await run()
    expect(await told('pay_c')).to.deep.equal(['missing_external 1000'])
    expect((await resolve('pay_c', 'missing_external', 'write_off')).moves).to.equal(980n)
  })

  it('ends an open fee_missing where the fee comes, and is never booked beside it', async () => {
    await tell(books, captured('pay_d', 1000n), captured('pay_e', 1000n))
    const line = { amount: 1000n, fee: 20n, tax: 0n, settlement: null }
    await tells({ ...line, id: 'pay_d' }, { ...line, id: 'pay_e' })
    expect(await told('pay_d')).to.deep.equal(['fee_missing 20'])
    await tell(books, fee('pay_d', 20n), fee('pay_e', 25n))
    expect(await refusal(resolve('pay_d', 'fee_missing', 'write_off'))).to.equal('resolution_unfit')
    await run()
    expect(await told('pay_d')).to.deep.equal([])
    expect(await told('pay_e')).to.deep.equal(['fee_variance 5'])
    expect((await resolve('pay_e', 'fee_variance', 'write_off')).moves).to.equal(-5n)
  })

  it('is told where a fee comes that a person wrote off before', async () => {
    await tell(books, captured('pay_f', 1000n))
    await tells({ id: 'pay_f', amount: 1000n, fee: 20n, tax: 0n, settlement: null })
    const before = await balanceOf(books, CLEARING)
    const { resolutionId } = await resolve('pay_f', 'fee_missing', 'write_off')
    await tell(books, fee('pay_f', 20n))
    expect(await balanceOf(books, CLEARING)).to.equal(before - 40n)
    await run()
    expect(await told(resolutionId)).to.deep.equal(['status_mismatch 20'])
    await takeBack(resolutionId)
    await run()
    expect(await told('pay_f')).to.deep.equal([])
    expect(await balanceOf(books, CLEARING)).to.equal(before - 20n)
  })

  it('does not hide what parts, or a net that is another, cost more than was told', async () => {
    await tell(books, captured('pay_g', 1000n), fee('pay_g', 20n))
    await tell(books, captured('pay_h', 1000n), fee('pay_h', 20n))
    const base = { settlement: null, tax: 0n }
    await tells(
      { ...base, id: 'pay_g', amount: 400n, fee: 20n },
      { ...base, id: 'pay_g', amount: 600n, fee: 5n },
      { ...base, id: 'pay_h', amount: 1000n, fee: 20n, net: 900n },
    )
    expect(await told(`line ${file} 1`)).to.deep.equal(['fee_variance 5'])
    expect(await told(`line ${file} 3`)).to.deep.equal(['fee_variance 80'])
    expect((await resolve(`line ${file} 3`, 'fee_variance', 'write_off')).moves).to.equal(80n)
  })

  it('cannot tie a settlement that was given up, nor give it up twice', async () => {
    await tell(books, settled('setl_i', 510n, 'utri00001ax'))
    await credits({ amount: 500n, text: 'UTRI00001AX RAZORPAY', on: '2026-05-20' })
    expect(await told(`bank ${file} 1`)).to.deep.equal(['batch_total_mismatch 10'])
    await resolve(`bank ${file} 1`, 'batch_total_mismatch', 'adjust', [
      debit('assets:bank:main', 500n),
      debit('expenses:gateway-fees', 10n),
      credit(TRANSIT, 510n),
    ])
    expect(await refusal(resolve('credit of', 'missing_external', 'write_off'))).to.equal(
      'resolution_unfit',
    )
    await credits({ amount: 510n, text: 'SOMEBODY', on: '2026-05-20' })
    const settlement = await idOf('settlements', 'settlement_id', 'setl_i')
    const pair = { line: { fileNo: file, rowNo: 1 }, settlements: [settlement] }
    const tie = journal(async (trx) => {
      await matchCredit(trx, pair, how)
    })
    expect(await refusal(tie)).to.equal('recon_not_open')
    expect(await balanceOf(books, TRANSIT)).to.equal(0n)
  })

  it('opens a credit again whose entry somebody reversed', async () => {
    await tell(books, settled('setl_j', 620n, 'utrj00001ax'))
    await credits({ amount: 620n, text: 'UTRJ00001AX RAZORPAY', on: '2026-05-20' })
    const [posted] = await books.read<{ no: bigint }>(
      'select entry_no as no from recon_bank_matches where file_no = $1',
      [file],
    )
    const asWhom = { reason: 'test', effectiveOn: null, today: TODAY, actor: 'test' }
    await journal(
      async (trx) => await reverse(trx, posted?.no ?? 0n, { ...asWhom, lateReason: null }),
    )
    await run()
    expect(await balanceOf(books, TRANSIT)).to.equal(620n)
    expect(await told(`bank ${file} 1`)).to.deep.equal(['ambiguous 620'])
    const settlement = await idOf('settlements', 'settlement_id', 'setl_j')
    expect(await told(`credit of ${settlement}`)).to.deep.equal(['missing_external 620'])
    const pair = { line: { fileNo: file, rowNo: 1 }, settlements: [settlement] }
    await journal(async (trx) => {
      await matchCredit(trx, pair, how)
    })
    await run()
    expect(await balanceOf(books, TRANSIT)).to.equal(0n)
  })

  it('says so where a settlement came back after it was credited', async () => {
    await tell(books, settled('setl_k', 730n, 'utrk00001ax'))
    await credits({ amount: 730n, text: 'UTRK00001AX RAZORPAY', on: '2026-05-20' })
    await tell(books, {
      ...AT,
      kind: 'settlement_returned',
      key: 'rzp:setl_k:returned',
      occurredAt: new Date('2026-05-06T12:00:00+05:30'),
      gatewaySettlementId: 'setl_k',
      amount: 730n,
      currency: 'INR',
      reason: null,
    })
    await run()
    const settlement = await idOf('settlements', 'settlement_id', 'setl_k')
    expect(await told(`credit of ${settlement}`)).to.deep.equal(['status_mismatch 730'])
    expect(await balanceOf(books, TRANSIT)).to.equal(-730n)
    const { moves } = await resolve(settlement, 'status_mismatch', 'write_off')
    expect(moves).to.equal(-730n)
    await run()
    expect(await told(settlement)).to.deep.equal([])
    expect(await balanceOf(books, TRANSIT)).to.equal(0n)
  })

  it('knows a second credit of a UTR in whichever form the gateway told it', async () => {
    await tell(books, settled('setl_l', 840n, 'utr-l00001ax'), settled('setl_m', 840n, null))
    await credits({ amount: 840n, text: 'UTRL00001AX RAZORPAY', on: '2026-05-05' })
    await credits({ amount: 840n, text: 'UTRL00001AX RAZORPAY', on: '2026-05-05' })
    expect(await told(`bank ${file} 1`)).to.deep.equal(['duplicate_external 840'])
  })

  it('is not tied with what is left over once a person took a credit from the other', async () => {
    const on = '2026-05-05'
    await tell(books, settled('setl_o', 1050n, null))
    await credits({ amount: 1050n, text: 'NEFT RAZORPAY', on })
    const place = { fileNo: file, rowNo: 1 }
    await journal(async (trx) => await undo(trx, place, { ...how, mayPost: true }))
    await tell(books, settled('setl_p', 1050n, null))
    await run()
    expect(await told(`bank ${file} 1`)).to.deep.equal(['ambiguous 1050'])
  })

  it('proves no settlement by a credit that was booked as something else', async () => {
    const before = await balanceOf(books, TRANSIT)
    await credits({ amount: 950n, text: 'UTRN00001AX RAZORPAY', on: '2026-05-20' })
    await resolve(`bank ${file} 1`, 'missing_internal', 'adjust', [
      debit('assets:bank:main', 950n),
      credit('equity:general-fund', 950n),
    ])
    const line = { amount: 950n, settlement: 'setl_n', utr: 'UTRN00001AX' }
    await tells({ ...line, id: 'pay_n' })
    await run()
    expect(await told('setl_n')).to.include('missing_internal 950')
    expect(await balanceOf(books, TRANSIT)).to.equal(before)
  })
})
