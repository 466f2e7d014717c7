/** The bodies of stored webhooks at rest: sealed once they are old enough, read in both forms. */
import { seal, unseal, type Keyring } from '../base/crypto.ts'
import type { Database, Scope, Trx } from '../base/db.ts'
import { refsIn, withoutPayer } from '../gateways/payer-data.ts'

/**
 * Days for which a processed event, or a dead one, keeps its body in clear: gateways repeat theirs
 * for three, and people look into what failed within a week. After that it is needed for disputes
 * and replay only.
 */
export const CLEAR_DAYS = 7

/** Since when an event is done or dead, in the words of the index `inbox_events_in_clear`. */
export const DONE_SINCE = 'case when processed_at is null then next_try_at else processed_at end'

/** A body in one of its two forms. */
export interface KeptBody {
  event_id: string
  body: Buffer | null
  body_sealed: Buffer | null
}

/** What a sealed body is bound to; the same in src/keys/sealed-columns.ts. */
function boundTo(orgId: Scope, eventId: string): string {
  return JSON.stringify(['inbox body', orgId, eventId])
}

/** The bytes of an event, whichever form they are kept in. Throws where no key opens them. */
export function bodyOf(keyring: Keyring, orgId: Scope, event: KeptBody): Buffer {
  if (event.body !== null) {
    return event.body
  }
  if (event.body_sealed === null) {
    throw new Error(`event ${event.event_id} has no body`)
  }
  return unseal(keyring, event.body_sealed, boundTo(orgId, event.event_id))
}

/** Sealed in one transaction: a body has 256 KiB at the most, and two usually. */
const TOGETHER = 50

interface Due {
  event_id: string
  gateway: string
  content_type: string
  body: Buffer
}

/**
 * Seals the next bodies of an organisation that are old enough, without the payer where he was
 * erased; gives how many. Safe to repeat and to run beside itself. SERIALIZABLE, so that who is
 * erased at the same time is found by one of both.
 */
export async function sealBodies(db: Database, orgId: number, keyring: Keyring): Promise<number> {
  return await db.transact(orgId, async (trx) => {
    const events = await trx.query<Due>(
      `select event_id, gateway, content_type, body from inbox_events
        where org_id = $1 and body is not null and state <> 'waiting'
          and ${DONE_SINCE} < now() - make_interval(days => $2)
        order by ${DONE_SINCE} limit $3`,
      [orgId, CLEAR_DAYS, TOGETHER],
    )
    const refs = events.flatMap(({ event_id: eventId, gateway, body, content_type: type }) =>
      refsIn(body, type).map((ref) => ({ eventId, gateway, ref })),
    )
    const erased = await ofTheErased(trx, refs)
    const sealed = events.map((event) => {
      const clean = erased.has(event.event_id) ? withoutPayer(event.body, event.content_type) : null
      const bytes = clean ?? event.body
      return {
        eventId: event.event_id,
        sealed: seal(keyring, bytes, boundTo(orgId, event.event_id)),
        isRedacted: clean !== null,
      }
    })
    await writeSealed(trx, sealed)
    await noteRefs(trx, refs)
    return events.length
  })
}

interface Ref {
  eventId: string
  gateway: string
  ref: string
}

/** Events among these that speak of a donor who was erased. */
async function ofTheErased(trx: Trx, refs: readonly Ref[]): Promise<Set<string>> {
  const rows = await trx.query<{ event_id: string }>(
    `select n.event_id
       from unnest($2::text[], $3::text[], $4::text[]) as n (event_id, gateway, ref)
      where exists (
        select from donations d join donors w on w.org_id = d.org_id and w.donor_id = d.donor_id
         where d.org_id = $1 and d.gateway = n.gateway and d.order_ref = n.ref
           and w.erased_at is not null)
         or exists (
        select from payments p
          join donations d on d.org_id = p.org_id and d.donation_id = p.donation_id
          join donors w on w.org_id = d.org_id and w.donor_id = d.donor_id
         where p.org_id = $1 and p.gateway_payment_id = n.ref and p.gateway = n.gateway
           and w.erased_at is not null)`,
    [trx.scope, refs.map((one) => one.eventId), ...columnsOf(refs)],
  )
  return new Set(rows.map((row) => row.event_id))
}

