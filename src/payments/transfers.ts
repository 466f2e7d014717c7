/** Transfers of parts of payments to merchants' own accounts at the gateway, and back. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Fact, GatewayName, TransferFact } from '../gateways/fact.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { transferProcessed, transferReversed } from '../ledger/core/gateway-rules.ts'
import { moneyAt } from './money.ts'
import { changing, earlier, jsonOf, keyAt, lookUp, rowsOf, type Rows } from './rows.ts'

export const TRANSFER_STATES = ['processed', 'failed', 'reversed'] as const

export type TransferState = (typeof TRANSFER_STATES)[number]

export interface Transfer {
  transfer_id: string
  gateway: GatewayName
  account: string
  gateway_transfer_id: string
  state: TransferState
  recipient: string
  source: string | null
  amount: bigint | null
  currency: string
  fee: bigint
  tax: bigint
  reversed: bigint
  failure_reason: string | null
  began_at: Date
  processed_at: Date | null
  failed_at: Date | null
  processed_entry: bigint | null
}

function transferKeyOf(transfer: {
  gateway: string
  account: string
  gatewayTransferId: string
}): string {
  return keyAt(transfer, transfer.gatewayTransferId)
}

/** The transfers that the facts are about, as far as they are known. */
export async function loadTransfers(trx: Trx, facts: readonly Fact[]): Promise<Rows<Transfer>> {
  const wanted = facts.flatMap((fact) =>
    'gatewayTransferId' in fact ? [{ ...fact, id: fact.gatewayTransferId }] : [],
  )
  if (wanted.length === 0) {
    return rowsOf<Transfer>([], () => '')
  }
  const rows = await trx.query<Transfer>(
    `select t.*
       from unnest($2::text[], $3::text[], $4::text[]) as w (gateway, account, id)
      cross join lateral (
        select transfer_id, gateway, account, gateway_transfer_id, state, recipient, source,
               amount, currency, fee, tax, reversed, failure_reason, began_at, processed_at,
               failed_at, processed_entry
          from gateway_transfers
         where org_id = $1 and gateway = w.gateway and account = w.account
           and gateway_transfer_id = w.id
         limit 1
      ) t`,
    [trx.scope, ...lookUp(wanted)],
  )
  return rowsOf(rows, (row) => row.gateway_transfer_id)
}

/** The entry of a transfer's step; null where no money moves. */
export function transferDraft(fact: TransferFact): Draft | null {
  const money = moneyAt(fact, fact.gatewayTransferId)
  switch (fact.kind) {
    case 'transfer_processed':
      return transferProcessed(money, fact)
    case 'transfer_reversed':
      return transferReversed(money, fact)
    case 'transfer_failed':
      return null
    default:
      return fact satisfies never
  }
}

/** Adds a fact to its transfer; `entryNo` is what was posted for it. */
export function applyToTransfer(
  transfers: Rows<Transfer>,
  fact: TransferFact,
  entryNo: bigint | null,
  now: Date,
): void {
  const transfer = changing(transfers, transferKeyOf(fact), () => newTransfer(fact, now))
  transfer.began_at = earlier(transfer.began_at, fact.occurredAt)
  transfer.source ??= fact.source
  switch (fact.kind) {
    case 'transfer_processed':
      transfer.amount = fact.amount
      transfer.fee = fact.fee
      transfer.tax = fact.tax
      transfer.processed_at = fact.occurredAt
      transfer.processed_entry = entryNo
      break
    case 'transfer_failed':
      transfer.amount ??= fact.amount
      transfer.failed_at = fact.occurredAt
      transfer.failure_reason ??= fact.reason
      break
    case 'transfer_reversed':
      transfer.reversed += fact.amount
      break
    default:
      fact satisfies never
  }
  transfer.state = stateOf(transfer)
}

function stateOf({ amount, reversed, processed_at: processed, failed_at: failed }: Transfer) {
  if (reversed > 0n && (amount === null || reversed >= amount)) {
    return 'reversed'
  }
  return processed === null && failed !== null ? 'failed' : 'processed'
}

function newTransfer(fact: TransferFact, now: Date): Transfer {
  return {
    transfer_id: newId('trf', now.getTime()),
    gateway: fact.gateway,
    account: fact.account,
    gateway_transfer_id: fact.gatewayTransferId,
    state: 'processed',
    recipient: fact.recipient,
    source: fact.source,
    amount: null,
    currency: fact.currency,
    fee: 0n,
    tax: 0n,
    reversed: 0n,
    failure_reason: null,
    began_at: fact.occurredAt,
    processed_at: null,
    failed_at: null,
    processed_entry: null,
  }
}

/** Writes the transfers that changed back in one statement. */
export async function saveTransfers(trx: Trx, transfers: Rows<Transfer>): Promise<void> {
  if (transfers.changed.size === 0) {
    return
  }
  await trx.query(
    `insert into gateway_transfers (org_id, transfer_id, gateway, account, gateway_transfer_id,
       state, recipient, source, amount, currency, fee, tax, reversed, failure_reason, began_at,
       processed_at, failed_at, processed_entry)
     select $1, n.*
       from jsonb_to_recordset($2) as n (transfer_id text, gateway text, account text,
         gateway_transfer_id text, state text, recipient text, source text, amount bigint,
         currency text, fee bigint, tax bigint, reversed bigint, failure_reason text,
         began_at timestamptz, processed_at timestamptz, failed_at timestamptz,
         processed_entry bigint)
     on conflict (org_id, transfer_id) do update
       set state = excluded.state, source = excluded.source, amount = excluded.amount,
           fee = excluded.fee, tax = excluded.tax, reversed = excluded.reversed,
           failure_reason = excluded.failure_reason, began_at = excluded.began_at,
           processed_at = excluded.processed_at, failed_at = excluded.failed_at,
           processed_entry = excluded.processed_entry`,
    [trx.scope, jsonOf([...transfers.changed])],
  )
}
