/** What stands on a clearing account, item by item: records, lines, settlements, entries. */
import type { Trx } from '../../base/db.ts'
import type { EntryKind } from '../../ledger/core/entry.ts'

/**
 * The account's balance is what records brought less what settlements sent, and entries by hand.
 * Lines tell of records and make up settlements, so that each stands on both sides and falls out:
 * what is left are records without a line, lines without a record, and where two sides differ.
 */
export const PROOF_PARTS = [
  // Captured and not yet settled, less refunds, disputes and transfers: no line tells of it.
  'unsettled',
  // What a record brought, less what its lines say, as far as no rule lets it pass.
  'differences',
  // Amounts that lines tell otherwise and that the rules let pass: nobody booked them.
  'within_tolerance',
  // Taken off again: a line counts in its settlement, and nothing of ours stands behind it.
  'lines_without_record',
  // What the lines of a settlement come to, less what was sent.
  'settlements_off',
  // Sent, and no line says what for.
  'settlements_without_lines',
  // Lines that no settlement in the books has sent: held back, or of one that nobody told.
  'lines_not_settled',
  // Entries that no gateway's fact stands behind: by hand, reversals, resolutions.
  'by_hand',
] as const

export type ProofPart = (typeof PROOF_PARTS)[number]

/** Whose account: of a gateway, in a currency. */
export interface ProofOf {
  gateway: string
  currency: string
}

export interface Proof {
  /** Debits less credits, as the books have it. */
  balance: bigint
  parts: { part: ProofPart; items: bigint; amount: bigint }[]
  /** What none of them explains: anything but 0 is a fault of ours. */
  remainder: bigint
}

/** Something that stands on the account, with what it adds to the balance. */
export interface ProofItem {
  id: string
  kind: string
  /** The gateway's id, where there is one. */
  ref: string | null
  amount: bigint
}

/** Entries that records and settlements account for: gateways' facts. */
const FROM_FACTS = [
  'donation_captured',
  'unidentified_captured',
  'gateway_fee',
  'refund_processed',
  'refund_returned',
  'dispute_debited',
  'dispute_credited',
  'dispute_lost',
  'settled',
  'settlement_returned',
  'transfer_processed',
  'transfer_reversed',
] as const satisfies readonly EntryKind[]

/** $1 the organisation, $2 the gateway, $3 the currency, $4 the kinds that facts post. */
const RECORDS = `
    select payment_id as id, 'payment' as kind, gateway_payment_id as ref,
           amount - coalesce(fee, 0) as brought, amount
      from payments
     where org_id = $1 and gateway = $2 and currency = $3 and state = 'captured'
     union all
    select refund_id, 'refund', gateway_refund_id,
           case when returned_entry is not null then amount else 0 end
             - case when processed_entry is not null then amount else 0 end - coalesce(fee, 0),
           amount
      from refunds where org_id = $1 and gateway = $2 and currency = $3
     union all
    select dispute_id, 'dispute', gateway_dispute_id, -held - lost - fee, amount
      from disputes where org_id = $1 and gateway = $2 and currency = $3
     union all
    select t.transfer_id, 'transfer', t.gateway_transfer_id,
           case when t.processed_entry is null then 0 else -t.amount - t.fee end + t.reversed
             + case when t.reversed = 0 then 0 else coalesce((
                 select sum((f.content ->> 'fee')::bigint)::bigint from facts f
                  where f.content ->> 'gatewayTransferId' = t.gateway_transfer_id
                    and f.org_id = $1 and f.kind = 'transfer_reversed'
                    and f.content ->> 'gateway' = t.gateway
                    and f.content ->> 'account' = t.account), 0) end, t.amount
      from gateway_transfers t where t.org_id = $1 and t.gateway = $2 and t.currency = $3`

/**
 * A line that tells of several records gives each its own amount, and the first of them its charge
 * too, so that all shares of a line come to its net.
 */
const TOLD = `
    select m.record_id as id, sum(
             case when m.amount = l.amount then l.net
                  else sign(l.net) * m.amount + case when exists (
                    select from recon_matches o
                     where o.file_no = m.file_no and o.row_no = m.row_no and o.org_id = $1
                       and o.undone_at is null and o.part < m.part)
                    then 0 else l.net - sign(l.net) * l.amount end
             end)::bigint as told
      from lines l
      join recon_matches m
        on m.file_no = l.file_no and m.row_no = l.row_no and m.org_id = $1
     where m.undone_at is null
     group by m.record_id`

