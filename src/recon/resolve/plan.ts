/** What a resolution will do: which entry or facts, and what it closes; refused where unfit. */
import type { Trx } from '../../base/db.ts'
import type { Fact } from '../../gateways/fact.ts'
import type { AccountCode } from '../../ledger/core/chart.ts'
import {
  differenceAdjusted,
  differenceWrittenOff,
  gatewayAdjusted,
  isOfDifferences,
  type Resolved,
} from '../../ledger/core/difference-rules.ts'
import type { Draft, DraftLine } from '../../ledger/core/entry.ts'
import { withCodes } from '../../ledger/posting/asked.ts'
import type { ExceptionRow } from '../found.ts'
import { NOTHING, type Closing } from '../passes/closed.ts'
import { ACTIONS_OF, type ResolutionAsked } from './asked.ts'
import { stakeOf, type Stake } from './stake.ts'
import { subjectOf, type Subject, type SubjectLine } from './subject.ts'
import { factsOfLine, feeOfLine, settledByLines, unfit } from './told-by-line.ts'

export interface Plan {
  account: AccountCode
  /** What its balance loses. */
  moves: bigint
  draft: Draft | null
  facts: readonly Fact[]
  /** What of the gateway's own lines is booked. */
  booksLine: string | null
  closing: Closing
  /** What is held against the limits of approval. */
  weighs: readonly DraftLine[]
}

/**
 * Throws `resolution_unfit` (moved: no) for what does not suit the break, and for an amount that is
 * not what is at stake.
 */
export async function planOf(
  trx: Trx,
  exception: ExceptionRow,
  asked: ResolutionAsked,
  resolved: Resolved,
): Promise<Plan> {
  const { action } = asked
  const allowed = ACTIONS_OF[exception.kind]
  if (!allowed.includes(action)) {
    throw unfit(`A ${exception.kind} is resolved by ${allowed.join(', ')}, not by ${action}.`)
  }
  assertNotGivenUp(exception)
  const subject = await subjectOf(trx, exception)
  if (subject === null) {
    throw unfit(`What ${exception.exception_id} is about is not open any more: run again.`)
  }
  const stake = stakeOf(exception, subject)
  const base: Plan = {
    account: stake.account,
    moves: 0n,
    draft: null,
    facts: [],
    booksLine: null,
    closing: NOTHING,
    weighs: [],
  }
  switch (action) {
    case 'write_off':
      return writeOff({ exception, asked, resolved }, stake, {
        ...base,
        closing: closingOf(subject),
      })
    case 'adjust':
    case 'reclassify':
      return await adjust(trx, { exception, asked, resolved }, { ...base, subject })
    case 'record':
      return await record(trx, exception, resolved, { ...base, subject })
    case 'dismiss':
      assertNothingAtStake(exception, stake)
      return { ...base, closing: isClosedByWord(exception, subject) ? closingOf(subject) : NOTHING }
    default:
      return action satisfies never
  }
}

interface Case {
  exception: ExceptionRow
  asked: ResolutionAsked
  resolved: Resolved
}

/** What came after it was given up is resolved by taking that back. */
function assertNotGivenUp({ kind, detail }: ExceptionRow): void {
  const { settlements } = detail
  const told: unknown[] = [detail, ...(Array.isArray(settlements) ? settlements : [])]
  const name = told
    .map((one) => (Object(one) as { resolution?: unknown }).resolution)
    .find((one) => typeof one === 'string')
  if (kind === 'status_mismatch' && name !== undefined) {
    const undo = `/v1/recon/resolutions/${name}/undo`
    throw unfit(`${name} had given it up: undo that (POST ${undo}), and the next run ties it.`)
  }
}

function writeOff({ exception, asked, resolved }: Case, stake: Stake, base: Plan): Plan {
  const { account, excess } = stake
  if (excess === null) {
    throw unfit('No rule says what it leaves on which side: say it by adjust.')
  }
  if (excess === 0n) {
    throw unfit(`It leaves nothing on ${account}: there is nothing to write off.`)
  }
  const size = excess < 0n ? -excess : excess
  if (asked.amount !== null && asked.amount !== size) {
    throw unfit(`It is written off whole: ${size} minor units on ${account}, not ${asked.amount}.`)
  }
  const what = `${exception.kind}, ${exception.subject}`
  const off = { account, excess, currency: exception.currency, what: what.slice(0, 900) }
  const draft = differenceWrittenOff(resolved, off)
  return { ...base, moves: excess, draft, weighs: draft.lines }
}

async function adjust(
  trx: Trx,
  { exception, asked, resolved }: Case,
  { subject, ...base }: Plan & { subject: Subject },
): Promise<Plan> {
  const what = `${exception.kind}, ${exception.subject}`.slice(0, 900)
  const draft = differenceAdjusted(resolved, { what, lines: asked.lines })
  const [named = draft] = await withCodes(trx, [draft])
  const accounts = named.lines.map(({ account }) => account)
  const taken = accounts.find((account) => isOfDifferences(account))
  if (taken !== undefined) {
    throw unfit(`${taken} takes write-offs only: name what it was, or write it off.`)
  }
  const isAdjustment = asked.action === 'adjust'
  if (accounts.includes(base.account) !== isAdjustment) {
    throw unfit(
      isAdjustment
        ? `One line at least is on the account in question, ${base.account}.`
        : `A line is on the account in question, ${base.account}: that is adjust.`,
    )
  }
  const moves = named.lines
    .filter(({ account, currency }) => account === base.account && currency === exception.currency)
    .reduce((sum, { direction, amount }) => sum + (direction === 'credit' ? amount : -amount), 0n)
  const closing = isAdjustment ? closingOf(subject) : NOTHING
  return { ...base, moves, draft: named, closing, weighs: named.lines }
}

