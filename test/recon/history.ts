/** A history of the reconciliation, made of all that can happen to it in whatever order. */
import { Problem } from '../../src/base/problem.ts'
import type { Fact } from '../../src/gateways/fact.ts'
import { reverse } from '../../src/ledger/posting/correct.ts'
import { matchCredit, matchLines } from '../../src/recon/by-hand.ts'
import { resolveException } from '../../src/recon/resolve/resolve.ts'
import { undoResolution } from '../../src/recon/resolve/undo.ts'
import { resolutionOfEntry } from '../../src/recon/resolve/store.ts'
import { goOn } from '../../src/recon/run.ts'
import { undo } from '../../src/recon/undo.ts'
import { ORG, type Books } from '../ledger/books.ts'
import {
  askFor,
  AT,
  captured,
  fee,
  goThrough,
  refunded,
  report,
  settled,
  statement,
  tell,
  type ToldLine,
} from './told.ts'

export const VERBS = [
  'capture',
  'fee',
  'refund',
  'settle',
  'return',
  'report',
  'report',
  'statement',
  'run',
  'run',
  'part',
  'resolve',
  'resolve',
  'take back',
  'match',
  'credit',
  'undo',
  'reverse',
] as const

export interface Step {
  verb: (typeof VERBS)[number]
  pick: number
  off: bigint
}

const TODAY = '2026-05-31'
const how = { by: 'test', because: 'test', today: TODAY }
const MAKER = { actor: 'test', role: 'finance', person: 'test' }
const ACTIONS = ['write_off', 'record', 'dismiss'] as const

/** Does one step after the other on books of its own; what cannot happen now does not. */
export class History {
  readonly #books: Books
  #made = 0
  #files = 0

  constructor(books: Books) {
    this.#books = books
  }

