/** Settlements as a whole: what their lines come to, and what was sent to the bank. */
import type { Trx } from '../../base/db.ts'
import type { Break } from '../match/decide.ts'

/** Settlements of one statement. */
const TOGETHER = 5000

/** Up to where was looked. */
export interface BatchKey {
  settlement: string
  account: string
  gateway: string
  currency?: string
}

export const FROM_THE_FIRST_BATCH: BatchKey = { settlement: '', account: '', gateway: '' }

interface BatchRow {
  gateway: string
  account: string
  settlement_ref: string
  currency: string
  lines: number
  net: bigint
  settlement_id: string | null
  recorded: bigint | null
  recorded_currency: string | null
  settled_on: string | null
  resolved: bigint | null
  resolution: string | null
}

/**
 * Breaks of the settlements whose lines lie in the files that this run took in, or that did not
 * agree before: the sum of all their lines is held against what the gateway said it sent.
 */
export async function loadBatches(
  trx: Trx,
  runNo: number,
  after: BatchKey,
): Promise<{ breaks: Break[]; last: BatchKey | null }> {
  const rows = await trx.query<BatchRow>(
    `with named as materialized (
       -- What a policy lets no index look for is worked out before.
       select detail ->> 'settlement' as ref, subject from recon_exceptions
        where org_id = $1 and state = 'open' and detail ? 'settlement'
          and kind in ('batch_total_mismatch', 'missing_internal')
          and subject like 'settlement %'
     )
     select b.*, s.settlement_id, s.amount as recorded, s.currency as recorded_currency,
            (s.settled_at at time zone 'Asia/Kolkata')::date as settled_on,
            w.resolved, w.resolution
       from (
         select *, 'settlement ' || gateway || ' ' || account || ' ' || settlement_ref as subject
           from (
             select gateway, account, settlement_ref, currency, lines, net from recon_batches
              where org_id = $1 and run_no = $2
              union
             select r.gateway, r.account, r.settlement_ref, r.currency, r.lines, r.net
               from named n
              cross join lateral (
                select * from recon_batches where settlement_ref = n.ref and org_id = $1 offset 0
              ) r
              where n.subject = 'settlement ' || r.gateway || ' ' || r.account || ' '
                                || r.settlement_ref
           ) u
          where (settlement_ref, account, gateway, currency) > ($3, $4, $5, $6)
          order by settlement_ref, account, gateway, currency
          limit ${TOGETHER}
       ) b
       left join lateral (
         select settlement_id, amount, currency, settled_at from settlements
          where gateway_settlement_id = b.settlement_ref and account = b.account
            and gateway = b.gateway and org_id = $1
          limit 1
       ) s on true
      cross join lateral (
         select sum(n.moves)::bigint as resolved, max(n.resolution_id) as resolution
           from recon_exceptions e
           join recon_resolutions n
             on n.exception_id = e.exception_id and n.org_id = $1 and n.state = 'done'
          where e.subject = b.subject
            and e.kind = 'batch_total_mismatch' and e.state = 'resolved' and e.org_id = $1
            and n.action <> 'dismiss'
       ) w
      order by b.settlement_ref, b.account, b.gateway, b.currency`,
    [trx.scope, runNo, after.settlement, after.account, after.gateway, after.currency ?? ''],
  )
  const last = rows.at(-1)
  return {
    breaks: rows.flatMap((row) => breakOfBatch(row)),
    last:
      last === undefined || rows.length < TOGETHER
        ? null
        : {
            settlement: last.settlement_ref,
            account: last.account,
            gateway: last.gateway,
            currency: last.currency,
          },
  }
}

function breakOfBatch(row: BatchRow): Break[] {
  // A line in another currency is a break of its own; sums of two currencies are none.
  if (row.recorded_currency !== null && row.recorded_currency !== row.currency) {
    return []
  }
  const { gateway, account, settlement_ref: settlement, currency, net: told, recorded } = row
  // What was written off of it is explained; where the lines agree after all, that is not.
  const off = told - (recorded ?? 0n) - (row.resolved ?? 0n)
  if (recorded !== null && off === 0n) {
    return []
  }
  return [
    {
      kind: recorded === null ? 'missing_internal' : 'batch_total_mismatch',
      subject: `settlement ${gateway} ${account} ${settlement}`,
      amount: off < 0n ? -off : off,
      currency,
      since: row.settled_on,
      detail: {
        settlement,
        lines: row.lines,
        told,
        recorded,
        record: row.settlement_id,
        ...(row.resolution === null ? {} : { resolution: row.resolution, resolved: row.resolved }),
      },
      stays: false,
    },
  ]
}
