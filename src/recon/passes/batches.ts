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
    `select b.*, s.settlement_id, s.amount as recorded,
            (s.settled_at at time zone 'Asia/Kolkata')::date as settled_on,
            w.resolved, w.resolution
       from (
         select gateway, account, settlement_ref, currency, lines, net from recon_batches
          where org_id = $1 and run_no = $2
          union
         select r.gateway, r.account, r.settlement_ref, r.currency, r.lines, r.net
           from recon_exceptions e
           join recon_batches r on r.org_id = e.org_id
            and e.subject = 'settlement ' || r.gateway || ' ' || r.account || ' '
                            || r.settlement_ref
          where e.org_id = $1 and e.state = 'open'
            and e.kind in ('batch_total_mismatch', 'missing_internal')
            and e.detail ? 'settlement'
            and r.settlement_ref = e.detail ->> 'settlement'
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
          where e.subject = 'settlement ' || b.gateway || ' ' || b.account || ' '
                            || b.settlement_ref
            and e.kind = 'batch_total_mismatch' and e.state = 'resolved' and e.org_id = $1
            and n.action <> 'dismiss'
       ) w
      -- A line in another currency is a break of its own; sums of two currencies are none.
      where b.currency = coalesce(s.currency, b.currency)
        and (b.settlement_ref, b.account, b.gateway) > ($3, $4, $5)
      order by b.settlement_ref, b.account, b.gateway
      limit ${TOGETHER}`,
    [trx.scope, runNo, after.settlement, after.account, after.gateway],
  )
  const last = rows.at(-1)
  return {
    breaks: rows.flatMap((row) => breakOfBatch(row)),
    last:
      last === undefined || rows.length < TOGETHER
        ? null
        : { settlement: last.settlement_ref, account: last.account, gateway: last.gateway },
  }
}

function breakOfBatch(row: BatchRow): Break[] {
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
