/** Compares what a gateway lists with what our books know: missing, known, or contradicting. */
import type { Trx } from '../../base/db.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import type { Told } from '../../gateways/asked.ts'
import type { Fact, GatewayName, PaymentFact } from '../../gateways/fact.ts'
import { fingerprintOf } from '../../payments/facts.ts'
import { paymentKeyOf } from '../../payments/payments.ts'
import { fillIn, loadRecords, type Records } from '../../payments/records.ts'
import { refundKeyOf } from '../../payments/refunds.ts'
import { readEvent } from '../stored-event.ts'
import type { Found } from './differences.ts'

export interface Account {
  gateway: GatewayName
  account: string
  /** A term of the account (gateway_accounts). */
  disputesDebitedUpfront: boolean
}

/** A row of a list with the facts in it. */
export interface ReadRow {
  told: Told
  facts: Fact[]
}

/** Reads rows as processing will; what cannot be read is told apart. */
export function readRows(
  account: Account,
  listed: readonly Told[],
): { rows: ReadRow[]; unreadable: Found[] } {
  const rows: ReadRow[] = []
  const unreadable: Found[] = []
  for (const told of listed) {
    const { event, confirmation } = told
    try {
      const { facts } = readEvent(
        {
          gateway: account.gateway,
          account: account.account,
          content_type: event.contentType,
          confirmation,
          received_at: event.receivedAt,
          secret_id: null,
          disputes_debited_upfront: account.disputesDebitedUpfront,
        },
        event.body,
      )
      rows.push({ told, facts })
    } catch (error) {
      if (!(error instanceof Problem)) {
        throw error
      }
      unreadable.push({ ref: told.id, kind: 'unreadable', detail: messageOf(error) })
    }
  }
  return { rows, unreadable }
}

export interface Comparison {
  /** Tells something that our books do not have. */
  missing: Told[]
  /** Tells more of what they have: a bank's reference that came late. */
  fuller: Told[]
  contradictions: Found[]
}

/** What was captured shorter ago than this may have been captured after the list was made. */
const CAPTURED_MS_AGO = 10 * 60_000

interface Known {
  fingerprint: Buffer
  content: Record<string, unknown>
}

/** Compares rows with what is recorded; nothing is changed. `listedAt` is when they were listed. */
export async function compare(
  trx: Trx,
  rows: readonly ReadRow[],
  listedAt: Date,
): Promise<Comparison> {
  const facts = rows.flatMap((row) => row.facts)
  const known = await knownFacts(trx, facts)
  const parked = await parkedFacts(trx, facts)
  const records = await loadRecords(trx, facts)
  const result: Comparison = { missing: [], fuller: [], contradictions: [] }
  for (const { told, facts: own } of rows) {
    const contradiction =
      own.map((fact) => otherMoney(fact, known)).find((detail) => detail !== null) ?? null
    const step = contradiction === null ? stepBack(own, records, listedAt) : null
    if (contradiction !== null) {
      result.contradictions.push({ ref: told.id, kind: 'money', detail: contradiction })
    } else if (step !== null) {
      result.contradictions.push({ ref: told.id, kind: 'state', detail: step })
    } else if (own.some((fact) => !isKnown(fact, { known, parked, records }))) {
      result.missing.push(told)
    } else if (saysMore(own, known, records)) {
      result.fuller.push(told)
    }
  }
  return result
}

async function knownFacts(trx: Trx, facts: readonly Fact[]): Promise<Map<string, Known>> {
  const rows = await trx.query<Known & { key: string }>(
    `select k.key, f.fingerprint, f.content
       from unnest($2::text[]) as k (key)
      cross join lateral (
        select fingerprint, content from facts where org_id = $1 and fact_key = k.key limit 1
      ) f`,
    [trx.scope, keysOf(facts)],
  )
  return new Map(rows.map((row) => [row.key, row]))
}