function columnsOf(refs: readonly Ref[]): [string[], string[]] {
  return [refs.map((one) => one.gateway), refs.map((one) => one.ref)]
}

/** Which sealed events speak of which order or payment: how they are found again unopened. */
async function noteRefs(trx: Trx, refs: readonly Ref[]): Promise<void> {
  if (refs.length === 0) {
    return
  }
  await trx.query(
    `insert into inbox_refs (org_id, event_id, gateway, ref)
     select $1, n.* from unnest($2::text[], $3::text[], $4::text[]) as n
     on conflict do nothing`,
    [trx.scope, refs.map((one) => one.eventId), ...columnsOf(refs)],
  )
}

interface Sealed {
  eventId: string
  sealed: Buffer
  isRedacted: boolean
}

async function writeSealed(trx: Trx, events: readonly Sealed[]): Promise<void> {
  if (events.length === 0) {
    return
  }
  await trx.query(
    `update inbox_events e
        set body = null, body_sealed = n.sealed,
            redacted_at = case when n.redacted then now() else e.redacted_at end
       from unnest($2::text[], $3::bytea[], $4::boolean[]) as n (event_id, sealed, redacted)
      where e.org_id = $1 and e.event_id = n.event_id`,
    [
      trx.scope,
      events.map((one) => one.eventId),
      events.map((one) => one.sealed),
      events.map((one) => one.isRedacted),
    ],
  )
}

/**
 * Takes a donor out of the sealed events of his payments; gives out of how many. What is not sealed
 * yet loses him when it is. Needs a SERIALIZABLE transaction.
 */
export async function redactBodies(trx: Trx, keyring: Keyring, donorId: string): Promise<number> {
  let redacted = 0
  for (let after = ''; ;) {
    const page = await eventsOf(trx, donorId, after)
    const changed = page.flatMap((event) => {
      const bytes = bodyOf(keyring, trx.scope, event)
      const clean = withoutPayer(bytes, event.content_type)
      if (clean === null || clean.equals(bytes)) {
        return []
      }
      const sealed = seal(keyring, clean, boundTo(trx.scope, event.event_id))
      return [{ eventId: event.event_id, sealed, isRedacted: true }]
    })
    await writeSealed(trx, changed)
    redacted += changed.length
    const last = page.at(-1)
    if (last === undefined || page.length < TOGETHER) {
      return redacted
    }
    after = last.event_id
  }
}

/** Sealed events about the orders and payments of a donor's donations, by id. */
async function eventsOf(
  trx: Trx,
  donorId: string,
  after: string,
): Promise<(KeptBody & { content_type: string })[]> {
  return await trx.query<KeptBody & { content_type: string }>(
    `select e.event_id, e.body, e.body_sealed, e.content_type
       from (
         select r.event_id
           from (
             select d.gateway, d.order_ref as ref from donations d
              where d.org_id = $1 and d.donor_id = $2
              union
             select p.gateway, p.gateway_payment_id
               from donations d
               join payments p on p.org_id = d.org_id and p.donation_id = d.donation_id
              where d.org_id = $1 and d.donor_id = $2
           ) own
          cross join lateral (
            select i.event_id from inbox_refs i
             where i.org_id = $1 and i.gateway = own.gateway and i.ref = own.ref
               and i.event_id > $3
             order by i.event_id limit $4
          ) r
          group by r.event_id order by r.event_id limit $4
       ) found
       join inbox_events e on e.org_id = $1 and e.event_id = found.event_id
      where e.body_sealed is not null
      order by e.event_id`,
    [trx.scope, donorId, after, TOGETHER],
  )
}
