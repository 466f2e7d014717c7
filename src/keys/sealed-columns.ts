/** Every column that is sealed with a data key, and what each value is bound to. */
import type { Scope } from '../base/db.ts'

/** The parts of a row's key, as text. */
export type RowKey = readonly [string, ...string[]]

export interface SealedColumn {
  table: string
  column: string
  /** What tells an organisation's rows apart; all are text. */
  key: readonly [string, ...string[]]
  /** True where an index tells which keys there are, for a table too long to be read each day. */
  hasKeyIndex?: true
  /** What the value is bound to (src/base/crypto.ts, seal()). */
  context(orgId: Scope, key: RowKey): string
}

/** Answers that are kept for a day (kept_answers) run out by themselves. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  {
    table: 'gateway_accounts',
    column: 'key_secret_sealed',
    key: ['gateway', 'account'],
    context: (_orgId, [gateway, account]) => `${gateway} ${account}`,
  },
  {
    table: 'webhook_secrets',
    column: 'secret_sealed',
    key: ['secret_id'],
    context: (_orgId, [secretId]) => secretId,
  },
  {
    table: 'webhook_signing_secrets',
    column: 'secret_sealed',
    key: ['secret_id'],
    context: (_orgId, [secretId]) => secretId,
  },
  {
    table: 'oidc_providers',
    column: 'client_secret_sealed',
    key: ['issuer', 'client_id'],
    context: (orgId, [issuer, clientId]) =>
      JSON.stringify(['oidc client', orgId, issuer, clientId]),
  },
  {
    table: 'invitation_emails',
    column: 'token_sealed',
    key: ['email_id'],
    context: (_orgId, [emailId]) => emailId,
  },
  {
    table: 'donors',
    column: 'tax_id_sealed',
    key: ['donor_id'],
    context: (_orgId, [donorId]) => donorId,
  },
  {
    table: 'receipts',
    column: 'document_sealed',
    key: ['receipt_id'],
    context: (_orgId, [receiptId]) => receiptId,
  },
  {
    table: 'instructions',
    column: 'beneficiary_sealed',
    key: ['instruction_id'],
    context: (orgId, [instructionId]) => JSON.stringify(['beneficiary', orgId, instructionId]),
  },
  {
    table: 'inbox_events',
    column: 'body_sealed',
    key: ['event_id'],
    hasKeyIndex: true,
    context: (orgId, [eventId]) => JSON.stringify(['inbox body', orgId, eventId]),
  },
  {
    table: 'offline_import_rows',
    column: 'content_sealed',
    key: ['row_id'],
    context: (orgId, [rowId]) => JSON.stringify(['offline import', orgId, rowId]),
  },
]
