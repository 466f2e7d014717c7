/** What gateways and the bank tell in tests: facts into the books, lines into files, and runs. */
import { recordFacts } from '../../src/donations/record.ts'
import type { Fact } from '../../src/gateways/fact.ts'
import { tokensOf } from '../../src/recon/sources/line.ts'
import { goOn } from '../../src/recon/run.ts'
import { askRun } from '../../src/recon/runs.ts'
import { ORG, type Books } from '../ledger/books.ts'

export const AT = { gateway: 'razorpay', account: 'acc_test' } as const
export const DAY = '2026-05-04'
const NOON = new Date(`${DAY}T12:00:00+05:30`)

let events = 0

/** Records facts as a webhook would have told them; gives what became of each. */
export async function tell(books: Books, ...facts: Fact[]): Promise<(string | null)[]> {
  const told = facts.map((fact) => {
    events += 1
    return { eventId: `evt_${events}`, fact }
  })
  return await books.db.transact(
    ORG,
    async (trx) => {
      const outcomes = await recordFacts(trx, told, new Date())
      return told.map(({ eventId }) => outcomes.get(eventId)?.code ?? null)
    },
    { queue: 'journal' },
  )
}

export function captured(id: string, amount: bigint, currency = 'INR'): Fact {
  return {
    ...AT,
    kind: 'payment_captured',
    key: `rzp:${id}:captured`,
    occurredAt: NOON,
    gatewayPaymentId: id,
    orderRef: null,
    method: 'upi',
    payer: { name: null, email: null, phone: null },
    bankReference: null,
    subscriptionRef: null,
    amount,
    currency,
  }
}

export function fee(id: string, charge: bigint, tax = 0n): Fact {
  return {
    ...AT,
    kind: 'payment_fee',
    key: `rzp:${id}:fee`,
    occurredAt: NOON,
    gatewayPaymentId: id,
    fee: charge,
    tax,
    currency: 'INR',
  }
}

export function refunded(id: string, payment: string, amount: bigint): Fact[] {
  const base = {
    ...AT,
    occurredAt: NOON,
    gatewayRefundId: id,
    gatewayPaymentId: payment,
    amount,
    currency: 'INR',
  }
  return [
    { ...base, kind: 'refund_created', key: `rzp:${id}:created`, reference: null },
    { ...base, kind: 'refund_processed', key: `rzp:${id}:processed`, bankReference: null },
  ]
}

export function settled(id: string, amount: bigint, utr: string | null, currency = 'INR'): Fact {
  return {
    ...AT,
    kind: 'settled',
    key: `rzp:${id}:processed`,
    occurredAt: NOON,
    gatewaySettlementId: id,
    amount,
    currency,
    utr,
  }
}

/** A line of a settlement; its net is what its kind, amount and fee come to. */
export interface ToldLine {
  id: string | null
  kind?: string
  amount: bigint
  fee?: bigint | null
  tax?: bigint | null
  net?: bigint
  settlement?: string | null
  utr?: string | null
  currency?: string
}

const TAKES = new Set(['refund', 'transfer', 'dispute'])

/** Puts lines into a file of their own. */
export async function report(books: Books, fileNo: number, lines: ToldLine[]): Promise<void> {
  await asOwnerOf(books, async (query) => {
    for (const [at, line] of lines.entries()) {
      const { kind = 'payment', fee: charge = null, tax = null, currency = 'INR' } = line
      const sign = TAKES.has(kind) ? -1n : 1n
      await query(
        `insert into settlement_lines (org_id, file_no, row_no, row_key, gateway, account, kind,
           external_id, settlement_ref, utr, amount, fee, tax, net, currency, occurred_on,
           settled_on)
         values (${ORG}, $1, $2, gen_random_uuid(), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
                 $13, $14, $14)`,
        [
          ...[fileNo, at + 1, AT.gateway, AT.account, kind, line.id],
          line.settlement === undefined ? 'setl_1' : line.settlement,
          ...[line.utr ?? null, line.amount, charge, tax],
          ...[line.net ?? sign * line.amount - (charge ?? 0n), currency, DAY],
        ],
      )
    }
  })
}

export interface Credit {
  amount: bigint
  text: string
  currency?: string
  account?: string
  on?: string
}

/** Puts lines of a bank statement into a file of their own. */
export async function statement(books: Books, fileNo: number, credits: Credit[]): Promise<void> {
  await asOwnerOf(books, async (query) => {
    for (const [at, { amount, text, currency = 'INR', account, on }] of credits.entries()) {
      await query(
        `insert into bank_lines (org_id, file_no, row_no, row_key, ledger_account, booked_on,
           amount, currency, narration, tokens)
         values (${ORG}, $1, $2, gen_random_uuid(), $3, $4, $5, $6, $7, $8)`,
        [
          ...[fileNo, at + 1, account ?? 'assets:bank:main', on ?? DAY, amount, currency, text],
          tokensOf({ reference: null, narration: text }),
        ],
      )
    }
  })
}

async function asOwnerOf(
  books: Books,
  work: (query: (sql: string, params: unknown[]) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await books.database.asOwner(async (client) => {
    await client.query(`set bahi.org_id = '${ORG}'`)
    await work(async (sql, params) => await client.query(sql, params))
  })
}

export async function askFor(books: Books, files: number[], asOf = '2026-05-06'): Promise<void> {
  await books.db.transact(ORG, async (trx) => {
    await askRun(trx, { files, asOf, actor: 'test' })
  })
}

/** A whole run over these files. */
export async function runOver(books: Books, files: number[], asOf?: string): Promise<void> {
  await askFor(books, files, asOf)
  while (await goOn(books.db, ORG)) {
    // Part by part.
  }
}

/** Debits less credits of an account. */
export async function balanceOf(books: Books, code: string, currency = 'INR'): Promise<bigint> {
  const [row] = await books.read<{ balance: bigint }>(
    `select coalesce(sum(debits - credits), 0)::bigint as balance from accounts
      where code = $1 and currency = $2`,
    [code, currency],
  )
  return row?.balance ?? 0n
}

/** Open exceptions, each as its kind and what it is about. */
export async function openBreaks(books: Books): Promise<string[]> {
  const rows = await books.read<{ kind: string; subject: string }>(
    `select kind, subject from recon_exceptions where state = 'open' order by kind, subject`,
  )
  return rows.map(({ kind, subject }) => `${kind} ${subject}`)
}