async function parkedFacts(trx: Trx, facts: readonly Fact[]): Promise<Set<string>> {
  const rows = await trx.query<{ key: string }>(
    `select k.key
       from unnest($2::text[]) as k (key)
      cross join lateral (
        select 1 from parked_facts where org_id = $1 and fact_key = k.key limit 1
      ) p`,
    [trx.scope, keysOf(facts)],
  )
  return new Set(rows.map(({ key }) => key))
}

function keysOf(facts: readonly Fact[]): string[] {
  return [...new Set(facts.map(({ key }) => key))]
}

/** What differs between a recorded fact and the one that is listed; null where nothing does. */
function otherMoney(fact: Fact, known: ReadonlyMap<string, Known>): string | null {
  const before = known.get(fact.key)
  if (before === undefined || before.fingerprint.equals(fingerprintOf(fact))) {
    return null
  }
  const listed: Readonly<Record<string, unknown>> = { ...fact }
  const parts = ['amount', 'fee', 'tax', 'currency', 'gatewayPaymentId'].flatMap((name) => {
    const [was, is] = [before.content[name], listed[name]]
    return wordOf(was) === wordOf(is) ? [] : [`${name} ${wordOf(was)}, listed ${wordOf(is)}`]
  })
  return `${fact.key} is recorded with ${parts.join('; ') || 'other content'}.`
}

function wordOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'bigint' ? value.toString() : 'nothing'
}

/** A payment that we have as captured and the gateway lists as less; null where it is not so. */
function stepBack(facts: readonly Fact[], records: Records, listedAt: Date): string | null {
  const [first] = facts
  const isLess = facts.length > 0 && facts.every(({ kind }) => LESS.has(kind))
  if (!isLess || first === undefined || !('gatewayPaymentId' in first)) {
    return null
  }
  const payment = records.payments.byKey.get(paymentKeyOf(first))
  const capturedAt = payment?.captured_at ?? null
  if (capturedAt === null || listedAt.getTime() - capturedAt.getTime() < CAPTURED_MS_AGO) {
    return null
  }
  const listed = first.kind === 'payment_failed' ? 'failed' : 'authorised'
  return `Payment ${first.gatewayPaymentId} is recorded as captured, and listed as ${listed}.`
}

const LESS: ReadonlySet<Fact['kind']> = new Set(['payment_authorized', 'payment_failed'])

interface Recorded {
  known: ReadonlyMap<string, Known>
  parked: ReadonlySet<string>
  records: Records
}

/** Whether it is recorded, waits for what it needs, or was overtaken by what is recorded. */
function isKnown(fact: Fact, { known, parked, records }: Recorded): boolean {
  if (known.has(fact.key) || parked.has(fact.key)) {
    return true
  }
  switch (fact.kind) {
    case 'payment_authorized':
      return isAtLeast(fact, records, ['authorized', 'captured'])
    // The time in its key is the event's, and a list has no events.
    case 'payment_failed':
      return isAtLeast(fact, records, ['failed', 'authorized', 'captured'])
    // What was given back without having been captured is told by one fact for all of its steps.
    case 'refund_created':
    case 'refund_processed':
      return records.refunds.byKey.get(refundKeyOf(fact))?.state === 'voided'
    default:
      return false
  }
}

function isAtLeast(fact: PaymentFact, records: Records, states: readonly string[]): boolean {
  const payment = records.payments.byKey.get(paymentKeyOf(fact))
  return payment !== undefined && states.includes(payment.state)
}

/** Whether processing it again would fill in something, as it does with repeated facts. */
function saysMore(
  facts: readonly Fact[],
  known: ReadonlyMap<string, Known>,
  records: Records,
): boolean {
  const changed = (): number =>
    Object.values(records).reduce((sum: number, rows) => sum + rows.changed.size, 0)
  const before = changed()
  for (const fact of facts) {
    if (known.has(fact.key)) {
      fillIn(records, fact, fact.occurredAt)
    }
  }
  return changed() > before
}