const ITEMS = `
  with lines as (
    -- What a file has twice counts once.
    select file_no, row_no, kind, external_id, account, settlement_ref, amount, net
      from settlement_lines
     where org_id = $1 and gateway = $2 and currency = $3 and repeated = 0
  ), records as (${RECORDS}
  ), told as (${TOLD}
  ), tolerated as (
    select r.id, r.kind, r.ref,
           sum(case when l.kind = 'payment' or l.kind like '%\\_reversal' then 1 else -1 end
               * (r.amount - m.amount))::bigint as amount
      from recon_matches m
      join lines l on l.file_no = m.file_no and l.row_no = m.row_no
      join records r on r.id = m.record_id
     where m.org_id = $1 and m.undone_at is null and m.rule = 'id_tolerance'
     group by r.id, r.kind, r.ref
  ), batches as (
    select account, settlement_ref, sum(net)::bigint as net
      from lines where settlement_ref is not null group by 1, 2
  ), sent as (
    select settlement_id as id, account, gateway_settlement_id as ref,
           case when settled_entry is null then 0 else amount end
             - case when returned_entry is null then 0 else amount end as sent
      from settlements where org_id = $1 and gateway = $2 and currency = $3
  ), items as (
    select 'unsettled' as part, r.id, r.kind, r.ref, r.brought as amount
      from records r
     where r.brought <> 0 and not exists (select from told t where t.id = r.id)
     union all
    select 'differences', t.id, coalesce(r.kind, 'record'), r.ref, d.amount
      from told t
      left join records r on r.id = t.id
      left join tolerated p on p.id = t.id
     cross join lateral (
       select coalesce(r.brought, 0) - t.told - coalesce(p.amount, 0) as amount) d
     where d.amount <> 0
     union all
    select 'within_tolerance', id, kind, ref, amount from tolerated where amount <> 0
     union all
    select 'lines_without_record', l.file_no || '-' || l.row_no, l.kind, l.external_id, -l.net
      from lines l
     where l.net <> 0 and not exists (
       select from recon_matches m
        where m.file_no = l.file_no and m.row_no = l.row_no and m.org_id = $1
          and m.undone_at is null)
     union all
    select 'settlements_off', s.id, 'settlement', s.ref, b.net - s.sent
      from sent s join batches b on b.account = s.account and b.settlement_ref = s.ref
     where b.net <> s.sent
     union all
    select 'settlements_without_lines', s.id, 'settlement', s.ref, -s.sent
      from sent s
     where s.sent <> 0 and not exists (
       select from batches b where b.account = s.account and b.settlement_ref = s.ref)
     union all
    select 'lines_not_settled', l.file_no || '-' || l.row_no, l.kind, l.external_id, l.net
      from lines l
     where l.net <> 0 and not exists (
       select from sent s where s.account = l.account and s.ref = l.settlement_ref)
     union all
    select 'by_hand', 'je_' || e.entry_no, e.kind, null,
           sum(case p.direction when 'debit' then p.amount else -p.amount end)::bigint
      from accounts a
      join postings p on p.org_id = $1 and p.account_id = a.account_id
      join journal_entries e on e.org_id = $1 and e.entry_no = p.entry_no
     where a.org_id = $1 and a.code = 'assets:clearing:' || $2 and a.currency = $3
       and e.kind <> all($4::text[])
     group by e.entry_no, e.kind
  )`

function paramsOf(trx: Trx, { gateway, currency }: ProofOf): unknown[] {
  return [trx.scope, gateway, currency, FROM_FACTS]
}

/** The account's balance and its parts, from one snapshot: the transaction has to have one. */
export async function proveClearing(trx: Trx, of: ProofOf): Promise<Proof> {
  const [account] = await trx.query<{ balance: bigint }>(
    `select debits - credits as balance from accounts
      where org_id = $1 and code = 'assets:clearing:' || $2 and currency = $3`,
    [trx.scope, of.gateway, of.currency],
  )
  const rows = await trx.query<{ part: ProofPart; items: bigint; amount: bigint }>(
    `${ITEMS} select part, count(*) as items, sum(amount)::bigint as amount
       from items group by part`,
    paramsOf(trx, of),
  )
  const balance = account?.balance ?? 0n
  const parts = PROOF_PARTS.map((part) => {
    const { items = 0n, amount = 0n } = rows.find((row) => row.part === part) ?? {}
    return { part, items, amount }
  })
  const explained = parts.reduce((sum, { amount }) => sum + amount, 0n)
  return { balance, parts, remainder: balance - explained }
}

/** The items of a part after the one with the id `after`, by id. */
export async function listProofItems(
  trx: Trx,
  of: ProofOf,
  { part, after, limit }: { part: ProofPart; after: string; limit: number },
): Promise<ProofItem[]> {
  return await trx.query<ProofItem>(
    `${ITEMS} select id, kind, ref, amount from items
      where part = $5 and id > $6 collate "C" order by id collate "C" limit $7`,
    [...paramsOf(trx, of), part, after, limit],
  )
}

/** All items of all parts, in the order of the parts and by id; the first `limit` of them. */
export async function listAllProofItems(
  trx: Trx,
  of: ProofOf,
  limit: number,
): Promise<(ProofItem & { part: ProofPart })[]> {
  return await trx.query(
    `${ITEMS} select part, id, kind, ref, amount from items
      order by array_position($5::text[], part), id collate "C" limit $6`,
    [...paramsOf(trx, of), PROOF_PARTS, limit],
  )
}
