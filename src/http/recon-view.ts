/** Sources, files and lines of the reconciliation, as answers show them. */
import { z } from 'zod'
import { minorOrText, minorToJson } from '../base/money.ts'
import { GATEWAY_NAMES } from '../gateways/fact.ts'
import { FILE_STATES, type ReconFile } from '../recon/files/files.ts'
import type { BankLineRow, SettlementLineRow } from '../recon/files/lines.ts'
import type { FaultRow } from '../recon/files/tallies.ts'
import type { ReconSource } from '../recon/files/sources-of-lines.ts'
import { BANK_FORMATS, GATEWAY_FORMATS } from '../recon/sources/formats.ts'
import { LINE_KINDS } from '../recon/sources/line.ts'
import { currencyCode, day, idText, instant, minorUnits, sha256Hex } from './answers.ts'

export const reconSource = z
  .strictObject({
    id: idText('rsc'),
    name: z.string(),
    side: z.enum(['gateway', 'bank']),
    gateway: z.enum(GATEWAY_NAMES).nullable(),
    account: z.string().nullable().meta({ description: 'At the gateway.' }),
    ledger_account: z.string().nullable().meta({ description: 'Ours for the one at the bank.' }),
    version: z.int().meta({ description: 'Of how its files are read; each change is another.' }),
    format: z.enum([...GATEWAY_FORMATS, ...BANK_FORMATS]),
    mapping: z.record(z.string(), z.unknown()),
    fetched_daily: z.boolean(),
    fetched_on: day.nullable().meta({ description: 'When the last days were asked for last.' }),
    made_by: z.string(),
    made_at: instant,
    archived_by: z.string().nullable(),
    archived_at: instant.nullable(),
  })
  .meta({ id: 'ReconSource' })

export function sourceView(one: ReconSource): z.input<typeof reconSource> {
  return {
    id: one.source_id,
    name: one.name,
    side: one.side,
    gateway: one.gateway,
    account: one.account,
    ledger_account: one.ledger_account,
    version: one.version,
    format: one.format,
    mapping: { ...one.mapping },
    fetched_daily: one.fetched_daily,
    fetched_on: one.fetched_on,
    made_by: one.made_by,
    made_at: one.made_at.toISOString(),
    archived_by: one.archived_by,
    archived_at: one.archived_at?.toISOString() ?? null,
  }
}

const total = z.strictObject({
  currency: currencyCode,
  lines: z.int(),
  credits: minorUnits.meta({ description: 'What comes in, or adds to settlements.' }),
  debits: minorUnits,
  fees: minorUnits.meta({ description: 'With their tax.' }),
  taxes: minorUnits,
})

export const reconFile = z
  .strictObject({
    id: idText('rfl'),
    source: idText('rsc'),
    mapping_version: z.int(),
    name: z.string(),
    fetched_day: day.nullable().meta({ description: 'Of what was fetched from the gateway.' }),
    sha256: sha256Hex.nullable(),
    bytes: z.int(),
    state: z.enum(FILE_STATES).meta({
      description:
        'asked: to be fetched; previewed: looked at, nothing is loaded; loading; loaded; ' +
        'refused: it cannot be read; forgotten: nobody loaded it.',
    }),
    problem: z.string().nullable(),
    lines: z.int().meta({ description: 'Rows that were read.' }),
    skipped: z.int().meta({ description: 'Rows that are no lines: titles, totals, not booked.' }),
    refused: z.int().meta({ description: 'Rows that could not be read.' }),
    faults: z.int(),
    fresh: z.int().nullable().meta({ description: 'Lines that no file had before.' }),
    known: z.int().nullable().meta({ description: 'Lines that another file had, left out.' }),
    done: z.int().meta({ description: 'Lines so far, while it is being fetched or loaded.' }),
    first_day: day.nullable(),
    last_day: day.nullable(),
    totals: z.array(total),
    preview: z
      .strictObject({
        lines: z.array(z.record(z.string(), z.unknown())),
        looked_at: z.int(),
        known: z.int().meta({ description: 'How many of those that were looked at.' }),
      })
      .nullable()
      .meta({ description: 'The first lines as they were read.' }),
    same_bytes: idText('rfl').nullable().meta({ description: 'Loaded before, for this source.' }),
    made_by: z.string(),
    made_at: instant,
    committed_by: z.string().nullable(),
    committed_at: instant.nullable(),
    ended_at: instant.nullable(),
  })
  .meta({ id: 'ReconFile' })