async function record(
  trx: Trx,
  exception: ExceptionRow,
  resolved: Resolved,
  { subject, ...base }: Plan & { subject: Subject },
): Promise<Plan> {
  const facts = (told: readonly Fact[]): Plan => ({ ...base, facts: told, weighs: weighed(told) })
  if (subject.of === 'settlement') {
    return facts([await settledFact(trx, subject)])
  }
  if (subject.of !== 'line') {
    throw unfit('Only what a gateway’s report tells can be recorded: adjust instead.')
  }
  const { line } = subject
  if (exception.kind === 'fee_missing') {
    const { told_fee: told, kept = told } = exception.detail
    if (line.fee === null || ![told, kept].every((one) => String(one) === String(line.fee))) {
      throw unfit('The line’s own numbers do not say this fee: adjust instead.')
    }
    if ((exception.detail['recorded_fee'] ?? null) !== null) {
      throw unfit('The fee that our books have was told by the gateway: adjust or write off.')
    }
    return facts(feeOfLine(line))
  }
  if (line.kind !== 'fee' && line.kind !== 'adjustment' && line.kind !== 'other') {
    return facts(factsOfLine(line))
  }
  if (line.net === 0n) {
    throw unfit('It moves nothing: dismiss it.')
  }
  const draft = gatewayAdjusted(resolved, {
    gateway: line.gateway,
    ref: line.external_id ?? `line ${line.file_no}-${line.row_no}`,
    isFee: line.kind === 'fee',
    net: line.net,
    tax: line.tax ?? 0n,
    currency: line.currency,
  })
  const booksLine = ownLineKey(line)
  const closing = closingOf(subject)
  return { ...base, moves: -line.net, draft, booksLine, closing, weighs: draft.lines }
}

/** Its name at the gateway; one that has none is known by where it stands. */
function ownLineKey(line: SubjectLine): string {
  const { gateway, account, external_id: id, settlement_ref: settlement } = line
  const name = id ?? `${line.file_no} ${line.row_no}`
  return [gateway, account, settlement ?? '', name, line.net, line.repeated].join(' ')
}

async function settledFact(
  trx: Trx,
  { gateway, account, ref }: Extract<Subject, { of: 'settlement' }>,
): Promise<Fact> {
  const rows = await trx.query<{
    net: bigint
    currency: string
    utr: string | null
    settled_on: string | null
  }>(
    `select b.net, b.currency, l.utr, l.settled_on
       from recon_batches b
       left join lateral (
         select max(utr) as utr, min(settled_on) as settled_on from settlement_lines
          where settlement_ref = $4 and org_id = $1 and gateway = $2 and account = $3
       ) l on true
      where b.settlement_ref = $4 and b.org_id = $1 and b.gateway = $2 and b.account = $3`,
    [trx.scope, gateway, account, ref],
  )
  const [one] = rows
  if (one === undefined || rows.length > 1) {
    throw unfit('Its lines are in several currencies: nobody can know what was sent.')
  }
  const { net: amount, currency, utr, settled_on: settledOn } = one
  return settledByLines({ gateway, account, ref, amount, currency, utr, settledOn })
}

/** As if each fact debited what it is about. */
function weighed(facts: readonly Fact[]): DraftLine[] {
  return facts.flatMap((fact): DraftLine[] => {
    const amount = 'amount' in fact ? fact.amount : 'fee' in fact ? fact.fee : 0n
    // A refund that was paid is the one that was begun.
    return fact.kind === 'refund_processed' || !('currency' in fact)
      ? []
      : [{ account: 'assets:clearing', direction: 'debit', amount, currency: fact.currency }]
  })
}

/** A word ends only what leaves nothing unexplained. */
function assertNothingAtStake({ kind }: ExceptionRow, { account, excess }: Stake): void {
  const isMoney = kind === 'fee_missing' || kind === 'unknown_line'
  if (isMoney && excess !== 0n) {
    throw unfit(`It leaves ${excess ?? 'money'} on ${account}: book that, a word does not end it.`)
  }
}

/** What is ambiguous may still be decided by what comes; what was told twice never will be. */
function isClosedByWord({ kind }: ExceptionRow, subject: Subject): boolean {
  return (
    (subject.of === 'line' || subject.of === 'bank') &&
    (kind === 'duplicate_external' || kind === 'unknown_line')
  )
}

function closingOf(subject: Subject): Closing {
  switch (subject.of) {
    case 'line': {
      const { line, record: named } = subject
      return { ...NOTHING, lines: [placeOf(line)], records: named === null ? [] : [nameOf(named)] }
    }
    case 'record': {
      const { record: named, lines } = subject
      return { ...NOTHING, lines: lines.map(placeOf), records: [nameOf(named)] }
    }
    case 'settlement':
      return NOTHING
    case 'credit':
      return { ...NOTHING, settlements: [subject.settlementId] }
    case 'bank': {
      const { fileNo, rowNo, settlements } = subject
      return { ...NOTHING, bankLines: [{ fileNo, rowNo }], settlements }
    }
    default:
      return subject satisfies never
  }
}

function placeOf({ file_no: fileNo, row_no: rowNo }: { file_no: number; row_no: number }) {
  return { fileNo, rowNo }
}

function nameOf({ record_id: recordId, reversal }: { record_id: string; reversal: boolean }) {
  return { recordId, reversal }
}
