/** Payments past the gateways, imports and their rows, as answers show them. */
import { z } from 'zod'
import { minorToJson } from '../base/money.ts'
import { maskTaxId } from '../donations/donors.ts'
import type { ImportRecord, ImportRow } from '../offline/import-records.ts'
import { IMPORT_STATES, ROW_STATES } from '../offline/imports.ts'
import { CHANNELS, OFFLINE_STATES } from '../offline/payment.ts'
import type { OfflineRow } from '../offline/read.ts'
import { currencyCode, day, idText, instant, minorUnits, sha256Hex } from './answers.ts'
import { entryId } from './entry-view.ts'
import type { Principal } from './request.ts'

const channel = z.enum(CHANNELS)

const warning = z.strictObject({
  code: z.enum([
    'cash_not_deductible',
    'cash_of_year',
    'cheque_post_dated',
    'cheque_presented_again',
  ]),
  detail: z.string(),
})

const fields = {
  id: idText('ofp'),
  channel,
  state: z.enum(OFFLINE_STATES).meta({
    description:
      'received: a cheque in hand; realised: the money is there; bounced: a cheque came back; ' +
      'returned: it came back after it was credited.',
  }),
  amount: minorUnits,
  currency: currencyCode,
  reference: z
    .string()
    .nullable()
    .meta({ description: 'UTR, RRN, or the number of a cheque or a voucher.' }),
  cheque_date: day.nullable(),
  ifsc: z.string().nullable(),
  bank: z.string().nullable(),
  fund: z.string(),
  nature: z.enum(['general', 'corpus', 'specific_grant']),
  donor: idText('dnr'),
  donor_name: z
    .string()
    .nullable()
    .meta({ description: 'Null for who may not see donors (donors.read).' }),
  donation: idText('don'),
  payment: idText('pmt').nullable().meta({ description: 'Null until the money is there.' }),
  receipt: idText('rcp')
    .nullable()
    .meta({ description: 'Cancelled where the cheque came back after it was issued.' }),
  account: z.string().nullable().meta({ description: 'Where the money is.' }),
  received_on: day,
  realised_on: day.nullable(),
  bounced_on: day.nullable(),
  bounce_reason: z.string().nullable(),
  bank_charge: minorUnits.nullable(),
  received_by: z.string(),
  realised_by: z.string().nullable(),
  bounced_by: z.string().nullable(),
  received_entry: idText('je'),
  realised_entry: idText('je').nullable(),
  bounced_entry: idText('je').nullable(),
  created_at: instant,
}

export const offlinePayment = z.strictObject(fields).meta({ id: 'OfflinePayment' })

export const recordedPayment = z
  .strictObject({ ...fields, warnings: z.array(warning) })
  .meta({ id: 'RecordedOfflinePayment' })

export function offlineView({ permissions }: Pick<Principal, 'permissions'>) {
  const isNamed = permissions.has('donors.read')
  return (row: OfflineRow): z.input<typeof offlinePayment> => ({
    id: row.offline_id,
    channel: row.channel,
    state: row.state,
    amount: minorToJson(row.amount),
    currency: row.currency,
    reference: row.reference,
    cheque_date: row.cheque_date,
    ifsc: row.ifsc,
    bank: row.bank,
    fund: row.fund,
    nature: row.nature,
    donor: row.donor_id,
    donor_name: isNamed ? row.donor_name : null,
    donation: row.donation_id,
    payment: row.payment_id,
    receipt: row.receipt_id,
    account: row.account,
    received_on: row.received_on,
    realised_on: row.realised_on,
    bounced_on: row.bounced_on,
    bounce_reason: row.bounce_reason,
    bank_charge: row.bank_charge === null ? null : minorToJson(row.bank_charge),
    received_by: row.received_by,
    realised_by: row.realised_by,
    bounced_by: row.bounced_by,
    received_entry: entryId(row.received_entry),
    realised_entry: entryOf(row.realised_entry),
    bounced_entry: entryOf(row.bounced_entry),
    created_at: row.created_at.toISOString(),
  })
}

function entryOf(entryNo: bigint | null): string | null {
  return entryNo === null ? null : entryId(entryNo)
}

export const offlineImport = z
  .strictObject({
    id: idText('imp'),
    state: z.enum(IMPORT_STATES).meta({
      description: 'previewed: nothing is moved; committing: part by part; committed: done.',
    }),
    file_sha256: sha256Hex,
    rows: z.strictObject({
      ready: z.int(),
      duplicate: z.int(),
      refused: z.int(),
      recorded: z.int(),
    }),
    channels: z
      .array(z.strictObject({ channel, rows: z.int(), amount: minorUnits }))
      .meta({ description: 'Of the rows that are ready, or recorded.' }),
    made_by: z.string(),
    made_at: instant,
    committed_by: z.string().nullable(),
    committed_at: instant.nullable(),
    ended_at: instant.nullable(),
  })
  .meta({ id: 'OfflineImport' })

export function importView(one: ImportRecord): z.input<typeof offlineImport> {
  const { ready, duplicate, refused, recorded } = one
  return {
    id: one.import_id,
    state: one.state,
    file_sha256: one.file_sha256.toString('hex'),
    rows: { ready, duplicate, refused, recorded },
    channels: one.channels.map((total) => ({ ...total, amount: minorToJson(total.amount) })),
    made_by: one.made_by,
    made_at: one.made_at.toISOString(),
    committed_by: one.committed_by,
    committed_at: one.committed_at?.toISOString() ?? null,
    ended_at: one.ended_at?.toISOString() ?? null,
  }
}

export const importRow = z
  .strictObject({
    line: z.int().meta({ description: 'Of the file, from 1; the names of the columns are on 1.' }),
    state: z.enum(ROW_STATES),
    channel: channel.nullable(),
    amount: minorUnits.nullable(),
    received_on: day.nullable(),
    reference: z.string().nullable(),
    fund: z.string().nullable(),
    donor: idText('dnr').nullable(),
    donor_name: z.string().nullable(),
    tax_id: z.string().nullable().meta({ description: 'Masked.' }),
    offline_payment: idText('ofp')
      .nullable()
      .meta({ description: 'What it became, or what it is a duplicate of.' }),
    faults: z.array(
      z.strictObject({ column: z.string().nullable(), code: z.string(), detail: z.string() }),
    ),
    warnings: z.array(warning),
  })
  .meta({ id: 'OfflineImportRow' })

/** What a line says is shown while it is kept: until it is recorded, or the import is done. */
export function importRowView({ wish, ...row }: ImportRow): z.input<typeof importRow> {
  const asked = wish?.asked
  const donor = asked?.donor
  const added = typeof donor === 'string' ? undefined : donor
  const taxId = added?.taxId ?? null
  return {
    line: row.line,
    state: row.state,
    channel: row.channel,
    amount: row.amount === null ? null : minorToJson(row.amount),
    received_on: asked?.receivedOn ?? null,
    reference: asked?.reference ?? null,
    fund: asked?.fund ?? null,
    donor: typeof donor === 'string' ? donor : null,
    donor_name: added?.name ?? null,
    tax_id: taxId === null ? null : maskTaxId(taxId.type, taxId.value),
    offline_payment: row.offline_id,
    faults: row.faults,
    warnings: row.warnings,
  }
}