  async happen({ verb, pick, off }: Step): Promise<void> {
    this.#made += 1
    const [made, books] = [this.#made, this.#books]
    switch (verb) {
      case 'capture': {
        const id = `pay_${made}`
        const facts = pick % 2 === 0 ? [] : [fee(id, 20n + off)]
        return void (await tell(books, captured(id, 1000n + BigInt(pick % 3)), ...facts))
      }
      case 'fee': {
        const id = await this.#any('payments', 'gateway_payment_id', pick, 'fee is null')
        return id === null ? undefined : void (await tell(books, fee(id, 20n + off)))
      }
      case 'refund': {
        const id = await this.#any('payments', 'gateway_payment_id', pick)
        return id === null ? undefined : void (await tell(books, ...refunded(`rf_${made}`, id, 7n)))
      }
      case 'settle':
        return void (await tell(books, ...this.#settling(pick, off)))
      case 'return':
        return await this.#sendBack(pick)
      case 'report':
        return await this.#report(pick, off)
      case 'statement':
        return await this.#statement(pick, off)
      case 'run':
        return await this.run()
      case 'part':
        await this.#ask()
        return void (await goOn(books.db, ORG))
      case 'resolve':
        return await this.#resolve(pick)
      case 'take back':
        return await this.#takeBack(pick)
      case 'match':
        return await this.#match(pick)
      case 'credit':
        return await this.#credit(pick)
      case 'undo':
        return await this.#undo(pick)
      case 'reverse':
        return await this.#reverse(pick)
      default:
        return verb satisfies never
    }
  }

  /** What is left of a run that was begun, or a whole one over all files. */
  async run(): Promise<void> {
    await this.#ask()
    await goThrough(this.#books)
  }

  async #ask(): Promise<void> {
    const files = Array.from({ length: this.#files }, (_none, at) => at + 1)
    await refusable(async () => await askFor(this.#books, files, TODAY))
  }

  async #any(table: string, column: string, pick: number, where = 'true'): Promise<string | null> {
    const rows = await this.#books.read<{ id: string }>(
      `select ${column} as id from ${table} where ${where} order by 1`,
    )
    return rows[pick % Math.max(rows.length, 1)]?.id ?? null
  }

  #settling(pick: number, off: bigint): Fact[] {
    const id = `setl_${this.#made}`
    const amount = 900n + BigInt(pick % 40) + off
    // Now and then two have one UTR, or none; and in the form in which Razorpay writes it.
    const utr = pick % 7 === 0 ? null : pick % 5 === 0 ? 'utrtwice01ax' : `utr${this.#made}000ax`
    return [settled(id, amount, utr)]
  }

  async #sendBack(pick: number): Promise<void> {
    const rows = await this.#books.read<{ id: string; amount: bigint }>(
      `select gateway_settlement_id as id, amount from settlements
        where state = 'processed' order by 1`,
    )
    const one = rows[pick % Math.max(rows.length, 1)]
    if (one !== undefined && pick % 3 === 0) {
      const { id: gatewaySettlementId, amount } = one
      await tell(this.#books, {
        ...AT,
        kind: 'settlement_returned',
        key: `rzp:${gatewaySettlementId}:returned`,
        occurredAt: new Date('2026-05-06T12:00:00+05:30'),
        gatewaySettlementId,
        amount,
        currency: 'INR',
        reason: null,
      })
    }
  }

  /** Lines of some records, right and wrong, of nothing that is known, and of no name. */
  async #report(pick: number, off: bigint): Promise<void> {
    const found = await this.#books.read<{ id: string; kind: string; amount: bigint }>(
      `select gateway_payment_id as id, 'payment' as kind, amount from payments
        union all select gateway_refund_id, 'refund', amount from refunds order by 1`,
    )
    const settlement = await this.#any('settlements', 'gateway_settlement_id', pick)
    const of = pick % 4 === 0 ? `setl_x${this.#made}` : settlement
    const base = { settlement: of, utr: of === null ? null : `UTRX${this.#made}000` }
    const lines = found
      .filter((_one, at) => (at + pick) % 4 === 0)
      .flatMap((one): ToldLine[] => {
        const charge = one.kind === 'refund' ? 0n : 20n + (pick % 3 === 0 ? off : 0n)
        const whole = { ...one, ...base, fee: charge, tax: 0n }
        const half = one.amount / 2n
        return pick % 5 === 0
          ? [
              { ...whole, amount: half },
              { ...whole, amount: one.amount - half, fee: 0n },
            ]
          : [pick % 6 === 0 ? { ...whole, amount: one.amount + off } : whole]
      })
    this.#files += 1
    await report(this.#books, this.#files, [
      ...lines,
      { ...base, id: null, amount: 1000n + BigInt(pick % 3), fee: 20n },
      { ...base, id: `pay_none_${this.#made}`, amount: 50n, fee: 1n },
      { ...base, id: `pay_none_${this.#made}`, amount: 50n, fee: 1n, repeated: 1 },
      { ...base, id: `adj_${this.#made}`, kind: 'adjustment', amount: 5n, net: -5n },
    ])
  }

  async #statement(pick: number, off: bigint): Promise<void> {
    const found = await this.#books.read<{ utr: string | null; amount: bigint }>(
      `select utr, amount from settlements order by settlement_id`,
    )
    const unknown = await this.#books.read<{ utr: string; net: bigint }>(
      `select max(utr) as utr, sum(net)::bigint as net from settlement_lines
        where settlement_ref like 'setl_x%' and repeated = 0 group by settlement_ref`,
    )
    const credits = [
      ...found.map(({ utr, amount }) => ({ amount: amount + (pick % 5 === 0 ? off : 0n), utr })),
      ...unknown.map(({ utr, net }) => ({ amount: net, utr })),
    ]
      .filter(({ amount }, at) => amount > 0n && (at + pick) % 2 === 0)
      .map(({ amount, utr }) => ({ amount, text: `NEFT ${utr ?? ''} RAZORPAY`, on: '2026-05-05' }))
    this.#files += 1
    await statement(this.#books, this.#files, [
      ...credits,
      { amount: 3n, text: 'INTEREST', on: '2026-05-20' },
    ])
  }

  async #resolve(pick: number): Promise<void> {
    const exceptionId = await this.#any('recon_exceptions', 'exception_id', pick, `state = 'open'`)
    for (const action of exceptionId === null ? [] : ACTIONS) {
      const asked = {
        exceptionId: exceptionId ?? '',
        action,
        reasonCode: 'other',
        words: 'test',
        amount: null,
        effectiveOn: null,
        today: TODAY,
        lateReason: null,
        lines: [],
        askedKey: `key ${this.#made} ${action}`,
        fingerprint: Buffer.alloc(32),
        body: {},
      } as const
      if (await this.#journal(async (trx) => await resolveException(trx, asked, MAKER))) {
        return
      }
    }
  }

  async #takeBack(pick: number): Promise<void> {
    const resolutionId = await this.#any(
      'recon_resolutions',
      'resolution_id',
      pick,
      `state = 'done'`,
    )
    const asked = { reason: 'test', effectiveOn: null, today: TODAY, lateReason: null, body: {} }
    const id = resolutionId ?? 'rsl_none'
    await this.#journal(
      async (trx) =>
        await undoResolution(trx, { ...asked, resolutionId: id, key: `u${this.#made}` }, MAKER),
    )
  }

  async #match(pick: number): Promise<void> {
    const rows = await this.#books.read<{ file: number; row: number; id: string }>(
      `select l.file_no as file, l.row_no as row, r.record_id as id
         from recon_open_lines o join settlement_lines l using (org_id, file_no, row_no)
         join recon_open_records r on r.amount = l.amount and r.kind = l.kind order by 1, 2, 3`,
    )
    const one = rows[pick % Math.max(rows.length, 1)]
    if (one !== undefined) {
      const lines = [{ fileNo: one.file, rowNo: one.row }]
      await this.#journal(async (trx) => {
        await matchLines(trx, { lines, records: [one.id] }, how)
      })
    }
  }

  async #credit(pick: number): Promise<void> {
    const rows = await this.#books.read<{ file: number; row: number; id: string }>(
      `select l.file_no as file, l.row_no as row, s.settlement_id as id
         from recon_open_bank_lines o join bank_lines l using (org_id, file_no, row_no)
         join settlements s on s.amount = l.amount order by 1, 2, 3`,
    )
    const one = rows[pick % Math.max(rows.length, 1)]
    if (one !== undefined) {
      const line = { fileNo: one.file, rowNo: one.row }
      await this.#journal(async (trx) => {
        await matchCredit(trx, { line, settlements: [one.id] }, how)
      })
    }
  }

  async #undo(pick: number): Promise<void> {
    const table = pick % 2 === 0 ? 'recon_matches' : 'recon_bank_matches'
    const line = await this.#any(table, `file_no || '-' || row_no`, pick, 'undone_at is null')
    const [fileNo = 0, rowNo = 0] = (line ?? '0-0').split('-').map(Number)
    await this.#journal(
      async (trx) => await undo(trx, { fileNo, rowNo }, { ...how, mayPost: true }),
    )
  }

  /** An entry that a run or a resolution posted; the latter is refused, as over HTTP. */
  async #reverse(pick: number): Promise<void> {
    const no = await this.#any(
      'journal_entries',
      'entry_no',
      pick,
      `kind in ('bank_credited', 'difference_written_off') and not exists (
         select from journal_entries r where r.reverses = journal_entries.entry_no)`,
    )
    if (no !== null && pick % 2 === 0) {
      const asked = { reason: 'test', effectiveOn: null, today: TODAY, actor: 'test' }
      await this.#journal(async (trx) =>
        (await resolutionOfEntry(trx, BigInt(no))) === null
          ? await reverse(trx, BigInt(no), { ...asked, lateReason: null })
          : null,
      )
    }
  }

  async #journal(work: Parameters<Books['db']['transact']>[1]): Promise<boolean> {
    return await refusable(
      async () => await this.#books.db.transact(ORG, work, { queue: 'journal', behind: 'recon' }),
    )
  }
}

/** True where it was done; false where it was refused with a reason. */
async function refusable(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (error instanceof Problem && error.status < 500) {
      return false
    }
    throw error
  }
}
