/** What gateways told after a break was found or resolved: it is told again as it is by now. */
import type { Trx } from '../../base/db.ts'
import { chargesOff, type Break } from '../match/decide.ts'
import { chargeNow } from './live-charges.ts'

/** Of one part of a run; what is beyond waits for the next one. */
const TOGETHER = 5000

interface ChargeRow {
  exception_id: string
  subject: string
  currency: string
  since: string
  detail: Readonly<Record<string, unknown>>
  fee: bigint | null
  tax: bigint | null
}

/** Open breaks of charges that our books have otherwise by now: those, and what is left of them. */
export async function loadRetoldCharges(trx: Trx): Promise<{ old: string[]; breaks: Break[] }> {
  const rows = await trx.query<ChargeRow>(
    `select e.exception_id, e.subject, e.currency, e.since, e.detail, r.fee, r.tax
       from recon_exceptions e
      cross join lateral (${chargeNow(`e.detail ->> 'record'`)} limit 1) r
      where e.org_id = $1 and e.state = 'open' and e.stays
        and e.kind in ('fee_missing', 'fee_variance', 'tax_variance') and not e.detail ? 'back'
        and (r.fee, r.tax) is distinct from
            ((e.detail ->> 'recorded_fee')::bigint, (e.detail ->> 'recorded_tax')::bigint)
      order by e.exception_id limit ${TOGETHER}`,
    [trx.scope],
  )
  return {
    old: rows.map(({ exception_id: id }) => id),
    breaks: rows.flatMap(({ subject, currency, since, detail, fee, tax }) => {
      const said = amountIn(detail, 'told_fee')
      // Where its fee agrees, what was kept back is what there is to explain.
      const kept = said === fee ? amountIn(detail, 'kept') : null
      const told = { fee: kept ?? said, tax: amountIn(detail, 'told_tax') }
      return chargesOff(told, { fee, tax }).map(({ kind, amount }) => ({
        kind,
        subject,
        amount,
        currency,
        since,
        detail: { ...detail, recorded_fee: fee, recorded_tax: tax },
        stays: true,
      }))
    }),
  }
}

function amountIn(detail: ChargeRow['detail'], name: string): bigint | null {
  const text = detail[name]
  return typeof text === 'string' || typeof text === 'number' ? BigInt(text) : null
}

interface NewsRow {
  subject: string
  amount: bigint
  currency: string
  since: string | null
  detail: Readonly<Record<string, unknown>>
}

/**
 * Breaks where the gateway told something of what a resolution had ended, so that both stand in the
 * books: each names the resolution, which is undone then. What was resolved is read where it
 * stands, also by a trial.
 */
export async function loadNews(trx: Trx): Promise<Break[]> {
  const rows = await trx.query<NewsRow>(
    `-- A record was given up, and its charge told, or told otherwise, after that.
     select 'record ' || c.record_id as subject,
            abs(coalesce(r.fee, 0) - coalesce(c.fee, 0)) as amount, c.currency,
            c.occurred_on as since,
            jsonb_build_object('recorded', 'given_up', 'resolution', c.resolution_id,
              'id', c.external_id, 'told_fee', r.fee::text, 'recorded_fee', c.fee::text) as detail
       from recon_closed_records c
      cross join lateral (${chargeNow('c.record_id')} limit 1) r
      where c.org_id = $1 and not c.reversal and coalesce(r.fee, 0) <> coalesce(c.fee, 0)
      union all
     -- A charge was booked by a person, and the gateway told it after that.
     select e.subject, abs(coalesce(r.fee, 0)
              - coalesce((e.detail ->> 'recorded_fee')::bigint, 0)), e.currency, e.since,
            jsonb_build_object('recorded', 'resolved', 'resolution', n.resolution_id,
              'record', e.detail ->> 'record', 'told_fee', e.detail ->> 'told_fee',
              'recorded_fee', r.fee::text)
       from recon_resolutions n
       join public.recon_exceptions e on e.exception_id = n.exception_id and e.org_id = $1
      cross join lateral (${chargeNow(`e.detail ->> 'record'`)} limit 1) r
      where n.org_id = $1 and n.state = 'done' and n.moves <> 0 and not e.detail ? 'back'
        and cardinality(n.facts) = 0 and e.kind in ('fee_missing', 'fee_variance')
        and coalesce(r.fee, 0) <> coalesce((e.detail ->> 'recorded_fee')::bigint, 0)
      union all
     -- A settlement that nobody had told was booked by a person, and told after that.
     select e.subject, s.amount, e.currency, e.since,
            jsonb_build_object('recorded', 'resolved', 'resolution', n.resolution_id,
              'settlement', s.gateway_settlement_id)
       from recon_resolutions n
       join public.recon_exceptions e on e.exception_id = n.exception_id and e.org_id = $1
       join settlements s on s.gateway_settlement_id = e.detail ->> 'settlement'
        and s.org_id = $1 and s.settled_entry is not null
        and e.subject = 'settlement ' || s.gateway || ' ' || s.account || ' '
                        || s.gateway_settlement_id
      where n.org_id = $1 and n.state = 'done' and n.moves <> 0 and cardinality(n.facts) = 0
        and e.kind = 'missing_internal'
      union all
     -- A settlement came back from the bank: after it was given up, or was credited there.
     select 'credit of ' || s.settlement_id, s.amount, s.currency,
            (s.returned_at at time zone 'Asia/Kolkata')::date,
            jsonb_strip_nulls(jsonb_build_object('recorded', 'returned', 'settlement',
              s.settlement_id, 'utr', s.utr, 'resolution', c.resolution_id))
       from settlements s
       left join recon_closed_records c
         on c.record_id = s.settlement_id and c.org_id = $1 and not c.reversal
       left join recon_bank_matches m
         on m.settlement_id = s.settlement_id and m.org_id = $1 and m.undone_at is null
      where s.org_id = $1 and s.state = 'returned'
        and (c.record_id is null) <> (m.settlement_id is null)
      order by subject limit ${TOGETHER}`,
    [trx.scope],
  )
  return rows.map((row) => ({ ...row, kind: 'status_mismatch', stays: false }))
}
