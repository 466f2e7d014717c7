/** Settlements that nobody told, where their lines and one credit at the bank prove them. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import type { Fact, GatewayName, Settled } from '../gateways/fact.ts'

/** Settlements that one part looks for. */
const MISSING_MAX = 20_000

/** A break, and the fact that ends it. */
export interface Telling {
  exceptionId: string
  /** The first line that tells it: stands for the event in the store of facts. */
  line: string
  fact: Fact
}

interface Missing {
  exception_id: string
  gateway: GatewayName
  account: string
  settlement_ref: string
  currency: string
  net: bigint
  utr: string
  settled_on: IsoDate | null
  first_file: number
  first_row: number
}

interface CreditRow {
  utr: string
  booked_on: IsoDate
  amount: bigint
  currency: string
  repeated: number
}

/**
 * One line of the bank names the UTR that all lines of the settlement name, and no other, and is of
 * what they come to. Each side is asked for by a list: joined as a whole, tables that were never
 * analysed are compared each with each.
 */
export async function provenSettlements(
  trx: Trx,
  asOf: IsoDate,
  limit: number,
): Promise<Telling[]> {
  const missing = await loadMissing(trx)
  const byUtr = Map.groupBy(missing, ({ utr }) => utr)
  const alone = missing.filter(({ utr }) => byUtr.get(utr)?.length === 1)
  const credits = alone.length === 0 ? [] : await loadCredits(trx, [...byUtr.keys()])
  const creditOf = new Map(credits.map((one) => [one.utr, one]))
  return alone
    .flatMap((one): Telling[] => {
      const credit = creditOf.get(one.utr)
      const agrees =
        credit !== undefined &&
        credit.amount === one.net &&
        credit.currency === one.currency &&
        credit.repeated === 0
      return agrees
        ? [
            {
              exceptionId: one.exception_id,
              line: `${one.first_file}-${one.first_row}`,
              fact: settledOf(one, one.settled_on ?? credit.booked_on ?? asOf),
            },
          ]
        : []
    })
    .slice(0, limit)
}

/** Settlements whose lines are in one currency, and all of them name one UTR. */
async function loadMissing(trx: Trx): Promise<Missing[]> {
  return await trx.query<Missing>(
    `with named as materialized (
       -- What a policy lets no index look for is worked out before.
       select exception_id, detail ->> 'settlement' as ref, subject, currency
         from recon_exceptions
        where org_id = $1 and state = 'open' and kind = 'missing_internal'
          and subject like 'settlement %'
        order by exception_id limit ${MISSING_MAX}
     )
     select n.exception_id, b.gateway, b.account, b.settlement_ref, b.currency, b.net,
            b.utr_low as utr, b.settled_on, b.first_file, b.first_row
       from named n
      cross join lateral (
        select * from recon_batches where settlement_ref = n.ref and org_id = $1 offset 0
      ) b
      where b.currency = n.currency and b.net > 0
        and b.with_utr = b.lines and b.utr_low = b.utr_high
        and not exists (
          select from recon_batches o
           where o.settlement_ref = b.settlement_ref and o.account = b.account
             and o.gateway = b.gateway and o.org_id = $1 and o.currency <> b.currency)
        and n.subject = 'settlement ' || b.gateway || ' ' || b.account || ' ' || b.settlement_ref
      order by n.exception_id`,
    [trx.scope],
  )
}

/** The only credits that name these UTRs; one that was booked as something else proves nothing. */
async function loadCredits(trx: Trx, utrs: readonly string[]): Promise<CreditRow[]> {
  return await trx.query<CreditRow>(
    `select c.utr, c.booked_on, c.amount, c.currency, c.repeated
       from (
         select t.utr, min(b.booked_on) as booked_on, min(b.amount) as amount,
                min(b.currency) as currency, min(b.repeated) as repeated,
                min(b.file_no) as file_no, min(b.row_no) as row_no
           from unnest($2::text[]) as t (utr)
           join (
             select unnest(tokens) as token, booked_on, amount, currency, repeated, file_no, row_no
               from bank_lines where org_id = $1 and amount > 0
           ) b on b.token = t.utr
          group by t.utr having count(*) = 1
       ) c
       left join lateral (
         select true as found from settlements
          where utr_plain = c.utr and org_id = $1 limit 1
       ) s on true
       left join lateral (
         select true as found from recon_closed_lines
          where file_no = c.file_no and row_no = c.row_no and org_id = $1 and side = 'bank' limit 1
       ) d on true
       left join lateral (
         select true as found from recon_bank_matches
          where file_no = c.file_no and row_no = c.row_no and org_id = $1 and undone_at is null
          limit 1
       ) m on true
      where s.found is null and d.found is null and m.found is null`,
    [trx.scope, utrs],
  )
}

function settledOf(
  { gateway, account, settlement_ref: id, net: amount, currency, utr }: Missing,
  day: IsoDate,
): Settled {
  return {
    kind: 'settled',
    key: `line:${gateway}:${account}:${id}:settled`,
    gateway,
    account,
    occurredAt: noonOf(day),
    gatewaySettlementId: id,
    amount,
    currency,
    utr,
  }
}

/** Reports name days only: at noon in India it is that day wherever it is counted from. */
export function noonOf(day: IsoDate): Date {
  return new Date(`${day}T12:00:00+05:30`)
}