export function fileView(one: ReconFile): z.input<typeof reconFile> {
  const { preview } = one
  return {
    id: one.file_id,
    source: one.source_id,
    mapping_version: one.mapping_version,
    name: one.name,
    fetched_day: one.fetched_day,
    sha256: one.sha256?.toString('hex') ?? null,
    bytes: Number(one.bytes),
    state: one.state,
    problem: one.problem,
    lines: one.lines,
    skipped: one.skipped,
    refused: one.refused,
    faults: one.faults,
    fresh: one.fresh,
    known: one.known,
    done: one.done,
    first_day: one.first_day,
    last_day: one.last_day,
    totals: one.totals.map((sums) => ({
      ...sums,
      credits: minorOrText(BigInt(sums.credits)),
      debits: minorOrText(BigInt(sums.debits)),
      fees: minorOrText(BigInt(sums.fees)),
      taxes: minorOrText(BigInt(sums.taxes)),
    })),
    preview: preview === null ? null : { ...preview, lines: preview.lines.map((l) => ({ ...l })) },
    same_bytes: one.same_bytes,
    made_by: one.made_by,
    made_at: one.made_at.toISOString(),
    committed_by: one.committed_by,
    committed_at: one.committed_at?.toISOString() ?? null,
    ended_at: one.ended_at?.toISOString() ?? null,
  }
}

export const reconFault = z
  .strictObject({
    number: z.int(),
    row: z.int().nullable().meta({ description: 'Of the file, from 1; null: all of it.' }),
    column: z.string().nullable(),
    reason: z.string(),
  })
  .meta({ id: 'ReconFault' })

export function faultView(one: FaultRow): z.input<typeof reconFault> {
  return { number: one.fault_no, row: one.row, column: one.column, reason: one.reason }
}

const named = {
  id: z.string().meta({ description: 'The number of the file and of the row: 12-345.' }),
  file: idText('rfl'),
  source: idText('rsc'),
  row: z.int(),
  repeated: z.int().meta({ description: 'How many lines before it in its file say the same.' }),
}

function nameOf(one: SettlementLineRow | BankLineRow) {
  return {
    id: `${one.file_no}-${one.row_no}`,
    file: one.file_id,
    source: one.source_id,
    row: one.row_no,
    repeated: one.repeated,
  }
}

export const settlementLine = z
  .strictObject({
    ...named,
    gateway: z.string(),
    account: z.string(),
    kind: z.enum(LINE_KINDS),
    told_kind: z.string().nullable().meta({ description: 'The gateway’s word for other.' }),
    external_id: z.string().nullable(),
    payment_ref: z.string().nullable(),
    order_ref: z.string().nullable(),
    settlement_ref: z.string().nullable(),
    utr: z.string().nullable(),
    amount: minorUnits,
    fee: minorUnits.nullable().meta({ description: 'With its tax.' }),
    tax: minorUnits.nullable(),
    net: minorUnits.meta({ description: 'What it adds to the settlement.' }),
    currency: currencyCode,
    occurred_on: day.nullable(),
    settled_on: day.nullable(),
  })
  .meta({ id: 'SettlementLine' })

export function settlementLineView(one: SettlementLineRow): z.input<typeof settlementLine> {
  return {
    ...nameOf(one),
    gateway: one.gateway,
    account: one.account,
    kind: one.kind,
    told_kind: one.told_kind,
    external_id: one.external_id,
    payment_ref: one.payment_ref,
    order_ref: one.order_ref,
    settlement_ref: one.settlement_ref,
    utr: one.utr,
    amount: minorToJson(one.amount),
    fee: minorOrNull(one.fee),
    tax: minorOrNull(one.tax),
    net: minorOrText(one.net),
    currency: one.currency,
    occurred_on: one.occurred_on,
    settled_on: one.settled_on,
  }
}

function minorOrNull(amount: bigint | null): number | string | null {
  return amount === null ? null : minorOrText(amount)
}

export const bankLine = z
  .strictObject({
    ...named,
    ledger_account: z.string(),
    booked_on: day,
    value_on: day.nullable(),
    amount: minorUnits.meta({ description: 'What comes in is positive.' }),
    currency: currencyCode,
    balance_after: minorUnits.nullable(),
    reference: z.string().nullable(),
    narration: z.string(),
    tokens: z.array(z.string()).meta({ description: 'What in it may be a reference.' }),
  })
  .meta({ id: 'BankLine' })

export function bankLineView(one: BankLineRow): z.input<typeof bankLine> {
  return {
    ...nameOf(one),
    ledger_account: one.ledger_account,
    booked_on: one.booked_on,
    value_on: one.value_on,
    amount: minorToJson(one.amount),
    currency: one.currency,
    balance_after: minorOrNull(one.balance_after),
    reference: one.reference,
    narration: one.narration,
    tokens: one.tokens,
  }
}
